"""Comparing two runs on the same tasks: paired by task, never as two independent averages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from toleap.stats.estimators import Matrix, mean, standard_error
from toleap.stats.student import two_sided_p

EXACT_TASKS = 16
"""Up to this many differing tasks all 2^n sign patterns are counted."""
DRAWS = 20_000
"""Random sign patterns beyond that."""
_CHUNK = 1_000
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Paired:
    """Run A minus run B over the tasks that both have scored attempts for. Fractions between −1 and 1."""

    tasks: int
    unpaired: int
    """Tasks that only one of the runs has scored attempts for; they are left out."""
    difference: float | None
    se: float | None
    t: float | None
    """difference / se; None where se is 0 or undefined."""
    p_t: float | None
    p_sign_flip: float | None
    """Share of sign patterns whose mean difference is at least as large, in either direction."""
    exact: bool
    """All sign patterns were counted; otherwise p_sign_flip comes from DRAWS random ones with a fixed seed."""
    detectable: float | None
    """The true difference that this comparison would have found in 80 % of the cases, at level 0.05."""


def compare(a: Matrix, b: Matrix, *, seed: int = 0) -> Paired:
    """The paired comparison of two runs over the same tasks.

    d_i is the difference of task i's means over its scored attempts; SE = sd(d)/√M. The sign-flip test asks how often
    randomly exchanging the runs, task by task, gives as large a mean difference.
    """
    left, right = _task_means(a), _task_means(b)
    shared = [task for task in left if task in right]
    differences = [left[task] - right[task] for task in shared]
    se = standard_error(differences)
    value = mean(differences)
    t = value / se if value is not None and se else None
    p_sign_flip, exact = sign_flip(differences, seed=seed)
    return Paired(
        tasks=len(shared),
        unpaired=len(left.keys() ^ right.keys()),
        difference=value,
        se=se,
        t=t,
        p_t=None if t is None else two_sided_p(t, len(shared) - 1),
        p_sign_flip=p_sign_flip,
        exact=exact,
        detectable=None if se is None else _z_sum(0.05, 0.8) * se,
    )


def sign_flip(differences: Sequence[float], *, seed: int = 0) -> tuple[float | None, bool]:
    """Two-sided sign-flip permutation p of the mean difference, and whether it is exact.

    Differences of 0 change no pattern's mean, so they are left out without changing p. The Monte-Carlo value counts
    the observed pattern as one of the draws, so that it is never 0. None without any difference to look at.
    """
    if not differences:
        return None, True
    moving = np.array([d for d in differences if d != 0], dtype=float)
    threshold = abs(moving.sum()) - 1e-9 * np.abs(moving).sum()
    if len(moving) <= EXACT_TASKS:
        patterns = np.arange(2 ** len(moving))
        bits = (patterns[:, None] >> np.arange(len(moving))) & 1
        return float(np.mean(np.abs((1 - 2 * bits) @ moving) >= threshold)), True
    random = np.random.default_rng(seed)
    hits = 0
    for _ in range(DRAWS // _CHUNK):
        signs = 1 - 2 * random.integers(0, 2, size=(_CHUNK, len(moving)), dtype=np.int8)
        hits += int(np.count_nonzero(np.abs(signs @ moving) >= threshold))
    return (hits + 1) / (DRAWS + 1), False


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p for several comparisons at once, in the order given; reject where it is below the level.

    Raises:
        ValueError: a p is not between 0 and 1.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError(f"no probabilities: {list(p_values)}")
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


@dataclass(frozen=True, slots=True)
class Spread:
    """The variances that decide what a comparison can see (Miller, arXiv 2411.00640)."""

    between: float
    """ω²: the variance over tasks of the difference between the runs' true means."""
    sampling_a: float
    """σ²_A: the mean variance of a single attempt of run A at one task."""
    sampling_b: float
    k_a: int
    k_b: int

    @property
    def per_task(self) -> float:
        """ω² + σ²_A/K_A + σ²_B/K_B: the variance of one task's difference."""
        return self.between + self.sampling_a / self.k_a + self.sampling_b / self.k_b


def minimal_detectable_effect(tasks: int, spread: Spread, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest true difference that ``tasks`` tasks find with the given power.

    Raises:
        ValueError: fewer than one task, or alpha or power not strictly between 0 and 1.
    """
    if tasks < 1:
        raise ValueError(f"tasks = {tasks}: needs at least 1")
    return _z_sum(alpha, power) * math.sqrt(spread.per_task / tasks)


def tasks_needed(difference: float, spread: Spread, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """How many tasks it takes to find a true ``difference``: (z_{α/2} + z_β)² · per-task variance / δ², rounded up.

    Raises:
        ValueError: the difference is 0, or alpha or power not strictly between 0 and 1.
    """
    if difference == 0:
        raise ValueError("no number of tasks finds a difference of 0")
    return math.ceil(_z_sum(alpha, power) ** 2 * spread.per_task / difference**2)


def _z_sum(alpha: float, power: float) -> float:
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"alpha = {alpha}, power = {power}: both lie strictly between 0 and 1")
    return _NORMAL.inv_cdf(1 - alpha / 2) + _NORMAL.inv_cdf(power)


def _task_means(matrix: Matrix) -> dict[str, float]:
    scored = {task: [x for x in row if x is not None] for task, row in matrix.items()}
    return {task: sum(row) / len(row) for task, row in scored.items() if row}
