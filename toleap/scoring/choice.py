"""The letter of a multiple-choice answer, A to Z, and its equality with the gold letter.

A letter counts only where it is marked as the choice. There are three kinds of marks; a weaker kind is looked at only
where there is no stronger one:

1. the answer is nothing but letters: ``B``, ``b``, ``(B)``, ``B.``; ``B or C`` and ``A, B`` are two letters;
2. the answer is announced: ``Answer: B``, ``The answer is (B), because …``, ``答案是B``;
3. a line begins with the letter (``B. Paris``, ``B) Paris``, ``(b) Paris``, ``B: Paris``), or it is an upper-case one
   in brackets (``I take (B)``), or one behind ``option``, ``choice``, ``选`` or ``选项``.

Where the marks of the strongest kind name different letters, the answer is ambiguous and therefore wrong. A letter
that is only part of a sentence is no choice (``A dog``, ``The answer is a dog``). Which letters a question offers is
not known here: one that it does not offer is wrong like any other.
"""

from __future__ import annotations

import re

from toleap.scoring.finding import Finding, plain

CODE_VERSION = "1"
"""Raised with every change that can change a verdict; it is part of the scorer's fingerprint."""

_BETWEEN = re.compile(r"[\s()\[\]{}.,;:/&+]+|[或和]")
_JOINING = {"", "or", "and"}
_BRACKETED = r"[(\[{]{1,3} ?([A-Z]) ?[)\]}]"
_ENDED = r"(?![A-Za-z0-9_'-])"
# "A dog" and "I think" are English: before most words these two letters are no choice.
_UPPER = rf"([B-HJ-Z]|[AI](?! (?!(?:because|since|as|for|and|or|but|not)\b)[a-z])){_ENDED}"
_LOWER = r"(?:([a-z])(?= ?[.):](?![A-Za-z0-9])| ?[,;]? ?$)|[(\[{]{1,3} ?([a-z]) ?[)\]}])"
_OPTION = rf"(?:(?i:option|choice)s? ?:? ?|选项? ?:? ?)(?:{_BRACKETED}|([A-Z]){_ENDED})"
_ANNOUNCED = re.compile(
    r"(?:(?i:answers?(?: is| are| was| should be| must be| would be)?)|答案)(?: ?[:=应是为])*\s?"
    rf"(?:{_OPTION}|{_BRACKETED}|{_UPPER}|{_LOWER})",
    re.MULTILINE,
)
_MARKED = re.compile(
    r"^(?:[(\[{] ?([A-Za-z]) ?[)\]}]|([A-Za-z])(?: ?[.):](?![A-Za-z0-9])| ?[,–—-](?= )|$))"
    rf"|(?<![A-Za-z0-9_]){_BRACKETED}|{_OPTION}",
    re.MULTILINE,
)
_NEXT = re.compile(
    r"[)\]}]{0,3}(?: ?[/&+]| ?,? ?(?:or|and)\b| ?[或和]| ?,(?= ?[A-Z] ?(?:[,.]|$|or\b|and\b))) ?"
    rf"(?:{_BRACKETED}|{_UPPER})",
    re.MULTILINE,
)


def compare(answer: str, gold: str) -> Finding:
    """Correct where the answer marks exactly one letter and it is the gold answer's. Never raises.

    Unscored where the gold answer is no single letter: that is a mistake of the data, never of the model.
    """
    wanted = read_letters(gold)
    if len(wanted) != 1:
        return Finding("unscored", "the gold answer is not one letter from A to Z")
    letters = read_letters(answer)
    if not letters:
        return Finding("wrong", "no letter is marked as the choice")
    listed = ", ".join(sorted(letters))
    if len(letters) > 1:
        return Finding("wrong", f"ambiguous: {listed} are all marked as the choice", listed)
    if letters == wanted:
        return Finding("correct", "the gold letter", listed)
    return Finding("wrong", "another letter", listed)


def read_letters(text: str) -> frozenset[str]:
    """The letters that the text marks as its choice by the strongest kind of mark, upper-case; empty for none."""
    visible = plain(text)
    return _only_letters(visible) or _found(_ANNOUNCED, visible) or _found(_MARKED, visible)


def _only_letters(text: str) -> frozenset[str]:
    words = [word for word in _BETWEEN.split(text) if word.lower() not in _JOINING]
    alone = all(len(word) == 1 and word.isascii() and word.isalpha() for word in words)
    return frozenset(word.upper() for word in words) if alone else frozenset()


def _found(marks: re.Pattern[str], text: str) -> frozenset[str]:
    letters: set[str] = set()
    for mark in marks.finditer(text):
        further: re.Match[str] | None = mark
        while further is not None:
            letters.update(group.upper() for group in further.groups() if group)
            further = _NEXT.match(text, further.end())
    return frozenset(letters)
