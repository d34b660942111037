"""A server as a child process: started on a free port, watched until healthy, and never outliving us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import aiohttp

from toleap.errors import ServerFault, UsageError

HOST = "127.0.0.1"
_SUPERVISOR = Path(__file__).resolve().parent / "supervise.py"
_handed_out: set[int] = set()


def free_port(wanted: int = 0) -> int:
    """A port of this machine that nothing listens on: ``wanted``, or any for 0 (never the same twice).

    Raises:
        UsageError: ``wanted`` is in use or not allowed.
    """
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, wanted))
            except (OSError, OverflowError) as error:
                raise UsageError(f"port {wanted} cannot be used ({error}): give another --port") from error
            port: int = probe.getsockname()[1]
        if wanted or port not in _handed_out:
            _handed_out.add(port)
            return port


class ServerProcess:
    """A running server below its supervisor; make one with ``ServerProcess.start``."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, grace: float) -> None:
        self._process = process
        self._grace = grace
        self.log = log

    @classmethod
    async def start(
        cls, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None, grace: float = 10.0
    ) -> ServerProcess:
        """Start ``command`` with its output going to ``log``. ``grace``: seconds between SIGTERM and SIGKILL."""
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", _SUPERVISOR, str(grace), *command),
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        return cls(process, log, grace)

    @property
    def alive(self) -> bool:
        """Whether the server has not ended."""
        return self._process.returncode is None

    async def wait_closed(self) -> int:
        """Wait until the server has ended, and return its exit status."""
        return await self._process.wait()

    async def stop(self) -> None:
        """End the server and every process it started; returns when they are gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), self._grace + 20)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def wait_healthy(
        self,
        url: str,
        *,
        patience: float,
        progress: Callable[[str], None] = lambda _line: None,
        every: float = 5.0,
    ) -> None:
        """Wait until ``url`` answers 200, saying so every few seconds.

        Raises:
            ServerFault: the server ended first, or ``patience`` seconds passed.
        """
        started = time.monotonic()
        told = started
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while not await _answers(session, url):
                now = time.monotonic()
                if not self.alive:
                    raise ServerFault(f"the server ended with status {self._process.returncode}", fatal=True)
                if now - started > patience:
                    raise ServerFault(f"no answer from {url} within {patience:.0f} s", fatal=True)
                if now - told >= every:
                    told = now
                    progress(f"waiting for the server, {now - started:.0f} s")
                await asyncio.sleep(0.2)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def last_lines(log: Path, count: int = 400) -> list[str]:
    """The last lines of a log, at most 1 MB of it; none where it cannot be read."""
    try:
        with log.open("rb") as handle:
            handle.seek(max(0, log.stat().st_size - 1_000_000))
            lines = handle.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return list(deque((line.rstrip() for line in lines if line.strip()), maxlen=count))
