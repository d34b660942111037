"""Estimates from the attempts at one task: pass@k, pass^k and maj@k, exact and unbiased.

Each is the mean over all subsets of k of the n attempts, counted and never enumerated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from fractions import Fraction
from functools import lru_cache
from math import comb


@lru_cache(maxsize=4096)
def pass_at_k(n: int, c: int, k: int) -> float | None:
    """1 − C(n−c, k)/C(n, k): the chance that k of the n attempts, c of them right, hold a right one.

    None when n < k: fewer attempts than k say nothing about k attempts (Chen et al., arXiv 2107.03374).

    Raises:
        ValueError: not 0 ≤ c ≤ n, or k < 1.
    """
    _check(n, c, k)
    return None if n < k else float(1 - Fraction(comb(n - c, k), comb(n, k)))


@lru_cache(maxsize=4096)
def pass_hat_k(n: int, c: int, k: int) -> float | None:
    """C(c, k)/C(n, k): the chance that k of the n attempts are all right; None when n < k.

    Raises:
        ValueError: not 0 ≤ c ≤ n, or k < 1.
    """
    _check(n, c, k)
    return None if n < k else float(Fraction(comb(c, k), comb(n, k)))


def maj_at_k(answers: Sequence[Hashable], right: Collection[Hashable], k: int) -> float | None:
    """The chance that the vote of k of the attempts is right; None when there are fewer than k answers.

    ``answers`` are normalised, one for each attempt, and ``right`` those among them that are correct. Ties are broken
    uniformly. A missing answer (None) is a vote like any other, and wrong unless ``right`` holds it.

    Raises:
        ValueError: k < 1.
    """
    _check(len(answers), 0, k)
    if len(answers) < k:
        return None
    votes = Counter(answers)
    wins = sum((_wins(votes, label, k) for label in votes if label in right), Fraction(0))
    return float(wins / comb(len(answers), k))


def _wins(votes: Counter[Hashable], label: Hashable, k: int) -> Fraction:
    """Subsets of k in which ``label`` wins, a tie between t + 1 labels counting 1/(t + 1)."""
    others = [count for other, count in votes.items() if other != label]
    total = Fraction(0)
    for top in range(1, min(votes[label], k) + 1):
        ways = _rest(others, k - top, top)
        total += comb(votes[label], top) * sum((Fraction(w, ties + 1) for ties, w in ways.items()), Fraction(0))
    return total


def _rest(others: Sequence[int], size: int, top: int) -> dict[int, int]:
    """Ways to choose ``size`` of the other votes, none above ``top``, by how many labels reach ``top``."""
    ways = {(0, 0): 1}
    for count in others:
        step: dict[tuple[int, int], int] = {}
        for (used, ties), n in ways.items():
            for taken in range(min(count, top, size - used) + 1):
                state = (used + taken, ties + (taken == top))
                step[state] = step.get(state, 0) + n * comb(count, taken)
        ways = step
    return {ties: n for (used, ties), n in ways.items() if used == size}


def _check(n: int, c: int, k: int) -> None:
    if not 0 <= c <= n or k < 1:
        raise ValueError(f"n = {n}, c = {c}, k = {k}: needs 0 <= c <= n and k >= 1")
