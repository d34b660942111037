"""``toleap tools``."""

from __future__ import annotations

from dataclasses import dataclass

import click

from toleap.commands.command import as_json, command
from toleap.commands.list import origin, show
from toleap.folders import find_all


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTools:
    """List the tools that a run can use, and where they come from.

    \b
    Example:
      toleap tools list --json
    """

    as_json: bool = as_json()

    def __call__(self) -> int:
        """Print the list; returns 0."""
        rows = [{"tool": name, "from": origin(folder)} for name, folder in find_all("tools").items()]
        show(rows, "tool", as_json=self.as_json)
        return 0


group = click.Group(
    "tools",
    [command("list", ListTools)],
    help="""The tools that an agent is given.

    \b
    Example:
      toleap tools list
    """,
)
