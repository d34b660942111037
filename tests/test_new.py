"""``toleap new benchmark``: what it writes runs as it is, through the program itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(sys.executable).with_name("toleap")
FILES = ["README.md", "benchmark.toml", "corpus.jsonl", "prompt.jinja", "rivers.jsonl"]
NO_SANDBOX = ("--set", 'dock.tools=["search","fetch_url"]')


def toleap(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The program in ``folder``, with a cache beside it."""
    environment = {**os.environ, "TOLEAP_HOME": str(folder.parent / "home"), "NO_COLOR": "1"}
    environment.pop("TOLEAP_PATH", None)
    command = [str(PROGRAM), *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=90, check=False
    )


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def call(name: str, **arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": name, "type": "function", "function": function}],
    }


def turns(folder: Path, answer: str) -> Path:
    """A policy that searches, opens a page, and gives this answer to every task."""
    path = folder / "turns.json"
    found = call("search", query=["Port Ellary lighthouse keeper"])
    opened = call("fetch_url", url="http://ellary.example/keepers", purpose="who kept it")
    path.write_text(json.dumps([found, opened, {"role": "assistant", "content": f"<answer>{answer}</answer>"}]))
    return path


def played(work: Path, answer: str, *more: str) -> dict[str, Any]:
    """The row of one run of ``rivers``, which must be complete."""
    model = f"scripted:turns:{turns(work, answer)}"
    done = toleap(work, "run", "rivers", "--model", model, "--k", "2", "--json", *NO_SANDBOX, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = [row for row in json.loads(done.stdout)["rows"] if row["group"] is None]
    return dict(row)


def test_what_it_writes_runs_at_once(work: Path) -> None:
    made = toleap(work, "new", "benchmark", "rivers")
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines()[1:] == ["Type next:", "  toleap data status rivers", "  toleap run rivers --k 2"]
    folder = work / "benchmarks" / "rivers"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["rivers"]
    assert sorted(path.name for path in folder.iterdir()) == FILES

    status = toleap(work, "data", "status", "rivers", "--json")
    assert status.returncode == 0, status.stdout + status.stderr
    assert json.loads(status.stdout)[0]["rows"] == 2

    for answer in ("Ines Tolvanen", "14"):
        row = played(work, answer)
        assert (row["counts"]["scored"], row["average"]) == (4, 0.5), row
        assert row["behaviour"]["tool_calls"] == 2


def test_the_pages_answer_the_tasks(work: Path) -> None:
    toleap(work, "new", "benchmark", "rivers")
    pages = (work / "benchmarks" / "rivers" / "corpus.jsonl").read_text()
    tasks = [json.loads(line) for line in (work / "benchmarks" / "rivers" / "rivers.jsonl").read_text().splitlines()]
    assert tasks[0]["Final answer"] in pages
    assert int(tasks[1]["Final answer"]) == 41 - 27
    assert "41 metres" in pages
    assert "27 metres" in pages


def test_its_own_scorer_runs_only_with_trust(work: Path) -> None:
    toleap(work, "new", "benchmark", "rivers")
    folder = work / "benchmarks" / "rivers"
    toml = (folder / "benchmark.toml").read_text()
    (folder / "benchmark.toml").write_text(toml.replace('by = "gaia"', 'by = "python:scorer.py"'))
    (folder / "scorer.py").write_text(
        "def score(question, answer, gold, response):\n    return '<answer>' in response, 'it has a tag'\n"
    )
    model = f"scripted:turns:{turns(work, 'anything')}"
    refused = toleap(work, "run", "rivers", "--model", model, *NO_SANDBOX)
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].endswith(
        "scorer.py is Python that would run on this machine: read it, then add --trust"
    )
    assert not (work / "results").exists()
    assert played(work, "anything", "--trust")["average"] == 1.0


def test_another_working_folder(work: Path) -> None:
    made = toleap(work, "new", "benchmark", "rivers", "--to", "a place")
    assert made.stdout.splitlines()[2] == "  cd 'a place'"
    assert sorted(path.name for path in (work / "a place" / "benchmarks" / "rivers").iterdir()) == FILES
    assert toleap(work / "a place", "data", "status", "rivers").returncode == 0


@pytest.mark.parametrize("name", ["", "..", "a/b", "-a", "_a", ".a", "a.b", "a b", "a\n", "é", "a" * 65, 'a"'])
def test_names_that_cannot_be_one(work: Path, name: str) -> None:
    made = toleap(work, "new", "benchmark", "--", name)
    assert (made.returncode, len(made.stderr.splitlines())) == (2, 1), made.stderr
    assert f"cannot be called {name!r}" in made.stderr
    assert list(work.iterdir()) == []


def test_nothing_is_overwritten(work: Path) -> None:
    (work / "benchmarks").mkdir()
    (work / "benchmarks" / "mine").write_text("a file")
    (work / "benchmarks" / "link").symlink_to("nowhere")
    toleap(work, "new", "benchmark", "rivers")
    (work / "benchmarks" / "rivers" / "README.md").write_text("changed")
    for name in ("mine", "link", "rivers", "atoll"):
        again = toleap(work, "new", "benchmark", name)
        assert (again.returncode, len(again.stderr.splitlines())) == (2, 1), again.stderr
        assert "choose another name" in again.stderr
    assert (work / "benchmarks" / "mine").read_text() == "a file"
    assert (work / "benchmarks" / "rivers" / "README.md").read_text() == "changed"
    assert sorted(path.name for path in (work / "benchmarks").iterdir()) == ["link", "mine", "rivers"]


def test_a_folder_that_cannot_be_written(work: Path) -> None:
    (work / "benchmarks").write_text("a file where the folder should be")
    made = toleap(work, "new", "benchmark", "rivers")
    assert (made.returncode, len(made.stderr.splitlines())) == (2, 1), made.stderr
    assert "cannot write benchmarks/rivers" in made.stderr
