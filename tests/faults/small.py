"""A benchmark of one's own in the working folder, for runs in which every task has to be known by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cli.program import NO_CODE, Program, Server

ANSWER = {"role": "assistant", "content": "<answer>Ostby</answer>"}
COMMAND = ("run", "mine", "--web", "corpus:pages.jsonl", "--json", *NO_CODE)


def question(number: int) -> str:
    """The question of one task; no other task's question contains it."""
    return f"Where is ship {number}?"


def make_benchmark(folder: Path, golds: Sequence[str]) -> None:
    """Tasks t0, t1, … with these gold answers, scored by the rule."""
    place = folder / "benchmarks" / "mine"
    place.mkdir(parents=True, exist_ok=True)
    write_tasks(folder, [task(number, gold) for number, gold in enumerate(golds)])
    (place / "benchmark.toml").write_text('[score]\nby = "exact"\n')
    (folder / "pages.jsonl").write_text('{"url": "https://a.test/", "title": "A", "text": "the ship is at Ostby"}\n')


def task(number: int, gold: str) -> dict[str, str]:
    """One row of the data."""
    return {"task_id": f"t{number}", "Question": question(number), "Final answer": gold, "file_name": ""}


def write_tasks(folder: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """The benchmark's data."""
    file = folder / "benchmarks" / "mine" / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def calling(name: str, **arguments: Any) -> dict[str, Any]:
    """An assistant's message that calls one tool."""
    call = {"id": "c", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def playing(program: Program, turns: Sequence[Mapping[str, Any]], *options: str, log: str = "asked") -> Server:
    """A server that answers the n-th turn of every conversation with the n-th message."""
    policy = program.folder / "turns.json"
    policy.write_text(json.dumps(turns))
    return Server(program.folder / log, f"turns:{policy}", options)
