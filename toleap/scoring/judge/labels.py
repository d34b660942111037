"""Reading a judge's output line by line: which label stands at the start of a line, and what follows it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from toleap.chat.answer import without_thoughts
from toleap.errors import JudgeError

LONGEST = 200_000
"""Characters; a longer output is no verdict, whatever it holds."""

_NEXT_LINE = 2_000
"""Characters after a bare label in which its value is looked for."""

_MARKUP = "*_`#~\"'“”‘’「」『』【】[]()（）"
_BLANKS_AND_MARKUP = rf"[ \t\u3000{re.escape(_MARKUP)}]*+"
_BEFORE = rf"^[ \t\u3000\-•{re.escape(_MARKUP)}]*+(?:\d{{1,2}}[.)、]{_BLANKS_AND_MARKUP})?+"
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u2060\ufeff]")
_QUOTATION = re.compile(r"^[ \t]*+[|>｜][^\n]*", re.MULTILINE)
_ENDS = r"\s*(?:$|[.,;:!。，；：！、…—–\-]|[*_`\"'“”‘’「」『』】\])）(（])"
_BECAUSE = r"\s+(?:because|since|as|given|the|it|this)\b|\s*(?:因为|由于)"
_DOUBT = re.compile(rf"[{re.escape(_MARKUP)}\s]*[?？]")
_OR = r"(?:[/|\\]|\bor\b|\band\b|或者?|和|还是)"
_OTHER = re.compile(rf"[{re.escape(_MARKUP)}\s,]*+{_OR}[{re.escape(_MARKUP)}\s]*+(.*)", re.DOTALL)


def visible(text: str) -> str:
    """The output without thoughts, invisible characters and lines that quote (``|``, ``>``), as the candidate's do.

    Raises:
        JudgeError: nothing is left, or it is absurdly long.
    """
    if len(text) > LONGEST:
        raise JudgeError(f"the judge's output has {len(text)} characters")
    seen = _QUOTATION.sub("", _INVISIBLE.sub("", without_thoughts(text))).strip()
    if not seen:
        raise JudgeError("the judge's output is all thoughts or quotation" if text.strip() else "no output")
    return seen


def trimmed(text: str) -> str:
    """The text without blanks, quotes, brackets and Markdown around it."""
    return text.strip(_MARKUP + " \t\u3000\r\n")


def labelled(text: str, label: str, *, colon: bool = True) -> list[tuple[int, str]]:
    """Where ``label`` starts a line, and the value after its colon: the rest of the line, else the next line.

    ``label`` is a regular expression. Without ``colon`` a blank or a markup sign will do instead of the colon.
    """
    between = "[:：]" if colon else "(?:[:：]+|是|(?<=[^\\w]))"
    pattern = re.compile(
        rf"{_BEFORE}(?:{label}){_BLANKS_AND_MARKUP}{between}(?P<value>[^\n]*)", re.IGNORECASE | re.MULTILINE
    )
    heading = re.compile(
        rf"^\s*(?:#+|\*\*|【)\s*(?:{label})\s*(?:\*\*|】)?[ \t]*$(?P<value>)", re.IGNORECASE | re.MULTILINE
    )
    lines: list[tuple[int, str]] = []
    for match in (*pattern.finditer(text), *heading.finditer(text)):
        value = trimmed(match["value"])
        if not value:
            value = trimmed(text[match.end() : match.end() + _NEXT_LINE].lstrip().partition("\n")[0])
        lines.append((match.start(), value))
    return lines


def choice(value: str, words: Mapping[str, bool]) -> bool | None:
    """What ``value`` begins with, if it is one of ``words`` and says so plainly; None if not.

    ``yes or no``, ``TRUE/FALSE``, ``yes?`` and ``no idea`` are not plain.
    """
    one_of = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    match = re.match(rf"({one_of})(?={_ENDS}|{_BECAUSE})", value, re.IGNORECASE)
    if match is None:
        match = re.match(rf"({one_of})(?=\s*[/|\\?？]|\s+(?:or|and)\b|\s*(?:或|和|还是))", value, re.IGNORECASE)
    if match is None:
        return None
    correct, rest = words[" ".join(match[1].lower().split())], value[match.end() :]
    if _DOUBT.match(rest):
        return None
    other = _OTHER.match(rest)
    return correct if other is None or _same(other[1], correct, one_of, words) else None


def _same(rest: str, correct: bool, one_of: str, words: Mapping[str, bool]) -> bool:
    """Whether what follows an ``or`` is no verdict, or the same one."""
    match = re.match(rf"({one_of})(?!\w)", rest, re.IGNORECASE)
    return match is None or words[" ".join(match[1].lower().split())] == correct


def verdict(
    text: str, label: str, words: Mapping[str, bool], *, colon: bool = True, before: re.Pattern[str] | None = None
) -> tuple[int, bool]:
    """Where the verdict stands under ``label`` and what it is. ``before`` may stand between them.

    Where no line starts with the label, the last line may hold it: ``The answer is correct: yes``.

    Raises:
        JudgeError: there is none, none is plain, or two contradict each other.
    """
    lines = labelled(text, label, colon=colon)
    values = [
        (at, before.sub("", value, count=1) if before and before.match(value) else value) for at, value in lines
    ]
    verdicts = [(at, plain) for at, value in values if (plain := choice(value, words)) is not None]
    if not lines and (plain := _in_last_line(text, label, words)) is not None:
        return len(text), plain
    if not verdicts:
        raise JudgeError(f"{label!r} is followed by no plain verdict" if lines else f"{label!r} starts no line")
    if len({plain for _, plain in verdicts}) > 1:
        raise JudgeError("two verdicts that contradict each other")
    return verdicts[-1]


_HEDGED = re.compile(
    r"\b(?:if|whether|would|should|unless|not sure|unclear|cannot)\b|[?？]|如果|是否"
    r"|\b(?:wrote|writes|says|said|claim(?:s|ed)?|quote[sd]?|state[sd]?|according to)\b|写道|声称",
    re.IGNORECASE,
)
"""A line that supposes a verdict, or tells what somebody else says, gives none."""


def _in_last_line(text: str, label: str, words: Mapping[str, bool]) -> bool | None:
    """What the last line says after the label, somewhere in it and not in quotes; None where that is not plain."""
    last = text.rstrip().rpartition("\n")[2]
    one_of = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    between = r"\s*(?:[:：=]|(?:is|was|是|为)[:：]?)\s*[*_`]*"
    pattern = rf"(?<![A-Za-z0-9_\"'“‘「`])(?:{label}){between}({one_of})(?={_ENDS}|{_BECAUSE})"
    verdicts = {words[" ".join(match[1].lower().split())] for match in re.finditer(pattern, last, re.IGNORECASE)}
    return verdicts.pop() if len(verdicts) == 1 and not _HEDGED.search(last) else None
