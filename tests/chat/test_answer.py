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
        ("<answer>1</answer> no, <answer>2", "1"),
        ("<answer>42</answer> I have put it inside the <answer> tags.", "42"),
        ("<answer>42</answer> As asked it stands inside the `<answer>` tags.", "42"),
        ('<answer>42</answer> It stands between "<answer>" and "</answer>".', "42"),
        ("<answer>42</answer> <answer></answer>", "42"),
        ("<answer>42</answer> <answer> \n </answer> and <answer>", "42"),
        ("<answer>42</answer> in the form <answer>...</answer>", "42"),
        ("<answer>42</answer> wie <answer>…</answer> verlangt", "42"),
        ("<answer>42<answer>", "42"),
        ("<answer>42<answer> That is it.", "42"),
        ("<answer>41</answer><answer>42<answer>", "42"),
        ("<answer>41<answer>42</answer>", "42"),
        ("<answer>42<answer/>", "42"),
        (r"<answer>42<\/answer>", "42"),
        (r"<answer>42<\answer>", "42"),
        ("<answer>42</answer> It stands between <answer> and </answer>.", "42"),
        ("<answer>42</answer> in <answer>/</answer>", "42"),
        ("<answer>42</answer>，放在 <answer> 和 </answer> 之间", "42"),
        ("<answer>-1</answer>", "-1"),
        ("<answer>and so on</answer>", "and so on"),
        ("< answer >42</ answer >", "42"),
        ('<answer lang="en">Rome</answer>', "Rome"),
        ("I write it into `<answer>` tags: 42", "I write it into `<answer>` tags: 42"),
        ("`<answer>42</answer>`", "42"),
        ("```xml\n<answer>42</answer>\n```", "42"),
        ("The town is Rome. <answer></answer>", "The town is Rome."),
        ("Rome</answer>", "Rome"),
        ("<answer>...", "..."),
        ("<answer>42</answer></think>", "42"),
        ("<answer>42</answer>\n</think>\n\n", "42"),
        ("hm <answer>42</answer> good.</think>", "42"),
        ("<think>hm</think><answer>42</answer></think>", "42"),
        ("hm, no tag</think>", None),
        ("<answer>41</answer></think><answer>42</answer></think>", "42"),
        ("<answer>41</answer></think>so <answer>42</answer>", "42"),
        (r"thus \boxed{42}", r"thus \boxed{42}"),
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


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"thus \boxed{42}.", "42"),
        (r"\boxed{41} or rather \boxed{42}", "42"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{a \} b}", r"a \} b"),
        (r"\boxed {Rome}", "Rome"),
        (r"\boxed{41} <answer>42</answer>", "42"),
        (r"<answer>42</answer> \boxed{41}", "42"),
        (r"\boxed{42} and \boxed{}", "42"),
        (r"\boxed{42} and \boxed{cut", "42"),
        (r"only \boxed{cut", r"only \boxed{cut"),
        (r"<think>\boxed{1}</think>Rome", "Rome"),
        (r"\boxed{1}</think>\boxed{2}", "2"),
        (r"<answer>\boxed{42}</answer>", "42"),
        (r"<answer>$\boxed{42}$</answer>", "42"),
        (r"<answer>between \boxed{41} and 43</answer>", r"between \boxed{41} and 43"),
        (r"<answer>\boxed{42</answer>", r"\boxed{42"),
        ("Rome", "Rome"),
    ],
)
def test_a_boxed_answer_counts_where_there_are_no_tags(text: str, answer: str) -> None:
    assert extract_answer(text, boxed=True) == answer


@given(PIECES)
def test_an_answer_is_never_blank_and_never_padded(text: str) -> None:
    answer = extract_answer(text)
    assert answer is None or (answer and answer == answer.strip())


@given(PIECES, PIECES)
def test_a_thought_before_the_message_changes_nothing(thought: str, text: str) -> None:
    said = f"{text}x"
    assert without_thoughts(f"{thought}</think></think>{said}") == without_thoughts(f"</think>{said}")
    if without_thoughts(f"</think>{said}").strip():
        assert extract_answer(f"{thought}</think></think>{said}") == extract_answer(f"</think>{said}")


@given(st.text(st.characters(exclude_characters="<")), st.text(st.characters(exclude_characters="<")))
def test_thoughts_are_cut_out_and_nothing_else(seen: str, thought: str) -> None:
    assert without_thoughts(f"{seen}<think>{thought}</think>{seen}") == seen + seen


def test_many_tags_take_linear_time() -> None:
    assert extract_answer("<answer>" * 100_000 + "5") == "5"
    assert extract_answer("<answer>5" * 100_000) == "5"
    assert extract_answer("<answer " * 100_000) is not None
    assert extract_answer(r"\boxed{" * 3_000, boxed=True) is not None
    assert extract_answer("<think>" * 100_000) is None
