"""Parsers of what judges write, one for each output format: ``parse_X(text) -> Parsed``.

They follow the owners' rules with one deviation: where the owner's code takes an output that it cannot read for a
wrong answer, these raise ``JudgeError``, so that the answer is judged again. They read more ways of writing the same
verdict (full-width colons, quotes, bold, ``Incorrect.``, ``not correct``), never a second meaning into one. Thoughts
never count, a label counts at the start of a line or in the last line only, and two verdicts that contradict each
other are an error. What stands beside a plain verdict is read as far as it can be, and never takes the verdict away.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from toleap.errors import JudgeError
from toleap.scoring.judge.labels import choice, labelled, trimmed, verdict, visible

PARSER_VERSION = "3"
"""Raised with every change that can change a verdict; it is part of every judge's fingerprint."""

_LONGEST_REASON = 600
_YES_NO = {"yes": True, "no": False, "true": True, "false": False}
_DECISION = {"true": True, "false": False}
_CHINESE = {
    **dict.fromkeys(("正确", "完全正确", "正确的", "正確", "完全正確", "正確的"), True),
    **dict.fromkeys(("错误", "完全错误", "不正确", "错误的", "不正确的"), False),
    **dict.fromkeys(("錯誤", "完全錯誤", "不正確", "錯誤的", "不正確的"), False),
}
_CHINESE_SUBJECT = re.compile(
    r"(?:(?:该|此|本|模型|考生|候选人?|所给|最终|的|给出|其)*(?:回答|答案|结果|答复|判断|判定))*(?:是|为)?[:：\s]*"
)
"""What may stand before the verdict, and says only what it is about."""
_GENERAL = {"correct": True, "incorrect": False, "not correct": False}
_NOTHING = frozenset({"", "none", "null", "n/a", "na", "无", "not provided", "not given", "not available"})
_NUMBER = re.compile(
    r"(?<![\w.])(?<!e[+-])(?P<value>[+-]?(?:\d{1,9}(?:\.\d{1,9})?|\.\d{1,9}))(?!\d|e[+-]?\d)\s*"
    r"(?:(?P<percent>[%％]|percent\b|per cent\b)|(?:/|out of|of)\s*(?P<whole>100?|5)(?!\d))?",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})?')
_OPENING = re.compile(r'\{\s*"')
_COMMA_AT_END = re.compile(r",(?=\s*[}\]])")
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)\n\s*```", re.DOTALL | re.IGNORECASE)


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
    """HLE's four fields, as a JSON object or as labelled lines; other keys, as the owner's ``strict``, say nothing.

    Raises:
        JudgeError: neither can be read.
    """
    seen = visible(text)
    fields = _object(seen, "correct")
    return _four_lines(seen) if fields is None else _four_fields_of(fields)


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
    _, correct = verdict(seen, "结论|結論", _CHINESE, colon=False, before=_CHINESE_SUBJECT)
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
    fields = _object(seen, "verdict")
    if fields is not None:
        return Parsed(_word(fields["verdict"], _GENERAL), reason=_text(fields.get("reasoning")) or "")
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
    return Parsed(
        _word(fields["correct"], _YES_NO),
        extracted=_answer(_text(fields.get("extracted_final_answer"))),
        reason=(_text(fields.get("reasoning")) or "")[:_LONGEST_REASON],
        confidence=_percent(fields.get("confidence")) if "confidence" in fields else 100,
    )


def _word(value: Any, words: dict[str, bool]) -> bool:
    """The verdict in a field of a JSON object: one of the words, or true and false.

    Raises:
        JudgeError: it is no plain verdict.
    """
    plain = value if isinstance(value, bool) else choice(trimmed(value), words) if isinstance(value, str) else None
    if plain is None:
        raise JudgeError(f"the verdict is neither {' nor '.join(list(words)[:2])}")
    return plain


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, int | float | list | dict) else None


def _answer(text: str | None) -> str | None:
    return None if text is None or text.strip().lower() in _NOTHING else text


def _object(seen: str, verdict_key: str) -> dict[str, Any] | None:
    """The one JSON object in a text, alone, fenced, or with prose around it, that has the verdict's key; None where
    there is none, so that its lines may be read.

    Raises:
        JudgeError: there are several, or one with two verdicts.
    """
    bodies = [_escaped(body) for body in _FENCE.findall(seen) or [seen]]
    objects = [fields for body in bodies for fields in _objects(body) if verdict_key in fields]
    if not objects:
        mended = [_COMMA_AT_END.sub("", body) for body in bodies]
        objects = [fields for body in mended for fields in _objects(body) if verdict_key in fields]
    if len(objects) > 1:
        raise JudgeError("several JSON objects with a verdict")
    return objects[0] if objects else None


def _escaped(text: str) -> str:
    """The text with each backslash that begins no escape of JSON's doubled, as LaTeX in a judge's reasons needs."""
    return _ESCAPE.sub(lambda escape: escape[0] if escape[1] else "\\\\", text)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text, up to one that is broken: what stands in that may be quoted."""
    position = text.find("{")
    while position >= 0:
        try:
            value, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            if _OPENING.match(text, position):
                return
            end, value = position + 1, None
        if isinstance(value, dict):
            yield value
        position = text.find("{", end)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, its keys in small letters; of a key that is there twice with two meanings none is the right one."""
    value = {key.strip().lower(): item for key, item in pairs}
    if any(value[key.strip().lower()] != item for key, item in pairs):
        raise JudgeError("a key stands there twice in the JSON object")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, strict=False)


def _extracted(seen: str, label: str) -> str | None:
    values = labelled(seen, label)
    return None if not values or values[0][1].lower() in _NOTHING else values[0][1]


def _reason(seen: str, label: str) -> str:
    values = labelled(seen, label)
    return values[0][1][:_LONGEST_REASON] if values else ""


def _confidence(seen: str) -> int | None:
    """The candidate's confidence, 0 to 100; 100 where it gave none, as HLE rules; None where it cannot be read."""
    values = labelled(seen, "confidence")
    stated = trimmed(values[-1][1]).rstrip(".。,，") if values else ""
    return 100 if stated.lower() in _NOTHING else _percent(stated)


def _percent(value: Any) -> int | None:
    """A confidence as percent, clamped to 0…100; None where it is no one number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    matches = list(_NUMBER.finditer(value)) if isinstance(value, str) else [_NUMBER.match(str(value))]
    if len(matches) != 1 or matches[0] is None:
        return None
    number = float(matches[0]["value"])
    if matches[0]["whole"]:
        number *= 100 / int(matches[0]["whole"])
    elif not matches[0]["percent"] and 0 < number < 1:
        number *= 100  # A fraction: nobody states nine tenths of a percent so.
    elif not matches[0]["percent"] and number == 1 and "." in matches[0]["value"]:
        return None  # "1.0" may be all of it or a hundredth.
    return round(min(max(number, 0.0), 100.0))
