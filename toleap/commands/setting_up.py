"""``toleap setup``."""

from __future__ import annotations

import sys

from toleap.dock.sandbox.environment import make_sandbox_environment
from toleap.serving.environments import make_server_environment


def setup(server: str, *, sandbox: bool) -> int:
    """Make the environments that were asked for; returns the exit code."""
    if server != "none":
        _log(f"model server: {make_server_environment(server, log=_log)}")  # type: ignore[arg-type]
    if sandbox:
        _log(f"sandbox: {make_sandbox_environment(log=_log)}")
    return 0


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201
