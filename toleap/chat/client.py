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
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import orjson

from toleap.chat.deadline import Deadlines
from toleap.chat.metrics import Work, metrics_url, read_work
from toleap.chat.refusals import Filtered, refused_field
from toleap.chat.reply import NoReply, Reply, parse_reply
from toleap.chat.waiting import Failed, Waiting
from toleap.chat.wire import Wire
from toleap.errors import ContextOverflow, ServerFault
from toleap.types import Message, Usage

_log = logging.getLogger(__name__)
_TIMES = 10
"""So many times the patience one conversation is turned away by a rate limit that lets others through."""
_NOTICED = 0.5
"""Seconds in which the end of a process of ours is noticed."""
_ONE_BY_ONE = 30.0
"""Seconds: while others are answered, one conversation does not wait longer than this for its next try."""


def serialise(message: Message) -> bytes:
    """One message as the bytes that go into every later request of its conversation."""
    # A copy: what orjson returns keeps the buffer it was written into, eight times as large.
    return bytes(memoryview(orjson.dumps(message)))


_TRIAL = serialise({"role": "user", "content": "Hello"})
_TRIAL_TOKENS = 1


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds an endpoint is waited for."""

    down: float = 120.0
    """While it is down or busy, before that is a fault."""
    call: float = 1_800.0
    """The longest deadline of one call; see ``chat/deadline.py``."""
    stalled: float = 60.0
    """For how long its metrics may stand still while a call is overdue."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How an endpoint wants to be asked."""

    api_key: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    """Under which other names fields of the request go; ``none`` where they are left out."""
    stream: bool = False
    connections: int = 0
    """The most at once; 0 for no limit."""


_USUAL = Patience(), Asking()


class Chat:
    """A client of one ChatCompletions endpoint. Use as an async context manager.

    ``counted`` is called with what each reply cost, whatever becomes of it. While ``ready`` is not set the server is
    being started again: it is waited for, however long that takes.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        patience: Patience = _USUAL[0],
        asking: Asking = _USUAL[1],
        counted: Callable[[Usage], None] = lambda _usage: None,
        ready: asyncio.Event | None = None,
    ) -> None:
        self.model = model
        self._wire = Wire(base_url, api_key=asking.api_key, connections=asking.connections)
        self.url = self._wire.url
        self._metrics_url = metrics_url(base_url)
        self._head = b'{"model":' + orjson.dumps(model) + b',"messages":['
        self._patience = patience.down
        self._counted = counted
        self._fields = asking.fields
        self._stream = asking.stream
        self._ready = ready
        self._deadlines = Deadlines(self._work, most=patience.call, stalled=patience.stalled)
        self._answered = float("-inf")
        """When the server last answered anybody."""
        self._told = float("-inf")
        self._trying_out = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._wire.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._deadlines.close()
        await self._wire.__aexit__(kind, error, trace)

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
            if self._ready is not None and not self._ready.is_set():
                await self._ready.wait()
                waiting = None
            try:
                return await self._once(body, request_id, self._deadlines.seconds(tokens, tries))
            except Failed as failed:
                if not self._stream and refused_field(failed.reason) == "stream" and failed.status in {400, 422}:
                    self._stream = True
                    body = self._body(fragments, parameters, tools)
                    continue
                # Counted from the first failure: a long generation that was cut off deserves its second try.
                waiting = waiting or Waiting(self._patience)
                pause = self._pause(waiting, failed)
                if not failed.status and self._ready is not None:
                    # Whoever watches the server may not have noticed yet that it died.
                    await asyncio.sleep(min(pause, _NOTICED))
                    if not self._ready.is_set():
                        continue
                if not failed.passing or self._too_long(waiting, failed, pause):
                    fatal = await self._fails_everybody(failed, parameters, tools, waiting)
                    if failed.everybody and not fatal and time.monotonic() < waiting.since + _TIMES * self._patience:
                        # Its turn comes while others have theirs.
                        await asyncio.sleep(min(pause, _ONE_BY_ONE, self._patience))
                        continue
                    refused = failed.status == 500 or (400 <= failed.status < 500 and not failed.everybody)
                    raise ServerFault(f"{self.url}: {failed.reason}", fatal=fatal, refused=refused) from failed
                self._tell(waiting, failed)
            tries += 1
            await asyncio.sleep(pause)

    def _pause(self, waiting: Waiting, failed: Failed) -> float:
        """The pause before the next try. What the server asks of one does not hold where it answers others."""
        pause = waiting.failed(failed.retry_after)
        return min(pause, _ONE_BY_ONE) if self._answered > waiting.before_last else pause

    def _too_long(self, waiting: Waiting, failed: Failed, pause: float) -> bool:
        """Whether patience ends before the next try. What turns everybody away is not down while others get in."""
        since = max(waiting.since, self._answered) if failed.everybody else waiting.since
        return time.monotonic() + pause > since + self._patience

    async def _fails_everybody(
        self, failed: Failed, parameters: Mapping[str, Any], tools: bytes | None, waiting: Waiting
    ) -> bool:
        """Whether no conversation gets through, so that the failure is none of this one's."""
        if failed.everybody and not failed.passing:
            return True
        # With a seed of no conversation: what one draws of its own may be what breaks the server.
        others = {name: 0 if name == "seed" else value for name, value in parameters.items()}
        trial = self._body([_TRIAL], {**others, "max_tokens": _TRIAL_TOKENS}, tools)
        return not await self._works_for_others(trial, waiting.before_last)

    def _body(self, fragments: Sequence[bytes], parameters: Mapping[str, Any], tools: bytes | None) -> bytes:
        named = {self._fields.get(name, name): value for name, value in parameters.items() if value is not None}
        named.pop("none", None)
        if self._stream:
            named |= {"stream": True, "stream_options": {"include_usage": True}}
        tail = orjson.dumps(named)[1:]
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
        if self._metrics_url is None:
            return None
        return await read_work(self._wire.session, self._metrics_url)

    async def _once(self, body: bytes, request_id: str, seconds: float) -> Reply:
        """One request. It is over, its connection closed, when this returns or raises."""
        started = time.perf_counter()
        headers = {"X-Request-Id": request_id} if request_id else {}
        try:
            raw = await self._wire.post(body, self._deadlines.limit(seconds), headers)
            reply = parse_reply(raw, time.perf_counter() - started)
        except Filtered as refused:
            message = {"role": "assistant", "content": "", "refusal": str(refused)}
            reply = Reply(message, "content_filter", Usage(), time.perf_counter() - started)
        except TimeoutError as error:
            reason = f"no answer in {time.perf_counter() - started:.0f} seconds"
            raise Failed(reason) from error
        except NoReply as error:
            raise Failed(str(error)) from error
        self._answered = time.monotonic()
        self._deadlines.pace.saw(reply.usage.completion, reply.seconds)
        self._counted(reply.usage)
        return reply
