"""The same table for papers, pages and spreadsheets: whole, and harmless whatever a run is called."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.builders import benchmark, run
from tests.report.test_render import HOSTILE
from toleap.report.formats import to_csv, to_html, to_latex
from toleap.report.published import Published
from toleap.report.tables import build_table

PUBLISHED = [Published("g", "Other & Sons", "b", 0.639, "a_paper")]


class Page(HTMLParser):
    """What stands in a page: its tags, and the cells of its rows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_latex_has_the_grids_with_their_signs_escaped() -> None:
    table = build_table([run(benchmark("1101", "0100", breakdown=("level",), metadata={"t0": {"level": "a_b"}}))])
    shown = to_latex(table, PUBLISHED)
    assert r"tiny & 2 & 50.0 $\pm$ 25.0 & 8 & 8 & 0 & 0 \\" in shown
    assert r"\quad level a\_b & 1 & 75.0 $\pm$ -- &" in shown
    assert r"Other \& Sons & 63.9 & a\_paper \\" in shown
    assert shown.count(r"\begin{tabular}") == shown.count(r"\end{tabular}") == 4
    assert to_latex(build_table([])) == "% no results\n"


def test_an_incomplete_row_has_its_bounds_in_every_format() -> None:
    table = build_table([run(benchmark("11uo", "0000"))])
    assert r"50.0 $\pm$ 50.0 [25.0, 50.0] incomplete" in to_latex(table)
    cells = Page(to_html(table)).rows[1]
    assert cells[2] == "50.0 ± 50.0[25.0, 50.0]incomplete"
    (row,) = csv.DictReader(io.StringIO(to_csv(table)))
    assert (row["average"], row["low"], row["high"], row["flags"]) == ("0.5", "0.25", "0.5", "incomplete")
    assert (row["planned"], row["scored"], row["unscored"], row["owed"]) == ("8", "6", "1", "1")
    assert row["pass@4"] == "" and row["column"] == ""


@pytest.mark.parametrize("name", [HOSTILE, "=HYPERLINK(1)", "<script>x</script>", r"\input{secret} $x$ %", '"a",b\n'])
def test_names_do_nothing(name: str) -> None:
    part = benchmark("1", title=name, metadata={"t0": {"level": name}}, breakdown=("level",))
    table = build_table([run(replace(part), name=name, model=name)])
    assert not re.search(r"(?<!\\)(?:\\\\)*[%#&](?! )", re.sub(r" & | \\\\\n", "  ", to_latex(table)))
    assert "\\input" not in to_latex(table)
    page = Page(to_html(table))
    assert not set(page.tags) & {"script", "b", "a", "img"}
    rows = list(csv.reader(io.StringIO(to_csv(table))))
    assert {len(row) for row in rows} == {len(rows[0])} and len(rows) == 3
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)


@given(st.text(st.characters(exclude_categories=())))
def test_any_name_is_one_cell(name: str) -> None:
    table = build_table([run(benchmark("1"), name="r", model=name)])
    assert len(list(csv.reader(io.StringIO(to_csv(table))))) == 2
    assert len(Page(to_html(table)).rows[1]) == 8
    to_latex(table).encode("utf-8")
