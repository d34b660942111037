"""Parsers of grades that may stand without a label: WebWalkerQA's words and SealQA's letters."""

from __future__ import annotations

import re

from toleap.errors import JudgeError
from toleap.scoring.judge.labels import labelled, trimmed, verdict, visible
from toleap.scoring.judge.parse import Parsed

_GRADES = {"correct": True, "incorrect": False, "not correct": False}
_GRADE_ANYWHERE = re.compile(r"\bgrade\b\W{0,8}[:：]\W{0,8}(not\s+correct|incorrect|correct)\b(.*)", re.IGNORECASE)
_FIRST = re.compile(r"\W*+(not\s+correct|incorrect|correct)\W*?(?=[.,;:!。，；！\n—–]|\Z)", re.IGNORECASE)
_LAST = re.compile(r"\b(incorrect|correct)\W*\Z", re.IGNORECASE)
_NOT_CORRECT = re.compile(r"(?:\bnot|n['’]t)\s+(?:be\s+)?correct\W*\Z", re.IGNORECASE)
_HEDGE = re.compile(
    r"\b(?:not|never|no|neither|nor|cannot|hardly|whether|if|unclear|unsure|partially|partly|almost|should|would)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?。！？\n](?=\s|\S*$)")

_LETTERS = {"A": "correct", "B": "incorrect", "C": "notattempted"}
_NAMED = (
    r"(?:the\s+)?(?:final\s+)?(?:grade|verdict|answer|correctness|rating|classification|label|judg(?:e)?ment|result)"
)
_LETTER = re.compile(rf"\W*+(?:{_NAMED}(?:\s+is)?\W++)?([ABC])(?!\w|['’]\w)(.*)", re.IGNORECASE)
_SAID_AT_LAST = re.compile(
    rf"(?<![\"'“‘`\w]){_NAMED}\s*(?:is|:|=|would be|should be)\s*[*_`\"'(\[]*([ABC])(?![\w'’])", re.IGNORECASE
)
_IF = re.compile(r"\b(?:if|unless|whether|otherwise|were)\b", re.IGNORECASE)
_MODAL = re.compile(r"\b(?:would|should) be\b.*\b(?:but|however|except|though|had)\b", re.IGNORECASE)
_WORD = re.compile(r"\W*+(not[\s_-]*attempted|incorrect|correct)(?!\w)\W*+", re.IGNORECASE)
_MEANING = re.compile(r"\W*+(not[\s_-]*attempted|not\s+correct|incorrect|correct)\b", re.IGNORECASE)


def parse_webwalkerqa(text: str) -> Parsed:
    """WebWalkerQA: ``GRADE: CORRECT`` or ``GRADE: INCORRECT``; without a grade, the first word, then the last.

    Stricter than the owner's code in two ways: the first word must stand alone (``Correct answer: …`` is no verdict),
    and a last word in a sentence with a negation or a doubt counts only as a plain ``not correct``.

    Raises:
        JudgeError: there is no verdict, or two contradict each other.
    """
    seen = visible(text)
    reason = labelled(seen, "explanation|reasoning")
    grades = _graded(seen)
    if grades is None:
        grades = _first_or_last(seen)
    return Parsed(grades, reason=reason[0][1][:600] if reason else "")


def parse_sealqa(text: str) -> Parsed:
    """SealQA: A (correct), B (incorrect) or C (not attempted), at the start of a line; the meaning may follow it.

    Raises:
        JudgeError: there is no letter that stands alone, or two contradict each other.
    """
    seen = visible(text)
    grades = {letter for line in seen.splitlines() if (letter := _letter(line)) is not None}
    if not grades:
        last = seen.rstrip().rpartition("\n")[2]
        supposed = _IF.search(last) or _MODAL.search(last)
        grades = set() if supposed else {letter.upper() for letter in _SAID_AT_LAST.findall(last)}
    if len(grades) != 1:
        raise JudgeError("two letters that contradict each other" if grades else "no line is A, B or C")
    letter = grades.pop()
    return Parsed(letter == "A", attempted=letter != "C")


def _graded(seen: str) -> bool | None:
    """The verdict after ``GRADE:``, at the start of a line or within the last line; None without any such label."""
    if labelled(seen, "grade"):
        return verdict(seen, "grade", _GRADES)[1]
    match = _GRADE_ANYWHERE.search(seen.rstrip().splitlines()[-1])
    if match is None:
        return None
    if _GRADE_ANYWHERE.search(match[2]) or re.match(r"\W*(?:or\b|[/|?？])", match[2]):
        raise JudgeError("two verdicts in the line of the grade")
    return _GRADES[" ".join(match[1].lower().split())]


def _first_or_last(seen: str) -> bool:
    first, last = _FIRST.match(seen), _last(seen)
    grades = {_GRADES[" ".join(first[1].lower().split())]} if first else set()
    if last is not None:
        grades.add(last)
    if len(grades) != 1:
        raise JudgeError(
            "two verdicts that contradict each other" if grades else "no grade, and no verdict at either end"
        )
    return grades.pop()


def _last(seen: str) -> bool | None:
    """The last word as a verdict; None if it is none or its sentence denies or doubts it."""
    match = _LAST.search(seen[-400:])
    if match is None:
        return None
    if _NOT_CORRECT.search(seen[-400:]):
        return False
    sentence = _SENTENCE.split(seen[-400:][: match.start()])[-1]
    return None if _HEDGE.search(sentence) else match[1].lower() == "correct"


def _letter(line: str) -> str | None:
    """The grade that a line is; None for a line of prose.

    Raises:
        JudgeError: a letter with the meaning of another one, or a choice of two.
    """
    word = _WORD.fullmatch(line)
    if word is not None:
        return _letter_of(word[1])
    match = _LETTER.fullmatch(line)
    if match is None:
        return None
    letter, rest = match[1].upper(), match[2]
    if re.match(r"\W*(?:or|and)\W+[ABC]\b|\s*[/|,]\s*[ABC]\b|\W*[?？]", rest, re.IGNORECASE):
        raise JudgeError("a line offers two letters")
    meaning = _MEANING.match(rest)
    if meaning is not None and (not trimmed(rest[meaning.end() :]) or rest[:1] in ":：)）.-*]"):
        if _letter_of(meaning[1]) != letter:
            raise JudgeError("a letter with another one's meaning")
        return letter
    # "A" may be an article and "a" nearly always is one: prose after it needs a sign in between
    alone = not trimmed(rest).strip(".。!！")
    return letter if alone or (rest[0] in ":：)）.。\n*]" and match[1].isupper()) else None


def _letter_of(word: str) -> str:
    meaning = re.sub(r"[\s_-]", "", word.lower()).replace("notcorrect", "incorrect")
    return next(letter for letter, name in _LETTERS.items() if name == meaning)
