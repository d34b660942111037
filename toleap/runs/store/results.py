"""A run's database read as the values a report needs."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from toleap.runs.store import seals
from toleap.runs.store.conduct import stored_conduct
from toleap.types import AttemptRow, BenchmarkResult, Conduct, Ending, Key, RunResult, Varied, Verdict

_ROWS = """
SELECT a.benchmark, a.task, a.attempt, a.ending, a.forced, a.quarantined, a.fault, a.turns, a.tool_calls, a.bad_calls,
       a.completion_tokens, a.seconds, a.faults, {restarts}, a.version,
       v.status, v.reason, v.scorer, v.extracted, CASE WHEN :raw THEN v.raw END,
       w.status, w.reason, w.scorer, w.extracted, NULL
FROM attempts a JOIN tasks t USING (benchmark, task)
LEFT JOIN verdicts v ON v.benchmark = a.benchmark AND v.task = a.task AND v.attempt = a.attempt
    AND v.scorer = :scorer
LEFT JOIN verdicts w ON w.benchmark = a.benchmark AND w.task = a.task AND w.attempt = a.attempt
    AND w.scorer = :second
WHERE a.benchmark = :benchmark ORDER BY t.ord, a.attempt
"""
_VERDICT_COLUMNS = 5
_DAMAGED = "its stored record is damaged; the next run makes it good"


class Damaged(Exception):
    """A record without which nothing else in the database means anything is not what was written."""


@dataclass(frozen=True, slots=True)
class _Report:
    """A row of ``reports``, by default that of a run made before there were any."""

    measures: tuple[str, ...] = ()
    judge_official: bool = False
    second: str = ""
    second_by: str = ""


def read(database: sqlite3.Connection, name: str) -> RunResult:
    """Everything planned in the run called ``name``, with the verdicts of each benchmark's current scorer.

    A database without tables is that of a run whose process ended while it began: nothing is planned in it. An
    attempt whose record is damaged is owed, whatever the record says.

    Raises:
        Damaged: a record of the plan is not what was written.
    """
    with _snapshot(database):
        return _read(database, name)


@contextlib.contextmanager
def _snapshot(database: sqlite3.Connection) -> Iterator[None]:
    """All that is read in the block is of one moment, whatever a writer does meanwhile."""
    database.execute("BEGIN")
    try:
        yield
    finally:
        database.execute("ROLLBACK")


def _read(database: sqlite3.Connection, name: str) -> RunResult:
    if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return RunResult(name, "?", False, "", {}, "", ())
    damage = seals.damage(database)
    if damage.others:
        raise Damaged(damage.others[0])
    meta = {key: orjson.loads(value) for key, value in database.execute("SELECT key, value FROM meta")}
    benchmarks = database.execute(
        "SELECT name, title, tasks_total, revision, scorer, breakdown, judged_by FROM benchmarks ORDER BY ord"
    ).fetchall()
    reports = _reports(database)
    return RunResult(
        name=name,
        model=str(meta.get("model", "?")),
        scripted=bool(meta.get("scripted", False)),
        fingerprint=str(meta.get("fingerprint", "")),
        settings=meta.get("settings", {}),
        created=str(meta.get("created", "")),
        benchmarks=tuple(_benchmark(database, damage, reports.get(row[0], _Report()), *row) for row in benchmarks),
        varied=tuple(Varied(**item) for item in meta.get("varied", ())),
    )


def _reports(database: sqlite3.Connection) -> dict[str, _Report]:
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'reports'").fetchone():
        return {}
    rows = database.execute("SELECT benchmark, measures, judge_official, second, second_by FROM reports")
    return {
        name: _Report(tuple(orjson.loads(measures)), bool(official), second, second_by)
        for name, measures, official, second, second_by in rows
    }


def _benchmark(
    database: sqlite3.Connection,
    damage: seals.Damage,
    report: _Report,
    name: str,
    title: str,
    total: int,
    revision: str,
    scorer: str,
    breakdown: str,
    judged_by: str,
) -> BenchmarkResult:
    wanted = {"raw": bool(report.measures), "scorer": scorer, "second": report.second, "benchmark": name}
    conduct = stored_conduct(database, name, damage.attempts)
    found = (_row(row, damage) for row in database.execute(_ROWS.format(restarts=_restarts(database)), wanted))
    metadata = {
        task: orjson.loads(text)
        for task, text in database.execute(
            "SELECT task, metadata FROM tasks WHERE benchmark = ? ORDER BY ord", (name,)
        )
    }
    rows = _with_lost(
        [_with_conduct(row, conduct.get((row.key.task, row.key.attempt))) for row in found],
        [Key(*key) for key in damage.attempts if key[0] == name],  # type: ignore[arg-type]
        list(metadata),
    )
    return BenchmarkResult(
        name=name,
        title=title,
        tasks_total=total,
        k=1 + max((row.key.attempt for row in rows), default=-1),
        rows=rows,
        metadata=metadata,
        breakdown=tuple(orjson.loads(breakdown)),
        revision=revision,
        judged_by=judged_by,
        judge_official=report.judge_official,
        second_by=report.second_by,
        measures=report.measures,
    )


def _row(row: Sequence[Any], damage: seals.Damage) -> AttemptRow:
    if tuple(row[:3]) in damage.attempts:
        return AttemptRow(Key(*row[:3]), fault=_DAMAGED)
    return _whole_row(row, damage)


def _whole_row(row: Sequence[Any], damage: seals.Damage) -> AttemptRow:
    (
        benchmark,
        task,
        attempt,
        ending,
        forced,
        quarantined,
        fault,
        turns,
        tool_calls,
        bad,
        tokens,
        seconds,
        faults,
        restarts,
        version,
        *judged,
    ) = row
    return AttemptRow(
        key=Key(benchmark, task, attempt),
        ending=None if ending is None else Ending(ending),
        forced=bool(forced),
        verdict=_verdict(row[:3], judged[:_VERDICT_COLUMNS], damage),
        second=_verdict(row[:3], judged[_VERDICT_COLUMNS:], damage),
        quarantined=bool(quarantined),
        fault=None if ending is not None else fault,
        turns=turns,
        tool_calls=tool_calls,
        bad_calls=bad,
        completion_tokens=tokens,
        seconds=seconds,
        # A quarantined attempt that is played again has its faults forgiven; that it had one stays known.
        faults=max(faults, fault is not None),
        restarts=restarts,
        versions=() if version is None else (version,),
    )


def _with_lost(rows: list[AttemptRow], damaged: Sequence[Key], tasks: Sequence[str]) -> tuple[AttemptRow, ...]:
    """The rows with those whose record is gone, in the order of the tasks."""
    here = {row.key for row in rows}
    lost = [AttemptRow(key, fault=_DAMAGED) for key in damaged if key not in here and key.task in tasks]
    if not lost:
        return tuple(rows)
    order = {task: place for place, task in enumerate(tasks)}
    return tuple(sorted((*rows, *lost), key=lambda row: (order[row.key.task], row.key.attempt)))


def _with_conduct(row: AttemptRow, found: tuple[str, Conduct] | None) -> AttemptRow:
    """The row with its figures; an attempt that is owed (again) has none."""
    if found is None or row.ending is None:
        return row
    version, conduct = found
    return replace(row, versions=tuple(dict.fromkeys((*row.versions, version))), conduct=conduct)


def _restarts(database: sqlite3.Connection) -> str:
    """The column, or none of them for a run made before they were counted."""
    columns = {row[1] for row in database.execute("PRAGMA table_info(attempts)")}
    return "a.restarts" if "restarts" in columns else "0"


def _verdict(key: Sequence[Any], columns: Sequence[Any], damage: seals.Damage) -> Verdict | None:
    if columns[0] is None or (*key, columns[2]) in damage.verdicts:
        return None
    return Verdict(*columns)
