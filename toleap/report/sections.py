"""The parts of a table that are shown on request, or where there is something to say: titles, and cells by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from toleap.report.conduct import Calls, Helpers, TurnRange
from toleap.report.text import DASH, number, percent
from toleap.report.values import Row


@dataclass(frozen=True, slots=True)
class Section:
    """A grid whose first column, ``first``, holds the rows' names."""

    first: str
    titles: tuple[str, ...]
    lines: tuple[tuple[Row, tuple[str, ...]], ...]


_CALLS: Mapping[str, Callable[[Calls], str]] = {
    "attempts": lambda calls: (
        f"{calls.attempts} of {calls.attempts + calls.unrecorded}" if calls.unrecorded else str(calls.attempts)
    ),
    "calls": lambda calls: f"{calls.calls:,}",
    "different %": lambda calls: percent(calls.different),
    "longest run": lambda calls: number(calls.longest_median),
    "max": lambda calls: DASH if calls.longest is None else str(calls.longest),
}
_FORMS: Mapping[str, Callable[[Calls], int]] = {
    "mended": lambda calls: calls.mended,
    "malformed": lambda calls: calls.malformed,
    "cut off": lambda calls: calls.cut,
    "in thoughts": lambda calls: calls.hidden,
    "unknown": lambda calls: calls.unknown,
    "lost": lambda calls: calls.lost,
    "thoughts only": lambda calls: calls.silent,
    "not fitting": lambda calls: calls.misfit,
}
_RANGES: Mapping[str, Callable[[TurnRange], str]] = {
    "turns": lambda part: f"{part.first}+" if part.last is None else f"{part.first}-{part.last}",
    "attempts": lambda part: str(part.attempts),
    "calls": lambda part: f"{part.calls:,}",
    "different %": lambda part: percent(part.different),
    "so far %": lambda part: percent(part.so_far),
}
_HELPERS: Mapping[str, Callable[[Helpers], str]] = {
    "summaries": lambda found: f"{found.summaries:,}",
    "readings": lambda found: f"{found.readings:,}",
    "not read": lambda found: f"{found.unread:,}",
    "not read %": lambda found: percent(found.unread_share),
    "failed asks": lambda found: f"{found.failed_asks:,}",
    "tokens in": lambda found: number(found.prompt_tokens),
    "tokens out": lambda found: number(found.completion_tokens),
}


def call_sections(rows: Sequence[Row]) -> Iterable[Section]:
    """How often calls were repeated and how they were written, then the share of different ones by turn.

    Of the forms only those are there that some call had.
    """
    known = [(row, row.calls) for row in rows if row.calls is not None]
    forms = {title: count for title, count in _FORMS.items() if any(count(calls) for _, calls in known)}
    if known:
        lines = tuple(
            (row, (*(cell(calls) for cell in _CALLS.values()), *(f"{count(calls):,}" for count in forms.values())))
            for row, calls in known
        )
        yield Section("calls of", (*_CALLS, *forms), lines)
    parts = [(row, part) for row, calls in known if row.group is None for part in calls.ranges]
    if parts:
        cells = tuple((row, tuple(cell(part) for cell in _RANGES.values())) for row, part in parts)
        yield Section("calls by turn of", tuple(_RANGES), cells)


def helper_sections(rows: Sequence[Row]) -> Iterable[Section]:
    """What auxiliary models did, where any was asked."""
    known = [(row, row.helpers) for row in rows if row.helpers is not None]
    if known:
        lines = tuple((row, tuple(cell(found) for cell in _HELPERS.values())) for row, found in known)
        yield Section("auxiliary models of", tuple(_HELPERS), lines)
