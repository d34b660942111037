"""The rule scorer of GAIA (the leaderboard's question scorer), described by its rules and not by its taste.

The gold answer alone decides which of three rules applies: a number, a list, or a text. There is no tolerance and
no folding of Unicode; some verdicts are odd (any text that is no number equals a gold answer of ``inf``) and are
kept, because a score is comparable with published ones only if the oddities are the same.
"""

from __future__ import annotations

import math
import re
import string

CODE_VERSION = "1"
"""Raised with every change that can change a verdict; it is part of the scorer's fingerprint."""

_SEPARATORS = re.compile("[,;]")
_WHITESPACE = re.compile(r"\s")
_NUMBER_SIGNS = str.maketrans("", "", "$%,")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def is_correct(answer: str | None, gold: str) -> bool:
    """Whether ``answer`` equals ``gold`` by GAIA's rules; never raises, whatever the texts are.

    A missing answer is compared as the text ``None``, as the official code does; a scorer that wants it wrong in
    every case must look at it first.
    """
    text = "None" if answer is None else answer
    if _number(gold) is not None:
        return _same_number(text, gold)
    if _SEPARATORS.search(gold):
        return _same_list(text, gold)
    return _squeezed(text).translate(_PUNCTUATION) == _squeezed(gold).translate(_PUNCTUATION)


def _same_list(answer: str, gold: str) -> bool:
    """Element by element, in order; punctuation inside an element counts."""
    answers, golds = _SEPARATORS.split(answer), _SEPARATORS.split(gold)
    return len(answers) == len(golds) and all(
        _same_number(ours, theirs) if _number(theirs) is not None else _squeezed(ours) == _squeezed(theirs)
        for ours, theirs in zip(answers, golds, strict=True)
    )


def _same_number(answer: str, gold: str) -> bool:
    """Exact equality; an answer that is no number counts as infinity."""
    number = _number(answer.translate(_NUMBER_SIGNS))
    return (math.inf if number is None else number) == _number(gold)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _squeezed(text: str) -> str:
    return _WHITESPACE.sub("", text).lower()
