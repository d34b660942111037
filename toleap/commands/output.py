"""Printing what a command found: JSON for programs, a table for people."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text


def as_json(value: object) -> None:
    """Print a value as JSON on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=1, default=str))  # noqa: T201


def as_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their column names, nothing cut off; what comes from files is shown as plain text."""
    table = Table(*(Column(name, overflow="fold") for name in columns), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console = Console()
    (console if console.is_terminal else Console(width=140)).print(table)
