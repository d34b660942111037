"""The scripted server as a process of its own, so that a slow policy costs the harness nothing."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from toleap.errors import ServerFault, UsageError
from toleap.serving.process import HOST, ServerProcess, free_port, last_lines


class ScriptedProcess:
    """A scripted server that lives as long as the ``async with`` block, and no longer than this process.

    ``policy`` is what ``load_policy`` takes; ``faults`` what ``Faults.parse`` does.
    """

    def __init__(
        self,
        policy: str,
        *,
        port: int = 0,
        latency_ms: float = 0.0,
        faults: str | None = None,
        trust: bool = False,
    ) -> None:
        self.model = "scripted"
        self.base_url = ""
        self._port = port
        self._arguments = ["--policy", policy, "--latency-ms", str(latency_ms)]
        self._arguments += ["--faults", faults] if faults is not None else []
        self._arguments += ["--trust"] if trust else []
        self._process: ServerProcess | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def __aenter__(self) -> Self:
        """Start it and wait until it answers.

        Raises:
            UsageError: no such policy, or the port is in use.
        """
        port = free_port(self._port) if self._port else 0
        self._folder = tempfile.TemporaryDirectory(prefix="toleap-scripted-")
        folder = Path(self._folder.name)
        port_file = folder / "port"
        command = [sys.executable, "-P", "-m", "toleap.serving.scripted", *self._arguments]
        command += ["--port", str(port), "--port-file", str(port_file)]
        self._process = await ServerProcess.start(command, log=folder / "log", grace=2.0)
        try:
            port = await self._read_port(port_file)
            await self._process.wait_healthy(f"http://{HOST}:{port}/health", patience=30)
        except BaseException:
            await self.stop()
            raise
        self._port = port
        self.base_url = f"http://{HOST}:{port}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._process is not None and self._process.alive

    async def wait_closed(self) -> ServerFault:
        """Wait until the server has ended, and return the fault that says why."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        status = await self._process.wait_closed()
        last = " | ".join(last_lines(self._process.log)[-2:])
        return ServerFault(f"the scripted server ended with status {status}: {last}")

    async def restart(self) -> None:
        """Start a server that has died again, on its old port; raises what starting it does."""
        await self.stop()
        await self.__aenter__()

    async def stop(self) -> None:
        """End the server."""
        if self._process is not None:
            await self._process.stop()
        if self._folder is not None:
            self._folder.cleanup()

    async def _read_port(self, port_file: Path, patience: float = 120.0) -> int:
        if self._process is None:
            raise RuntimeError("the server was not started")
        give_up = time.monotonic() + patience
        while (port := _port_in(port_file)) is None:
            if not self._process.alive:
                last = (last_lines(self._process.log) or ["no word"])[-1]
                raise UsageError(f"the scripted server did not start: {last.removeprefix('error: ')}")
            if time.monotonic() > give_up:
                raise ServerFault(f"the scripted server did not start within {patience:.0f} s", fatal=True)
            await asyncio.sleep(0.05)
        return port


def _port_in(port_file: Path) -> int | None:
    return int(port_file.read_text(encoding="ascii")) if port_file.exists() else None
