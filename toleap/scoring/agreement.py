"""How far two judges agree on the same attempts: raw agreement and Cohen's κ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from toleap.types import Key, VerdictStatus


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two judges on the attempts that both scored. ``raw`` and ``kappa`` are None where they are not defined."""

    both: int
    """Attempts with a verdict by both."""
    unpaired: int
    """Attempts that only one judge saw, or that either left unscored: they say nothing."""
    raw: float | None
    kappa: float | None
    differing: tuple[Key, ...]
    """The attempts on which they disagree, sorted."""


def agreement(first: Mapping[Key, VerdictStatus], second: Mapping[Key, VerdictStatus]) -> Agreement:
    """Agreement of two sets of verdicts, by attempt.

    κ = (p_o − p_e) / (1 − p_e), p_o the share of equal verdicts and p_e = Σ over verdicts of the product of both
    judges' shares (Cohen 1960, A coefficient of agreement for nominal scales). It is not defined where p_e is 1: both
    judges gave one and the same verdict throughout.
    """
    scored = sorted(key for key in first.keys() & second.keys() if "unscored" not in (first[key], second[key]))
    unpaired = len(first.keys() | second.keys()) - len(scored)
    differing = tuple(key for key in scored if first[key] != second[key])
    if not scored:
        return Agreement(0, unpaired, raw=None, kappa=None, differing=differing)
    raw = 1 - len(differing) / len(scored)
    return Agreement(len(scored), unpaired, raw=raw, kappa=_kappa(first, second, scored), differing=differing)


def _kappa(
    first: Mapping[Key, VerdictStatus], second: Mapping[Key, VerdictStatus], scored: list[Key]
) -> float | None:
    """In whole numbers until the last division, so that 1 is exactly 1."""
    total = len(scored)
    ours, theirs = Counter(first[key] for key in scored), Counter(second[key] for key in scored)
    same = sum(first[key] == second[key] for key in scored)
    by_chance = sum(ours[status] * theirs[status] for status in ours)
    if by_chance == total * total:
        return None
    return (same * total - by_chance) / (total * total - by_chance)
