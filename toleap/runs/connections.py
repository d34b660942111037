"""The connections of one run to the models beside the one under test, as its settings say."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable

from toleap.agent.auxiliary import Auxiliary
from toleap.chat.client import Asking, Chat, Patience
from toleap.runs.plan import Plan
from toleap.runs.servers import Served
from toleap.types import Usage

_PATIENCE = 30.0
"""Seconds for which one auxiliary model is waited for; then the next one is asked."""


@contextlib.asynccontextmanager
async def connected(
    plan: Plan, served: Served, counted: Callable[[Usage], None] = lambda _usage: None
) -> AsyncIterator[Auxiliary | None]:
    """The auxiliary models of a run that is ``served``; None where no setting needs them."""
    reader, operation = plan.config.reader, plan.operation
    if not plan.config.needs_auxiliary:
        yield None
        return
    variable = reader.api_key_env if reader.base_url else operation.api_key_env
    key = os.environ.get(variable) if reader.base_url or plan.model.base_url else None
    patience = Patience(min(operation.patience, _PATIENCE), operation.call_seconds, operation.stalled_seconds)
    fields = {} if reader.base_url else plan.config.sampling.fields
    asking = Asking(key, fields, operation.stream and not reader.base_url)
    async with contextlib.AsyncExitStack() as stack:
        chats = [
            Chat(
                reader.base_url or served.base_url,
                name,
                patience=patience,
                asking=asking,
                counted=counted,
                ready=None if reader.base_url else served.ready,
            )
            for name in reader.models
        ]
        for chat in chats:
            await stack.enter_async_context(chat)
        yield Auxiliary(chats, reader, asyncio.Semaphore(operation.max_in_flight))
