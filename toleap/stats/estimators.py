"""avg@k with its error bar, and what is certain while results are missing.

A matrix maps each planned task to its planned attempts: True, False, or None where the result is missing (owed or
unscored). A task's mean is taken over its scored attempts. Tasks with none scored are left out of the headline,
and the bounds, which count every planned attempt, say what they could still change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from toleap.stats.combinatorics import pass_at_k, pass_hat_k

Matrix = Mapping[str, Sequence[bool | None]]
"""Task id → its attempts. None is a missing result."""
_Estimate = Callable[[int, int, int], float | None]


@dataclass(frozen=True, slots=True)
class Average:
    """avg@k of a matrix. All values are fractions between 0 and 1, or None where they are not defined."""

    value: float | None
    """Mean over tasks of the mean over each task's scored attempts; None without any scored attempt."""
    se: float | None
    """Standard error over tasks; None for fewer than two tasks."""
    sampling_se: float | None
    """The part of the error that more attempts would remove; None where a task has fewer than two scored attempts."""
    between_variance: float | None
    """Unbiased variance of the tasks' true means; may be slightly negative, as unbiased estimates of zero are."""
    low: float | None
    """avg@k if every missing result turned out wrong."""
    high: float | None
    """avg@k if every missing result turned out right."""
    tasks: int
    """Tasks with at least one scored attempt: those the value averages over."""
    planned_tasks: int
    scored: int
    planned: int

    @property
    def complete(self) -> bool:
        """Whether every planned attempt is scored."""
        return self.scored == self.planned


@dataclass(frozen=True, slots=True)
class Proportion:
    """A mean over tasks of a per-task estimate such as pass@k, with what missing results leave open."""

    value: float | None
    se: float | None
    low: float | None
    high: float | None


def average(matrix: Matrix) -> Average:
    """avg@k, its error and its bounds.

    SE² = Var(s_i)/M over the M task means s_i with M − 1 in the variance, which is the standard error clustered by
    task of Miller (arXiv 2411.00640). The sampling part is Σ_i(s²_within,i / n_i) / M², which for equal n_i = K is
    mean(s²_within)/(K·M).
    """
    attempts = [row for row in matrix.values() if row]
    scored = [[x for x in row if x is not None] for row in attempts]
    with_scores = [row for row in scored if row]
    means = [sum(row) / len(row) for row in with_scores]
    within = _within(with_scores)
    bounds = _bounds(attempts)
    return Average(
        value=mean(means),
        se=standard_error(means),
        sampling_se=math.sqrt(sum(within)) / len(means) if within else None,
        between_variance=variance(means) - sum(within) / len(means) if within and len(means) > 1 else None,
        low=bounds[0],
        high=bounds[1],
        tasks=len(means),
        planned_tasks=len(attempts),
        scored=sum(map(len, scored)),
        planned=sum(map(len, attempts)),
    )


def mean_pass_at_k(matrix: Matrix, k: int) -> Proportion:
    """pass@k averaged over the tasks that avg@k averages over.

    The value is None unless each of these tasks has k scored attempts: averaging over the finished tasks alone
    could put pass@k below pass@1. The bounds need k planned attempts for every task.
    """
    return _over_tasks(matrix, k, pass_at_k)


def mean_pass_hat_k(matrix: Matrix, k: int) -> Proportion:
    """pass^k, the chance that k attempts are all right, averaged as :func:`mean_pass_at_k` averages."""
    return _over_tasks(matrix, k, pass_hat_k)


def wilson(correct: int, total: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's score interval for ``correct`` of ``total`` independent trials, 95 % unless ``z`` says otherwise.

    It is right for one attempt at each task. Attempts at one task are not independent of each other.

    Raises:
        ValueError: not 0 ≤ correct ≤ total, or total is 0.
    """
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f"{correct} of {total} is no proportion")
    p = correct / total
    scale = 1 + z * z / total
    centre = (p + z * z / (2 * total)) / scale
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)


def mean(values: Sequence[float]) -> float | None:
    """The mean, None for no values."""
    return math.fsum(values) / len(values) if values else None


def variance(values: Sequence[float]) -> float:
    """The sample variance, with n − 1. Needs two values."""
    centre = math.fsum(values) / len(values)
    return math.fsum((x - centre) ** 2 for x in values) / (len(values) - 1)


def standard_error(values: Sequence[float]) -> float | None:
    """The standard error of the mean, None for fewer than two values."""
    return math.sqrt(variance(values) / len(values)) if len(values) > 1 else None


def _within(rows: Sequence[Sequence[bool]]) -> list[float] | None:
    """The sampling variance of each task's mean, None unless every task has two attempts."""
    if not rows or min(map(len, rows)) < 2:
        return None
    return [variance([float(x) for x in row]) / len(row) for row in rows]


def _bounds(rows: Sequence[Sequence[bool | None]]) -> tuple[float | None, float | None]:
    low = mean([sum(x is True for x in row) / len(row) for row in rows])
    high = mean([sum(x is not False for x in row) / len(row) for row in rows])
    return low, high


def _over_tasks(matrix: Matrix, k: int, estimate: _Estimate) -> Proportion:
    rows = [row for row in matrix.values() if row]
    scored = [[x for x in row if x is not None] for row in rows]
    values = [estimate(len(row), sum(row), k) for row in scored if row]
    low = [estimate(len(row), sum(x is True for x in row), k) for row in rows]
    high = [estimate(len(row), sum(x is not False for x in row), k) for row in rows]
    whole = _all_defined(values)
    return Proportion(
        value=mean(whole),
        se=standard_error(whole),
        low=mean(_all_defined(low)),
        high=mean(_all_defined(high)),
    )


def _all_defined(values: Sequence[float | None]) -> list[float]:
    defined = [x for x in values if x is not None]
    return defined if len(defined) == len(values) else []
