"""SealQA's two further numbers: accuracy over attempted questions, and F1 (as SimpleQA defines both)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Grade = Literal["correct", "wrong", "not_attempted"]


@dataclass(frozen=True, slots=True)
class Attempted:
    """Fractions over ``total`` scored attempts; None where nothing is there to divide by."""

    total: int
    attempted: int
    accuracy: float | None
    """correct / total"""
    accuracy_given_attempted: float | None
    """correct / (correct + wrong)"""
    f1: float | None
    """The harmonic mean of the two; 0 where nothing is correct."""


def attempted_scores(grades: Iterable[Grade]) -> Attempted:
    """The numbers of SimpleQA (Wei et al. 2024, Measuring short-form factuality), which SealQA takes over.

    Attempts without any answer count as not attempted; leave unscored ones out.
    """
    counted = list(grades)
    total, correct = len(counted), counted.count("correct")
    attempted = total - counted.count("not_attempted")
    if not total:
        return Attempted(0, 0, None, None, None)
    if not attempted:
        return Attempted(total, 0, 0.0, None, 0.0)
    return Attempted(total, attempted, correct / total, correct / attempted, 2 * correct / (total + attempted))
