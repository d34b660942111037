"""A tool folder's server in a process of its own: ``python -m toleap.dock.child FOLDER``. ``outside.py`` starts it.

Orders come in on standard input, answers leave on what was standard output, each as four bytes of length (big endian)
and then JSON. What the tools print goes to standard error.

    in   {"id": int, "do": "probe" | "release" | "close" | "call" | "cancel" | "alive", …}
    out  {"id": 0, "tools": […]} when the folder is loaded, {"id": 0, "usage": str} when it cannot be
         {"id": int, "result": {…} | null}, or with "usage" or "fault" the reason; to "alive" with "stuck" a number

A thread reads the orders, so that this process ends with the one that started it even while a tool holds its loop.
"""

from __future__ import annotations

import asyncio
import ctypes
import dataclasses
import json
import os
import signal
import struct
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from toleap.dock.context import from_meta
from toleap.dock.in_process import InProcess
from toleap.errors import ToleapError, UsageError
from toleap.folder_code import short, told
from toleap.folders import Folder

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 2.0
"""How long a call that was cancelled may take to end before it counts as stuck."""


class _Child:
    """Carries out orders, each in a task of its own."""

    def __init__(self, backend: InProcess, sink: BinaryIO) -> None:
        self._backend = backend
        self._sink = sink
        self._running: dict[int, asyncio.Task[None]] = {}
        self._cancelled: set[int] = set()

    def order(self, order: dict[str, Any]) -> None:
        """Begin to carry out an order."""
        number = order["id"]
        if order["do"] == "cancel":
            if number in self._running:
                self._cancelled.add(number)
                self._running[number].cancel()
            return
        carried_out = self._alive(number) if order["do"] == "alive" else self._answer(number, order)
        task = self._running[number] = asyncio.get_running_loop().create_task(carried_out)
        task.add_done_callback(lambda _: self._forget(number))

    async def _alive(self, number: int) -> None:
        """Answer once the cancelled calls had time to end: how many did not."""
        ending = [self._running[one] for one in self._cancelled]
        stuck = (await asyncio.wait(ending, timeout=_GRACE_SECONDS))[1] if ending else set()
        self._say({"id": number, "stuck": len(stuck)})

    async def _answer(self, number: int, order: dict[str, Any]) -> None:
        try:
            answer: dict[str, Any] = {"result": await self._done(order)}
        except UsageError as mistake:
            answer = {"usage": str(mistake)}
        except ToleapError as fault:
            answer = {"fault": str(fault)}
        except asyncio.CancelledError:
            answer = {"fault": f"the tool {order.get('name')} cancelled itself"}
        except (Exception, SystemExit, KeyboardInterrupt) as bug:  # noqa: BLE001 - a bug, and not of the other calls
            answer = {"fault": short(f"the tool {order.get('name')} failed: {told(bug)}")}
        self._say({"id": number, **answer})

    async def _done(self, order: dict[str, Any]) -> dict[str, Any] | None:
        match order["do"]:
            case "call":
                context = from_meta(order["context"])
                return dataclasses.asdict(await self._backend.call(order["name"], order["arguments"], context))
            case "probe":
                await self._backend.probe()
            case "release":
                await self._backend.release(order["session"])
            case "close":
                await self._backend.close()
        return None

    def _forget(self, number: int) -> None:
        self._running.pop(number, None)
        self._cancelled.discard(number)

    def _say(self, answer: dict[str, Any]) -> None:
        send(self._sink, answer)


def send(sink: BinaryIO, message: dict[str, Any]) -> None:
    """Write one message."""
    body = json.dumps(message).encode()
    sink.write(struct.pack(">I", len(body)) + body)
    sink.flush()


async def _serve(folder: Path, sink: BinaryIO) -> None:
    loop = asyncio.get_running_loop()
    try:
        backend = InProcess(Folder(folder.name, folder, shipped=False))
        tools = [dataclasses.asdict(spec) for spec in await backend.tools()]
    except UsageError as mistake:
        send(sink, {"id": 0, "usage": str(mistake)})
        return
    child = _Child(backend, sink)
    threading.Thread(target=_read, args=(loop, child), daemon=True).start()
    send(sink, {"id": 0, "tools": tools})
    await asyncio.Event().wait()


def _read(loop: asyncio.AbstractEventLoop, child: _Child) -> None:
    source = sys.stdin.buffer
    while head := source.read(4):
        order = json.loads(source.read(struct.unpack(">I", head)[0]))
        loop.call_soon_threadsafe(child.order, order)
    os._exit(0)


def main(folder: Path) -> None:
    """Serve the folder until standard input ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asyncio.run(_serve(folder, sink))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
