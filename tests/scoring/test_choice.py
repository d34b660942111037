"""Which letters a text marks as its choice, and which verdict follows."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.scoring.choice import compare, read_letters
from toleap.scoring.scorers import NO_ANSWER, scorer_for
from toleap.types import Task

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text("ABCabc ()[]{}.,:;\n-", max_size=40)
LETTER = st.sampled_from(string.ascii_uppercase)
CLEAR = (
    "{}",
    "({})",
    "[{}]",
    "{}.",
    "{})",
    "**{}**",
    "**({})**",
    " {}\n",
    "\\boxed{{{}}}",
    "\\boxed{{\\text{{{}}}}}",
    "{}. Paris",
    "{}) Paris",
    "({}) Paris",
    "{}: Paris",
    "{} - Paris",
    "{}. The town is neither old nor large",
    "Answer: {}",
    "Answer: ({})",
    "**Answer:** {}",
    "Answer:\n{}",
    "The answer is {}.",
    "The correct answer is {} because the others are too old.",
    "Final answer: option {}",
    "Nobody knows.\nThe answer is ({}), since (X) is wrong and so is (Y).",
    "I would take ({}).",
    "It must be option {}",
    "My choice: {}",
    "选{}",
    "选项{}。",
    "答案：{}",
    "正确答案是{}，因为它最大",
)


@given(LETTER, st.sampled_from(CLEAR))
def test_one_marked_letter_is_the_choice(letter: str, form: str) -> None:
    assert read_letters(form.format(letter)) == {letter}


@given(LETTER, st.sampled_from(["{}", "({})", "{}.", "({}) Paris", "{}. Paris", "Answer: {}", "Answer: {}. Paris"]))
def test_a_small_letter_will_do_where_it_cannot_be_a_word(letter: str, form: str) -> None:
    assert read_letters(form.format(letter.lower())) == {letter}


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("B or C", "BC"),
        ("A, B", "AB"),
        ("A and B", "AB"),
        ("A/C", "AC"),
        ("A或B", "AB"),
        ("(A) (B)", "AB"),
        ("B. Paris\nC. London", "BC"),
        ("I take (B), not (C)", "BC"),
        ("Option A is wrong, option B is right", "AB"),
        ("Answer: B or C", "BC"),
        ("Answer: A, B", "AB"),
        ("The answers are B and C", "BC"),
        ("The answer is (B) or (C)", "BC"),
        ("Answer: B\nAnswer: C", "BC"),
        ("option B or C", "BC"),
    ],
)
def test_several_marked_letters_are_ambiguous_and_wrong(text: str, letters: str) -> None:
    assert read_letters(text) == set(letters)
    for gold in letters:
        finding = compare(text, gold)
        assert (finding.status, finding.extracted) == ("wrong", ", ".join(letters))
        assert finding.reason.startswith("ambiguous: ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris",
        "AB",
        "A dog",
        "I think so",
        "The answer is a dog",
        "The answer is not B",
        "Answer: Berlin",
        "B-12",
        "B.C. 300",
        "3",
        "Б",
        "甲",
    ],
)
def test_a_letter_in_a_sentence_is_no_choice(text: str) -> None:
    assert read_letters(text) == frozenset()
    assert compare(text, "B").reason == "no letter is marked as the choice"


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Option A is wrong. The answer is B", "B"),
        ("A) Paris\nB) Rome\nAnswer: B", "B"),
        ("The answer is A because B is older", "A"),
        ("Answer: A and I am sure", "A"),
        ("The answer is B and I'm sure", "B"),
        ("Ｂ", "B"),
        ("（Ｂ）", "B"),
    ],
)
def test_a_stronger_mark_hides_weaker_ones(text: str, letters: str) -> None:
    assert read_letters(text) == set(letters)


@pytest.mark.parametrize("gold", ["", "AB", "A or B", "Paris", "1"])
def test_a_gold_answer_that_is_no_letter_is_nobodys_mistake(gold: str) -> None:
    finding = compare("A", gold)
    assert (finding.status, finding.reason) == ("unscored", "the gold answer is not one letter from A to Z")


async def test_as_a_scorer() -> None:
    scorer = scorer_for("choice")
    task = Task("b", "t", "Which?", "(b)")
    verdict = await scorer.score(task, "B. Paris", "It is B. Paris")
    assert (verdict.status, verdict.extracted, verdict.scorer) == ("correct", "B", scorer.fingerprint)
    assert (await scorer.score(task, "C", "")).reason == "another letter"
    assert (await scorer.score(task, None, "B")).reason == NO_ANSWER


@given(ANY_TEXT, ANY_TEXT | LETTER)
def test_any_texts_get_a_verdict(answer: str, gold: str) -> None:
    assert compare(answer, gold).status in {"correct", "wrong", "unscored"}


@given(ANY_TEXT)
def test_only_letters_from_a_to_z_are_read(text: str) -> None:
    assert read_letters(text) <= set(string.ascii_uppercase)


@given(LETTER, LETTER, st.sampled_from(CLEAR))
def test_correct_exactly_if_the_letters_are_the_same(letter: str, gold: str, form: str) -> None:
    assert (compare(form.format(letter), gold).status == "correct") is (letter == gold)


@pytest.mark.parametrize(
    "piece", ["(", "答案是", "是", "answer ", "option ", "A ", "A or ", "Answer: B or ", " ", "\n", "B,"]
)
def test_long_texts_are_read_to_their_end(piece: str) -> None:
    """Patterns that try every way to read a text would not come back from these."""
    for text in (piece * 50_000, "answer" + piece * 50_000 + "!"):
        assert compare(text, "Q").status == "wrong"
