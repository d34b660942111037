"""How well stated confidence matches accuracy: HLE's RMS calibration error and BrowseComp-ZH's ECE.

Both take confidences in percent (0 to 100) and whether each answer was right, in the same order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

_HLE_BIN = 100
_ZH_BINS = 5
_ZH_WIDTH = 20
_ECE_BINS = 10


def hle_rms(
    confidence: Sequence[float], correct: Sequence[bool], *, bins: Literal["official", "all_bins"] = "official"
) -> float | None:
    """HLE's RMS calibration error as a fraction: √Σ (n_b/N)·(mean confidence − accuracy)² over bins of 100.

    Answers are sorted by confidence (ties keep their order) and cut into bins of 100, the remainder merged into the
    last. ``official`` is the published code's value, which leaves the last bin, the most confident answers, out of
    the sum: 0 for 100 answers. ``all_bins`` counts every bin. Source: the calibration error of Hendrycks et al. 2019
    (Deep Anomaly Detection with Outlier Exposure) as HLE's evaluation uses it.

    Returns None where it is not defined: ``official`` below 100 answers, ``all_bins`` without any.

    Raises:
        ValueError: the two differ in length, or a confidence is outside 0…100.
    """
    stated, right = _arrays(confidence, correct)
    count = len(stated) // _HLE_BIN
    if not len(stated) or (bins == "official" and not count):
        return None
    order = np.argsort(stated, kind="stable")
    stated, right = stated[order] / 100, right[order]
    edges = [*range(0, max(count, 1) * _HLE_BIN, _HLE_BIN), len(stated)]
    if bins == "official":
        edges.pop()
    squares = sum(
        (stop - start) / len(stated) * float(stated[start:stop].mean() - right[start:stop].mean()) ** 2
        for start, stop in itertools.pairwise(edges)
    )
    return math.sqrt(squares)


def browsecomp_zh_ece(confidence: Sequence[float], correct: Sequence[bool]) -> float | None:
    """BrowseComp-ZH's expected calibration error in percent: Σ (n_b/N)·|accuracy − mean confidence|.

    Five bins of confidence, [0, 20) to [80, 100]. Source: BrowseComp-ZH's evaluation. None without any answer.

    Raises:
        ValueError: the two differ in length, or a confidence is outside 0…100.
    """
    stated, right = _arrays(confidence, correct)
    if not len(stated):
        return None
    index = np.minimum(stated // _ZH_WIDTH, _ZH_BINS - 1)
    error = 0.0
    for inside in (index == number for number in range(_ZH_BINS)):
        count = int(inside.sum())
        if count:
            gap = abs(float(right[inside].sum()) / count - float(stated[inside].sum()) / count / 100)
            error += count / len(stated) * gap
    return 100 * error


def ten_bin_ece(confidence: Sequence[float], correct: Sequence[bool]) -> float | None:
    """The expected calibration error as a fraction: Σ (n_b/N)·|mean confidence − accuracy|.

    Ten bins of confidence, open below and closed above: (0, 10] to (90, 100]; a confidence of 0 is in none, so it
    counts in N only. Source: Guo et al. 2017 (On Calibration of Modern Neural Networks), as BrowseComp's evaluation
    in Inspect uses it. None without any answer.

    Raises:
        ValueError: the two differ in length, or a confidence is outside 0…100.
    """
    stated, right = _arrays(confidence, correct)
    if not len(stated):
        return None
    stated = stated / 100
    edges = np.linspace(0, 1, _ECE_BINS + 1)
    gaps = [
        inside.sum() / len(stated) * abs(stated[inside].mean() - right[inside].mean())
        for inside in ((stated > low) & (stated <= high) for low, high in itertools.pairwise(edges))
        if inside.any()
    ]
    return float(sum(gaps))


def _arrays(confidence: Sequence[float], correct: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Confidence in percent, and 1 for right answers; both of shape (N,)."""
    if len(confidence) != len(correct):
        raise ValueError(f"{len(confidence)} confidences for {len(correct)} answers")
    stated, right = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=float)
    if len(stated) and (stated.min() < 0 or stated.max() > 100):
        raise ValueError("a confidence is outside 0…100")
    if np.isnan(stated).any():
        raise ValueError("a confidence is no number")
    return stated, right
