"""What a table says, as grids of text: every printer prints these, and none knows what a row is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from toleap.report import cells
from toleap.report.calls import Calls, Helpers, TurnRange
from toleap.report.cells import DASH, number, percent
from toleap.report.comparison import line as compared
from toleap.report.published import Published
from toleap.report.values import Row, Table

_FEW_RATES = 2
"""Up to so many pass@k columns stand beside the average."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a grid. What a line says of itself stands with its label."""

    label: str
    cells: tuple[str, ...]
    """One for each column; a cell may have several lines."""
    part: bool = False
    """Whether it is about a part of the line above."""
    marks: tuple[str, ...] = ()
    """What a reader must know before reading the cells."""


@dataclass(frozen=True, slots=True)
class Section:
    """A grid: the lines' labels under ``first``, and their cells under the columns."""

    first: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    texts: frozenset[str] = frozenset()
    """Columns of text from anywhere; the others hold numbers."""
    remarks: tuple[str, ...] = ()
    """Lines to print below the grid."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One benchmark's sections."""

    benchmark: str
    title: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """All that a table says, in the order in which it is read."""

    chapters: tuple[Chapter, ...]
    notes: tuple[str, ...]


def describe(table: Table, published: Sequence[Published] = (), *, calls: bool = False) -> Description:
    """A table as grids: scores, then how the attempts went, then the notes.

    With ``calls`` also how often calls were repeated, by turn, and how they were written.
    """
    chapters = tuple(
        Chapter(benchmark, title or benchmark, tuple(_sections(rows, published, calls=calls)))
        for benchmark, title, rows in table.sections()
    )
    variants = (f"{item.a} minus {item.b}, paired by task: {compared(item)}" for item in table.variants)
    return Description(chapters, (*map(cells.note, table.notes), *variants))


def _sections(rows: Sequence[Row], published: Sequence[Published], *, calls: bool) -> Iterable[Section]:
    ks = sorted({rate.k for row in rows for rate in row.pass_at})
    beside = len(max((row.headlines for row in rows), key=len)) - 1
    fit = len(ks) <= _FEW_RATES and not beside
    yield _scores(rows, ks if fit else [], beside)
    if not fit:
        yield _section("model", [(row, row) for row in rows], {f"pass@{k}": _rate(k) for k in ks})
    if any(row.measures for row in rows):
        yield _section("model", [(row, figure) for row in rows for figure in row.measures], _MEASURES)
    yield _section("model", [(row, row) for row in rows], _BEHAVIOUR)
    yield from _helper_sections(rows)
    if calls:
        yield from _call_sections(rows)
    if lines := [row for row in published if row.benchmark == rows[0].subject.benchmark]:
        yield _published(rows, lines)


def _scores(rows: Sequence[Row], ks: Iterable[int], beside: int) -> Section:
    extents = sorted({row.extent.k for row in rows})
    k = str(extents[0]) if len(extents) == 1 else "k"
    columns: dict[str, Callable[[Row], str]] = {"k": lambda row: str(row.extent.k)} if extents[1:] else {}
    columns |= {"tasks": cells.tasks, f"avg@{k} ± SE": cells.average}
    for place in range(1, beside + 1):
        columns[f"avg@{k} by judge" + (f" {place}" if beside > 1 else "")] = _beside(place)
    columns |= {f"pass@{k}": _rate(k) for k in ks}
    columns |= {name: _count(name) for name in ("planned", "scored", "unscored", "owed")}
    return _section("model", [(row, row) for row in rows], columns, marked=True)


def _beside(place: int) -> Callable[[Row], str]:
    return lambda row: cells.beside(row.headlines[place] if row.headlines[place:] else None)


def _count(name: str) -> Callable[[Row], str]:
    return lambda row: str(getattr(row.counts, name))


def _rate(k: int) -> Callable[[Row], str]:
    return lambda row: percent(next((rate.value for rate in row.pass_at if rate.k == k), None))


def _section(
    first: str,
    lines: Iterable[tuple[Row, object]],
    columns: Mapping[str, Callable[..., str]],
    *,
    marked: bool = False,
) -> Section:
    """A grid of what each column says of each line's object, under the names of the rows these belong to."""
    pairs = list(lines)
    names = _names([row for row, _ in pairs])
    return Section(
        first,
        tuple(columns),
        tuple(
            Line(
                names[id(row)],
                tuple(cell(item) for cell in columns.values()),
                part=not row.whole,
                marks=cells.flags(row) if marked and row.whole else (),
            )
            for row, item in pairs
        ),
        _TEXTS & columns.keys(),
    )


def _names(rows: Sequence[Row]) -> dict[int, str]:
    """A name for each row by its ``id``; the run is in it where rows of one benchmark would read the same."""
    whole = {id(row): cells.name(row, with_run=False) for row in rows if row.whole}
    short = Counter(whole.values())
    return {id(row): cells.name(row, with_run=short[cells.name(row, with_run=False)] > 1) for row in rows}


def _published(rows: Sequence[Row], published: Iterable[Published]) -> Section:
    """Published numbers by themselves, and a remark on each row whose judge is not the owner's."""
    lines = tuple(Line(line.model, (percent(line.accuracy), line.source)) for line in published)
    names = _names(rows)
    remarks = tuple(f"{names[id(row)]}: {mark}" for row in rows if (mark := cells.unofficial(row)) is not None)
    return Section(
        "published elsewhere", ("accuracy", "source"), lines=lines, texts=_TEXTS & {"source"}, remarks=remarks
    )


def _call_sections(rows: Sequence[Row]) -> Iterable[Section]:
    """How often calls were repeated and how they were written, then the share of different ones by turn.

    Of the forms only those are there that some call had.
    """
    known = [(row, row.calls) for row in rows if row.calls is not None]
    forms = {title: count for title, count in _FORMS.items() if any(count(calls) != "0" for _, calls in known)}
    if known:
        yield _section("calls of", known, {**_CALLS, **forms})
    parts = [(row, part) for row, calls in known if row.whole for part in calls.ranges]
    if parts:
        yield _section("calls by turn of", parts, _RANGES)


def _helper_sections(rows: Sequence[Row]) -> Iterable[Section]:
    """What auxiliary models did, where any was asked."""
    known = [(row, row.helpers) for row in rows if row.helpers is not None]
    if known:
        yield _section("auxiliary models of", known, _HELPERS)


_TEXTS = frozenset({"measure", "verdicts", "endings", "source"})
_MEASURES: Mapping[str, Callable[..., str]] = {
    "measure": lambda figure: figure.title,
    "%": lambda figure: percent(figure.value),
    "verdicts": cells.rests_on,
}
_BEHAVIOUR: Mapping[str, Callable[[Row], str]] = {
    "turns": lambda row: number(row.behaviour.turns),
    "tool calls": lambda row: number(row.behaviour.tool_calls),
    "bad calls %": lambda row: percent(row.behaviour.bad_call_rate),
    "tokens": lambda row: number(row.behaviour.completion_tokens),
    "quarantined": lambda row: str(row.counts.quarantined),
    "endings": cells.endings,
}
_CALLS: Mapping[str, Callable[[Calls], str]] = {
    "attempts": lambda calls: str(calls.attempts),
    "calls": lambda calls: f"{calls.calls:,}",
    "different %": lambda calls: percent(calls.different),
    "longest run": lambda calls: number(calls.longest_median),
    "max": lambda calls: DASH if calls.longest is None else str(calls.longest),
}
_FORMS: Mapping[str, Callable[[Calls], str]] = {
    "mended": lambda calls: f"{calls.mended:,}",
    "malformed": lambda calls: f"{calls.malformed:,}",
    "cut off": lambda calls: f"{calls.cut:,}",
    "in thoughts": lambda calls: f"{calls.hidden:,}",
    "unknown": lambda calls: f"{calls.unknown:,}",
    "lost": lambda calls: f"{calls.lost:,}",
    "thoughts only": lambda calls: f"{calls.silent:,}",
    "not fitting": lambda calls: f"{calls.misfit:,}",
}
_RANGES: Mapping[str, Callable[[TurnRange], str]] = {
    "turns": lambda part: f"{part.first}+" if part.last is None else f"{part.first}-{part.last}",
    "attempts": lambda part: str(part.attempts),
    "calls": lambda part: f"{part.calls:,}",
    "different %": lambda part: percent(part.different),
    "so far %": lambda part: percent(part.so_far),
}
_HELPERS: Mapping[str, Callable[[Helpers], str]] = {
    "summaries": lambda helpers: f"{helpers.summaries:,}",
    "readings": lambda helpers: f"{helpers.readings:,}",
    "not read": lambda helpers: f"{helpers.unread:,}",
    "not read %": lambda helpers: percent(helpers.unread_share),
    "failed asks": lambda helpers: f"{helpers.failed_asks:,}",
    "tokens in": lambda helpers: number(helpers.prompt_tokens),
    "tokens out": lambda helpers: number(helpers.completion_tokens),
}
