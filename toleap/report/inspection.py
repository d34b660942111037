"""One run looked at closely: its grid of tasks and attempts, a task's attempts, one attempt. As plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from toleap.config import RunConfig
from toleap.report.gold import Gold
from toleap.report.rows import outcome
from toleap.store.reading import StoredAttempt
from toleap.types import AttemptRow, BenchmarkResult, Key, RunResult, Verdict

_FIGURES = (
    "ending", "forced", "turns", "tool_calls", "bad_calls",
    "prompt_tokens", "completion_tokens", "seconds", "restarts",
)  # fmt: skip
Standing = Literal["correct", "wrong", "unscored", "owed", "quarantined"]


@dataclass(frozen=True, slots=True)
class Inspected:
    """An attempt with all that is stored of it, and what is known of its task."""

    row: AttemptRow
    stored: StoredAttempt
    """Empty where it has not begun."""
    gold: Gold
    labels: Mapping[str, str]
    """Scorer's fingerprint → the judge's name, for judges."""

    def verdicts(self) -> Iterable[tuple[str, Verdict]]:
        """Who scored it, and how; the headline's first."""
        for fingerprint, verdict in self.stored.verdicts.items():
            yield self.labels.get(fingerprint) or fingerprint, verdict


def inspected(part: BenchmarkResult, row: AttemptRow, stored: StoredAttempt | None, gold: Gold) -> Inspected:
    """One attempt of a benchmark, put together."""
    labels = {scorer.fingerprint: scorer.label for scorer in part.scorers}
    return Inspected(row, stored or StoredAttempt(row.key, (), ()), gold, labels)


def standing(row: AttemptRow) -> Standing:
    """Where an attempt stands."""
    if row.ended is None:
        return "quarantined" if row.quarantined else "owed"
    right = outcome(row)
    return "unscored" if right is None else "correct" if right else "wrong"


def tasks_of(part: BenchmarkResult) -> dict[str, list[AttemptRow]]:
    """Task → its planned attempts, in order."""
    tasks: dict[str, list[AttemptRow]] = {}
    for row in part.rows:
        tasks.setdefault(row.key.task, []).append(row)
    return tasks


def changed_settings(run: RunResult) -> dict[str, Any]:
    """The scoring settings that are not what they are where nobody sets them."""
    usual = RunConfig().flat()
    return {key: value for key, value in run.settings.items() if key not in usual or usual[key] != value}


def environment(part: BenchmarkResult) -> dict[str, list[str]]:
    """Component → the versions of it that a benchmark's attempts were played with."""
    components: dict[str, set[str]] = {}
    for ended in (row.ended for row in part.rows if row.ended is not None):
        for name, version in (*ended.surroundings.items(), *(("toleap", version) for version in ended.versions)):
            components.setdefault(name, set()).add(version)
    return {name: sorted(versions) for name, versions in sorted(components.items())}


def run_document(run: RunResult) -> dict[str, Any]:
    """A run: its settings, and where every planned attempt stands."""
    return {
        "run": run.name,
        "model": run.model,
        "scripted": run.scripted,
        "created": run.created,
        "fingerprint": run.fingerprint,
        "settings": dict(run.settings),
        "benchmarks": [
            {
                "benchmark": part.name,
                "title": part.title,
                "revision": part.revision,
                "scorers": [asdict(scorer) for scorer in part.scorers],
                "environment": environment(part),
                "tasks": [
                    {"task": task, "attempts": [_stands(row) for row in rows]}
                    for task, rows in tasks_of(part).items()
                ],
            }
            for part in run.benchmarks
        ],
    }


def task_document(key: Key, attempts: Iterable[Inspected]) -> dict[str, Any]:
    """A task: what it asks, and what came of every planned attempt."""
    listed = list(attempts)
    return {
        **_named(key, listed[0].gold),
        "attempts": [{**_stands(one.row), "answer": one.stored.answer, "verdicts": _verdicts(one)} for one in listed],
    }


def attempt_document(one: Inspected) -> dict[str, Any]:
    """An attempt with its messages, turns and verdicts, nothing left out."""
    stored = one.stored
    return {
        **_named(one.row.key, one.gold),
        **_stands(one.row),
        "answer": stored.answer,
        "response": stored.response,
        "verdicts": _verdicts(one),
        "opening": list(stored.opening),
        "turns": [asdict(turn) for turn in stored.turns],
    }


def _named(key: Key, gold: Gold) -> dict[str, Any]:
    return {
        "benchmark": key.benchmark,
        "task": key.task,
        "question": gold.question,
        "gold": gold.answer,
        "gold_missing": gold.missing,
    }


def _stands(row: AttemptRow) -> dict[str, Any]:
    return {
        "attempt": row.key.attempt,
        "standing": standing(row),
        **{name: row.ended and getattr(row.ended, name) for name in _FIGURES},
        "faults": row.faults,
        "fault": row.fault,
    }


def _verdicts(one: Inspected) -> list[dict[str, Any]]:
    return [
        {
            "scorer": fingerprint,
            "judge": one.labels.get(fingerprint) or None,
            "status": verdict.status,
            "extracted": verdict.extracted,
            "reason": one.gold.reason(verdict),
            "words": one.gold.words(verdict),
        }
        for fingerprint, verdict in one.stored.verdicts.items()
    ]
