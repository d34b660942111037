"""The hot path: one ChatCompletions request per turn over aiohttp, with messages serialised once.

Whose failure is whose: a reply is the model's, whatever it says; a prompt longer than the context is the model's
(``ContextOverflow``); a server that is down, refuses or answers nonsense is ours (``ServerFault``).
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from toleap.errors import ContextOverflow, ServerFault
from toleap.types import Message, Usage

_OVERFLOW = re.compile(
    r"context_length_exceeded|maximum context length|longer than the maximum model length|"
    r"context window|prompt is too long",
    re.IGNORECASE,
)
_WORTH_WAITING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_SERVERS_DOING = frozenset({"abort", "error"})
"""Finish reasons by which a server says that it, not the model, ended the reply."""
_HOPELESS = frozenset({401, 402, 403, 404, 405})


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said in one call, and what it cost."""

    message: Message
    finish_reason: str
    usage: Usage
    seconds: float


def serialise(message: Message) -> bytes:
    """One message as the bytes that go into every later request of its conversation."""
    # A copy: what orjson returns keeps the buffer it was written into, eight times as large.
    return bytes(memoryview(orjson.dumps(message)))


class Chat:
    """A client of one ChatCompletions endpoint. Use as an async context manager.

    ``patience`` is for how many seconds a server that is down or busy is waited for before it is a fault.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        call_seconds: float = 1_800.0,
        patience: float = 120.0,
        connections: int = 0,
    ) -> None:
        self.url = f"{base_url.rstrip('/')}/chat/completions"
        self.model = model
        self._head = b'{"model":' + orjson.dumps(model) + b',"messages":['
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._call_seconds = call_seconds
        self._patience = patience
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self._call_seconds, sock_connect=10)
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            ServerFault: the server failed, for longer than ``patience`` where waiting could help.
        """
        tail = orjson.dumps(dict(parameters))[1:]
        with_tools = b',"tools":' + tools if tools else b""
        end = b"," + tail if len(tail) > 1 else b"}"
        body = b"".join((self._head, b",".join(fragments), b"]", with_tools, end))
        give_up: float | None = None
        pause = 0.25
        while True:
            try:
                return await self._once(body, request_id)
            except _Busy as busy:
                # Counted from the first failure: a long generation that was cut off deserves its second try.
                give_up = give_up or time.monotonic() + self._patience
                wait = max(pause, busy.retry_after)
                if time.monotonic() + wait > give_up:
                    raise ServerFault(f"{self.url}: {busy.reason}", fatal=busy.everybody) from busy
                await asyncio.sleep(wait)
                pause = min(pause * 2, 15.0)

    async def _once(self, body: bytes, request_id: str) -> Reply:
        if self._session is None:
            raise RuntimeError("Chat is used outside its `async with` block")
        started = time.perf_counter()
        headers = {**self._headers, "X-Request-Id": request_id} if request_id else self._headers
        try:
            async with self._session.post(self.url, data=body, headers=headers) as response:
                raw = await response.read()
                if response.status != 200:
                    self._refused(response.status, raw, response.headers.get("Retry-After"))
        except TimeoutError as error:
            raise _Busy(f"no answer in {self._call_seconds:g} seconds") from error
        except aiohttp.ClientError as error:
            # A connection that cannot be made fails everybody; one that breaks may be this conversation's doing.
            nobody = isinstance(error, aiohttp.ClientConnectorError)
            raise _Busy(f"{type(error).__name__}: {error}", everybody=nobody) from error
        return _parse(raw, time.perf_counter() - started)

    def _refused(self, status: int, raw: bytes, retry_after: str | None) -> None:
        said = raw[:2_000].decode("utf-8", "replace").strip()
        if status in {400, 413, 422} and _OVERFLOW.search(said):
            raise ContextOverflow(said)
        if status in _WORTH_WAITING:
            raise _Busy(
                f"HTTP {status}: {said[:300]}", retry_after=_seconds(retry_after), everybody=status in {429, 503}
            )
        raise ServerFault(f"{self.url}: HTTP {status}: {said[:300]}", fatal=status in _HOPELESS)


class _Busy(Exception):
    """Waiting may help. ``everybody``: no conversation gets through, not only this one, so none is to blame."""

    def __init__(self, reason: str, *, retry_after: float = 0.0, everybody: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.everybody = everybody


def _parse(raw: bytes, seconds: float) -> Reply:
    try:
        answer = _loads(raw)
        choice = answer["choices"][0]
        message = choice["message"]
        if not isinstance(message, dict):
            raise TypeError("message is no object")
        if choice.get("finish_reason") in _SERVERS_DOING or choice.get("error"):
            raise ValueError("the server gave up on it")
        usage = answer.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        counted = Usage(
            int(usage.get("prompt_tokens") or 0),
            int(usage.get("completion_tokens") or 0),
            int(details.get("cached_tokens") or 0),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise _Busy(f"an answer that is no chat completion: {raw[:200]!r}") from error
    return Reply(message, str(choice.get("finish_reason") or ""), counted, seconds)


def _loads(raw: bytes) -> Any:
    """The body as JSON. A model may emit lone surrogates, which orjson refuses: they become U+FFFD."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _without_surrogates(json.loads(raw))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _seconds(retry_after: str | None) -> float:
    """``Retry-After`` in seconds: a number or an HTTP date, at most an hour."""
    if not retry_after:
        return 0.0
    try:
        return min(max(float(retry_after), 0.0), 3_600.0)
    except ValueError:
        pass
    try:
        when = email.utils.parsedate_to_datetime(retry_after).timestamp()
    except ValueError:
        return 0.0
    return min(max(when - time.time(), 0.0), 3_600.0)
