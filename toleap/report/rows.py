"""From planned attempts to the rows of one run on one benchmark."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from toleap.report.conduct import calls_of, helpers_of
from toleap.report.values import Behaviour, Counts, Flag, Group, Missing, PassRate, Retried, Row, Second
from toleap.scoring.measures import figures
from toleap.stats.estimators import Average, Matrix, average, mean_pass_at_k, wilson
from toleap.types import AttemptRow, BenchmarkResult, Ending, RunResult, Verdict

UNKNOWN = "–"
"""The value of a breakdown column for a task that has none."""
_Outcome = Callable[[AttemptRow], bool | None]
_DIGITS = re.compile(r"([0-9]+)")


def rows_of(run: RunResult, part: BenchmarkResult, missing: Missing) -> list[Row]:
    """The benchmark's row, then one for each value of each breakdown column.

    Raises:
        ValueError: an attempt occurs twice.
    """
    if len({attempt.key for attempt in part.rows}) < len(part.rows):
        twice = next(key for key, n in Counter(attempt.key for attempt in part.rows).items() if n > 1)
        raise ValueError(f"attempt {twice} is planned twice")
    scored = [a.verdict for a in part.rows if a.verdict is not None and outcome(a) is not None]
    whole_row = _row(run, part, part.rows, None, part.tasks_total, missing)
    rows = [replace(whole_row, measures=figures(part.measures, scored))]
    whole = len(part.metadata) >= part.tasks_total
    for column in part.breakdown:
        values = {task: group_values(data, column) for task, data in part.metadata.items()}
        sizes = Counter(value for found in values.values() for value in found)
        for value, attempts in _grouped(part.rows, values).items():
            total = sizes[value] if whole else None
            rows.append(_row(run, part, attempts, Group(column, value), total, missing))
    return rows


def outcome(attempt: AttemptRow) -> bool | None:
    """Right, wrong, or None where the result is missing: owed, or without a verdict that counts."""
    return _said(attempt, attempt.verdict)


def second_outcome(attempt: AttemptRow) -> bool | None:
    """The same by the second verdict."""
    return _said(attempt, attempt.second)


def _said(attempt: AttemptRow, verdict: Verdict | None) -> bool | None:
    if attempt.ending is None or verdict is None or verdict.status == "unscored":
        return None
    return verdict.status == "correct"


def counts(attempts: Iterable[AttemptRow]) -> Counts:
    """Where the attempts stand. One that has not ended is owed, whatever else is known of it."""
    planned = scored = owed = quarantined = 0
    for attempt in attempts:
        planned += 1
        scored += outcome(attempt) is not None
        owed += attempt.ending is None
        quarantined += attempt.ending is None and attempt.quarantined
    return Counts(planned, scored, planned - scored - owed, owed, quarantined)


def matrix(attempts: Iterable[AttemptRow], by: _Outcome = outcome) -> dict[str, list[bool | None]]:
    """Task id → its planned attempts' outcomes."""
    found: dict[str, list[bool | None]] = {}
    for attempt in attempts:
        found.setdefault(attempt.key.task, []).append(by(attempt))
    return found


def pass_ks(k: int) -> list[int]:
    """The powers of two up to k, and k itself."""
    return sorted({*(2**i for i in range(k.bit_length())), k}) if k > 0 else []


def group_values(metadata: Mapping[str, Any], column: str) -> list[str]:
    """The groups a task belongs to: several where the column holds a list.

    ``a*b`` crosses two columns, unless a column has just this name.
    """
    if column in metadata or "*" not in column:
        value = metadata.get(column)
        values = list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
        return list(dict.fromkeys(UNKNOWN if x is None or x == "" else str(x) for x in values)) or [UNKNOWN]
    first, _, rest = column.partition("*")
    return [f"{a} × {b}" for a in group_values(metadata, first) for b in group_values(metadata, rest)]


def natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key under which ``level 10`` follows ``level 9``."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _DIGITS.split(text) if part]


def _grouped(attempts: Sequence[AttemptRow], values: Mapping[str, Sequence[str]]) -> dict[str, list[AttemptRow]]:
    groups: dict[str, list[AttemptRow]] = {}
    for attempt in attempts:
        for value in values.get(attempt.key.task, (UNKNOWN,)):
            groups.setdefault(value, []).append(attempt)
    return {value: groups[value] for value in sorted(groups, key=lambda x: (x == UNKNOWN, natural(x)))}


def _row(
    run: RunResult,
    part: BenchmarkResult,
    attempts: Sequence[AttemptRow],
    group: Group | None,
    total: int | None,
    missing: Missing,
) -> Row:
    seen = matrix(attempts)
    shown = _shown(seen, missing)
    found, certain = average(shown), average(seen)
    stand = counts(attempts)
    rates = {k: (mean_pass_at_k(shown, k), mean_pass_at_k(seen, k)) for k in pass_ks(part.k)}
    correct = sum(x is True for row in shown.values() for x in row)
    behaviour = _behaviour(attempts)
    return Row(
        run=run.name,
        model=run.model,
        scripted=run.scripted,
        benchmark=part.name,
        title=part.title,
        group=group,
        k=part.k,
        tasks=len(seen),
        tasks_total=total,
        average=found.value,
        se=found.se,
        sampling_se=found.sampling_se,
        bounds=_bounds(certain),
        pass_at=tuple(PassRate(k, shown.value, seen.low, seen.high) for k, (shown, seen) in rates.items()),
        wilson=wilson(correct, found.scored) if part.k == 1 and found.scored else None,
        counts=stand,
        behaviour=behaviour,
        scorers=_scorers(attempts),
        revision=part.revision,
        flags=tuple(_flags(run.scripted, stand, behaviour, missing)),
        judged_by=part.judged_by,
        judge_official=part.judge_official,
        second=_second(part.second_by, attempts, missing) if part.second_by else None,
        calls=calls_of(attempts),
        helpers=helpers_of(attempts),
        retried=_retried(attempts, missing),
        restarts=sum(attempt.restarts for attempt in attempts),
        surroundings=_surroundings(attempts),
        versions=tuple(sorted({version for attempt in attempts for version in attempt.versions})),
    )


def _shown(seen: Matrix, missing: Missing) -> Matrix:
    return seen if missing == "report" else {task: [bool(x) for x in row] for task, row in seen.items()}


def _bounds(certain: Average) -> tuple[float, float] | None:
    return None if certain.complete or certain.low is None or certain.high is None else (certain.low, certain.high)


def _second(by: str, attempts: Sequence[AttemptRow], missing: Missing) -> Second:
    seen = matrix(attempts, second_outcome)
    found, certain = average(_shown(seen, missing)), average(seen)
    return Second(by, found.value, found.se, _bounds(certain), certain.scored)


def _retried(attempts: Sequence[AttemptRow], missing: Missing) -> Retried | None:
    retried = sum(attempt.ending is not None and attempt.faults > 0 for attempt in attempts)
    if not retried:
        return None
    found = average(_shown(matrix(attempt for attempt in attempts if not attempt.faults), missing))
    return Retried(retried, found.scored, found.value, found.se)


def _behaviour(attempts: Iterable[AttemptRow]) -> Behaviour:
    ended = [attempt for attempt in attempts if attempt.ending is not None]
    endings = Counter(attempt.ending.value for attempt in ended if attempt.ending is not None)
    calls = sum(attempt.tool_calls for attempt in ended)
    bad = sum(attempt.bad_calls for attempt in ended)
    return Behaviour(
        endings={ending.value: endings[ending.value] for ending in Ending if endings[ending.value]},
        forced=sum(attempt.forced for attempt in ended),
        turns=sum(attempt.turns for attempt in ended) / len(ended) if ended else None,
        tool_calls=calls / len(ended) if ended else None,
        completion_tokens=sum(attempt.completion_tokens for attempt in ended) / len(ended) if ended else None,
        bad_call_rate=bad / calls if calls else None,
    )


def _surroundings(attempts: Iterable[AttemptRow]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, set[str]] = {}
    for attempt in attempts:
        for name, version in attempt.surroundings.items():
            found.setdefault(name, set()).add(version)
    return tuple((name, tuple(sorted(versions))) for name, versions in sorted(found.items()))


def _scorers(attempts: Iterable[AttemptRow]) -> tuple[str, ...]:
    return tuple(sorted({a.verdict.scorer for a in attempts if a.verdict is not None and outcome(a) is not None}))


def _flags(scripted: bool, stand: Counts, behaviour: Behaviour, missing: Missing) -> Iterable[Flag]:
    if scripted:
        yield "scripted"
    if not stand.complete:
        yield "incomplete"
        if missing == "wrong" and stand.planned:
            yield "missing as wrong"
    if stand.quarantined:
        yield "quarantined"
    if behaviour.endings.get(Ending.TIME_LIMIT.value):
        yield "time limit"
