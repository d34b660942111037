"""Printing what a command has to say: JSON for programs, a table for people, lines about it on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

from toleap.report.published import Published
from toleap.report.render import to_rich
from toleap.report.values import Table as ResultTable


def print_json(value: object) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n")


def print_screen(screen: RenderableType, width: int) -> None:
    """Print something laid out for a terminal; where the output is none, so many columns wide."""
    console = Console()
    (console if console.is_terminal else Console(width=width)).print(screen)


def print_table(table: ResultTable, published: Sequence[Published] = (), *, calls: bool = False) -> None:
    """Print a result table; ``calls`` adds what ``describe`` says."""
    print_screen(to_rich(table, published, calls=calls), 100)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their column names, nothing cut off; what comes from files is shown as plain text."""
    table = Table(*(Column(name, overflow="fold") for name in columns), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    print_screen(table, 140)


def log(line: str) -> None:
    """Say a line on standard error, at once."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
