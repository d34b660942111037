"""The model server of a run, and one that is kept for the next run where that asks for the same."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import NamedTuple, Self

from toleap.errors import ServerFault
from toleap.runs.plan import Plan
from toleap.serving.scripted_process import ScriptedProcess
from toleap.serving.vllm import VllmServer

Log = Callable[[str], None]


class Endpoint(NamedTuple):
    """Where a model is asked, and what waits for the end of a server of ours."""

    base_url: str
    closed: Callable[[], Awaitable[ServerFault]] | None = None


@contextlib.asynccontextmanager
async def started(plan: Plan, log: Log) -> AsyncIterator[Endpoint]:
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
        yield Endpoint(str(model.base_url))
        return
    async with server:
        yield Endpoint(server.base_url, server.wait_closed)


class KeptServer:
    """Starts the server that a plan asks for, and keeps it until another one is asked for or the block ends."""

    def __init__(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        self._asked: object = None
        self._endpoint = Endpoint("")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @contextlib.asynccontextmanager
    async def lent(self, plan: Plan, log: Log) -> AsyncIterator[Endpoint]:
        """The endpoint of a plan's model. Raises what ``started`` does."""
        asked = (plan.model, plan.config.agent.context, plan.operation.trust)
        if self._asked != asked:
            self._asked = None
            await self._stack.aclose()
            self._endpoint = await self._stack.enter_async_context(started(plan, log))
            self._asked = asked
        yield self._endpoint
