"""Run as a script: ``python supervise.py SECONDS COMMAND…``. Keeps a server from outliving the one who started it.

The starter holds the other end of this process's standard input. When that closes (the starter stopped the server,
or died in any way at all), or on SIGTERM, the server gets SIGTERM, ``SECONDS`` later SIGKILL, and so do all processes
it ever started, even those that left its group: orphans come to this process, which is their subreaper.
Stands alone and uses the standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.25


def main(grace: float, command: list[str]) -> int:
    """Run the command until it ends or its starter is gone; returns its exit status, shell style."""
    starter, us = os.getppid(), os.getpid()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = _Flag()
    signal.signal(signal.SIGTERM, asked.set)
    try:
        # preexec_fn is unsafe beside threads only, and this process has none.
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: _die_with(us),  # noqa: PLW1509
        )
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        return 127
    while server.poll() is None and not asked.value and os.getppid() == starter and not _closed(sys.stdin.fileno()):
        pass
    _end(server, grace)
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


class _Flag:
    """Set by a signal."""

    def __init__(self) -> None:
        self.value = False

    def set(self, *_: object) -> None:
        self.value = True


def _closed(descriptor: int) -> bool:
    """Waits a moment; whether the starter's end of the pipe closed in it."""
    readable, _, _ = select.select([descriptor], [], [], _POLL_SECONDS)
    return bool(readable) and not os.read(descriptor, 4096)


def _end(server: subprocess.Popen[bytes], grace: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(grace)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    _end_orphans()


def _end_orphans() -> None:
    """Kill what is left below us until nothing is: a killed process hands its own children to us."""
    stop = time.monotonic() + 10
    while time.monotonic() < stop:
        children = _children()
        if not children:
            return
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _children() -> list[int]:
    """Our direct children, from /proc; none where there is no /proc."""
    us = os.getpid()
    children = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The second field is the command in parentheses and may hold anything; the parent follows the state.
            fields = entry.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if len(fields) > 1 and int(fields[1]) == us:
            children.append(int(entry.parent.name))
    return children


def _die_with(supervisor: int) -> None:
    """Runs in the server's process before its program: it ends with the supervisor, even one that is gone already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
