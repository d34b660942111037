"""Measures beside the average, made of the same verdicts. A benchmark names those it reports: ``report.measures``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from toleap.errors import UsageError
from toleap.scoring.judge.record import confidence_of, read, was_attempted
from toleap.types import Verdict

Grade = Literal["correct", "wrong", "not_attempted"]
_NO_CONFIDENCE = "no verdict has a confidence"
_ALL_BINS = "RMS calibration error, all bins"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a row: a fraction between 0 and 1, and how many verdicts it rests on."""

    name: str
    title: str
    value: float | None
    verdicts: int
    reason: str = ""
    """Why there is no value; empty where there is one."""
    unread: int = 0
    """Judged verdicts that are left out since their confidence could not be read."""


Measure = Callable[[Sequence[Verdict]], tuple[Figure, ...]]
"""From the scored verdicts of a row, all attempts of all tasks, to its figures. Needs ``Verdict.raw``."""


def _unread(verdicts: Iterable[Verdict]) -> int:
    """How many verdicts a judge gave with a confidence that could not be read."""
    records = (read(verdict) for verdict in verdicts)
    return sum(record is not None and record.confidence is None for record in records)


def _stated(verdicts: Iterable[Verdict]) -> tuple[list[int], list[bool]]:
    """The confidence in percent and the outcome of each verdict whose judge reported a confidence."""
    pairs = [(confidence_of(verdict), verdict.status == "correct") for verdict in verdicts]
    kept = [(stated, right) for stated, right in pairs if isinstance(stated, int) and 0 <= stated <= 100]
    return [stated for stated, _ in kept], [right for _, right in kept]


def _rms(
    verdicts: Sequence[Verdict], *, name: str, title: str, bins: Literal["official", "all_bins"]
) -> tuple[Figure, ...]:
    from toleap.scoring.calibration import hle_rms  # numpy, 8 MB in every run, only where it is needed

    stated, right = _stated(verdicts)
    value = hle_rms(stated, right, bins=bins)
    reason = "" if value is not None else "it needs 100 verdicts with a confidence" if stated else _NO_CONFIDENCE
    return (Figure(name, title, value=value, verdicts=len(stated), reason=reason, unread=_unread(verdicts)),)


def _ece_5(verdicts: Sequence[Verdict]) -> tuple[Figure, ...]:
    from toleap.scoring.calibration import browsecomp_zh_ece

    stated, right = _stated(verdicts)
    percent = browsecomp_zh_ece(stated, right)
    return _ece(
        "calibration_ece_5",
        5,
        value=None if percent is None else percent / 100,
        count=len(stated),
        unread=_unread(verdicts),
    )


def _ece_10(verdicts: Sequence[Verdict]) -> tuple[Figure, ...]:
    from toleap.scoring.calibration import ten_bin_ece

    stated, right = _stated(verdicts)
    return _ece(
        "calibration_ece_10", 10, value=ten_bin_ece(stated, right), count=len(stated), unread=_unread(verdicts)
    )


def _ece(name: str, bins: int, value: float | None, count: int, unread: int) -> tuple[Figure, ...]:
    title = f"expected calibration error, {bins} bins"
    return (Figure(name, title, value=value, verdicts=count, reason="" if count else _NO_CONFIDENCE, unread=unread),)


def _attempted(verdicts: Sequence[Verdict]) -> tuple[Figure, ...]:
    scores = attempted_scores(map(_grade, verdicts))
    nothing = "" if scores.attempted else "nothing was attempted" if scores.total else "nothing is scored"
    return (
        Figure(
            "accuracy_given_attempted",
            "accuracy given attempted",
            value=scores.accuracy_given_attempted,
            verdicts=scores.attempted,
            reason=nothing,
        ),
        Figure("f1", "F1", value=scores.f1, verdicts=scores.total, reason="" if scores.total else nothing),
    )


def _grade(verdict: Verdict) -> Grade:
    if verdict.status == "correct":
        return "correct"
    return "wrong" if was_attempted(verdict) else "not_attempted"


MEASURES: Mapping[str, Measure] = {
    "calibration_rms": partial(
        _rms, name="calibration_rms", title="RMS calibration error, official", bins="official"
    ),
    "calibration_rms_all_bins": partial(_rms, name="calibration_rms_all_bins", title=_ALL_BINS, bins="all_bins"),
    "calibration_ece_5": _ece_5,
    "calibration_ece_10": _ece_10,
    "attempted": _attempted,
}
"""Every measure that ``report.measures`` may name."""


def check_measures(names: Iterable[str], where: str) -> None:
    """Refuse names of measures that do not exist.

    Args:
        where: names the setting in the error.

    Raises:
        UsageError: there is no such measure; names the nearest.
    """
    for name in names:
        if name not in MEASURES:
            near = difflib.get_close_matches(name, MEASURES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(MEASURES)}"
            raise UsageError(f"{where}: unknown measure {name!r}: {hint}")


def figures(names: Iterable[str], verdicts: Sequence[Verdict]) -> tuple[Figure, ...]:
    """The figures of the named measures, in that order, from scored verdicts with their ``raw``.

    A name that this version does not know gives a figure without a value: runs outlive versions.
    """
    results: list[Figure] = []
    for name in names:
        measure = MEASURES.get(name)
        unknown = Figure(name, name, value=None, verdicts=0, reason="this version of toleap has no such measure")
        results += measure(verdicts) if measure else (unknown,)
    return tuple(results)


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
        return Attempted(0, 0, accuracy=None, accuracy_given_attempted=None, f1=None)
    if not attempted:
        return Attempted(total, 0, accuracy=0.0, accuracy_given_attempted=None, f1=0.0)
    return Attempted(
        total,
        attempted,
        accuracy=correct / total,
        accuracy_given_attempted=correct / attempted,
        f1=2 * correct / (total + attempted),
    )
