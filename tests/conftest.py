"""Shared fixtures: a ChatCompletions endpoint on the wire whose every answer a test decides."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import settings

# How long one example takes says more about the machine's load than about the code.
settings.register_profile("toleap", deadline=None)
settings.load_profile("toleap")


@dataclass
class Endpoint:
    """A server that answers the n-th request with the n-th item (the last one repeats), and keeps what it got."""

    url: str = ""
    answers: list[Any] = field(default_factory=list)
    """Each an assistant message, a ``web.Response``, or a function of the request's body that gives either."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=lambda: {"prompt_tokens": 100, "completion_tokens": 10})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
        self.requests.append(body)
        self.headers.append(request.headers.copy())
        if callable(answer):
            answer = answer(body)
        if isinstance(answer, web.Response):
            # A response is sent once only: the last one may be asked for again.
            return web.Response(body=answer.body, status=answer.status, headers=answer.headers)
        choice = {"message": answer, "finish_reason": "tool_calls" if answer.get("tool_calls") else "stop"}
        return web.json_response({"choices": [choice], "usage": self.usage})


async def answered(value: Any) -> web.Response:
    """A value as JSON."""
    return web.json_response(value)


@pytest.fixture
async def endpoint() -> AsyncIterator[Callable[..., Awaitable[Endpoint]]]:
    """``await endpoint(answer, …)`` starts one on a free port; ``url`` is its base URL."""
    servers: list[TestServer] = []

    async def start(*answers: Any) -> Endpoint:
        made = Endpoint(answers=list(answers))
        app = web.Application()
        app.router.add_post("/v1/chat/completions", made.handle)
        app.router.add_get("/v1/models", lambda _: answered({"data": [{"id": "m"}]}))
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        made.url = str(server.make_url("/v1"))
        return made

    yield start
    for server in servers:
        await server.close()
