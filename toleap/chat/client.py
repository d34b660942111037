"""The hot path: one ChatCompletions request per turn over aiohttp, with messages serialised once.

Whose failure is whose: a reply is the model's, whatever it says; a prompt longer than the context is the model's
(``ContextOverflow``); a server that is down, refuses or answers nonsense is ours (``ServerFault``).

A server that is down for everybody must not be held against the conversations that happened to be asked, and a
conversation that breaks the server must not stop the others. Where the failure does not say which it is, and nobody
else was answered meanwhile, one token is asked of the model in a conversation of our own, with the same parameters
and tools: a reply means that the server works.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from toleap.chat.deadline import Deadlines
from toleap.chat.metrics import Work, metrics_url, read_work
from toleap.chat.overflow import says_too_long
from toleap.chat.reply import NoReply, Reply, parse_reply
from toleap.chat.waiting import Failed, Waiting, seconds_of
from toleap.errors import ContextOverflow, ServerFault
from toleap.types import Message, Usage

_log = logging.getLogger(__name__)
_WORTH_WAITING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_EVERYBODY = frozenset({401, 402, 404, 405, 429, 503})
"""Not 403: a firewall before the server may dislike what one conversation quotes."""


def serialise(message: Message) -> bytes:
    """One message as the bytes that go into every later request of its conversation."""
    # A copy: what orjson returns keeps the buffer it was written into, eight times as large.
    return bytes(memoryview(orjson.dumps(message)))


_TRIAL = serialise({"role": "user", "content": "Hello"})


class Chat:
    """A client of one ChatCompletions endpoint. Use as an async context manager.

    ``call_seconds`` and ``stalled_seconds`` bound one call (see ``chat/deadline.py``); ``patience`` is for how many
    seconds a server that is down or busy is waited for before it is a fault. ``counted`` is called with what each
    reply cost, whatever becomes of it.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        call_seconds: float = 1_800.0,
        stalled_seconds: float = 60.0,
        patience: float = 120.0,
        connections: int = 0,
        counted: Callable[[Usage], None] = lambda _usage: None,
    ) -> None:
        self.url = f"{base_url.rstrip('/')}/chat/completions"
        self.model = model
        self._metrics_url = metrics_url(base_url)
        self._head = b'{"model":' + orjson.dumps(model) + b',"messages":['
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._patience = patience
        self._counted = counted
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._deadlines = Deadlines(self._work, most=call_seconds, stalled=stalled_seconds)
        self._answered = float("-inf")
        """When the server last answered anybody."""
        self._told = float("-inf")
        self._trying_out = asyncio.Lock()

    async def __aenter__(self) -> Self:
        # No limit on connections and none on the whole call: both are ours to set, and would otherwise be silent.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._deadlines.close()
        if self._session is not None:
            await self._session.close()

    async def ask(
        self,
        fragments: Sequence[bytes],
        parameters: Mapping[str, Any],
        *,
        tools: bytes | None = None,
        request_id: str = "",
    ) -> Reply:
        """Send a conversation and return the model's reply.

        Args:
            fragments: the messages, each through ``serialise``.
            parameters: sampling parameters and anything else that goes into the request.
            tools: the ``tools`` field as JSON, serialised once for the whole run.
            request_id: goes into ``X-Request-Id``, so that a server's log can be matched with a turn.

        Raises:
            ContextOverflow: the server says the prompt does not fit.
            ServerFault: the server failed, for longer than ``patience`` where waiting could help. It is fatal where
                no conversation gets through.
        """
        body = self._body(fragments, parameters, tools)
        tokens = parameters.get("max_tokens")
        waiting: Waiting | None = None
        tries = 1
        while True:
            try:
                return await self._once(body, request_id, self._deadlines.seconds(tokens, tries))
            except Failed as failed:
                # Counted from the first failure: a long generation that was cut off deserves its second try.
                waiting = waiting or Waiting(self._patience)
                pause = waiting.failed(failed.retry_after)
                if not failed.passing or self._too_long(waiting, failed, pause):
                    # Without its seed: what one conversation draws of it may be what breaks the server.
                    others = {name: value for name, value in parameters.items() if name != "seed"}
                    trial = self._body([_TRIAL], {**others, "max_tokens": 1}, tools)
                    fatal = failed.everybody or not await self._works_for_others(trial, waiting.before_last)
                    raise ServerFault(f"{self.url}: {failed.reason}", fatal=fatal) from failed
                self._tell(waiting, failed)
            tries += 1
            await asyncio.sleep(pause)

    def _too_long(self, waiting: Waiting, failed: Failed, pause: float) -> bool:
        """Whether patience ends before the next try. What turns everybody away is not down while others get in."""
        since = max(waiting.since, self._answered) if failed.everybody else waiting.since
        return time.monotonic() + pause > since + self._patience

    def _body(self, fragments: Sequence[bytes], parameters: Mapping[str, Any], tools: bytes | None) -> bytes:
        tail = orjson.dumps(dict(parameters))[1:]
        with_tools = b',"tools":' + tools if tools else b""
        end = b"," + tail if len(tail) > 1 else b"}"
        return b"".join((self._head, b",".join(fragments), b"]", with_tools, end))

    def _tell(self, waiting: Waiting, failed: Failed) -> None:
        """Say once that nobody is answered: a run that waits should not look like one that hangs."""
        if waiting.failures > 2 and self._answered < waiting.since and self._told <= self._answered:
            self._told = time.monotonic()
            _log.warning("%s: %s; waiting for up to %g s", self.url, failed.reason, self._patience)

    async def _works_for_others(self, trial: bytes, since: float) -> bool:
        """Whether the server has answered anybody since then, or answers a conversation of ours with one token."""
        async with self._trying_out:
            if self._answered > since:
                return True
            try:
                await self._once(trial, "", self._deadlines.seconds(1))
            except Failed:
                return False
            except ContextOverflow:
                pass
            return True

    async def _work(self) -> Work | None:
        if self._session is None or self._metrics_url is None:
            return None
        return await read_work(self._session, self._metrics_url)

    async def _once(self, body: bytes, request_id: str, seconds: float) -> Reply:
        """One request. It is over, its connection closed, when this returns or raises."""
        if self._session is None:
            raise RuntimeError("Chat is used outside its `async with` block")
        started = time.perf_counter()
        headers = {**self._headers, "X-Request-Id": request_id} if request_id else self._headers
        try:
            async with (
                self._deadlines.limit(seconds),
                self._session.post(self.url, data=body, headers=headers) as response,
            ):
                raw = await response.read()
                if response.status != 200:
                    self._refused(response.status, raw, response.headers.get("Retry-After"))
        except aiohttp.ClientConnectionError as error:
            # A connection that cannot be made fails everybody; one that breaks may be this conversation's doing.
            nobody = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            raise Failed(f"{type(error).__name__}: {error}", everybody=nobody) from error
        except aiohttp.ClientError as error:
            raise Failed(f"{type(error).__name__}: {error}") from error
        except TimeoutError as error:
            said = f"no answer in {time.perf_counter() - started:.0f} seconds"
            raise Failed(said) from error
        try:
            reply = parse_reply(raw, time.perf_counter() - started)
        except NoReply as error:
            raise Failed(str(error)) from error
        self._answered = time.monotonic()
        self._deadlines.pace.saw(reply.usage.completion, reply.seconds)
        self._counted(reply.usage)
        return reply

    def _refused(self, status: int, raw: bytes, retry_after: str | None) -> None:
        said = raw[:2_000].decode("utf-8", "replace").strip()
        if status in {400, 413, 422} and says_too_long(raw):
            raise ContextOverflow(said)
        in_one_line = " ".join(said.split())
        raise Failed(
            f"HTTP {status}: {in_one_line[:300]}",
            passing=status in _WORTH_WAITING,
            retry_after=seconds_of(retry_after),
            everybody=status in _EVERYBODY,
        )
