"""Verdicts: who is right, who waits for a judge, and who says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.errors import UsageError
from toleap.scoring.exact import is_equal, normalised
from toleap.scoring.scorers import NO_ANSWER, NO_JUDGE, fingerprint, scorer_for
from toleap.types import Task

TASK = Task("b", "t", "How much?", "1000")


@pytest.mark.parametrize(
    ("by", "answer", "status"),
    [
        ("gaia", "$1,000", "correct"),
        ("gaia", "999", "wrong"),
        ("exact", " 1000 ", "correct"),
        ("exact", "$1,000", "wrong"),
        ("judge", "1000", "unscored"),
        ("judge", "rubbish", "unscored"),
    ],
)
async def test_verdicts(by: str, answer: str, status: str) -> None:
    scorer = scorer_for(by)
    verdict = await scorer.score(TASK, answer, answer)
    assert (verdict.status, verdict.scorer, verdict.extracted) == (status, scorer.fingerprint, answer)


@pytest.mark.parametrize("by", ["gaia", "exact"])
@pytest.mark.parametrize("answer", [None, "", " \n"])
async def test_no_answer_is_wrong_whoever_scores(by: str, answer: str | None) -> None:
    task = Task("b", "t", "?", "None")
    verdict = await scorer_for(by).score(task, answer, "a thought")
    assert (verdict.status, verdict.reason) == ("wrong", NO_ANSWER)


async def test_without_a_judge_the_reason_says_so() -> None:
    for answer in ("1000", "", None):
        verdict = await scorer_for("judge").score(TASK, answer, "1000")
        assert (verdict.status, verdict.reason) == ("unscored", NO_JUDGE)
    assert NO_JUDGE.startswith("no judge configured: ")


def test_an_unknown_scorer_is_the_users_mistake_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"score\.by: unknown scorer 'giaa': did you mean 'gaia'\?"):
        scorer_for("giaa")
    with pytest.raises(UsageError, match="there are: gaia, exact, judge"):
        scorer_for("\n")


def test_fingerprints_change_with_name_version_and_settings() -> None:
    variants = [("a", "1", {}), ("b", "1", {}), ("a", "2", {}), ("a", "1", {"x": 1}), ("a", "1", {"x": 2})]
    assert len({fingerprint(name, version, settings) for name, version, settings in variants}) == len(variants)
    assert fingerprint("a", "1", {"x": 1, "y": 2}) == fingerprint("a", "1", {"y": 2, "x": 1})


@pytest.mark.parametrize(
    ("answer", "gold", "equal"),
    [
        ("４２", "42", True),
        ("STRASSE", "straße", True),
        ("a \n b", "a b", True),
        ("a.", "a", False),
        (None, "", False),
    ],
)
def test_exact(answer: str | None, gold: str, equal: bool) -> None:
    assert is_equal(answer, gold) is equal


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
