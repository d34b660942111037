"""``toleap data prepare``, ``import``, ``verify`` and ``status`` as a user types them: output and exit codes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.data.conftest import Make
from tests.scoring.judge.owners import Owners
from toleap import cli
from toleap.scoring.judge import official

ROW = {"task_id": "t1", "Question": "Who?", "Final answer": "GOLD"}
KEPT = '[data]\nsource = "jsonl:cache:kept.jsonl"\nlicence = "MIT"\n'


class Program:
    """Runs the program in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._output = monkeypatch, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._patch.setattr("sys.argv", ["toleap", *arguments])
        code: Any = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        out, err = self._output.readouterr()
        assert "GOLD" not in out + err
        return code, out, err


@pytest.fixture
def toleap(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(monkeypatch, capsys)


@pytest.fixture
def kept(make: Make, tmp_path: Path) -> Path:
    make("kept", KEPT)
    path = tmp_path / "kept.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    return path


def test_from_nothing_to_verified(toleap: Program, kept: Path) -> None:
    code, out, _ = toleap("data", "status", "kept", "--json")
    (state,) = json.loads(out)
    assert (code, state["ready"], state["command"], state["licence"]) == (
        1, False, "toleap data import kept PATH", "MIT",
    )  # fmt: skip
    code, _, err = toleap("data", "prepare", "kept")
    assert (code, err.count("\n")) == (2, 1)
    assert "type: toleap data import kept PATH" in err
    assert toleap("data", "import", "kept", str(kept))[0] == 0
    assert toleap("data", "status", "kept")[0] == 0
    code, out, _ = toleap("data", "prepare", "kept", "--json")
    assert (code, json.loads(out)[0]["rows"], json.loads(out)[0]["fetched"]) == (0, 1, False)
    code, out, _ = toleap("data", "verify", "kept", "--json")
    (checked,) = json.loads(out)
    assert (code, checked["ok"], checked["rows"], checked["source"]) == (0, True, 1, "imported")
    assert len(checked["sha256"]) == 64


def test_verify_finds_what_is_wrong(toleap: Program, kept: Path, tmp_path: Path) -> None:
    toleap("data", "import", "kept", str(kept))
    for stored in (tmp_path / "home").rglob("kept.jsonl"):
        stored.write_text(json.dumps({**ROW, "Question": "Other?"}) + "\n")
    code, out, _ = toleap("data", "verify", "kept")
    assert code == 1
    assert "is damaged; type: toleap data import kept PATH" in " ".join(out.split())
    assert toleap("data", "verify", "nothing")[0] == 1


def test_verify_without_names_takes_what_is_ready(toleap: Program, kept: Path, make: Make) -> None:
    make("broken", "titel = 1")
    toleap("data", "import", "kept", str(kept))
    code, out, _ = toleap("data", "verify", "--json")
    found = {item["name"]: item["ok"] for item in json.loads(out)}
    assert (code, found["kept"], found["broken"]) == (1, True, False)
    assert "xbench" not in found


def test_several_are_prepared_though_one_cannot_be(toleap: Program, kept: Path, make: Make) -> None:
    make("plain", "", {"plain.jsonl": [ROW]})
    code, out, _ = toleap("data", "prepare", "kept", "plain", "--json")
    first, second = json.loads(out)
    assert (code, second["rows"], second["problem"]) == (1, 1, "")
    assert "type: toleap data import kept PATH" in first["problem"]
    assert toleap("data", "prepare", "plain")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("prepare",), "name one or more benchmarks, or --all"),
        (("prepare", "--all", "kept"), "name one or more benchmarks, or --all"),
        (("prepare", "kpet"), "did you mean kept?"),
        (("import", "kept"), "Missing argument"),
        (("import", "kept", "gone.jsonl"), "gone.jsonl: no such file"),
        (("import", "kept", "a.csv", "b.jsonl"), "no such file|different formats"),
    ],
)
def test_mistakes(toleap: Program, kept: Path, arguments: tuple[str, ...], says: str) -> None:
    import re

    code, _, err = toleap("data", *arguments)
    assert code == 2
    assert re.search(says, err)


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch) -> Iterator[Owners]:
    digest = hashlib.sha256(b"{target} {result}").hexdigest()
    pinned = official.Source("owner/name", "grader.py", "PROMPT", "c" * 40, digest)
    with Owners() as found:
        monkeypatch.setattr(official, "PUBLISHED", found.address)
        monkeypatch.setattr(official, "SOURCES", {"xbench": pinned})
        yield found


def test_the_official_prompt_of_the_judge_is_prepared_with_the_data(
    toleap: Program, make: Make, owners: Owners, tmp_path: Path
) -> None:
    make("judged", '[score]\nby = "judge"\nrubric = "xbench"\n', {"judged.jsonl": [ROW]})

    def prompt(command: str) -> tuple[int, str]:
        code, out, err = toleap("data", command, "judged", "--json")
        assert err == ""
        return code, json.loads(out)[0]["judge_prompt"]

    assert prompt("status") == (0, "missing")
    code, out, err = toleap("data", "prepare", "judged", "--json")
    (row,) = json.loads(out)
    assert (code, row["rows"], row["judge_prompt"], err.count("\n")) == (1, 1, "missing", 1)
    assert f"{owners.address}/owner/name/{'c' * 40}/grader.py cannot be fetched (Not Found)" in err
    owners.content = b'PROMPT = "{target} {other}"'
    code, _, err = toleap("data", "prepare", "judged")
    assert code == 1 and "judged: its judge's official prompt: " in err and "is not the pinned prompt" in err
    assert not (tmp_path / "home" / "judges" / "xbench" / "grader.py").exists()
    owners.content = b'PROMPT = "{target} {result}"'
    assert prompt("prepare") == prompt("status") == prompt("verify") == (0, "official")
    (tmp_path / "home" / "judges" / "xbench" / "grader.py").write_text("PROMPT = '{target}'")
    assert prompt("verify") == (1, "wrong")
    assert prompt("prepare") == (0, "official")


def test_no_address_and_no_command_of_a_table_is_cut_off(toleap: Program) -> None:
    _, out, _ = toleap("data", "status", "gaia-text-103", "browsecomp")
    assert "…" not in out and "https://huggingface.co/datasets/" in out


def test_what_has_no_official_prompt_asks_nobody_for_one(toleap: Program, make: Make, owners: Owners) -> None:
    make("plain", "", {"plain.jsonl": [ROW]})
    make("general", '[score]\nby = "judge"\n', {"general.jsonl": [ROW]})
    make("frames", '[score]\nby = "judge"\nrubric = "frames"\n', {"frames.jsonl": [ROW]})
    code, out, _ = toleap("data", "prepare", "plain", "general", "frames", "--json")
    assert (code, [row["judge_prompt"] for row in json.loads(out)]) == (0, ["", "", "unpublished"])
    assert owners.asked == []


@pytest.mark.parametrize("command", ["prepare", "import", "verify", "status"])
def test_help_has_an_example(toleap: Program, command: str) -> None:
    code, out, _ = toleap("data", command, "--help")
    assert code == 0
    assert f"toleap data {command}" in out.split("Example", 1)[1]
    assert "--json" in out


def test_parts_of_a_table(toleap: Program, make: Make, tmp_path: Path) -> None:
    make("kept", KEPT + "rows = 2\n")
    parts = [tmp_path / f"part-{n}.jsonl" for n in (1, 2)]
    for part in parts:
        part.write_text(json.dumps({**ROW, "task_id": part.stem}) + "\n")
    assert toleap("data", "import", "kept", *map(str, parts))[0] == 0
    code, out, _ = toleap("data", "verify", "kept", "--json")
    assert (code, json.loads(out)[0]["rows"]) == (0, 2)
    for stored in (tmp_path / "home").rglob("part-2.jsonl"):
        stored.write_text(json.dumps({**ROW, "task_id": "x"}) + "\n")
    assert toleap("data", "verify", "kept")[0] == 1
    code, _, err = toleap("data", "prepare", "kept")
    assert code == 2
    assert "part-2.jsonl is damaged" in err
    parts[1].write_text(parts[0].read_text())
    code, _, err = toleap("data", "import", "kept", *map(str, parts))
    assert "part-1.jsonl, line 1 and part-2.jsonl, line 1 have the same id" in err
