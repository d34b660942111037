"""Runs in few words, for the tests of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from toleap.types import AttemptRow, BenchmarkResult, Conduct, Ended, Ending, Key, RunResult, Verdict

FAULT = "model server gone"
ENDED = Ended(
    origin="f/r", digest="d", ending=Ending.ANSWERED, forced=False, turns=4, tool_calls=4, bad_calls=1,
    prompt_tokens=1_000, completion_tokens=100, seconds=1.0, restarts=0, versions=(), conduct=Conduct(), ended="",
)  # fmt: skip


def changed(row: AttemptRow, **figures: Any) -> AttemptRow:
    """The attempt with another ending, or other figures of it."""
    assert row.ended is not None
    return replace(row, ended=replace(row.ended, **figures))


def attempt(task: str, index: int, letter: str) -> AttemptRow:
    """One attempt: 1 right, 0 wrong, u unscored, n not scored yet, o owed, f owed by a fault, q quarantined."""
    row = AttemptRow(Key("b", task, index), ENDED)
    verdicts = {"1": "correct", "0": "wrong"}
    if letter in verdicts:
        return replace(row, verdicts=(Verdict(verdicts[letter], "by rule", "gaia-1"),))  # type: ignore[arg-type]
    if letter == "u":
        return replace(row, verdicts=(Verdict("unscored", "judge failed\nwith a trace", "judge-1"),))
    if letter == "n":
        return row
    return AttemptRow(row.key, fault=None if letter == "o" else FAULT, quarantined=letter == "q")


def benchmark(*rows: str, name: str = "b", **changes: Any) -> BenchmarkResult:
    """A benchmark with one task for each text, and one attempt for each letter."""
    attempts = [attempt(f"t{i}", j, letter) for i, letters in enumerate(rows) for j, letter in enumerate(letters)]
    whole = BenchmarkResult(
        name=name,
        title="A benchmark",
        tasks_total=len(rows),
        k=max(map(len, rows), default=0),
        rows=tuple(replace(a, key=a.key._replace(benchmark=name)) for a in attempts),
        metadata={f"t{i}": {} for i in range(len(rows))},
        revision="r1",
    )
    return replace(whole, **changes)


def run(
    *parts: BenchmarkResult,
    name: str = "run-a",
    model: str = "tiny",
    scripted: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> RunResult:
    """A run of the given benchmarks."""
    return RunResult(name, model, scripted, "f", {"sampling.temperature": 1.0, **(settings or {})}, "", parts)
