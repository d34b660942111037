"""What the tools need is killed or deleted in the middle of a call: the run goes on as if nothing had happened."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.cli.program import (
    Program,
    command_of,
    database_in,
    durable_turns,
    family,
    finished,
    gone,
    killed,
    need_sandbox,
    row_of,
    standing,
    stopped_at_exit,
    turns_in,
    wait_until,
)

URL = "https://reef.example/kelp"
SLEEPS = "import subprocess\nprint(subprocess.run(['sleep', '2']).returncode, x + 1)"


STUCK = """
import time
from pathlib import Path
from toleap.dock import new_server
server = new_server("stuck")

@server.tool()
async def stuck() -> str:
    Path(__file__).with_name("stuck").touch()
    time.sleep(3600)
"""


def calling(name: str, **arguments: object) -> dict[str, Any]:
    return {"tool_calls": [{"function": {"name": name, "arguments": arguments}}]}


TURNS = [
    calling("search", query=["kelp"]),
    calling("execute_code", code="x = 41"),
    calling("execute_code", code=SLEEPS),
    calling("search", query=["ferry"]),
    calling("fetch_url", url=[URL]),
    calling("read_file", uri="fleet.xlsx"),
    calling("execute_code", code="x"),
    {"content": "<answer>7</answer>"},
]


def workbook(word: str) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.append([word, 3])
    book.save(out)
    return out.getvalue()


def prepared(program: Program, turns: list[dict[str, Any]]) -> tuple[str, ...]:
    """A benchmark of one task with a file, and pages; the command that runs it."""
    folder = program.folder / "benchmarks" / "mini"
    folder.mkdir(parents=True)
    row = {"task_id": "t", "Question": "Which?", "Final answer": "7", "file_name": "fleet.xlsx"}
    (folder / "mini.jsonl").write_text(json.dumps(row))
    (folder / "fleet.xlsx").write_bytes(workbook("brill"))
    pages = [{"url": URL, "title": "Kelp", "text": "Kelp is carried by the ferry."}]
    (program.folder / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages))
    (program.folder / "turns.json").write_text(json.dumps(turns))
    return ("run", "mini", "--model", f"scripted:turns:{program.folder / 'turns.json'}", "--k", "1", "--json",
            "--web", "corpus:pages.jsonl")  # fmt: skip


def sleeping(pid: int) -> bool:
    """Whether the sandbox is in the call that waits."""
    return any(command_of(child).startswith("sleep 2 ") for child in family(pid))


def helpers(pid: int, name: str) -> list[int]:
    return [child for child in family(pid) if name in command_of(child) and not gone(child)]


def texts(program: Program) -> list[tuple[str, str | None]]:
    turns = turns_in(database_in(program.folder))
    return [(result.text, result.error) for turn in turns for result in turn.results]


def test_sandbox_and_parsers_killed_and_the_index_deleted_in_the_middle_of_a_call(
    program: Program, tmp_path: Path
) -> None:
    need_sandbox()
    program = Program(program.folder, tmp_path / "home")
    process = program.start(*prepared(program, TURNS))
    with stopped_at_exit(process):
        wait_until(lambda: sleeping(process.pid) or process.poll() is not None, "the call that waits")
        sandboxes, parsers = (helpers(process.pid, name) for name in ("bwrap", "toleap.dock.parser_process"))
        assert sandboxes and parsers
        for pid in sandboxes + parsers:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(program.home / "corpora")
        done = finished(process)
    assert done.code == 0, done.said
    assert row_of(done.json, "mini")["average"] == 1.0
    assert standing(database_in(program.folder), "faults", "restarts", "tool_calls") == [(0, 0, 7)]
    found = texts(program)
    assert [text for text, _ in found[1:3]] == ["[The code printed nothing.]", "0 42"]
    assert "Kelp" in found[3][0] and "carried by the ferry" in found[4][0]
    assert found[5:] == [("## Sheet: Sheet\nbrill,3", None), ("41", None)]


@pytest.fixture
def breakable() -> Iterator[tuple[Path, Path]]:
    """A folder for PATH with a bwrap that fails once the second path exists."""
    real = shutil.which("bwrap")
    # The sandbox's user has to read it, so that it cannot lie in pytest's own folder.
    with tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        folder.chmod(0o755)
        (folder / "bwrap").write_text(f'#!/bin/sh\n[ -e "{folder}/broken" ] && exit 9\nexec {real} "$@"\n')
        (folder / "bwrap").chmod(0o755)
        yield folder, folder / "broken"


def test_a_sandbox_that_is_gone_for_good_leaves_the_attempt_owed_where_it_stopped(
    program: Program, breakable: tuple[Path, Path]
) -> None:
    need_sandbox()
    path, broken = breakable
    program = Program(program.folder, program.home, {"PATH": f"{path}:{os.environ['PATH']}"})
    command = prepared(program, TURNS)
    process = program.start(*command, "--set", "operation.patience=1.5")
    with stopped_at_exit(process):
        wait_until(lambda: sleeping(process.pid) or process.poll() is not None, "the call that waits")
        broken.touch()
        for pid in helpers(process.pid, "bwrap"):
            os.kill(pid, signal.SIGKILL)
        halted = finished(process)
    assert halted.code == 1, halted.said
    counts = row_of(halted.json, "mini")["counts"]
    assert (counts["scored"], counts["unscored"], counts["owed"], counts["quarantined"]) == (0, 0, 1, 0)
    assert "the tool execute_code was down for 1.5 seconds" in halted.json["halted"]
    assert standing(database_in(program.folder), "faults") == [(0,)]
    assert len(durable_turns(program.folder)) == 2
    broken.unlink()
    done = program.here(*command)
    assert done.code == 0, done.said
    assert standing(database_in(program.folder), "ending", "restarts") == [("answered", 0)]
    assert texts(program)[-1] == ("41", None)


def test_the_processes_of_tools_end_with_a_program_that_is_killed(program: Program) -> None:
    folder = program.folder / "tools" / "stuck"
    folder.mkdir(parents=True)
    (folder / "server.py").write_text(STUCK)
    command = prepared(program, [calling("stuck"), {"content": "<answer>7</answer>"}])
    process = program.start(*command, "--trust", "--set", 'dock.tools=["stuck"]')
    with stopped_at_exit(process):
        wait_until((folder / "stuck").exists, "the call that blocks its process")
        children = helpers(process.pid, "toleap.dock.child")
        killed(process)
    assert children
    wait_until(lambda: all(gone(pid) for pid in children), "the end of the tool's process")
