"""The part of a page that shows best why a search found it."""

from __future__ import annotations

from collections.abc import Mapping

_WIDTH = 300
_BEFORE = 60
_OCCURRENCES = 4


def snippet(text: str, marks: Mapping[str, float], width: int = _WIDTH) -> str:
    """About ``width`` characters of ``text`` around the window where the marks weigh most, on one line.

    Args:
        text: the page.
        marks: lower-case strings to look for, each with its weight; a mark counts once in a window.
        width: characters wanted; the cut keeps words whole, so a little less may come back.
    """
    start = _best_start(text.lower(), marks, width)
    end = min(len(text), start + width)
    start, end = _word_start(text, start), _word_end(text, end)
    body = " ".join(text[start:end].split())
    return f"{'… ' if start > 0 else ''}{body}{' …' if end < len(text) else ''}"


def _best_start(lowered: str, marks: Mapping[str, float], width: int) -> int:
    places = sorted(_places(lowered, marks))
    best, best_weight, most = 0, 0.0, sum(marks.values())
    for first, (begin, _) in enumerate(places):
        weight, last = 0.0, begin + width - _BEFORE
        seen: list[str] = []
        for at, mark in places[first:]:
            if at + len(mark) > last:
                break
            if mark not in seen:
                weight += marks[mark]
                seen.append(mark)
        if weight > best_weight:
            best, best_weight = begin, weight
            if weight >= most:
                break
    return max(0, min(best - _BEFORE, len(lowered) - width))


def _places(lowered: str, marks: Mapping[str, float]) -> list[tuple[int, str]]:
    places: list[tuple[int, str]] = []
    for mark in marks:
        at = lowered.find(mark)
        count = 0
        while at >= 0 and count < _OCCURRENCES:
            places.append((at, mark))
            count += 1
            at = lowered.find(mark, at + len(mark))
    return places


def _word_start(text: str, start: int) -> int:
    """The start of the next word, where ``start`` cuts one and a space is near."""
    if start == 0 or text[start - 1].isspace():
        return start
    space = text.find(" ", start, start + 20)
    return start if space < 0 else space + 1


def _word_end(text: str, end: int) -> int:
    if end >= len(text) or text[end].isspace():
        return end
    space = text.rfind(" ", max(0, end - 20), end)
    return end if space < 0 else space
