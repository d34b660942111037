"""Parsers of what judges write, one for each output format: ``parse_X(text) -> Parsed``.

They follow the owners' rules with one deviation: where the owner's code takes an output that it cannot read for a
wrong answer, these raise ``JudgeError``, so that the answer is judged again. They read more ways of writing the same
verdict (full-width colons, quotes, bold, ``Incorrect.``, ``not correct``), never a second meaning into one. Thoughts
never count, a label counts at the start of a line only, and two verdicts that contradict each other are an error.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from toleap.errors import JudgeError
from toleap.scoring.judge.text import labelled, trimmed, verdict, visible

PARSER_VERSION = "1"
"""Raised with every change that can change a verdict; it is part of every judge's fingerprint."""

_LONGEST_REASON = 600
_YES_NO = {"yes": True, "no": False}
_DECISION = {"true": True, "false": False}
_CHINESE = {"正确": True, "错误": False, "不正确": False}
_GENERAL = {"correct": True, "incorrect": False, "not correct": False}
_NOTHING = frozenset({"", "none", "null", "n/a", "na", "无", "not provided", "not given", "not available"})
_NUMBER = re.compile(r"([+-]?\d{1,9}(?:\.\d{1,9})?)\s*(?:[%％]|/\s*100\b|(?!\w))")
_FENCE = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parsed:
    """One verdict as the judge wrote it."""

    correct: bool
    attempted: bool = True
    extracted: str | None = None
    reason: str = ""
    confidence: int | None = None
    """The candidate's, 0 to 100, where the rubric asks for it."""


def parse_hle(text: str) -> Parsed:
    """HLE's four fields, as a JSON object (checked strictly) or as labelled lines.

    Raises:
        JudgeError: neither can be read.
    """
    seen = visible(text)
    fenced = _FENCE.fullmatch(seen)
    body = (fenced[1] if fenced else seen).strip()
    return _four_fields_of(_object(body)) if body.startswith("{") else _four_lines(seen)


def parse_browsecomp(text: str) -> Parsed:
    """BrowseComp: ``correct: yes`` or ``correct: no`` on a line of its own; the other three lines may be missing.

    Raises:
        JudgeError: there is no plain verdict.
    """
    return _four_lines(visible(text))


def parse_browsecomp_zh(text: str) -> Parsed:
    """BrowseComp-ZH: all four lines, in their order.

    Raises:
        JudgeError: a line is missing or out of order, or the verdict is not plain.
    """
    seen = visible(text)
    at = -1
    for label in ("extracted_final_answer", "reasoning", "correct", "confidence"):
        later = [start for start, _ in labelled(seen, label) if start > at]
        if not later:
            raise JudgeError(f"no line starts with {label!r}, or it is out of order")
        at = later[0]
    return _four_lines(seen)


def parse_xbench(text: str) -> Parsed:
    """xbench: 最终答案, 解释 and 结论, the last being 正确 or 错误 (不正确 is the same).

    Raises:
        JudgeError: there is no plain 结论.
    """
    seen = visible(text)
    _, correct = verdict(seen, "结论", _CHINESE, colon=False)
    return Parsed(correct, extracted=_extracted(seen, "最终答案"), reason=_reason(seen, "解释"))


def parse_frames(text: str) -> Parsed:
    """FRAMES: a line ``Decision: TRUE`` or ``Decision: FALSE``.

    Raises:
        JudgeError: there is none.
    """
    seen = visible(text)
    _, correct = verdict(seen, "decision", _DECISION)
    return Parsed(correct, reason=_reason(seen, "explanation"))


def parse_general(text: str) -> Parsed:
    """The general rubric: ``verdict: correct`` or ``verdict: incorrect``, as a JSON object or as labelled lines.

    Raises:
        JudgeError: there is no plain verdict.
    """
    seen = visible(text)
    fenced = _FENCE.fullmatch(seen)
    body = (fenced[1] if fenced else seen).strip()
    if body.startswith("{"):
        fields = _object(body)
        _only(fields, {"reasoning": str, "verdict": str})
        if fields["verdict"] not in ("correct", "incorrect"):
            raise JudgeError("verdict is neither correct nor incorrect")
        return Parsed(fields["verdict"] == "correct", reason=fields["reasoning"][:_LONGEST_REASON])
    _, correct = verdict(seen, "verdict", _GENERAL)
    return Parsed(correct, reason=_reason(seen, "reasoning"))


def _four_lines(seen: str) -> Parsed:
    _, correct = verdict(seen, "correct", _YES_NO)
    return Parsed(
        correct,
        extracted=_extracted(seen, "extracted_final_answer"),
        reason=_reason(seen, "reasoning"),
        confidence=_confidence(seen),
    )


def _four_fields_of(fields: dict[str, Any]) -> Parsed:
    _only(fields, {"extracted_final_answer": str, "reasoning": str, "correct": str, "confidence": int})
    if fields["correct"] not in ("yes", "no"):
        raise JudgeError("correct is neither yes nor no")
    answer = fields["extracted_final_answer"]
    return Parsed(
        fields["correct"] == "yes",
        extracted=None if answer.strip().lower() in _NOTHING else answer,
        reason=fields["reasoning"][:_LONGEST_REASON],
        confidence=min(max(fields["confidence"], 0), 100),
    )


def _object(body: str) -> dict[str, Any]:
    try:
        return dict(json.loads(body, object_pairs_hook=_unique))
    except (ValueError, RecursionError, TypeError) as error:
        raise JudgeError(f"no JSON object: {str(error)[:100]}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are there once: of two verdicts none is the right one."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands there twice")
    return dict(pairs)


def _only(fields: dict[str, Any], wanted: dict[str, type]) -> None:
    if fields.keys() != wanted.keys():
        raise JudgeError(f"the JSON object has other keys than {', '.join(wanted)}")
    for name, kind in wanted.items():
        if type(fields[name]) is not kind:
            raise JudgeError(f"{name} is {type(fields[name]).__name__}, not {kind.__name__}")


def _extracted(seen: str, label: str) -> str | None:
    values = labelled(seen, label)
    return None if not values or values[0][1].lower() in _NOTHING else values[0][1]


def _reason(seen: str, label: str) -> str:
    values = labelled(seen, label)
    return values[0][1][:_LONGEST_REASON] if values else ""


def _confidence(seen: str) -> int:
    """The candidate's confidence, clamped to 0…100; 100 where it gave none, as HLE rules."""
    values = labelled(seen, "confidence")
    said = trimmed(values[-1][1]).rstrip(".。,，") if values else ""
    if said.lower() in _NOTHING:
        return 100
    number = _NUMBER.match(said)
    if number is None:
        raise JudgeError("confidence is no number")
    return round(min(max(float(number[1]), 0.0), 100.0))
