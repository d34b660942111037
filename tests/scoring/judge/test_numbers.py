"""Calibration, agreement and the numbers over attempted questions."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.scoring.agreement import agreement
from toleap.scoring.calibration import browsecomp_zh_ece, hle_rms, ten_bin_ece
from toleap.scoring.measures import Grade, attempted_scores
from toleap.types import Key, VerdictStatus

ANSWERS = st.lists(st.tuples(st.integers(0, 100), st.booleans()), max_size=350)
STATUSES = st.lists(st.sampled_from(["correct", "wrong", "unscored"]), max_size=30)


@pytest.mark.skipif("TOLEAP_TESTDATA" not in os.environ, reason="TOLEAP_TESTDATA is not set")
def test_calibration_is_the_owners_to_the_last_digit() -> None:
    vectors = json.loads((Path(os.environ["TOLEAP_TESTDATA"]) / "calibration_vectors.json").read_text())
    for vector in vectors:
        stated, right = vector["confidence"], [bool(one) for one in vector["correct"]]
        official = hle_rms(stated, right)
        assert official == vector["hle_official"]
        assert official is not None and 100 * round(official, 2) == vector["hle_official_reported"]
        assert hle_rms(stated, right, bins="all_bins") == vector["hle_allbins"]
        assert browsecomp_zh_ece(stated, right) == vector["browsecomp_zh_ece_pct"]
        assert ten_bin_ece(stated, right) == vector["browsecomp_ece_inspect"]


def test_calibration_by_hand() -> None:
    assert hle_rms([80] * 99, [True] * 99) is None
    assert hle_rms([80] * 100, [True] * 100) == 0
    assert hle_rms([80] * 4, [True, True, True, False], bins="all_bins") == pytest.approx(0.05)
    # two bins: 100 answers at 0 % all right, 150 at 100 % of which 75 are right
    stated, right = [0] * 100 + [100] * 150, [True] * 100 + [True, False] * 75
    assert hle_rms(stated, right) == pytest.approx(math.sqrt(0.4))
    assert hle_rms(stated, right, bins="all_bins") == pytest.approx(math.sqrt(0.4 + 0.6 * 0.25))
    assert browsecomp_zh_ece([19, 20, 100], [False, True, True]) == pytest.approx((19 + 80 + 0) / 3)
    assert (hle_rms([], []), hle_rms([], [], bins="all_bins"), browsecomp_zh_ece([], [])) == (None, None, None)


@pytest.mark.parametrize(
    ("stated", "right"),
    [([1], []), ([101], [True]), ([-1], [True]), ([math.nan], [True]), ([3, math.nan], [True] * 2)],
)
def test_calibration_refuses_what_is_no_confidence(stated: list[float], right: list[bool]) -> None:
    for function in (hle_rms, browsecomp_zh_ece):
        with pytest.raises(ValueError):
            function(stated, right)


@given(ANSWERS)
def test_calibration_is_a_size_of_error(answers: list[tuple[int, bool]]) -> None:
    stated, right = [one for one, _ in answers], [one for _, one in answers]
    whole, official, ece = (
        hle_rms(stated, right, bins="all_bins"),
        hle_rms(stated, right),
        browsecomp_zh_ece(stated, right),
    )
    assert (whole is None) == (not answers) and (official is None) == (len(answers) < 100)
    assert whole is None or 0 <= whole <= 1
    assert official is None or (whole is not None and official <= whole + 1e-12)
    assert ece is None or 0 <= ece <= 100 + 1e-9


def verdicts(*statuses: VerdictStatus) -> dict[Key, VerdictStatus]:
    return {Key("b", "t", number): status for number, status in enumerate(statuses)}


def test_agreement_by_hand() -> None:
    # 20 + 15 agree, 5 + 10 differ: p_o 0.7, p_e 0.5, κ 0.4 (the textbook's example)
    first = verdicts(*["correct"] * 25, *["wrong"] * 25)
    second = verdicts(*["correct"] * 20, *["wrong"] * 5, *["correct"] * 10, *["wrong"] * 15)
    found = agreement(first, second)
    assert (found.both, found.unpaired, found.raw) == (50, 0, pytest.approx(0.7))
    assert found.kappa == pytest.approx(0.4)
    assert found.differing == tuple(Key("b", "t", number) for number in range(20, 35))


def test_agreement_leaves_out_what_one_side_has_not_scored() -> None:
    found = agreement(verdicts("correct", "unscored", "wrong", "wrong"), verdicts("correct", "wrong", "unscored"))
    assert (found.both, found.unpaired, found.raw, found.kappa) == (1, 3, 1.0, None)
    nothing = agreement({}, {})
    assert (nothing.both, nothing.raw, nothing.kappa, nothing.differing) == (0, None, None, ())


@given(STATUSES, STATUSES)
def test_agreement_is_symmetric_and_in_range(first: list[VerdictStatus], second: list[VerdictStatus]) -> None:
    one, two = verdicts(*first), verdicts(*second)
    found = agreement(one, two)
    assert found == agreement(two, one)
    assert found.both + found.unpaired == max(len(one), len(two))
    assert found.kappa is None or -1 <= found.kappa <= 1
    assert found.raw is None or found.raw == pytest.approx(1 - len(found.differing) / found.both)
    if found.kappa is not None:
        assert (found.kappa == 1) == (not found.differing)


def test_attempted_by_hand() -> None:
    grades: list[Grade] = ["correct"] * 3 + ["wrong"] * 2 + ["not_attempted"] * 5
    found = attempted_scores(grades)
    assert (found.total, found.attempted, found.accuracy, found.accuracy_given_attempted) == (10, 5, 0.3, 0.6)
    assert found.f1 == pytest.approx(2 * 0.3 * 0.6 / 0.9)
    assert attempted_scores([]).f1 is None
    declined = attempted_scores(["not_attempted"])
    assert (declined.accuracy, declined.accuracy_given_attempted, declined.f1) == (0.0, None, 0.0)
    assert attempted_scores(["wrong"]).f1 == 0


@given(st.lists(st.sampled_from(["correct", "wrong", "not_attempted"])))
def test_f1_is_the_harmonic_mean(grades: list[Grade]) -> None:
    found = attempted_scores(grades)
    a, b = found.accuracy, found.accuracy_given_attempted
    if a and b:
        assert found.f1 == pytest.approx(2 * a * b / (a + b))
    else:
        assert found.f1 in (None, 0.0)
