"""Which texts are a number, which number, and when two of them are the same."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.errors import UsageError
from toleap.scoring.numeric import compare, read_number, read_tolerance
from toleap.scoring.scorers import NO_ANSWER, scorer_for
from toleap.types import Task

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    ["inf", "nan", "1e9999 trillion", "9" * 499, "9" * 5000, "\ud800", "5½", "٣", "-", ".", "e5", "$", "{" * 400]
)
PLAIN = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=3)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("42", "42", ""),
        (" 42.\n", "42", ""),
        ("**42**", "42", ""),
        ("`42`", "42", ""),
        ("\\boxed{42}", "42", ""),
        ("Answer: 42", "42", ""),
        ("The final answer is 42.", "42", ""),
        ("Answer:\n42", "42", ""),
        ("答案是42。", "42", ""),
        ("５２", "52", ""),
        ("1,234,567.5", "1234567.5", ""),
        ("1 234 567", "1234567", ""),
        ("1\u202f234", "1234", ""),
        ("1'234", "1234", ""),
        ("1，234", "1234", ""),
        ("007", "7", ""),
        (".5", "0.5", ""),
        ("-5", "-5", ""),
        ("−5", "-5", ""),
        ("+5", "5", ""),
        ("-$5", "-5", "$"),
        ("$-5", "-5", "$"),
        ("US$1,000", "1000", "US$"),
        ("EUR 5", "5", "EUR"),
        ("5 EUR", "5", "EUR"),
        ("5%", "5", "%"),
        ("5％", "5", "%"),
        ("5 per cent", "5", "%"),
        ("1e3", "1000", ""),
        ("1.5 × 10^3", "1500", ""),
        ("6.02x10^{23} mol", "602e21", "mol"),
        ("5 km/h", "5", "km/h"),
        ("5 km²", "5", "km²"),
        ("5 m s^-2", "5", "m s^-2"),
        ("5°C", "5", "°C"),
        ("5 square miles", "5", "square miles"),
        ("5公里", "5", "公里"),
        ("5千米", "5", "千米"),
        ("5M", "5", "M"),
        ("3 million", "3000000", ""),
        ("3.5 Million km", "3500000", "km"),
        ("2 hundred thousand", "200000", ""),
        ("3万", "30000", ""),
        ("3.2万亿元", "3200000000000", "元"),
        ("2 dozen eggs", "24", "eggs"),
        ("5 millions", "5000000", ""),
    ],
)
def test_what_is_read(text: str, value: str, unit: str) -> None:
    assert read_number(text) == (Decimal(value), unit)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is no number"),
        ("forty-two", "there is no number"),
        ("about 42", "there is no number at its beginning"),
        ("It has 42 towers", "there is no number at its beginning"),
        ("n = 42", "there is no number"),
        ("inf", "there is no number"),
        ("٣", "there is no number"),
        ("1,23", "more than a number"),
        ("3,14", "more than a number"),
        ("1,2345", "more than a number"),
        ("1,234 567", "more than a number"),
        ("1.2.3", "more than a number"),
        ("1/2", "more than a number"),
        ("1\n234", "more than a number"),
        ("5½", "more than a number"),
        ("1_000", "more than a number"),
        ("5-6", "more than a number"),
        ("5 or 6", "more than a number"),
        ("5 or more", "more than a number"),
        ("42 is the answer", "more than a number"),
        ("42 towers in the whole city", "more than a number"),
        ("5 feet 3 inches", "more than a number"),
        ("3百人", "more than a number"),
        ("--5", "two signs"),
        ("-$-5", "two signs"),
        ("1e99999", "notation"),
        ("0x10", "notation"),
        ("4" * 501, "longer than 500 characters"),
    ],
)
def test_what_is_no_number(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_number(text)
    verdict = compare(text, "42")
    assert (verdict.status, verdict.extracted) == ("wrong", None)
    assert why in verdict.reason


@pytest.mark.parametrize(
    ("answer", "gold", "status"),
    [
        ("0.50", "0.5", "correct"),
        ("0.500000000000000000001", "0.5", "wrong"),
        ("1,000", "1000", "correct"),
        ("1e3", "1,000.0", "correct"),
        ("-0", "0", "correct"),
        ("5 km", "5", "correct"),
        ("5", "5 km", "correct"),
        ("5 km", "5 km", "correct"),
        ("5 miles", "5 km", "wrong"),
        ("5%", "5", "correct"),
        ("5%", "0.05", "wrong"),
        ("5 percent", "5%", "correct"),
        ("5M", "5", "wrong"),
        ("5M", "5000000", "wrong"),
        ("5 K", "5", "wrong"),
        ("5 K", "5 K", "correct"),
        ("42 million", "42", "wrong"),
        ("42 million", "42,000,000", "correct"),
        ("$5", "5 km", "wrong"),
        ("5", "many", "unscored"),
        ("5", "4-6", "unscored"),
        ("no idea", "many", "unscored"),
    ],
)
def test_verdicts(answer: str, gold: str, status: str) -> None:
    assert compare(answer, gold).status == status


@pytest.mark.parametrize(
    ("answer", "gold", "tolerance", "status"),
    [
        ("101", "100", "0.01", "correct"),
        ("99", "100", "0.01", "correct"),
        ("101.0000001", "100", "0.01", "wrong"),
        ("-101", "-100", "0.01", "correct"),
        ("101", "-100", "0.01", "wrong"),
        ("0", "0", "0.5", "correct"),
        ("0.0001", "0", "0.5", "wrong"),
        ("1e9999", "1e-9999", "0.5", "wrong"),
    ],
)
def test_a_relative_tolerance_has_sharp_edges(answer: str, gold: str, tolerance: str, status: str) -> None:
    assert compare(answer, gold, Decimal(tolerance)).status == status


def test_the_gold_answer_is_in_no_reason() -> None:
    for answer in ("7", "7 km", "7M", "seven", "31337", "31338"):
        for gold in ("31337", "31337 miles", "secret"):
            assert gold not in compare(answer, gold, Decimal("0.1")).reason


async def test_as_a_scorer() -> None:
    task = Task("b", "t", "How many?", "100")
    scorer = scorer_for("numeric")
    verdict = await scorer.score(task, "100 km", "so it is 100 km")
    assert (verdict.status, verdict.extracted, verdict.scorer) == ("correct", "100 km", scorer.fingerprint)
    assert (await scorer.score(task, "101", "")).status == "wrong"
    assert (await scorer_for("numeric:0.01").score(task, "101", "")).status == "correct"
    assert (await scorer.score(task, " ", "")).reason == NO_ANSWER


def test_the_tolerance_is_in_the_fingerprint_by_its_value() -> None:
    names = [scorer_for(by).fingerprint for by in ("numeric", "numeric:0.01", "numeric:0.02")]
    assert len(set(names)) == 3
    assert scorer_for("numeric:0.010").fingerprint == scorer_for("numeric:1e-2").fingerprint == names[1]


@pytest.mark.parametrize("text", ["", "0", "1", "-0.1", "nan", "inf", "a lot", "1%", "0,01"])
def test_a_tolerance_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match=r"^here: .* is no relative tolerance: .*numeric:0\.01$"):
        read_tolerance(text, "here")


@given(ANY_TEXT, ANY_TEXT, st.sampled_from([Decimal(0), Decimal("0.01")]))
def test_any_texts_get_a_verdict(answer: str, gold: str, tolerance: Decimal) -> None:
    assert compare(answer, gold, tolerance).status in {"correct", "wrong", "unscored"}


@given(PLAIN, st.sampled_from(["{:f}", "{:,f}", "**{:f}**", "Answer: {:f}.", "{:f} km", "{:,f} %", "{:e}"]))
def test_a_number_equals_itself_however_it_is_written(number: Decimal, form: str) -> None:
    assert compare(form.format(number), f"{number:f}").status == "correct"


@given(PLAIN, PLAIN, st.sampled_from(["{:f}", "{:,f}", "{:f} km", "{:e}"]))
def test_numbers_are_equal_exactly_if_their_values_are(one: Decimal, other: Decimal, form: str) -> None:
    assert (compare(form.format(one), f"{other:f}").status == "correct") is (one == other)


@given(PLAIN, PLAIN)
def test_two_numbers_are_never_one(one: Decimal, other: Decimal) -> None:
    for between in (" or ", ", ", "; ", " to ", " and ", "\n"):
        assert compare(f"{one:.0f}{between}{other:.0f}", f"{one:.0f}").status == "wrong"
