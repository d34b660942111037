"""From planned attempts to the rows of one run on one benchmark."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from toleap.report.calls import calls_of, helpers_of
from toleap.report.values import (
    Behaviour,
    Counts,
    Extent,
    Flag,
    Group,
    Headline,
    Missing,
    PassRate,
    Provenance,
    Retried,
    Row,
    Subject,
)
from toleap.scoring.measures import figures
from toleap.stats.estimators import Average, Matrix, average, mean_pass_at_k, wilson
from toleap.types import AttemptRow, BenchmarkResult, Ending, RunResult, ScoredBy

UNKNOWN = "–"
"""The value of a breakdown column for a task that has none."""
_DIGITS = re.compile(r"([0-9]+)")


def rows_of(run: RunResult, part: BenchmarkResult, missing: Missing, variant: str = "") -> list[Row]:
    """The benchmark's row, then one for each value of each breakdown column.

    Raises:
        ValueError: an attempt occurs twice.
    """
    if len({attempt.key for attempt in part.rows}) < len(part.rows):
        twice = next(key for key, n in Counter(attempt.key for attempt in part.rows).items() if n > 1)
        raise ValueError(f"attempt {twice} is planned twice")
    scored = [a.verdict for a in part.rows if a.verdict is not None and outcome(a) is not None]
    subject = Subject(
        run.name, run.model, scripted=run.scripted, benchmark=part.name, title=part.title, variant=variant
    )
    whole_row = _row(part, part.rows, subject=subject, total=part.tasks_total, missing=missing)
    rows = [replace(whole_row, measures=figures(part.measures, scored))]
    whole = len(part.metadata) >= part.tasks_total
    for column in part.breakdown:
        values = {task: group_values(data, column) for task, data in part.metadata.items()}
        sizes = Counter(value for groups in values.values() for value in groups)
        for value, attempts in _grouped(part.rows, values).items():
            total = sizes[value] if whole else None
            rows.append(
                _row(
                    part, attempts, subject=replace(subject, group=Group(column, value)), total=total, missing=missing
                )
            )
    return rows


def outcome(attempt: AttemptRow, scorer: int = 0) -> bool | None:
    """Right, wrong, or None where the result is missing: owed, or without a verdict that counts.

    ``scorer`` is a place among the benchmark's scorers, the headline's being 0.
    """
    verdict = attempt.verdicts[scorer] if scorer < len(attempt.verdicts) else None
    if attempt.ended is None or verdict is None or verdict.status == "unscored":
        return None
    return verdict.status == "correct"


def counts(attempts: Iterable[AttemptRow]) -> Counts:
    """Where the attempts stand. One that has not ended is owed, whatever else is known of it."""
    planned = scored = owed = quarantined = 0
    for attempt in attempts:
        planned += 1
        scored += outcome(attempt) is not None
        owed += attempt.ended is None
        quarantined += attempt.ended is None and attempt.quarantined
    return Counts(planned, scored, unscored=planned - scored - owed, owed=owed, quarantined=quarantined)


def matrix(attempts: Iterable[AttemptRow], scorer: int = 0) -> dict[str, list[bool | None]]:
    """Task id → its planned attempts' outcomes by one of the scorers."""
    by_task: dict[str, list[bool | None]] = {}
    for attempt in attempts:
        by_task.setdefault(attempt.key.task, []).append(outcome(attempt, scorer))
    return by_task


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
    part: BenchmarkResult, attempts: Sequence[AttemptRow], subject: Subject, total: int | None, missing: Missing
) -> Row:
    seen, *beside = (matrix(attempts, place) for place in range(len(part.scorers)))
    outcomes = _shown(seen, missing)
    headlines = (_headline(each, by, missing) for each, by in zip((seen, *beside), part.scorers, strict=True))
    stand = counts(attempts)
    rates = {k: (mean_pass_at_k(outcomes, k), mean_pass_at_k(seen, k)) for k in pass_ks(part.k)}
    correct = sum(x is True for row in outcomes.values() for x in row)
    behaviour = _behaviour(attempts)
    counted = sum(x is not None for row in outcomes.values() for x in row)
    return Row(
        subject=subject,
        extent=Extent(part.k, len(seen), total),
        headlines=tuple(headlines),
        pass_at=tuple(PassRate(k, rate.value, certain.low, certain.high) for k, (rate, certain) in rates.items()),
        wilson=wilson(correct, counted) if part.k == 1 and counted else None,
        counts=stand,
        behaviour=behaviour,
        provenance=_provenance(part, attempts),
        flags=tuple(_flags(subject.scripted, stand, behaviour, missing)),
        calls=calls_of(attempts),
        helpers=helpers_of(attempts),
        retried=_retried(attempts, missing),
        restarts=sum(attempt.ended.restarts for attempt in attempts if attempt.ended is not None),
    )


def _shown(seen: Matrix, missing: Missing) -> Matrix:
    return seen if missing == "report" else {task: [bool(x) for x in row] for task, row in seen.items()}


def _bounds(certain: Average) -> tuple[float, float] | None:
    return None if certain.complete or certain.low is None or certain.high is None else (certain.low, certain.high)


def _headline(seen: Matrix, by: ScoredBy, missing: Missing) -> Headline:
    estimate, certain = average(_shown(seen, missing)), average(seen)
    bounds = _bounds(certain)
    return Headline(
        estimate.value,
        estimate.se,
        sampling_se=estimate.sampling_se,
        bounds=bounds,
        scored=certain.scored,
        judged_by=by.label,
        judge_official=by.official,
    )


def _retried(attempts: Sequence[AttemptRow], missing: Missing) -> Retried | None:
    retried = sum(attempt.ended is not None and attempt.faults > 0 for attempt in attempts)
    if not retried:
        return None
    estimate = average(_shown(matrix(attempt for attempt in attempts if not attempt.faults), missing))
    return Retried(retried, estimate.scored, estimate.value, estimate.se)


def _behaviour(attempts: Iterable[AttemptRow]) -> Behaviour:
    ended = [attempt.ended for attempt in attempts if attempt.ended is not None]
    endings = Counter(attempt.ending.value for attempt in ended)
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


def _provenance(part: BenchmarkResult, attempts: Sequence[AttemptRow]) -> Provenance:
    scorers = {a.verdict.scorer for a in attempts if a.verdict is not None and outcome(a) is not None}
    ended = [attempt.ended for attempt in attempts if attempt.ended is not None]
    versions = {version for attempt in ended for version in attempt.versions}
    parts: dict[str, set[str]] = {}
    for attempt in ended:
        for name, version in attempt.surroundings.items():
            parts.setdefault(name, set()).add(version)
    surroundings = tuple((name, tuple(sorted(seen))) for name, seen in sorted(parts.items()))
    return Provenance(part.revision, tuple(sorted(scorers)), tuple(sorted(versions)), surroundings)


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
