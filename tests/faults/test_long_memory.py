"""Memory is bounded by the histories that are in flight, not by those that were played."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import (
    NO_CODE,
    Program,
    Server,
    database_in,
    finished,
    query,
    row_of,
    standing,
    stopped_at_exit,
)

TURNS = 12
SAID = 38_000
"""Characters in a turn: twelve of them make a history of 128K tokens."""
IN_FLIGHT = 4
HISTORY = TURNS * SAID
MOST_GROWTH = 8 * 2**20
"""Forty histories that stay behind are at least 18 MB, as bytes alone."""


def long_turns(path: Path) -> Path:
    """What the scripted model says: a long text and a search in every turn, then an answer."""
    function = {"name": "search", "arguments": json.dumps({"query": ["harbour"]})}
    turns = [
        {
            "content": f"{turn} {chr(97 + turn)}. " * (SAID // 6),
            "tool_calls": [{"type": "function", "function": function}],
        }
        for turn in range(TURNS)
    ]
    path.write_text(json.dumps([*turns, {"content": "<answer>none</answer>"}]))
    return path


def peaks(process: subprocess.Popen[str], results: Path) -> Iterator[tuple[int, int]]:
    """How many attempts have ended, and the most bytes of memory that were in use so far, again and again."""
    while process.poll() is None:
        try:
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
            ((ended,),) = query(database_in(results), "SELECT count(*) FROM record WHERE kind = 'ended'")
        except (StopIteration, ValueError, OSError, sqlite3.OperationalError):
            ended, peak = 0, 0  # the run has not begun, or is over
        if peak:
            yield ended, peak
        time.sleep(0.02)


@pytest.mark.slow
def test_50_histories_of_128k_tokens_take_no_more_memory_than_10(program: Program) -> None:
    script = long_turns(program.folder / "turns.json")
    with Server(program.folder / "asked", policy=f"turns:{script}") as server:
        extent = ("--limit", "10", "--k", "5", "--max-in-flight", str(IN_FLIGHT), "--json", *NO_CODE)
        process = program.start("run", "atoll", "--base-url", server.url, *extent)
        with stopped_at_exit(process):
            seen = list(peaks(process, program.folder))
            done = finished(process)
    assert row_of(done.json)["counts"]["scored"] == 50, done.said
    database = database_in(program.folder)
    assert set(standing(database, "turns")) == {(TURNS + 1,)}
    early = next(peak for ended, peak in seen if ended >= 10)
    _, last = seen[-1]
    print(f"peak {early / 2**20:.1f} MB when 10 had ended, {last / 2**20:.1f} MB at the end")
    assert last - early < MOST_GROWTH
