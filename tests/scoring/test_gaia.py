"""The GAIA rules against verdicts of the official code, and properties that hold for any text."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.scoring.gaia import is_correct

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    ["inf", "-inf", "nan", "1_000", "1,234", ";", ",", "", "\x00", "４２", "1e999", "9" * 5000, "\ud800"]
)


def test_every_official_verdict() -> None:
    data = os.environ.get("TOLEAP_TESTDATA")
    if not data:
        pytest.skip("TOLEAP_TESTDATA is not set")
    cases = json.loads((Path(data) / "gaia_scorer_cases.json").read_text(encoding="utf-8"))
    assert len(cases) == 40
    different = [c for c in cases if is_correct(c["model_answer"], c["ground_truth"]) is not c["expected"]]
    assert different == []


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [
        ("abc", "inf", True),
        ("1_000", "1000", True),
        ("4 2", "42", False),
        ("1234", "1,234", False),
        ("45", "4", False),
        (None, "None", True),
        (None, "42", False),
        ("7.0; B c", "7,bC", True),
        ("1,234.50 $", "1234.5", True),
        ("İstanbul", "istanbul", False),
    ],
)
def test_chosen_cases(answer: str | None, gold: str, expected: bool) -> None:
    assert is_correct(answer, gold) is expected


@given(st.none() | ANY_TEXT, ANY_TEXT)
def test_any_text_gets_a_verdict(answer: str | None, gold: str) -> None:
    assert is_correct(answer, gold) in {True, False}


@given(ANY_TEXT)
def test_the_gold_answer_itself_is_correct_unless_it_holds_nan(gold: str) -> None:
    if "nan" not in gold.lower():
        assert is_correct(gold, gold)


@given(st.text(), st.text())
def test_letter_case_and_outer_blanks_do_not_matter_for_ascii(answer: str, gold: str) -> None:
    if answer.isascii():
        assert is_correct(f" {answer.upper()}\n", gold) is is_correct(answer, gold)
