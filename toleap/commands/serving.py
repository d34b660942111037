"""``toleap serve``."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Mapping
from typing import Any

from toleap.commands.output import as_json
from toleap.errors import UsageError
from toleap.serving.builtin import resolve_model
from toleap.serving.scripted_process import ScriptedProcess
from toleap.serving.vllm import VllmServer


def serve(options: Mapping[str, Any]) -> int:
    """Serve until Ctrl-C or until the server ends; returns the exit code."""
    if (options["model"] is None) == (options["scripted"] is None):
        raise UsageError(
            "give a model, or --scripted POLICY: toleap serve smollm2-135m, toleap serve --scripted oracle"
        )
    server: VllmServer | ScriptedProcess
    if options["scripted"] is not None:
        server = ScriptedProcess(options["scripted"], port=options["port"], latency_ms=options["latency_ms"])
    else:
        source = resolve_model(options["model"], log=_log)
        server = VllmServer(source, port=options["port"], context=options["context"], progress=_log)
    return asyncio.run(_until_stopped(server, json=options["as_json"]))


async def _until_stopped(server: VllmServer | ScriptedProcess, *, json: bool) -> int:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel if task else lambda: None)
    with contextlib.suppress(asyncio.CancelledError):
        async with server:
            if json:
                as_json({"base_url": server.base_url, "model": server.model})
            else:
                print(f"{server.model} at {server.base_url} (Ctrl-C stops it)", flush=True)  # noqa: T201
            sys.stdout.flush()
            _log(f"the server ended: {await server.wait_closed()}")
            return 1
    return 0


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201
