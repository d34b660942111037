"""The model server of a run, and one that is kept for the next run where that asks for the same."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from toleap.errors import ServerFault, UsageError
from toleap.runs.plan import Plan
from toleap.serving.scripted_process import ScriptedProcess
from toleap.serving.vllm import VllmServer

Log = Callable[[str], None]


_MOST_DEATHS = 3
_SOON = 900.0
"""Seconds: a server that dies so often in this time is not started once more."""


@dataclass(slots=True)
class Served:
    """Where a model is asked. A server of ours that dies is started again there, unless it dies again and again."""

    base_url: str
    server: VllmServer | ScriptedProcess | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Not set while the server is being started again: nobody asks it, and nothing is held against anybody."""
    _deaths: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ready.set()

    async def keep(self, log: Log) -> ServerFault:
        """Start the server again whenever it dies; returns why it is not started any more."""
        if self.server is None:
            return await asyncio.Future()
        while True:
            fault = await self.server.wait_closed()
            self.ready.clear()
            self._deaths = [when for when in self._deaths if time.monotonic() - when < _SOON] + [time.monotonic()]
            if len(self._deaths) >= _MOST_DEATHS:
                return ServerFault(f"{fault} (the model server died {len(self._deaths)} times)", fatal=True)
            log(f"warning: the model server died, and is started again: {fault}")
            try:
                await self.server.restart()
            except (ServerFault, UsageError) as again:
                return ServerFault(f"the model server died, and did not start again: {again}", fatal=True)
            self.ready.set()


@contextlib.asynccontextmanager
async def started(plan: Plan, log: Log) -> AsyncIterator[Served]:
    """The endpoint of a plan's model; a server of ours lives as long as the block.

    Raises:
        UsageError: there is no such policy, or no server environment.
        ServerFault: the server did not start.
    """
    model = plan.model
    server: VllmServer | ScriptedProcess | None = None
    if model.policy is not None:
        server = ScriptedProcess(model.policy, trust=plan.operation.trust)
    elif model.source is not None:
        server = VllmServer(model.source, context=plan.config.agent.context, progress=log)
    if server is None:
        yield Served(str(model.base_url))
        return
    async with server:
        yield Served(server.base_url, server)


class KeptServer:
    """Starts the server that a plan asks for, and keeps it until another one is asked for or the block ends."""

    def __init__(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._asked: object = None
        self._endpoint = Served("")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @contextlib.asynccontextmanager
    async def lent(self, plan: Plan, log: Log) -> AsyncIterator[Served]:
        """The endpoint of a plan's model. Raises what ``started`` does."""
        asked = (plan.model, plan.config.agent.context, plan.operation.trust)
        if self._asked != asked:
            self._asked = None
            await self._stack.aclose()
            self._endpoint = await self._stack.enter_async_context(started(plan, log))
            self._asked = asked
        yield self._endpoint
