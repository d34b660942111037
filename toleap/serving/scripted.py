"""The scripted server: a ChatCompletions endpoint that plays a policy instead of a model.

``python -m toleap.serving.scripted --policy oracle --port 8000`` serves until it is stopped. It answers ``/health``,
``/v1/models``, ``/v1/chat/completions`` and ``/stats``, where the requests are counted. Not covered: streaming,
several choices, and anything that only a model can do (logprobs, sampling).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
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

_LARGEST_BODY = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on purpose: every ``every``-th request fails (0: none).

    It gets ``status`` with ``Retry-After: retry_after`` where that is positive; status 0 resets the connection.
    """

    every: int = 0
    status: int = 500
    retry_after: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Faults:
        """From JSON such as ``{"every": 7, "status": 429, "retry_after": 0.5}``.

        Raises:
            UsageError: it is something else.
        """
        try:
            plan = orjson.loads(text)
            return cls(int(plan["every"]), int(plan.get("status", 500)), float(plan.get("retry_after", 0)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(f'--faults {text!r}: write for example {{"every": 7, "status": 500}}') from error


@dataclass(slots=True)
class Stats:
    """What was asked. ``by_id`` counts the requests that were played, by their ``X-Request-Id``."""

    requests: int = 0
    failed: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    by_id: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """All counts, and how many ids were played more than once."""
        return {
            "requests": self.requests,
            "failed": self.failed,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "repeated": sum(count > 1 for count in self.by_id.values()),
            "by_id": dict(self.by_id),
        }


class ScriptedServer:
    """The running server; make one with ``start_scripted``. An async context manager that closes it."""

    def __init__(
        self,
        policy: Policy,
        *,
        model: str = "scripted",
        latency_ms: float = 0.0,
        faults: Faults | None = None,
        context: int | None = None,
        stats_file: Path | None = None,
    ) -> None:
        self.model = model
        self.base_url = ""
        self.port = 0
        self.stats = Stats()
        self._policy = policy
        self._latency = latency_ms / 1000
        self._faults = faults or Faults()
        self._context = context
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
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
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

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        stats = self.stats
        stats.requests += 1
        stats.in_flight += 1
        stats.peak_in_flight = max(stats.peak_in_flight, stats.in_flight)
        try:
            number = stats.requests
            body = await request.read()
            if self._faults.every and number % self._faults.every == 0:
                stats.failed += 1
                return self._fail(request)
            answer = self._play(body, request.headers.get("X-Request-Id"))
            if self._latency:
                await asyncio.sleep(self._latency)
            return answer
        finally:
            stats.in_flight -= 1

    def _fail(self, request: web.Request) -> web.Response:
        if self._faults.status == 0:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        wait = self._faults.retry_after
        headers = {"Retry-After": f"{wait:g}"} if wait > 0 else {}
        return error_response(self._faults.status, "a fault on purpose", headers)

    def _play(self, body: bytes, request_id: str | None) -> web.Response:
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
        return json_response(
            completion(self.model, assistant_message(reply, len(messages), with_calls=bool(tools)), prompt)
        )

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
    latency_ms: float = 0.0,
    faults: Faults | None = None,
    context: int | None = None,
    stats_file: Path | None = None,
    trust: bool = False,
) -> ScriptedServer:
    """Start a scripted server in this event loop; ``policy`` is one, or what ``load_policy`` takes.

    Args:
        latency_ms: how long each answer takes.
        context: refuse prompts of more tokens (bytes / 4), as a model server does.
        stats_file: an append-only log of the played request ids, counted on from where it ends.

    Raises:
        UsageError: no such policy, or the port is in use.
    """
    played = load_policy(policy, trust=trust) if isinstance(policy, str) else policy
    server = ScriptedServer(
        played, model=model, latency_ms=latency_ms, faults=faults, context=context, stats_file=stats_file
    )
    await server.listen(port)
    return server


async def _serve(options: argparse.Namespace) -> None:
    server = await start_scripted(
        options.policy,
        port=options.port,
        model=options.model,
        latency_ms=options.latency_ms,
        faults=Faults.parse(options.faults) if options.faults else None,
        context=options.context,
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
    parser.add_argument("--faults", help='what fails on purpose, e.g. {"every": 7, "status": 500}')
    parser.add_argument("--context", type=int, help="refuse longer prompts, in tokens")
    parser.add_argument("--stats-file", type=Path, help="log of the played request ids")
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
