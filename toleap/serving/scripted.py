"""The scripted server: a ChatCompletions endpoint that plays a policy instead of a model.

``python -m toleap.serving.scripted --policy oracle --port 8000`` serves until it is stopped. It answers ``/health``,
``/v1/models``, ``/v1/chat/completions`` and ``/stats``, where the requests are counted; with ``--metrics`` also
``/metrics``, as vLLM does. Not covered: streaming, several choices, and anything that only a model can do (logprobs,
sampling).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import orjson
from aiohttp import web

from toleap.data import cache
from toleap.errors import UsageError
from toleap.serving.completion import BYTES_PER_TOKEN, assistant_message, completion, error_response, json_response
from toleap.serving.policies import Policy, load_policy
from toleap.serving.process import HOST, free_port
from toleap.serving.replay import NotRecorded
from toleap.serving.scripted_faults import Faults, broken, fail, spoilt
from toleap.serving.scripted_stats import Stats

_LARGEST_BODY = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a client of a scripted server meets."""

    latency_ms: float = 0.0
    """How long each answer takes."""
    faults: Faults = field(default_factory=Faults)
    context: int | None = None
    """Prompts of more tokens (bytes / 4) are refused, as a model server does."""
    metrics: bool = False
    """Whether ``/metrics`` says what is being played, as vLLM does."""


_GOOD = Conditions()


class ScriptedServer:
    """The running server; make one with ``start_scripted``. An async context manager that closes it."""

    def __init__(
        self,
        policy: Policy,
        *,
        model: str = "scripted",
        conditions: Conditions = _GOOD,
        stats_file: Path | None = None,
    ) -> None:
        self.model = model
        self.base_url = ""
        self.port = 0
        self.stats = Stats()
        self._policy = policy
        self._latency = conditions.latency_ms / 1000
        self._faults = conditions.faults
        self._matched = 0
        self._context = conditions.context
        self._metrics = conditions.metrics
        self._played: BinaryIO | None = _open_log(stats_file, self.stats) if stats_file else None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def listen(self, port: int = 0) -> None:
        """Begin to serve on ``port`` (0: any).

        Raises:
            UsageError: the port is in use.
        """
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/stats", self._stats)
        if self._metrics:
            app.router.add_get("/metrics", self._counters)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=1.0, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, free_port(port) if port else 0, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            raise UsageError(f"port {port} cannot be used ({error.strerror}): give another --port") from error
        self.port = self._runner.addresses[0][1]
        self.base_url = f"http://{HOST}:{self.port}/v1"

    async def close(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._played is not None:
            self._played.close()

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _models(self, _request: web.Request) -> web.Response:
        return json_response(
            {"object": "list", "data": [{"id": self.model, "object": "model", "owned_by": "toleap"}]}
        )

    async def _stats(self, _request: web.Request) -> web.Response:
        return json_response(self.stats.as_json())

    async def _counters(self, _request: web.Request) -> web.Response:
        return web.Response(text=self.stats.metrics())

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.stats.requests += 1
        number, request_id = self.stats.requests, request.headers.get("X-Request-Id")
        async with self.stats.alive(request_id):
            body = await request.read()
            failing = self._fails(body)
            if failing:
                self.stats.failed += 1
                self.stats.told_to_wait(request_id, self._faults.retry_after)
                if self._faults.replaces_reply:
                    return await fail(request, self._faults)
            answer = self._play(body, request_id)
            if self._latency:
                with self.stats.playing(number):
                    await asyncio.sleep(self._latency)
            if isinstance(answer, web.Response):
                return answer
            answer_body = orjson.dumps(spoilt(answer, self._faults) if failing else answer)
            if failing and self._faults.breaks_body:
                return await broken(request, answer_body, self._faults)
            return web.Response(body=answer_body, content_type="application/json")

    def _fails(self, body: bytes) -> bool:
        if self._faults.match.encode() not in body:
            return False
        self._matched += 1
        return self._faults.hit(self._matched)

    def _play(self, body: bytes, request_id: str | None) -> web.Response | dict[str, Any]:
        """The completion, or the response that refuses the request."""
        try:
            asked = orjson.loads(body)
            messages = asked["messages"]
            tools = [] if asked.get("tool_choice") == "none" else asked.get("tools") or []
        except (ValueError, TypeError, KeyError, AttributeError):
            return error_response(400, "the body must be a JSON object with messages")
        if not isinstance(messages, list) or not messages or asked.get("stream"):
            return error_response(400, "messages must be a list of at least one, and streaming is not offered")
        prompt = len(body) // BYTES_PER_TOKEN
        if self._context is not None and prompt > self._context:
            return error_response(
                400, f"This model's maximum context length is {self._context} tokens, not {prompt}."
            )
        self._count(request_id)
        try:
            reply = self._policy.reply(messages, tools)
        except NotRecorded as error:
            return error_response(404, str(error))
        return completion(self.model, assistant_message(reply, len(messages), with_calls=bool(tools)), prompt)

    def _count(self, request_id: str | None) -> None:
        if request_id is None:
            return
        self.stats.by_id[request_id] += 1
        if self._played is not None:
            self._played.write(request_id.encode("utf-8", "replace") + b"\n")


def _open_log(path: Path, stats: Stats) -> BinaryIO:
    """Open the log of played request ids for appending, its earlier lines counted."""
    try:
        if path.exists():
            stats.by_id.update(path.read_text("utf-8", "replace").splitlines())
        return path.open("ab", buffering=0)
    except OSError as error:
        raise UsageError(f"--stats-file {path}: {error.strerror}") from error


async def start_scripted(
    policy: str | Policy,
    *,
    port: int = 0,
    model: str = "scripted",
    conditions: Conditions = _GOOD,
    stats_file: Path | None = None,
    trust: bool = False,
) -> ScriptedServer:
    """Start a scripted server in this event loop; ``policy`` is one, or what ``load_policy`` takes.

    Args:
        stats_file: an append-only log of the played request ids, counted on from where it ends.

    Raises:
        UsageError: no such policy, or the port is in use.
    """
    played = load_policy(policy, trust=trust) if isinstance(policy, str) else policy
    server = ScriptedServer(played, model=model, conditions=conditions, stats_file=stats_file)
    await server.listen(port)
    return server


async def _serve(options: argparse.Namespace) -> None:
    faults = Faults.parse(options.faults) if options.faults else Faults()
    server = await start_scripted(
        options.policy,
        port=options.port,
        model=options.model,
        conditions=Conditions(options.latency_ms, faults, options.context, options.metrics),
        stats_file=options.stats_file,
        trust=options.trust,
    )
    async with server:
        if options.port_file:
            with cache.writing(options.port_file) as temporary:
                temporary.write_text(str(server.port), encoding="ascii")
        await asyncio.Event().wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="toleap.serving.scripted", description="Serve a scripted policy.")
    parser.add_argument("--policy", required=True, help="POLICY, BENCHMARK/POLICY, turns:PATH or run:PATH")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path, help="write the port here once the server answers")
    parser.add_argument("--model", default="scripted", help="the model's name")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--faults", help='what fails on purpose, e.g. {"every": 7, "kind": "reset"}')
    parser.add_argument("--context", type=int, help="refuse longer prompts, in tokens")
    parser.add_argument("--stats-file", type=Path, help="log of the played request ids")
    parser.add_argument("--metrics", action="store_true", help="offer /metrics, as vLLM does")
    parser.add_argument("--trust", action="store_true", help="let a policy of a folder that is not shipped run")
    try:
        asyncio.run(_serve(parser.parse_args(arguments)))
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
