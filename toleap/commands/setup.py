"""``toleap setup``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import click

from toleap.commands.command import option
from toleap.commands.output import log
from toleap.dock.sandbox import make_sandbox_environment, sandbox_status
from toleap.serving.environments import make_server_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Make the model server's and the sandbox's environments, through uv. Doing it again costs nothing.

    \b
    Example:
      toleap setup --server cpu
    """

    server: Literal["auto", "cpu", "cuda", "none"] = option(
        "--server",
        type=click.Choice(["auto", "cpu", "cuda", "none"]),
        default="auto",
        show_default=True,
        help="Which build of vLLM the model server gets.",
    )
    sandbox: bool = option(
        "--sandbox/--no-sandbox", default=True, show_default=True, help="The sandbox's Python for execute_code."
    )

    def __call__(self) -> int:
        """Make what was asked for; returns 1 where the sandbox cannot work yet, and says why."""
        if self.server != "none":
            log(f"model server: {make_server_environment(self.server, log=log)}")
        if not self.sandbox:
            return 0
        log(f"sandbox: {make_sandbox_environment(log=log)}")
        failed = [check for check in sandbox_status() if not check.ok]
        for check in failed:
            log(f"sandbox: {check.name}: {check.detail}")
        return 1 if failed else 0
