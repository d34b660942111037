"""A table for papers, pages and spreadsheets: LaTeX, HTML and CSV. The first two print what the terminal prints."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from toleap.report.cells import clean
from toleap.report.published import Published
from toleap.report.sections import Line, Section, describe
from toleap.report.values import Row, Table

_LONG = 600
_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "–": "--",
    "×": r"$\times$", "→": r"$\rightarrow$", "·": r"$\cdot$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip
_SPECIAL = re.compile("|".join(map(re.escape, _LATEX)))
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Results</title><style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2em; max-width: 80em }}
table {{ border-collapse: collapse; margin: 1em 0 }}
th, td {{ padding: .2em .8em; text-align: right; vertical-align: top; white-space: nowrap }}
th:first-child, td:first-child, .text {{ text-align: left; white-space: normal }}
thead {{ border-bottom: 1px solid }}
.part td:first-child {{ padding-left: 2em }}
.marks {{ font-style: italic; opacity: .7 }}
</style></head><body>
{}
</body></html>
"""


def to_latex(table: Table, published: Sequence[Published] = (), *, calls: bool = False) -> str:
    """Tabulars for a document that uses booktabs; text from others is escaped."""
    description = describe(table, published, calls=calls)
    lines: list[str] = []
    for chapter in description.chapters:
        lines.append(rf"\paragraph{{{_latex(chapter.title)} ({_latex(chapter.benchmark)})}}")
        for section in chapter.sections:
            lines += [*_tabular(section), *(_latex(remark) + "\n" for remark in section.remarks)]
    notes = [rf"\item {_latex(note)}" for note in description.notes]
    lines += [r"\begin{itemize}", *notes, r"\end{itemize}"] if notes else []
    return "\n".join(lines or ["% no results"]) + "\n"


def to_html(table: Table, published: Sequence[Published] = (), *, calls: bool = False) -> str:
    """One page that needs nothing else; text from others is text."""
    description = describe(table, published, calls=calls)
    parts: list[str] = []
    for chapter in description.chapters:
        parts.append(f"<h2>{_html(chapter.title)} ({_html(chapter.benchmark)})</h2>")
        for section in chapter.sections:
            parts += [_html_grid(section), *(f"<p>{_html(remark)}</p>" for remark in section.remarks)]
    parts += ["<ul>", *(f"<li>{_html(note)}</li>" for note in description.notes), "</ul>"]
    return _PAGE.format("\n".join(parts if table.rows else ["<p>no results</p>"]))


def to_csv(table: Table) -> str:
    """A line for each row and sub-row: rates as fractions, empty where they are not defined."""
    ks = sorted({rate.k for row in table.rows for rate in row.pass_at})
    columns = {**_COLUMNS, **{f"pass@{k}": _rate(k) for k in ks}}
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value(row)) for value in columns.values()] for row in table.rows)
    return written.getvalue()


def _tabular(section: Section) -> Iterable[str]:
    kinds = "".join("l" if column in section.texts else "r" for column in section.columns)
    yield rf"\begin{{tabular}}{{l{kinds}}}"
    yield r"\toprule"
    yield " & ".join(map(_latex, (section.first, *section.columns))) + r" \\"
    yield r"\midrule"
    for line in section.lines:
        yield " & ".join((_latex_label(line), *map(_latex, line.cells))) + r" \\"
    yield r"\bottomrule"
    yield "\\end{tabular}\n"


def _latex_label(line: Line) -> str:
    indent = r"\quad " if line.part else ""
    marks = rf" \emph{{{', '.join(map(_latex, line.marks))}}}" if line.marks else ""
    return f"{indent}{_latex(line.label)}{marks}"


def _latex(text: str) -> str:
    return _SPECIAL.sub(lambda match: _LATEX[match[0]], clean(text, _LONG))


def _html_grid(section: Section) -> str:
    kinds = ["text" if column in section.texts else "" for column in section.columns]
    head = "".join(f"<th>{_html(column)}</th>" for column in (section.first, *section.columns))
    rows = []
    for line in section.lines:
        marks = f' <span class="marks">{_html(", ".join(line.marks))}</span>' if line.marks else ""
        cells = zip(kinds, line.cells, strict=True)
        shown = "".join(
            f'<td class="{kind}">{"<br>".join(map(_html, cell.split(chr(10))))}</td>' for kind, cell in cells
        )
        rows.append(f'<tr class="{"part" * line.part}"><td>{_html(line.label)}{marks}</td>{shown}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n" + "\n".join(rows) + "\n</tbody></table>"


def _html_cell(cell: str) -> str:
    return "<br>".join(map(_html, cell.split("\n")))


def _html(text: str) -> str:
    return html.escape(clean(text, _LONG))


def _rate(k: int) -> Callable[[Row], float | None]:
    return lambda row: next((rate.value for rate in row.pass_at if rate.k == k), None)


def _cell(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else clean(str(value))
    return f"'{text}" if text[:1] in {"=", "+", "@", "-"} and isinstance(value, str) else text


_COLUMNS: dict[str, Callable[[Row], Any]] = {
    "benchmark": lambda row: row.subject.benchmark,
    "model": lambda row: row.subject.model,
    "run": lambda row: row.subject.run,
    "variant": lambda row: row.subject.variant,
    "column": lambda row: row.subject.group and row.subject.group.column,
    "value": lambda row: row.subject.group and row.subject.group.value,
    "k": lambda row: row.extent.k,
    "tasks": lambda row: row.extent.tasks,
    "average": lambda row: row.headline.average,
    "se": lambda row: row.headline.se,
    "low": lambda row: row.headline.bounds and row.headline.bounds[0],
    "high": lambda row: row.headline.bounds and row.headline.bounds[1],
    "planned": lambda row: row.counts.planned,
    "scored": lambda row: row.counts.scored,
    "unscored": lambda row: row.counts.unscored,
    "owed": lambda row: row.counts.owed,
    "turns": lambda row: row.behaviour.turns,
    "tool_calls": lambda row: row.behaviour.tool_calls,
    "bad_call_rate": lambda row: row.behaviour.bad_call_rate,
    "completion_tokens": lambda row: row.behaviour.completion_tokens,
    "judged_by": lambda row: row.headline.judged_by,
    "flags": lambda row: "; ".join(row.flags),
}
