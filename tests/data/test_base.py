"""A benchmark that takes tasks of another: by a value, by a published list of ids, or from a file of its own."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.data.conftest import Make
from toleap.benchmark import load_benchmark
from toleap.data.manifest import data_folder
from toleap.errors import UsageError
from toleap.provision.imports import import_data, status
from toleap.provision.prepare import prepare, verify

IDS = ["a1", "a3"]
DIGEST = hashlib.sha256("\n".join(sorted(IDS)).encode()).hexdigest()
WHOLE = """
[data]
source = "hub:own/whole"
gated = true
rows = 4
fields = { id = "id", question = "q", answer = "Final answer" }
metadata = { level = "Level" }
[report]
breakdown = ["level"]
"""
PART = f"""
[data]
base = "whole"
rows = 2
expect = {{ level = {{ 1 = 1, 3 = 1 }} }}
[data.select]
sha256 = "{DIGEST}"
"""
EVEN = '[data]\nbase = "whole"\nrows = 2\nwhere = { Kind = "" }\n'
ROWS = [
    {"id": f"a{n}", "q": f"q{n}?", "Final answer": f"GOLD{n}", "Level": n, "Kind": "odd" * (n % 2)} for n in range(4)
]
PLAIN = [{"task_id": row["id"], "Question": row["q"], "Final answer": row["Final answer"]} for row in ROWS]


def lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def three(make: Make, tmp_path: Path) -> Path:
    make("whole", WHOLE)
    make("part", PART)
    make("even", EVEN)
    return lines(tmp_path / "whole.jsonl", ROWS)


def ids_file(path: Path, ids: object) -> Path:
    path.write_text(json.dumps(ids))
    return path


def test_nothing_is_here(three: Path) -> None:
    for name in ("part", "even"):
        state = load_benchmark(name).ready()
        assert not state
        assert "takes its tasks from another: the data of whole is not here" in state.missing
        assert state.command == (
            "accept the terms at https://huggingface.co/datasets/own/whole, set HF_TOKEN, "
            f"toleap data prepare {name} (or toleap data import whole PATH)"
        )
        (shown,) = status([name])
        assert (shown.ready, shown.terms) == (False, "https://huggingface.co/datasets/own/whole")


def test_tasks_with_a_value(three: Path) -> None:
    import_data("whole", three)
    assert [task.id for task in load_benchmark("even").tasks()] == ["a0", "a2"]
    assert load_benchmark("even").tasks()[0].benchmark == "even"
    assert not prepare("even").fetched
    assert verify(["even"])[0].ok


@pytest.mark.parametrize("form", ["list", "objects", "named", "lines", "with answers elsewhere"])
def test_tasks_on_a_list(three: Path, tmp_path: Path, form: str) -> None:
    import_data("whole", three)
    assert load_benchmark("part").ready().command == "toleap data import part IDS.json"
    with pytest.raises(UsageError, match="the list of the tasks that part takes is not here"):
        prepare("part")
    objects = [{"task_id": name, "level": "1"} for name in reversed(IDS)]
    match form:
        case "list":
            path = ids_file(tmp_path / "ids.json", IDS)
        case "objects":
            path = ids_file(tmp_path / "ids.json", objects)
        case "named":
            path = ids_file(tmp_path / "ids.json", {"n": 2, "ids": objects})
        case "lines":
            path = lines(tmp_path / "ids.jsonl", [dict(item) for item in objects])
        case _:
            path = ids_file(tmp_path / "dev.json", [{**item, "Question": "?", "answer": "GOLD"} for item in objects])
    assert import_data("part", path).rows == 2
    tasks = load_benchmark("part").tasks()
    assert [(task.id, task.metadata["level"]) for task in tasks] == [("a1", "1"), ("a3", "3")]
    assert prepare("part").rows == 2
    stored = b"".join(file.read_bytes() for file in data_folder("part").rglob("*") if file.is_file())
    assert b"GOLD" not in stored


def test_a_file_of_its_own(three: Path, tmp_path: Path) -> None:
    own = lines(tmp_path / "part.jsonl", [row for row in PLAIN if row["task_id"] in IDS])
    assert import_data("part", own).rows == 2
    assert [task.id for task in load_benchmark("part").tasks()] == ["a1", "a3"]
    assert (prepare("part").fetched, verify(["part"])[0].ok) == (False, True)
    import_data("whole", three)
    import_data("part", ids_file(tmp_path / "ids.json", IDS))  # the list counts from now on
    assert load_benchmark("part").tasks()[0].metadata == {"level": "1"}


def test_agenttoleap_rows_of_the_base(three: Path, tmp_path: Path) -> None:
    import_data("whole", lines(tmp_path / "plain.jsonl", PLAIN))
    import_data("part", ids_file(tmp_path / "ids.json", IDS))
    assert [task.id for task in load_benchmark("part").tasks()] == ["a1", "a3"]
    with pytest.raises(UsageError, match="found 4 rows, expected 2"):
        load_benchmark("even").tasks()  # these rows do not say which kind they are


def test_wrong_lists_and_data(three: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ids.json: 1 ids whose sha256 is .*, expected"):
        import_data("part", ids_file(tmp_path / "ids.json", IDS[:1]))
    with pytest.raises(UsageError, match="missing column q, Final answer, id, Level"):
        import_data("part", ids_file(tmp_path / "ids.json", [{"other": 1}]))
    import_data("part", ids_file(tmp_path / "ids.json", IDS))
    import_data("whole", lines(three, [{**row, "id": f"b{row['id']}"} for row in ROWS]))
    with pytest.raises(UsageError, match="2 of the 2 selected ids are not in it"):
        load_benchmark("part").tasks()
    import_data("whole", lines(three, [{**row, "Level": 1} for row in ROWS]))
    with pytest.raises(UsageError, match="level is 1 2; expected 1 1, 3 1"):
        load_benchmark("part").tasks()
    (data_folder("part") / "ids.json").write_text("[")
    with pytest.raises(UsageError, match=r"ids.json: not JSON"):
        load_benchmark("part").tasks()


def test_wrong_bases(make: Make) -> None:
    make("own", "", {"own.jsonl": [{"Question": "q", "Final answer": "a"}]})
    make("a", '[data]\nbase = "own"\n')
    make("b", '[data]\nbase = "nothing there"\n')
    make("c", f'[data]\nsource = "jsonl:x.jsonl"\n[data.select]\nsha256 = "{DIGEST}"\n')
    with pytest.raises(UsageError, match=r"data\.base: own has no data of its own that is imported"):
        load_benchmark("a")
    with pytest.raises(UsageError, match="unknown benchmark 'nothing there'"):
        load_benchmark("b")
    with pytest.raises(UsageError, match=r"data\.select: only tasks of a base are selected"):
        load_benchmark("c")
