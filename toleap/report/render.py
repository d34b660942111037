"""A table for terminals, as Markdown, and as JSON. All three say the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from toleap.report import text
from toleap.report.comparison import line as compared
from toleap.report.published import Published
from toleap.report.sections import Section, call_sections, helper_sections
from toleap.report.values import Comparison, PassRate, Row, Table

_FEW_RATES = 2
"""Up to so many pass@k columns stand in the terminal's main table."""
_PIPE_WIDTH = 100
_COUNTS = ("planned", "scored", "unscored", "owed")
_IDENTITY = "planned = scored + unscored + owed"
_BEHAVIOUR: dict[str, Callable[[Row], str]] = {
    "turns": lambda row: text.number(row.behaviour.turns),
    "tool calls": lambda row: text.number(row.behaviour.tool_calls),
    "bad calls %": lambda row: text.percent(row.behaviour.bad_call_rate),
    "tokens": lambda row: text.number(row.behaviour.completion_tokens),
    "quarantined": lambda row: str(row.counts.quarantined),
    "endings": text.endings,
}


def print_table(
    table: Table, console: Console | None = None, published: Sequence[Published] = (), *, calls: bool = False
) -> None:
    """Print a table; where the output is no terminal, 100 columns wide. ``calls`` adds what ``to_rich`` says."""
    if console is None:
        console = Console()
        if not console.is_terminal:
            console = Console(width=_PIPE_WIDTH)
    console.print(to_rich(table, published, calls=calls))


def to_rich(table: Table, published: Sequence[Published] = (), *, calls: bool = False) -> RenderableType:
    """The table for a terminal of 100 columns or more: scores, then how the attempts went, then the notes.

    With ``calls`` also how often calls were repeated, by turn, and how they were written.
    """
    parts: list[RenderableType] = []
    for benchmark, title, rows in table.sections():
        heading = f"{title} ({benchmark})" if title and title != benchmark else benchmark
        parts.append(Text(text.clean(heading), style="bold"))
        shown = [_scores(rows), *_rates(rows), *_measures(rows), _behaviour(rows)]
        shown += [_section(part, rows) for part in _sections(rows, calls=calls)]
        shown += _published_rich([row for row in published if row.benchmark == benchmark], rows)
        parts += [Padding(part, (0, 0, 1, 0), expand=False) for part in shown]
    parts += [Text(f"• {text.clean(line, 600)}") for line in _said(table)]
    if not table.rows:
        parts.append(Text("no results"))
    return Group(*parts)


def to_markdown(table: Table, published: Sequence[Published] = (), *, calls: bool = False) -> str:
    """The table as GitHub's Markdown; text from others is escaped."""
    lines: list[str] = []
    for benchmark, title, rows in table.sections():
        lines += [f"## {text.markdown(title or benchmark)} ({text.markdown(benchmark)})", ""]
        lines += [*_scores_markdown(rows), "", *_measures_markdown(rows), *_behaviour_markdown(rows), ""]
        for part in _sections(rows, calls=calls):
            lines += [*_section_markdown(part, rows), ""]
        lines += _published_markdown([row for row in published if row.benchmark == benchmark], rows)
    lines += [f"- {text.markdown(line, 600)}" for line in _said(table)]
    return "\n".join(lines or ["no results"]).rstrip() + "\n"


def to_json(table: Table) -> str:
    """The table as JSON (rates as fractions, undefined ones null); always encodable as UTF-8."""
    shown = json.dumps(table.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)
    return shown.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def _scores(rows: Sequence[Row]) -> RichTable:
    rates = _ks(rows) if _fit(rows) else []
    several = len({row.k for row in rows}) > 1
    second = _second_title(rows)
    averages = [_average_title(rows), *second]
    grid = _grid("model", [*(["k"] if several else []), "tasks", *averages, *(f"pass@{k}" for k in rates), *_COUNTS])
    for row, label in _labelled(rows):
        if row.group is None:
            label.append("".join(f"\n{flag}" for flag in text.flags(row)), style="italic yellow")
        cells = [str(row.k)] if several else []
        cells += [text.tasks(row), "\n".join(text.average_lines(row))]
        cells += [*("\n".join(text.second_lines(row)) for _ in second), *_rate_cells(row, rates)]
        cells += [str(getattr(row.counts, name)) for name in _COUNTS]
        grid.add_row(label, *map(Text, cells))
    return grid


def _rates(rows: Sequence[Row]) -> Iterable[RenderableType]:
    """The pass@k columns by themselves, where they are too many for the main table."""
    ks = _ks(rows)
    if not _fit(rows):
        grid = _grid("model", [f"pass@{k}" for k in ks])
        for row, label in _labelled(rows):
            grid.add_row(label, *map(Text, _rate_cells(row, ks)))
        yield grid


def _behaviour(rows: Sequence[Row]) -> RichTable:
    grid = _grid("model", list(_BEHAVIOUR)[:-1])
    grid.add_column("endings", overflow="fold")
    for row, label in _labelled(rows):
        grid.add_row(label, *(Text(cell(row)) for cell in _BEHAVIOUR.values()))
    return grid


def _sections(rows: Sequence[Row], *, calls: bool) -> list[Section]:
    return [*helper_sections(rows), *(call_sections(rows) if calls else ())]


def _section(part: Section, rows: Sequence[Row]) -> RichTable:
    labels = {id(row): label for row, label in _labelled(rows)}
    grid = _grid(part.first, part.titles)
    for row, cells in part.lines:
        grid.add_row(labels[id(row)], *map(Text, cells))
    return grid


def _section_markdown(part: Section, rows: Sequence[Row]) -> list[str]:
    labels = {id(row): _label_markdown(row, label) for row, label in _names(rows)}
    return _markdown_table([part.first, *part.titles], [[labels[id(row)], *cells] for row, cells in part.lines])


def _said(table: Table) -> list[str]:
    """The lines below the table."""
    return [*map(text.note, table.notes), *map(_variant, table.variants)]


def _variant(item: Comparison) -> str:
    return f"{item.a} minus {item.b}, paired by task: {compared(item)}"


def _measures(rows: Sequence[Row]) -> Iterable[RenderableType]:
    """The measures beside the average, a line for each, where the benchmark has any."""
    if any(row.measures for row in rows):
        grid = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        grid.add_column("model", overflow="fold", min_width=16)
        grid.add_column("measure")
        grid.add_column("%", justify="right", no_wrap=True)
        grid.add_column("verdicts", overflow="fold")
        for row, label in _labelled(rows):
            for figure in row.measures:
                cells = (figure.title, text.percent(figure.value), text.rests_on(figure))
                grid.add_row(label, *(Text(text.clean(cell)) for cell in cells))
        yield grid


def _grid(first: str, columns: Iterable[str]) -> RichTable:
    grid = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    grid.add_column(first, overflow="fold", min_width=16)
    for column in columns:
        grid.add_column(column, justify="right", no_wrap=True)
    return grid


def _labelled(rows: Sequence[Row]) -> Iterable[tuple[Row, Text]]:
    for row, label in _names(rows):
        yield row, Text(f"  {text.clean(label)}" if row.group else text.clean(label))


def _names(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    short = Counter(text.name(row, with_run=False) for row in rows if row.group is None)
    return [(row, text.name(row, with_run=short[text.name(row, with_run=False)] > 1)) for row in rows]


def _ks(rows: Sequence[Row]) -> list[int]:
    return sorted({rate.k for row in rows for rate in row.pass_at})


def _rate_cells(row: Row, ks: Sequence[int]) -> list[str]:
    rates: dict[int, PassRate] = {rate.k: rate for rate in row.pass_at}
    return [text.percent(rates[k].value if k in rates else None) for k in ks]


def _average_title(rows: Sequence[Row]) -> str:
    ks = {row.k for row in rows}
    return f"avg@{ks.pop()} ± SE" if len(ks) == 1 else "avg@k ± SE"


def _second_title(rows: Sequence[Row]) -> list[str]:
    """The title of the second headline's column; nothing where no row has one."""
    ks = {row.k for row in rows}
    k = ks.pop() if len(ks) == 1 else "k"
    return [f"avg@{k} by judge"] if any(row.second for row in rows) else []


def _fit(rows: Sequence[Row]) -> bool:
    """Whether the pass@k columns fit into the terminal's main table."""
    return len(_ks(rows)) <= _FEW_RATES and not _second_title(rows)


def _scores_markdown(rows: Sequence[Row]) -> list[str]:
    ks = _ks(rows)
    second = _second_title(rows)
    titles = ["model", "k", "tasks", "avg@k ± SE", *second, *(f"pass@{k}" for k in ks), _IDENTITY, "flags"]
    lines = []
    for row, label in _names(rows):
        average = " ".join(text.average_lines(row))
        beside = [" ".join(text.second_lines(row)) for _ in second]
        ours = [str(row.k), text.tasks(row), average, *beside, *_rate_cells(row, ks), text.identity(row)]
        lines.append([_label_markdown(row, label), *ours, text.markdown(_flags_line(row))])
    return _markdown_table(titles, lines)


def _behaviour_markdown(rows: Sequence[Row]) -> list[str]:
    lines = [
        [_label_markdown(row, label), *(cell(row) for cell in _BEHAVIOUR.values())] for row, label in _names(rows)
    ]
    return _markdown_table(["model", *_BEHAVIOUR], lines)


def _measures_markdown(rows: Sequence[Row]) -> list[str]:
    lines = [
        [
            _label_markdown(row, label),
            *(text.markdown(cell) for cell in (figure.title, text.percent(figure.value), text.rests_on(figure))),
        ]
        for row, label in _names(rows)
        for figure in row.measures
    ]
    return [*_markdown_table(["model", "measure", "%", "verdicts"], lines), ""] if lines else []


def _flags_line(row: Row) -> str:
    """A whole row's flags and the settings that differ; sub-rows have their row's."""
    if row.group is not None:
        return ""
    keys = f" ({', '.join(row.differs)})" if row.differs else ""
    return ", ".join(text.flags(row)) + keys


def _label_markdown(row: Row, label: str) -> str:
    return f"&nbsp;&nbsp;{text.markdown(label)}" if row.group else f"**{text.markdown(label)}**"


def _markdown_table(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    rule = ["---", *("---:" for _ in titles[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (titles, rule, *lines)]


def _published_rich(published: Sequence[Published], rows: Sequence[Row]) -> list[RenderableType]:
    if not published:
        return []
    grid = _grid("published elsewhere", ["accuracy"])
    grid.add_column("source", overflow="fold")
    for line in published:
        grid.add_row(*(Text(text.clean(x)) for x in (line.model, text.percent(line.accuracy), line.source)))
    return [grid, *(Text(f"! {text.clean(line, 600)}") for line in _unofficial(rows))]


def _published_markdown(published: Sequence[Published], rows: Sequence[Row]) -> list[str]:
    if not published:
        return []
    lines = [[text.markdown(x) for x in (line.model, text.percent(line.accuracy), line.source)] for line in published]
    marks = [f"**!** {text.markdown(line, 600)}" for line in _unofficial(rows)]
    separated = [part for mark in marks for part in (mark, "")]
    return [*_markdown_table(["published elsewhere", "accuracy", "source"], lines), "", *separated]


def _unofficial(rows: Sequence[Row]) -> Iterable[str]:
    """A line for each row whose judge is not the owner's."""
    for row, label in _names(rows):
        mark = text.unofficial(row)
        if mark is not None:
            yield f"{label}: {mark}"
