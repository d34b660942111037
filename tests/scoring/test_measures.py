"""Measures made of verdicts, against the vectors of the benchmarks' own code, and what is left out of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.data.spec import read_spec
from toleap.errors import UsageError
from toleap.folders import shipped_root
from toleap.scoring.judge.record import Record
from toleap.scoring.measures import MEASURES, check_measures, figures
from toleap.types import Verdict


def verdict(right: bool, confidence: int | None = None, attempted: bool | None = True) -> Verdict:
    record = Record("said", 1, structured=False, attempted=attempted, confidence=confidence)
    return Verdict("correct" if right else "wrong", "", "judge", "answer", record.dump())


RULE = Verdict("wrong", "no answer", "judge")
"""What an attempt without an answer gets: nobody was asked."""


@pytest.mark.skipif(not os.environ.get("TOLEAP_TESTDATA"), reason="TOLEAP_TESTDATA is not set")
def test_the_vectors_of_the_owners_code() -> None:
    vectors = json.loads((Path(os.environ["TOLEAP_TESTDATA"]) / "calibration_vectors.json").read_text())
    compared = 0
    for vector in vectors:
        given_ = [
            verdict(bool(right), int(stated))
            for right, stated in zip(vector["correct"], vector["confidence"], strict=True)
            if float(stated).is_integer()
        ]
        if len(given_) < len(vector["correct"]):
            continue
        official, every, ece = figures(["calibration_rms", "calibration_rms_all_bins", "calibration_ece_5"], given_)
        if vector["n"] >= 100:
            assert official.value == pytest.approx(vector["hle_official"])
        assert every.value == pytest.approx(vector["hle_allbins"])
        assert ece.value == pytest.approx(vector["browsecomp_zh_ece_pct"] / 100)
        assert {item.verdicts for item in (official, every, ece)} == {vector["n"]}
        compared += 1
    assert compared


def test_calibration_rests_on_the_verdicts_with_a_confidence() -> None:
    every, ece = figures(
        ["calibration_rms_all_bins", "calibration_ece_5"],
        [verdict(True, 80), verdict(False, 80), verdict(True), RULE, verdict(True, 1_000)],
    )
    assert (every.value, every.verdicts) == (pytest.approx(0.3), 2)
    assert (ece.value, ece.verdicts) == (pytest.approx(0.3), 2)


def test_the_official_error_needs_a_hundred_confidences() -> None:
    (few,) = figures(["calibration_rms"], [verdict(True, 50)] * 99)
    assert (few.value, few.verdicts, few.reason) == (None, 99, "it needs 100 verdicts with a confidence")
    (enough,) = figures(["calibration_rms"], [verdict(True, 50)] * 200)
    assert (enough.value, enough.reason) == (pytest.approx(0.5**0.5 * 0.5), ""), "half of the answers are left out"
    (none,) = figures(["calibration_rms"], [RULE])
    assert none.reason == "no verdict has a confidence"


def test_what_was_attempted() -> None:
    declined = verdict(False, attempted=False)
    given_attempted, f1 = figures(["attempted"], [verdict(True), verdict(False), declined, RULE])
    assert (given_attempted.value, given_attempted.verdicts) == (0.5, 2)
    assert (f1.value, f1.verdicts) == (pytest.approx(1 / 3), 4)
    given_attempted, f1 = figures(["attempted"], [declined])
    assert (given_attempted.value, given_attempted.reason, f1.value) == (None, "nothing was attempted", 0.0)
    assert [item.reason for item in figures(["attempted"], [])] == ["nothing is scored"] * 2


@given(
    st.lists(
        st.builds(
            Verdict,
            st.sampled_from(["correct", "wrong"]),
            st.text(),
            st.just("s"),
            st.none() | st.text(),
            st.none()
            | st.text()
            | st.builds(
                lambda stated, attempted: json.dumps(
                    {"output": "", "asked": 1, "structured": False, "confidence": stated, "attempted": attempted}
                ),
                st.none() | st.integers() | st.floats() | st.text(),
                st.none() | st.booleans(),
            ),
        ),
        max_size=8,
    )
)
def test_a_value_is_a_fraction_or_has_a_reason(verdicts: list[Verdict]) -> None:
    for item in figures(MEASURES, verdicts):
        assert (item.value is None) is bool(item.reason)
        assert item.value is None or 0 <= item.value <= 1
        assert 0 <= item.verdicts <= len(verdicts)


def test_a_name_that_is_none_is_refused_with_the_nearest() -> None:
    check_measures(MEASURES, "here")
    with pytest.raises(UsageError, match=r"^here: unknown measure 'calibration_rsm': did you mean 'calibration_rms'"):
        check_measures(["attempted", "calibration_rsm"], "here")
    with pytest.raises(UsageError, match="unknown measure 'zzz': there are: calibration_rms, "):
        check_measures(["zzz"], "here")


def test_a_run_of_another_version_may_name_what_is_not_known() -> None:
    (item,) = figures(["brier"], [verdict(True, 80)])
    assert (item.title, item.value, item.reason) == ("brier", None, "this version of toleap has no such measure")


def test_every_shipped_benchmark_names_measures_that_there_are() -> None:
    named = {
        folder.name: read_spec(folder).report.measures
        for folder in (shipped_root() / "benchmarks").iterdir()
        if (folder / "benchmark.toml").is_file()
    }
    for name, measures in named.items():
        check_measures(measures, name)
    assert {name: measures for name, measures in named.items() if measures} == {
        "browsecomp": ("calibration_rms_all_bins", "calibration_ece_10"),
        "browsecomp-zh": ("calibration_ece_5",),
        "hle": ("calibration_rms", "calibration_rms_all_bins"),
        "hle-text": ("calibration_rms", "calibration_rms_all_bins"),
        "seal-0": ("attempted",),
    }
