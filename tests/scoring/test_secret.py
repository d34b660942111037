"""The gold answer in texts that others wrote: hidden wherever it stands, and nothing else is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.scoring.secret import HIDDEN, without


@pytest.mark.parametrize(
    ("text", "gold", "shown"),
    [
        ("the gold answer is Ostby.", "Ostby", f"the gold answer is {HIDDEN}."),
        ("OSTBY or ostby", " Ostby ", f"{HIDDEN} or {HIDDEN}"),
        ("正确答案是北京市，回答错误", "北京", f"正确答案是{HIDDEN}市，回答错误"),
        (json.dumps({"gold": "北京"}), "北京", f'{{"gold": "{HIDDEN}"}}'),
        (json.dumps('say "no"'), 'say "no"', f'"{HIDDEN}"'),
        ("no such model 'Port Ell'", "Port Ellary", f"no such model '{HIDDEN}"),
        ("the server answered 429: 4 of 40", "4", f"the server answered 429: {HIDDEN} of 40"),
        ("Ostbytown", "Ostby", f"{HIDDEN}town"),
        ("b4 or 4b", "4", "b4 or 4b"),
        (json.dumps("gold:\n4"), "4", f'"gold:\\n{HIDDEN}"'),
        (json.dumps(json.dumps("gold:\n北京")), "北京", f'"\\"gold:\\\\n{HIDDEN}\\""'),
        ("the end is Por", "Port Ellary", "the end is Por"),
        ("a.b", "a+b", "a.b"),
        ("nothing to hide", "", "nothing to hide"),
    ],
)
def test_by_hand(text: str, gold: str, shown: str) -> None:
    assert without(text, gold) == shown


@given(st.text(), st.text(min_size=4), st.text())
def test_it_is_gone_wherever_it_stood_alone(before: str, gold: str, after: str) -> None:
    shown = without(f"{before} {gold} {after}", gold)
    assert not gold.strip() or HIDDEN in shown


@given(st.text(st.characters(codec="ascii")), st.integers(4, 20))
def test_a_cut_beginning_is_gone(before: str, size: int) -> None:
    gold = "Port Ellary lighthouse"
    assert not without(before + gold[:size], gold).endswith(gold[:4])


@given(st.text(max_size=50))
def test_a_text_without_it_stays(text: str) -> None:
    assert without(text, "zyxwvut-gold") == text
