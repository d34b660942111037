"""Two runs beside each other, paired by task, on every benchmark that both played."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from toleap.report.rows import matrix
from toleap.report.text import DASH
from toleap.stats.paired import Paired, compare, holm
from toleap.types import RunResult

_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """Run ``a`` minus run ``b`` on one benchmark."""

    benchmark: str
    a: str
    b: str
    paired: Paired
    adjusted_p: float | None
    """The sign-flip p after Holm's correction over the benchmarks compared at once; None without shared tasks."""
    revisions_differ: bool
    """The two runs had other data, prompts or scoring: their difference is not one between models."""


def compare_runs(a: RunResult, b: RunResult) -> tuple[Comparison, ...]:
    """The comparison of two runs on each benchmark that both have, in ``a``'s order.

    Tasks are averaged over their scored attempts; tasks that only one run has scored are left out and counted.
    """
    theirs = {part.name: part for part in b.benchmarks}
    parts = [(part, theirs[part.name]) for part in a.benchmarks if part.name in theirs]
    found = [compare(matrix(ours.rows), matrix(other.rows)) for ours, other in parts]
    adjusted = iter(holm([pair.p_sign_flip for pair in found if pair.p_sign_flip is not None]))
    return tuple(
        Comparison(
            benchmark=ours.name,
            a=a.name,
            b=b.name,
            paired=pair,
            adjusted_p=None if pair.p_sign_flip is None else next(adjusted),
            revisions_differ=ours.revision != other.revision,
        )
        for (ours, other), pair in zip(parts, found, strict=True)
    )


def lines(comparisons: Sequence[Comparison]) -> list[str]:
    """One line for each benchmark: the difference in points, whether it is more than chance, what could be seen."""
    return [_line(item) for item in comparisons]


def _line(item: Comparison) -> str:
    pair = item.paired
    if pair.difference is None or item.adjusted_p is None:
        return f"{item.benchmark}: no task is scored in both runs"
    verdict = "more than chance" if item.adjusted_p < _LEVEL else "not told apart from chance"
    parts = [
        f"{item.benchmark}: {100 * pair.difference:+.1f} ± {_points(pair.se)} points over {pair.tasks} tasks",
        f"{_p(item.adjusted_p)}, {verdict}",
    ]
    if pair.se:
        parts.append(f"a difference of {_points(pair.detectable)} would have been found 4 times in 5")
    if pair.unpaired:
        parts.append(f"{pair.unpaired} tasks scored in one run only are left out")
    if item.revisions_differ:
        parts.append("the data, prompt or scoring differ")
    return "; ".join(parts)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _points(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.1f}"
