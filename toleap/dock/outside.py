"""Tool folders that are not shipped, each in a process of its own (``child.py``), so that none can stop the run.

A tool that blocks, never lets itself be cancelled, exits, crashes or is killed takes its own process with it and
nothing else. The next call starts another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from toleap.dock.backend import ToolSpec
from toleap.dock.context import to_meta
from toleap.errors import ToolFault, UsageError
from toleap.folders import Folder
from toleap.types import CallContext, ToolResult

_START_SECONDS = 60.0
_HOOK_SECONDS = 60.0
_SECOND_TRIES = 2
_PATIENCE = 15.0
"""How long a process may take to say that it is alive, which includes the time that cancelled calls have to end."""


class _Gone(Exception):
    """The process ended; the message says how."""


class _Process:
    """One child process and what it was asked."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._listener: asyncio.Task[None] | None = None
        self._retired = False
        self.gone: str | None = None

    @classmethod
    async def start(cls, folder: Folder) -> tuple[_Process, list[ToolSpec]]:
        """A process that has loaded the folder, and the tools it has.

        Raises:
            UsageError: the folder cannot be loaded.
            ToolFault: there is no process, or it says nothing.
        """
        # -P: a module in the working folder must not take the place of one of ours.
        command = [sys.executable, "-P", "-m", "toleap.dock.child", str(folder.path.resolve())]
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, start_new_session=True)
        except OSError as error:
            raise ToolFault(f"cannot start a process for the tool {folder.name}: {error.strerror}") from error
        child = cls(process)
        try:
            async with asyncio.timeout(_START_SECONDS):
                first = await child._receive()
        except (asyncio.IncompleteReadError, TimeoutError) as error:
            await child.kill()
            raise ToolFault(f"the tool {folder.name} did not start") from error
        except asyncio.CancelledError:
            await child.kill()
            raise
        if "usage" in first:
            await child.kill()
            raise UsageError(first["usage"])
        child._listener = asyncio.create_task(child._listen())
        return child, msgspec.convert(first["tools"], list[ToolSpec])

    async def ask(self, do: str, **order: Any) -> dict[str, Any]:
        """The answer to an order. Cancelling this cancels the order.

        Raises:
            ToolFault: the tool has failed.
            UsageError: a setting cannot be used.
            _Gone: the process has ended.
        """
        if self.gone is not None:
            raise _Gone(self.gone)
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._send({"id": number, "do": do, **order})
            reply: dict[str, Any] = await answer
        except asyncio.CancelledError:
            self._send({"id": number, "do": "cancel"})
            raise
        finally:
            del self._waiting[number]
            self._end_if_drained()
        if "usage" in reply:
            raise UsageError(reply["usage"])
        if "fault" in reply:
            raise ToolFault(reply["fault"])
        return reply

    def retire(self) -> None:
        """Ask it nothing more; it ends when what it was asked is answered."""
        self._retired = True
        self._end_if_drained()

    async def kill(self) -> None:
        """End it, with every process that its tools started in its group."""
        self._signal()
        await self._process.wait()
        if self._listener is not None:
            await self._listener

    def _end_if_drained(self) -> None:
        if self._retired and not self._waiting:
            self._signal()

    def _signal(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _send(self, order: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        body = json.dumps(order).encode()
        with contextlib.suppress(OSError):  # its end is seen where answers are read
            self._process.stdin.write(struct.pack(">I", len(body)) + body)

    async def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        (size,) = struct.unpack(">I", await self._process.stdout.readexactly(4))
        message: dict[str, Any] = json.loads(await self._process.stdout.readexactly(size))
        return message

    async def _listen(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                answer = await self._receive()
                waiting = self._waiting.get(answer["id"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        status = await self._process.wait()
        self.gone = f"killed by signal {-status}" if status < 0 else f"with exit status {status}"
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(_Gone(self.gone))


class OwnProcess:
    """A ``Backend`` over a tool folder in a process of its own, which is started again when it is gone."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._live: _Process | None = None
        self._starting = asyncio.Lock()
        self._second_tries = asyncio.Semaphore(_SECOND_TRIES)
        self._specs: dict[str, ToolSpec] = {}
        self._homes: dict[str, _Process] = {}
        self._started: list[_Process] = []

    async def tools(self) -> Sequence[ToolSpec]:
        await self._process()
        return list(self._specs.values())

    async def probe(self) -> None:
        process = await self._process()
        try:
            async with asyncio.timeout(_HOOK_SECONDS):
                await process.ask("probe")
        except (TimeoutError, _Gone) as error:
            raise ToolFault(f"probe() of the tool {self._folder.name} did not return") from error

    async def call(self, name: str, arguments: Mapping[str, Any], context: CallContext) -> ToolResult:
        order = {"name": name, "arguments": dict(arguments), "context": to_meta(context)}
        process = await self._home(context.session)
        try:
            return _result(await process.ask("call", **order))
        except _Gone as error:
            if not self._specs[name].repeatable:
                raise ToolFault(f"the process of the tool {name} ended in the call, {error}") from error
        return await self._alone(name, order)

    async def answers(self) -> bool:
        process = self._live
        if process is None:
            return True
        try:
            async with asyncio.timeout(_PATIENCE):
                stuck = (await process.ask("alive"))["stuck"]
        except TimeoutError:
            await process.kill()
            return False
        except _Gone:
            return False
        if stuck:
            # A call that cannot be ended keeps its thread: enough of them, and none is left for the others.
            self._live = None
            process.retire()
        return True

    async def release(self, session: str) -> None:
        process = self._homes.pop(session, None)
        if process is None or process.gone is not None:
            return
        try:
            async with asyncio.timeout(_HOOK_SECONDS):
                await process.ask("release", session=session)
        except TimeoutError:
            await process.kill()
        except _Gone:
            return

    async def close(self) -> None:
        if self._live is not None and self._live.gone is None:
            with contextlib.suppress(TimeoutError, _Gone):
                async with asyncio.timeout(_HOOK_SECONDS):
                    await self._live.ask("close")
        started, self._started, self._live = self._started, [], None
        await asyncio.gather(*(process.kill() for process in started))

    async def _alone(self, name: str, order: Mapping[str, Any]) -> ToolResult:
        """A call that was lost, made in a process of its own: that one ends by the doing of no other call."""
        async with self._second_tries:
            process, _ = await _Process.start(self._folder)
            self._started.append(process)
            try:
                return _result(await process.ask("call", **order))
            except _Gone as error:
                raise ToolFault(f"the process of the tool {name} ended in the call, {error}") from error
            finally:
                await process.kill()

    async def _process(self) -> _Process:
        async with self._starting:
            if self._live is None or self._live.gone is not None:
                self._live, specs = await _Process.start(self._folder)
                self._specs = {spec.name: spec for spec in specs}
                self._started = [one for one in self._started if one.gone is None] + [self._live]
            return self._live

    async def _home(self, session: str) -> _Process:
        """The process for a trajectory's call; a stateful tool's stays the same."""
        home = self._homes.get(session)
        live = await self._process()
        if home is not None and home is not live:
            raise ToolFault(f"what the tool {self._folder.name} kept for this attempt went with its process")
        if any(spec.stateful for spec in self._specs.values()):
            self._homes[session] = live
        return live


def _result(frame: Mapping[str, Any]) -> ToolResult:
    return msgspec.convert(frame["result"], ToolResult)
