"""``toleap list``: what can be named here. Reads no data and runs no code of what it lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import click

from toleap.benchmark import load_benchmark
from toleap.chat.profiles import all_profiles
from toleap.commands.command import argument, as_json
from toleap.commands.output import print_json, print_rows
from toleap.errors import UsageError
from toleap.folders import Folder, find_all


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """List the benchmarks (or model profiles) that can be named here; for tools see toleap tools list.

    \b
    Examples:
      toleap list
      toleap list models --json
    """

    what: Literal["benchmarks", "models"] = argument(
        type=click.Choice(["benchmarks", "models"]), default="benchmarks"
    )
    as_json: bool = as_json()

    def __call__(self) -> int:
        """Print the list; returns 0."""
        show(benchmarks() if self.what == "benchmarks" else models(), self.what, as_json=self.as_json)
        return 0


def show(rows: Sequence[Mapping[str, Any]], what: str, *, as_json: bool) -> None:
    """Print rows that have the same columns; ``what`` heads an empty table."""
    if as_json:
        print_json(rows)
    else:
        print_rows(list(rows[0]) if rows else [what], [list(row.values()) for row in rows])


def benchmarks() -> list[dict[str, Any]]:
    """A row for each benchmark: its title, and whether it is ready or what to type."""
    rows = []
    for name, folder in find_all("benchmarks").items():
        try:
            item = load_benchmark(name)
            ready = item.ready()
            state, title = ("ready" if ready else ready.command), item.title
        except UsageError as error:
            state, title = str(error), "–"
        rows.append({"benchmark": name, "title": title, "state": state, "from": origin(folder)})
    return rows


def models() -> list[dict[str, Any]]:
    """A row for each model profile, with its limits."""
    return [
        {
            "profile": profile.name,
            "dialect": profile.dialect,
            "context": profile.context,
            "tokens a call": profile.max_tokens,
            "turns": profile.max_turns,
            "temperature": profile.temperature,
        }
        for profile in all_profiles().values()
    ]


def origin(folder: Folder) -> str:
    """Where a benchmark or a tool comes from."""
    return "shipped" if folder.shipped else str(folder.path)
