"""``toleap serve``."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from dataclasses import dataclass

from toleap.commands.command import argument, as_json, option
from toleap.commands.output import log, print_json
from toleap.errors import UsageError
from toleap.serving.scripted_process import ScriptedProcess
from toleap.serving.vllm import VllmServer
from toleap.serving.weights import resolve_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """Serve a model (or a scripted policy) in the foreground, until Ctrl-C.

    \b
    Examples:
      toleap serve smollm2-135m
      toleap serve --scripted oracle --port 8001
    """

    model: str | None = argument(required=False)
    scripted: str | None = option(
        "--scripted", metavar="POLICY", help="Play a policy: oracle, guesser, turns:PATH, run:NAME, BENCHMARK/POLICY."
    )
    port: int = option("--port", type=int, default=8000, show_default=True, help="0 takes a free one.")
    latency_ms: float = option(
        "--latency-ms", type=float, default=0.0, show_default=True, help="Scripted: time of every answer."
    )
    context: int | None = option("--context", type=int, help="Context length in tokens.  [default: the profile's]")
    as_json: bool = as_json()

    def __call__(self) -> int:
        """Serve until Ctrl-C or until the server ends; returns the exit code."""
        return asyncio.run(self._until_stopped(self._server()))

    def _server(self) -> VllmServer | ScriptedProcess:
        if self.scripted is not None and self.model is None:
            return ScriptedProcess(self.scripted, port=self.port, latency_ms=self.latency_ms)
        if self.model is not None and self.scripted is None:
            source = resolve_model(self.model, log=log)
            return VllmServer(source, port=self.port, context=self.context, progress=log)
        raise UsageError(
            "give a model, or --scripted POLICY: toleap serve smollm2-135m, toleap serve --scripted oracle"
        )

    async def _until_stopped(self, server: VllmServer | ScriptedProcess) -> int:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel if task else lambda: None)
        with contextlib.suppress(asyncio.CancelledError):
            async with server:
                if self.as_json:
                    print_json({"base_url": server.base_url, "model": server.model})
                else:
                    sys.stdout.write(f"{server.model} at {server.base_url} (Ctrl-C stops it)\n")
                sys.stdout.flush()
                log(f"the server ended: {await server.wait_closed()}")
                return 1
        return 0
