"""A small pool of resource-limited processes in which untrusted bytes are parsed, away from the event loop and keys.

A parser that crashes, grows or never ends is the file's fault: ``Unreadable``. A worker that cannot even start, or is
killed from outside and the next one too, is ours: ``ToolFault``. Workers start when first needed and are used again;
their environment holds no secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import struct
import sys
from typing import Any
from weakref import WeakKeyDictionary

from toleap.dock.parsers import Parsed
from toleap.errors import ToolFault

MEMORY = 2**30
CPU_SECONDS = 20
SECONDS = 30.0
_START_SECONDS = 60.0
_JOBS_PER_WORKER = 200
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


class Unreadable(Exception):
    """The bytes cannot be read; the message says why, as the second half of a sentence."""


class _Died(Exception):
    """A worker ended in the middle of a job. ``killed``: by SIGKILL, which no limit of ours sends."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.killed = status == -signal.SIGKILL


class _Worker:
    """One process, one job at a time."""

    def __init__(self, process: asyncio.subprocess.Process, generation: int) -> None:
        self._process = process
        self.generation = generation
        self.jobs = 0

    @classmethod
    async def start(cls, memory: int, cpu: int, generation: int) -> _Worker:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        # -P: a module in the working folder must not take the place of one of ours.
        command = [sys.executable, "-P", "-m", "toleap.dock.parser_process", str(memory), str(cpu)]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            raise ToolFault(f"cannot start a parser process: {error.strerror}") from error
        worker = cls(process, generation)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await worker._receive()
        except (_Died, TimeoutError) as error:
            await worker.end()
            raise ToolFault("a parser process did not start") from error
        except asyncio.CancelledError:
            await worker.end()
            raise
        return worker

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def run(self, data: bytes, job: dict[str, Any]) -> dict[str, Any]:
        self.jobs += 1
        assert self._process.stdin is not None
        body = json.dumps({**job, "size": len(data)}).encode()
        try:
            self._process.stdin.writelines([struct.pack(">I", len(body)), body, data])
            await self._process.stdin.drain()
        except OSError as error:
            raise _Died(await self._process.wait()) from error
        return await self._receive()

    async def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            (length,) = struct.unpack(">I", await self._process.stdout.readexactly(4))
            answer: dict[str, Any] = json.loads(await self._process.stdout.readexactly(length))
        except (asyncio.IncompleteReadError, OSError) as error:
            raise _Died(await self._process.wait()) from error
        return answer

    async def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


class WorkerPool:
    """At most ``size`` workers. Belongs to the event loop it is first used in."""

    def __init__(self, size: int, *, memory: int = MEMORY, cpu: int = CPU_SECONDS, seconds: float = SECONDS) -> None:
        self._slots = asyncio.Semaphore(size)
        self._idle: list[_Worker] = []
        self._limits = (memory, cpu)
        self._seconds = seconds
        self._generation = 0

    async def parse(self, kind: str, data: bytes, limit: int, **options: str | None) -> Parsed:
        """The text of ``data``, at most ``limit`` characters. ``kind`` is a key of ``parsers.PARSERS``.

        Raises:
            Unreadable: the file is broken, or costs too much memory or time.
            ToolFault: no worker can be started, or each is killed.
        """
        job = {"kind": kind, "limit": limit, **options}
        async with self._slots:
            try:
                answer = await self._run(data, job)
            except _Died:
                answer = await self._again(data, job)
        if "error" in answer:
            raise Unreadable(answer["error"])
        return Parsed(answer["text"], answer["title"], answer["truncated"])

    async def check(self) -> None:
        """Start a worker if there is none: raises ``ToolFault`` where that is impossible."""
        async with self._slots:
            self._give_back(await self._take())

    async def close(self) -> None:
        """End the idle workers now, and each busy one after its job. The pool can be used again."""
        self._generation += 1
        idle, self._idle = self._idle, []
        await asyncio.gather(*(worker.end() for worker in idle))

    async def _again(self, data: bytes, job: dict[str, Any]) -> dict[str, Any]:
        """A worker died. A used one may have been killed for another's sins; a fresh one is proof."""
        try:
            return await self._run(data, job, fresh=True)
        except _Died as error:
            if error.killed:
                raise ToolFault("a parser process was killed from outside, and the next one too") from error
            raise Unreadable("reading it takes too much memory or time, or crashes the parser") from error

    async def _run(self, data: bytes, job: dict[str, Any], *, fresh: bool = False) -> dict[str, Any]:
        worker = await self._start() if fresh else await self._take()
        finished = False
        try:
            async with asyncio.timeout(self._seconds):
                answer = await worker.run(data, job)
            finished = not answer.get("fatal")
            return answer
        except TimeoutError as error:
            raise Unreadable(f"reading it takes more than {self._seconds:g} seconds") from error
        finally:
            if finished and worker.generation == self._generation and worker.jobs < _JOBS_PER_WORKER:
                self._give_back(worker)
            else:
                await worker.end()

    async def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
        return await self._start()

    def _give_back(self, worker: _Worker) -> None:
        self._idle.append(worker)

    async def _start(self) -> _Worker:
        return await _Worker.start(*self._limits, self._generation)


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, WorkerPool] = WeakKeyDictionary()


def pool() -> WorkerPool:
    """The pool that the tools of this event loop share."""
    loop = asyncio.get_running_loop()
    if loop not in _pools:
        _pools[loop] = WorkerPool(max(1, min(4, os.cpu_count() or 1)))
    return _pools[loop]
