"""The real published files through import and load. They are never in the checkout: TOLEAP_TESTDATA names them."""

from __future__ import annotations

import csv
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from toleap.benchmark import load_benchmark
from toleap.data.manifest import data_folder
from toleap.errors import UsageError
from toleap.provision.imports import import_data, status
from toleap.provision.prepare import verify

TESTDATA = os.environ.get("TOLEAP_TESTDATA")

pytestmark = pytest.mark.skipif(TESTDATA is None, reason="TOLEAP_TESTDATA is not set")

XBENCH = Path(TESTDATA or "") / "xbench" / "DeepSearch-2505.csv"
WEBWALKER = Path(TESTDATA or "") / "webwalkerqa" / "webthinker_test.json"
BROWSECOMP_ZH = Path(TESTDATA or "") / "browsecomp_zh" / "browsecomp-zh-encrypted.xlsx"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def test_xbench() -> None:
    assert import_data("xbench", XBENCH).rows == 100
    benchmark = load_benchmark("xbench")
    tasks = benchmark.tasks()
    assert [task.id for task in tasks] == [str(number) for number in range(1, 101)]
    assert all(is_chinese(task.question) for task in tasks)
    assert (benchmark.language, benchmark.score.by) == ("zh", "judge")
    for task in tasks:
        assert task.question in benchmark.render_prompt(task)
    (state,) = status(["xbench"])
    assert (state.ready, state.rows, state.revision) == (True, 100, benchmark.revision)


def test_xbench_stays_encrypted_in_the_cache() -> None:
    import_data("xbench", XBENCH)
    questions = [task.question.encode() for task in load_benchmark("xbench").tasks()]
    stored = b"".join(path.read_bytes() for path in data_folder("xbench").rglob("*") if path.is_file())
    assert XBENCH.read_bytes() in stored
    assert not any(question in stored for question in questions)


def test_xbench_with_one_row_less_or_a_wrong_canary(tmp_path: Path) -> None:
    with XBENCH.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    damaged = [rows[0], *rows[1:50], [*rows[50][:-1], "another canary"], *rows[51:]]
    for name, content, says in (
        ("short.csv", rows[:-1], "found 99 rows, expected 100"),
        ("damaged.csv", damaged, "column prompt: cannot be decrypted"),
        ("columns.csv", [row[:-1] for row in rows], "missing column canary; the columns are: id, prompt, answer"),
    ):
        with (tmp_path / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(content)
        with pytest.raises(UsageError, match=says) as caught:
            import_data("xbench", tmp_path / name)
        assert name in str(caught.value)
    assert not load_benchmark("xbench").ready()


def test_webwalkerqa() -> None:
    assert import_data("webwalkerqa", WEBWALKER).rows == 680
    benchmark = load_benchmark("webwalkerqa")
    tasks = benchmark.tasks()
    assert len({task.id for task in tasks}) == 680
    assert benchmark.breakdown == ("type*difficulty", "lang")
    assert Counter(task.metadata["lang"] for task in tasks) == {"zh": 433, "en": 247}
    assert Counter((task.metadata["type"], task.metadata["difficulty"]) for task in tasks) == {
        ("single_source", "easy"): 80,
        ("single_source", "medium"): 140,
        ("single_source", "hard"): 120,
        ("multi_source", "easy"): 80,
        ("multi_source", "medium"): 140,
        ("multi_source", "hard"): 120,
    }


def test_webwalkerqa_as_the_hub_nests_it(tmp_path: Path) -> None:
    """The same tasks in the official schema have the same ids and the same revision."""
    import json

    import_data("webwalkerqa", WEBWALKER)
    flat = load_benchmark("webwalkerqa")
    nested = [
        {
            "question": row.pop("Question"),
            "answer": row.pop("answer"),
            "root_url": row.pop("root_url"),
            "info": row,
        }
        for row in json.loads(WEBWALKER.read_text(encoding="utf-8"))
    ]
    path = tmp_path / "main.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in nested), encoding="utf-8")
    import_data("webwalkerqa", path)
    official = load_benchmark("webwalkerqa")
    assert official.tasks() == flat.tasks()
    assert official.revision == flat.revision


def test_browsecomp_zh_workbook(tmp_path: Path) -> None:
    assert import_data("browsecomp-zh", BROWSECOMP_ZH).rows == 289
    tasks = load_benchmark("browsecomp-zh").tasks()
    assert len({task.id for task in tasks}) == 289
    assert all(is_chinese(task.question) for task in tasks)
    assert len({task.metadata["Topic"] for task in tasks}) == 11
    stored = b"".join(path.read_bytes() for path in data_folder("browsecomp-zh").rglob("*") if path.is_file())
    assert BROWSECOMP_ZH.read_bytes() in stored
    truncated = tmp_path / "half.xlsx"
    truncated.write_bytes(BROWSECOMP_ZH.read_bytes()[:40_000])
    with pytest.raises(UsageError, match=r"half\.xlsx: not a whole xlsx file"):
        import_data("browsecomp-zh", truncated)
    assert len(load_benchmark("browsecomp-zh").tasks()) == 289


def test_browsecomp_zh_as_the_hub_has_it(tmp_path: Path) -> None:
    """The same rows as parquet give the same tasks and the same revision."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    from toleap.data.readers import parse

    import_data("browsecomp-zh", BROWSECOMP_ZH)
    workbook = load_benchmark("browsecomp-zh")
    rows = [dict(row.cells) for row in parse(BROWSECOMP_ZH.read_bytes(), "xlsx", "f")]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "test.parquet")
    import_data("browsecomp-zh", tmp_path / "test.parquet")
    assert load_benchmark("browsecomp-zh").tasks() == workbook.tasks()
    assert load_benchmark("browsecomp-zh").revision == workbook.revision


@pytest.mark.parametrize(
    ("name", "path"), [("xbench", XBENCH), ("webwalkerqa", WEBWALKER), ("browsecomp-zh", BROWSECOMP_ZH)]
)
def test_prompts_hide_the_real_answers(name: str, path: Path) -> None:
    """With every gold answer replaced, the prompts stay the same: so no answer is in them."""
    import_data(name, path)
    benchmark = load_benchmark(name)
    for task in benchmark.tasks():
        assert benchmark.render_prompt(replace(task, answer="another")) == benchmark.render_prompt(task)
        assert repr(task.answer) not in repr(task) or task.answer in task.question
    assert verify([name])[0].ok
