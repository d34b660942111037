"""``toleap table``."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from toleap.commands.command import Missing, argument, as_json, missing, option, results
from toleap.commands.output import print_json, print_table
from toleap.commands.stored import run_folders
from toleap.report.formats import to_csv, to_html, to_latex
from toleap.report.published import Published, published_for
from toleap.report.render import to_markdown
from toleap.report.tables import build_table, is_complete
from toleap.report.values import Table
from toleap.store.reading import read_run


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowTable:
    """Print the result table of some runs (by name or folder), or of every run.

    \b
    Examples:
      toleap table
      toleap table smollm2-135m-1a2b3c4d --json
      toleap table smollm2-135m-1a2b3c4d --calls
      toleap table --format latex > table.tex
    """

    runs: tuple[str, ...] = argument(nargs=-1)
    missing: Missing = missing()
    published: bool = option("--published", is_flag=True, help="Also show published results of the same benchmarks.")
    calls: bool = option(
        "--calls", is_flag=True, help="Also show how often calls were repeated, and how they were written."
    )
    format: str | None = option(
        "--format",
        type=click.Choice(["md", "latex", "html", "csv"]),
        help="Print Markdown, LaTeX (with booktabs), a page, or rows for a spreadsheet.",
    )
    results: Path = results()
    as_json: bool = as_json()

    def __call__(self) -> int:
        """Print it; returns 0 where every row is complete, else 1."""
        table = build_table(
            [read_run(folder) for folder in run_folders(self.runs, self.results)], missing=self.missing
        )
        published = self._published(table)
        if self.as_json:
            rows = {"published": [asdict(row) for row in published]} if published else {}
            print_json({**table.to_dict(), **rows})
        elif self.format == "csv":
            sys.stdout.write(to_csv(table))
        elif self.format is not None:
            printers = {"md": to_markdown, "latex": to_latex, "html": to_html}
            sys.stdout.write(printers[self.format](table, published, calls=self.calls))
        else:
            print_table(table, published, calls=self.calls)
        return 0 if is_complete(table) else 1

    def _published(self, table: Table) -> list[Published]:
        if not self.published:
            return []
        return [
            row for name in dict.fromkeys(row.subject.benchmark for row in table.rows) for row in published_for(name)
        ]
