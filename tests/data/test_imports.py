"""Import: everything is checked before anything is written, and what was encrypted stays so."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from toleap.benchmark import load_benchmark
from toleap.data.manifest import data_folder
from toleap.errors import UsageError
from toleap.provision.imports import import_data, status

Make = Callable[..., Path]

TOML = """
title = "Secret questions"
[data]
source = "hub:someone/secret"
split = "test"
rows = 2
decrypt = { scheme = "xor", key = "canary", columns = ["q", "a"] }
fields = { id = "id", question = "q", answer = "a", file = "file" }
metadata = { level = "Level" }
[report]
breakdown = ["level"]
"""


def hide(text: str, key: str = "k1") -> str:
    return base64.b64encode(bytes(b ^ key.encode()[i % len(key)] for i, b in enumerate(text.encode()))).decode()


def published(folder: Path, second: str = hide("Wo?"), files: bool = True) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "secret.csv"
    lines = [
        "id,q,a,file,Level,canary",
        f"1,{hide('Who?')},{hide('Ada')},x.txt,1,k1",
        f"2,{second},{hide('Ulm')},,2,k1",
    ]
    path.write_text("\n".join(lines) + "\n")
    if files:
        (folder / "x.txt").write_text("attached")
    return path


@pytest.fixture
def secret(make: Make) -> None:
    make("secret", TOML)


def test_import_then_load(secret: None, tmp_path: Path) -> None:
    benchmark = load_benchmark("secret")
    state = benchmark.ready()
    assert (state.ready, state.command) == (False, "toleap data prepare secret (or toleap data import secret PATH)")
    with pytest.raises(
        UsageError, match=r"hub:someone/secret, split test\); type: toleap data prepare secret \(or toleap"
    ):
        benchmark.tasks()

    done = import_data("secret", published(tmp_path / "down"))

    assert (done.rows, done.attachments) == (2, 1)
    first, second = load_benchmark("secret").tasks()
    assert (first.question, first.answer, first.metadata) == ("Who?", "Ada", {"level": "1"})
    assert (second.question, second.answer, second.attachments) == ("Wo?", "Ulm", ())
    assert first.attachments[0].path.read_text() == "attached"
    assert first.attachments[0].path.is_relative_to(data_folder("secret").resolve())
    assert load_benchmark("secret").ready()


def test_it_stays_encrypted_at_rest(secret: None, tmp_path: Path) -> None:
    path = published(tmp_path / "down")
    import_data("secret", path)
    _ = load_benchmark("secret").tasks()
    stored = [file for file in data_folder("secret").rglob("*") if file.is_file()]
    assert path.read_bytes() in [file.read_bytes() for file in stored]
    assert not any(b"Ada" in file.read_bytes() or b"Who?" in file.read_bytes() for file in stored)


@pytest.mark.parametrize(
    ("second", "files", "says"),
    [
        ("!!!!", True, "secret.csv, line 3, column q: cannot be decrypted"),
        ("", True, "line 3: column q is empty"),
        (hide("Wo?") + ",extra", True, "line 3: 7 cells"),
        (hide("Wo?"), False, "no file 'x.txt'"),
    ],
)
def test_nothing_is_written_on_an_error(secret: None, tmp_path: Path, second: str, files: bool, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        import_data("secret", published(tmp_path / "down", second, files))
    assert not any((tmp_path / "home" / "data").rglob("*.*"))


def test_a_failed_import_leaves_the_former_one(secret: None, tmp_path: Path) -> None:
    import_data("secret", published(tmp_path / "down"))
    before = load_benchmark("secret").revision
    with pytest.raises(UsageError):
        import_data("secret", published(tmp_path / "down", "!!!!"))
    assert load_benchmark("secret").revision == before


def test_a_new_import_replaces_the_former_one(secret: None, tmp_path: Path) -> None:
    import_data("secret", published(tmp_path / "down"))
    before = load_benchmark("secret").revision
    import_data("secret", published(tmp_path / "down", hide("Wohin?")))
    assert load_benchmark("secret").tasks()[1].question == "Wohin?"
    assert load_benchmark("secret").revision != before
    import_data("secret", published(tmp_path / "down"))
    assert load_benchmark("secret").revision == before


def test_agenttoleap_file(secret: None, tmp_path: Path) -> None:
    path = tmp_path / "secret.jsonl"
    rows = [
        {"task_id": f"t{n}", "Question": f"Q{n}", "Final answer": f"A{n}", "file_name": "x.txt"} for n in range(2)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "x.txt").write_text("beside")
    assert import_data("secret", path).attachments == 1
    assert [task.id for task in load_benchmark("secret").tasks()] == ["t0", "t1"]
    path.write_text(json.dumps(rows[0]) + "\n")
    with pytest.raises(UsageError, match="found 1 rows, expected 2"):
        import_data("secret", path)


def test_damage_in_the_cache_is_seen(secret: None, tmp_path: Path) -> None:
    done = import_data("secret", published(tmp_path / "down"))
    done.path.write_bytes(done.path.read_bytes()[:-20])
    with pytest.raises(UsageError, match="is damaged; type: toleap data import secret PATH"):
        load_benchmark("secret").tasks()
    (data_folder("secret") / "manifest.json").write_text('{"folder": "x"')
    with pytest.raises(UsageError, match=r"manifest.json is damaged; type: toleap data import secret PATH"):
        load_benchmark("secret").ready()
    import_data("secret", published(tmp_path / "down"))
    assert len(load_benchmark("secret").tasks()) == 2


def test_importing_again_repairs_an_attachment(secret: None, tmp_path: Path) -> None:
    first = import_data("secret", published(tmp_path / "down"))
    for damage in (Path.unlink, lambda path: path.write_text("changed")):
        damage(first.path.parent / "files" / "x.txt")
        again = import_data("secret", published(tmp_path / "down"))
        assert again == first
        assert load_benchmark("secret").tasks()[0].attachments[0].path.read_text() == "attached"


def test_what_cannot_be_imported(secret: None, make: Make, tmp_path: Path) -> None:
    make("own", "", {"own.jsonl": [{"Question": "q", "Final answer": "a"}]})
    with pytest.raises(UsageError, match=r"own imports nothing: its data is jsonl:own.jsonl"):
        import_data("own", published(tmp_path / "down"))
    with pytest.raises(UsageError, match="is a folder: name the data file in it"):
        import_data("secret", tmp_path)
    with pytest.raises(UsageError, match="no such file"):
        import_data("secret", tmp_path / "gone.csv")
    (tmp_path / "x.bin").write_text("x")
    with pytest.raises(UsageError, match="cannot read bin; known: csv"):
        import_data("secret", tmp_path / "x.bin")
    with pytest.raises(UsageError, match="unknown benchmark 'secrte': did you mean secret"):
        import_data("secrte", tmp_path / "x.csv")


def test_a_cache_source_takes_an_import_or_a_file_put_there(make: Make, tmp_path: Path) -> None:
    make("kept", '[data]\nsource = "csv:cache:kept.csv"\n')
    assert load_benchmark("kept").ready().command == "toleap data import kept PATH"
    text = "Question,Final answer\nput,there\n"
    (data_folder("kept") / "kept.csv").write_text(text)
    assert load_benchmark("kept").tasks()[0].answer == "there"
    (tmp_path / "other.csv").write_text(text.replace("there", "imported"))
    import_data("kept", tmp_path / "other.csv")
    assert load_benchmark("kept").tasks()[0].answer == "imported"


def test_status_of_all(secret: None, make: Make, tmp_path: Path) -> None:
    make("own", "", {"own.jsonl": [{"Question": "q", "Final answer": "a"}]})
    make("broken", "titel = 1")
    make("bad", "", {"bad.jsonl": "{"})
    make("made", '[data]\nsource = "python:source.py"\n', {"source.py": "raise SystemExit"})
    found = {state.name: state for state in status()}
    assert {"own", "broken", "bad", "made", "secret", "xbench", "webwalkerqa"} <= set(found)
    assert (found["own"].ready, found["own"].rows, len(found["own"].revision)) == (True, 1, 16)
    assert "did you mean title?" in found["broken"].problem
    assert "bad.jsonl, line 1: not JSON" in found["bad"].problem
    assert (found["bad"].ready, found["bad"].where) == (False, "")
    assert (found["made"].ready, found["made"].command) == (False, "--trust")
    assert (found["secret"].title, found["secret"].command) == (
        "Secret questions",
        load_benchmark("secret").ready().command,
    )
    (made,) = status(["made"], trust=True)
    assert (made.ready, made.rows, made.where) == (True, None, "source.py, made on first use")
    import_data("secret", published(tmp_path / "down"))
    (state,) = status(["secret"])
    assert (state.ready, state.rows, state.revision) == (True, 2, load_benchmark("secret").revision)
