"""``toleap setup``."""

from __future__ import annotations

import sys

from toleap.dock.sandbox import make_sandbox_environment, sandbox_status
from toleap.serving.environments import make_server_environment


def setup(server: str, *, sandbox: bool) -> int:
    """Make the environments that were asked for; returns 1 where the sandbox cannot work yet, and says why."""
    if server != "none":
        _log(f"model server: {make_server_environment(server, log=_log)}")  # type: ignore[arg-type]
    if not sandbox:
        return 0
    _log(f"sandbox: {make_sandbox_environment(log=_log)}")
    failed = [check for check in sandbox_status() if not check.ok]
    for check in failed:
        _log(f"sandbox: {check.name}: {check.detail}")
    return 1 if failed else 0


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201
