"""A table for terminals, as Markdown, and as JSON. All three say the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from toleap.report.cells import clean, markdown
from toleap.report.published import Published
from toleap.report.sections import Line, Section, describe
from toleap.report.values import Table

_LONG = 600
"""Characters of a note or a remark that are shown."""
_LONGEST = 2_000
"""The same of a cell's line."""


def to_rich(table: Table, published: Sequence[Published] = (), *, calls: bool = False) -> RenderableType:
    """The table for a terminal of 100 columns or more."""
    description = describe(table, published, calls=calls)
    parts: list[RenderableType] = []
    for chapter in description.chapters:
        named = "" if chapter.title == chapter.benchmark else f" ({chapter.benchmark})"
        parts.append(Text(clean(chapter.title + named), style="bold"))
        for section in chapter.sections:
            blocks: list[Grid | Text] = [
                grid(section),
                *(Text(f"! {clean(line, _LONG)}") for line in section.remarks),
            ]
            parts += [Padding(part, (0, 0, 1, 0), expand=False) for part in blocks]
    parts += [Text(f"• {clean(line, _LONG)}") for line in description.notes]
    return Group(*(parts or [Text("no results")]))


def to_markdown(table: Table, published: Sequence[Published] = (), *, calls: bool = False) -> str:
    """The table as GitHub's Markdown; text from others is escaped."""
    description = describe(table, published, calls=calls)
    lines: list[str] = []
    for chapter in description.chapters:
        lines += [f"## {markdown(chapter.title)} ({markdown(chapter.benchmark)})", ""]
        for section in chapter.sections:
            lines += [*_markdown_grid(section), ""]
            lines += [part for line in section.remarks for part in (f"**!** {markdown(line, _LONG)}", "")]
    lines += [f"- {markdown(line, _LONG)}" for line in description.notes]
    return "\n".join(lines or ["no results"]).rstrip() + "\n"


def to_json(table: Table) -> str:
    """The table as JSON (rates as fractions, undefined ones null); always encodable as UTF-8."""
    document = json.dumps(table.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)
    return document.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


def grid(section: Section) -> Grid:
    """A section for a terminal."""
    table = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(section.first, overflow="fold", min_width=16)
    for column in section.columns:
        text = column in section.texts
        table.add_column(column, justify="left" if text else "right", no_wrap=not text, overflow="fold")
    for line in section.lines:
        label = Text("  " * line.part + clean(line.label))
        label.append("".join(f"\n{mark}" for mark in line.marks), style="italic yellow")
        table.add_row(
            label, *(Text("\n".join(clean(one, _LONGEST) for one in cell.split("\n"))) for cell in line.cells)
        )
    return table


def _markdown_grid(section: Section) -> Iterable[str]:
    yield _markdown_row([section.first, *section.columns])
    yield _markdown_row(["---", *("---" if column in section.texts else "---:" for column in section.columns)])
    for line in section.lines:
        cells = zip(section.columns, (cell.replace("\n", " ") for cell in line.cells), strict=True)
        escaped = [markdown(cell) if column in section.texts else cell for column, cell in cells]
        yield _markdown_row([_markdown_label(line), *escaped])


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_label(line: Line) -> str:
    label = f"&nbsp;&nbsp;{markdown(line.label)}" if line.part else f"**{markdown(line.label)}**"
    return f"{label} *{', '.join(map(markdown, line.marks))}*" if line.marks else label
