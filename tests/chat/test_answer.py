"""Taking the final answer out of a last message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.chat.answer import extract_answer, without_thoughts

PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "</ans", "<", "x", " ", "\n", "<THINK>", "4"])
    | st.text(max_size=5)
).map("".join)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (None, None),
        ("", None),
        (" \n ", None),
        ("Paris", "Paris"),
        ("so <answer> 42 </answer>.", "42"),
        ("<answer>1</answer> no, <answer>2</answer>", "2"),
        ("<answer>1</answer> no, <answer>2", "2"),
        ("<answer>4</ans", "4"),
        ("<answer>4</", "4"),
        ("<answer>a < b", "a < b"),
        ("<answer></answer>", None),
        ("<ANSWER>x</Answer >", "x"),
        ("<answer><answer>4</answer></answer>", "4"),
        ("<answer>a\nb</answer>", "a\nb"),
        ("<think>maybe <answer>1</answer></think><answer>2</answer>", "2"),
        ("<think>maybe <answer>1</answer></think>", None),
        ("maybe <answer>1</answer></think> Rome", "Rome"),
        ("<answer>1</answer><think>or <answer>2</answer>", "1"),
        ("<think>cut off", None),
        ("<think>a<think>b</think>c</think>d", "d"),
        ("a<think>b</think>c", "ac"),
    ],
)
def test_extraction(text: str | None, answer: str | None) -> None:
    assert extract_answer(text) == answer


@given(PIECES)
def test_an_answer_is_never_blank_and_never_padded(text: str) -> None:
    answer = extract_answer(text)
    assert answer is None or (answer and answer == answer.strip())


@given(PIECES, PIECES)
def test_a_thought_before_the_message_changes_nothing(thought: str, text: str) -> None:
    assert extract_answer(f"{thought}</think></think>{text}") == extract_answer(f"</think>{text}")


@given(st.text(st.characters(exclude_characters="<")), st.text(st.characters(exclude_characters="<")))
def test_thoughts_are_cut_out_and_nothing_else(seen: str, thought: str) -> None:
    assert without_thoughts(f"{seen}<think>{thought}</think>{seen}") == seen + seen


def test_many_tags_take_linear_time() -> None:
    assert extract_answer("<answer>" * 100_000 + "5") == "5"
    assert extract_answer("<think>" * 100_000) is None
