"""Printing what a command has to say: JSON for programs, a table for people, lines about it on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text


def print_json(value: object) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n")


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their column names, nothing cut off; what comes from files is shown as plain text."""
    table = Table(*(Column(name, overflow="fold") for name in columns), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console = Console()
    (console if console.is_terminal else Console(width=140)).print(table)


def log(line: str) -> None:
    """Say a line on standard error, at once."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
