"""Two runs beside each other, paired by task, on every benchmark that both played."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from toleap.report.cells import DASH
from toleap.report.rows import matrix
from toleap.report.values import Comparison
from toleap.report.variants import pairs
from toleap.stats.paired import compare, holm
from toleap.types import RunResult

_LEVEL = 0.05


def compare_runs(a: RunResult, b: RunResult) -> tuple[Comparison, ...]:
    """The comparison of two runs on each benchmark that both have, in ``a``'s order.

    Tasks are averaged over their scored attempts; tasks that only one run has scored are left out and counted.
    """
    return _adjusted(_compared(a, b, a.name, b.name))


def compare_variants(runs: Sequence[RunResult]) -> tuple[Comparison, ...]:
    """Each variant of an ablation minus its first one, on each benchmark; p is adjusted over all of them together."""
    return _adjusted(
        [item for pair in pairs(runs) for item in _compared(pair.variant, pair.first, pair.name, pair.first_name)]
    )


def _compared(a: RunResult, b: RunResult, name_a: str, name_b: str) -> list[Comparison]:
    theirs = {part.name: part for part in b.benchmarks}
    return [
        Comparison(
            benchmark=part.name,
            a=name_a,
            b=name_b,
            paired=compare(matrix(part.rows), matrix(theirs[part.name].rows)),
            adjusted_p=None,
            revisions_differ=part.revision != theirs[part.name].revision,
        )
        for part in a.benchmarks
        if part.name in theirs
    ]


def _adjusted(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    plain = [item.paired.p_sign_flip for item in comparisons]
    adjusted = iter(holm([p for p in plain if p is not None]))
    return tuple(
        item if p is None else replace(item, adjusted_p=next(adjusted))
        for item, p in zip(comparisons, plain, strict=True)
    )


def lines(comparisons: Sequence[Comparison]) -> list[str]:
    """One line for each benchmark: the difference in points, whether it is more than chance, what could be seen."""
    return [line(item) for item in comparisons]


def line(item: Comparison) -> str:
    """The line of one comparison."""
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
