"""A judge's server on the wire whose every answer a test decides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from toleap.config import JudgeSettings
from toleap.types import Task


@dataclass
class Server:
    """Answers the n-th request with the n-th item, the last one for ever.

    An item is the judge's text, a ``web.Response``, or a function of the request's body that gives either.
    """

    answers: list[Any]
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    in_flight: int = 0
    peak: int = 0
    hold: asyncio.Event | None = None
    """Requests wait for it before they are answered."""
    trickles: bool = False
    """Sends a blank now and then, and never an end."""

    @property
    def prompts(self) -> list[str]:
        return [body["messages"][0]["content"] for body in self.requests]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        answer = self.answers[min(len(self.requests), len(self.answers) - 1)]
        self.requests.append(body)
        self.keys.append(request.headers.get("Authorization", ""))
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            if self.trickles:
                return await self._trickle(request)
            if self.hold is not None:
                await self.hold.wait()
            return self._response(answer(body) if callable(answer) else answer)
        finally:
            self.in_flight -= 1

    async def _trickle(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    def _response(self, answer: Any) -> web.StreamResponse:
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.json_response({"choices": [{"message": {"role": "assistant", "content": answer}}]})


@pytest.fixture
async def server() -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """``await server(answer, …)`` starts one on a free port."""
    running: list[TestServer] = []

    async def start(*answers: Any) -> Server:
        made = Server(list(answers))
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", made.handle)
        test_server = TestServer(app)
        await test_server.start_server()
        running.append(test_server)
        made.url = str(test_server.make_url("/v1"))
        return made

    yield start
    for test_server in running:
        await test_server.close()


@pytest.fixture
def settings() -> Callable[..., JudgeSettings]:
    """Settings of a judge called ``judge-model`` on a server, with changes."""

    def made(url: str = "http://127.0.0.1:9/v1", **changes: Any) -> JudgeSettings:
        return JudgeSettings(**{"model": "judge-model", "base_url": url, "attempts": 2, "patience": 0.3, **changes})

    return made


@pytest.fixture
def task() -> Task:
    return Task("bench", "t1", "Which river?", "the Danube")
