"""The judge's ChatCompletions endpoint: concurrency, rate, retries, structured output where the server has it."""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import orjson

from toleap.chat.dialects.parts import content_of
from toleap.chat.refusals import Filtered, refused_field
from toleap.chat.reply import NoReply, Reply, parse_reply
from toleap.chat.waiting import Failed, Waiting
from toleap.chat.wire import Wire
from toleap.config import JudgeSettings
from toleap.errors import ContextOverflow, JudgeError, UsageError
from toleap.scoring.judge.rubrics import Sampling

_ABOUT_FORMS = re.compile(
    r"response_format|json_schema|structured|schema|grammar|guided|no endpoints|not support", re.IGNORECASE
)
_HTML = re.compile(r"<(?:!doctype|html|head)\b", re.IGNORECASE)
_CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
"""Why a reply ended, where that is the limit on its length, as servers put it."""
_BETWEEN_TRIES = 0.5


class Unreadable(JudgeError):
    """The server's answer is no chat completion or holds no text: worth asking again."""


class _Refused(JudgeError):
    """The server calls the request bad: it may not know ``response_format``."""


@dataclass(frozen=True, slots=True)
class Output:
    """What the judge wrote, and whether the server held it to the schema."""

    text: str
    structured: bool
    cut: bool = False
    """It stopped at the limit on its length."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How the server wants its requests written."""

    length_field: str = "max_completion_tokens"
    stream: bool = False

    def written(self, body: Mapping[str, Any]) -> bytes:
        """A request in this form."""
        named = {self.length_field if name == "max_completion_tokens" else name: item for name, item in body.items()}
        return orjson.dumps(named | ({"stream": True} if self.stream else {}))


class Endpoint:
    """One judge server for any number of judges; an async context manager that closes it.

    Share it between the judges of a run: its limits are the server's. ``sleep`` is for tests.
    """

    def __init__(self, settings: JudgeSettings, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """No connection is made yet.

        Raises:
            UsageError: the settings name no model or no server.
        """
        if not settings.model:
            raise UsageError("no judge: name one with --set judge.model=MODEL")
        if not settings.base_url:
            raise UsageError("no judge server: name it with --set judge.base_url=http://HOST:PORT/v1")
        if not _is_address(settings.base_url):
            raise UsageError(f"judge.base_url {settings.base_url!r}: write http://HOST:PORT/v1")
        self.model: str = settings.model
        self._settings = settings
        self._places = asyncio.Semaphore(settings.max_in_flight)
        self._take_turn = _limiter(settings.requests_per_minute)
        self._sleep = sleep
        self._wire: Wire | None = None
        self._opening = asyncio.Lock()
        self._knows_schemas = True
        self._form = _Form()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; asking again opens new ones."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.__aexit__(None, None, None)

    async def rest(self, number: int) -> None:
        """A pause before the same is asked for the ``number``-th time again."""
        await self._sleep(_BETWEEN_TRIES * 2 ** min(number, 5) * random.uniform(0.5, 1.0))

    async def ask(self, prompt: str, sampling: Sampling, schema: Mapping[str, Any] | None, name: str) -> Output:
        """The judge's answer to one prompt; failures that may pass are tried again.

        Raises:
            Unreadable: the server sent no chat completion, or an empty one.
            JudgeError: the server failed to the end, or refuses the request.
        """
        body = self._body(prompt, sampling)
        if schema is not None and self._knows_schemas:
            form = {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": dict(schema)}}
            try:
                return _output(await self._patiently({**body, "response_format": form}), structured=True)
            except _Refused:
                reply = await self._patiently(body)
                # only now it is known that the schema was to blame, and not the rest of the request
                self._knows_schemas = False
                return _output(reply, structured=False)
        return _output(await self._patiently(body), structured=False)

    def _body(self, prompt: str, sampling: Sampling) -> dict[str, Any]:
        text = prompt.encode("utf-8", "replace").decode("utf-8")
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            "max_completion_tokens": self._settings.max_tokens,
        }
        optional = {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed}
        return body | {key: value for key, value in optional.items() if value is not None}

    async def _patiently(self, body: Mapping[str, Any]) -> Reply:
        """The reply to a request; what may pass is waited for as long as the settings' patience lasts."""
        waiting, paused = Waiting(self._settings.patience), 0.0
        while True:
            form = self._form
            try:
                async with self._places:
                    await self._take_turn()
                    form = self._form
                    return await self._once(form.written(body))
            except Failed as failed:
                if self._adapts(failed, form):
                    continue
                where = (
                    "the judge's server" if failed.status or not failed.everybody else "the judge cannot be reached"
                )
                # The hint behind the arrow names the agent's settings, not the judge's.
                reason = f"{where}: {failed.reason.partition(' → ')[0]}"[:300]
                if "response_format" in body and _is_about_forms(failed):
                    raise _Refused(reason) from failed
                pause = waiting.failed(failed.retry_after)
                waited = max(paused, time.monotonic() - waiting.since)
                if not failed.passing or waited + pause > self._settings.patience:
                    raise JudgeError(reason) from failed
                paused += pause
                await self._sleep(pause)

    def _adapts(self, failed: Failed, sent: _Form) -> bool:
        """Whether the refusal says how the request has to be written instead: then all are, from now on.

        What counts is the form in which this one was ``sent``: another one's refusal may have changed it since.
        """
        field = refused_field(failed.reason) if failed.status in {400, 422} else ""
        if field == "max_tokens" and sent.length_field != "max_tokens":
            self._form = replace(self._form, length_field="max_tokens")
            return True
        if field == "stream" and not sent.stream:
            self._form = replace(self._form, stream=True)
            return True
        return False

    async def _once(self, request: bytes) -> Reply:
        started = time.perf_counter()
        limit = asyncio.timeout(self._settings.seconds)
        try:
            wire = await self._opened()
            raw = await wire.post(request, limit)
            return parse_reply(raw, time.perf_counter() - started)
        except TimeoutError as error:
            raise Failed(f"the judge did not answer within {self._settings.seconds:g} s") from error
        except ValueError as error:
            if isinstance(error, NoReply):
                raise Unreadable(f"the judge's server sent no chat completion: {str(error)[:120]}") from error
            raise JudgeError(f"the judge's client: {error}"[:300]) from error
        except Filtered as refused:
            raise Unreadable(f"the judge declines: {refused}"[:300]) from refused
        except ContextOverflow as full:
            raise JudgeError(f"the judge's context is too small: {full}"[:300]) from full

    async def _opened(self) -> Wire:
        async with self._opening:
            if self._wire is None:
                key = os.environ.get(self._settings.api_key_env) or "none"
                wire = Wire(str(self._settings.base_url), api_key=key)
                await wire.__aenter__()
                self._wire = wire
            return self._wire


def _is_about_forms(failed: Failed) -> bool:
    """Whether a refusal may be due to the schema: a bad request, or any other refusal that speaks of it."""
    if failed.status in {400, 422}:
        return True
    return failed.status >= 400 and not _HTML.search(failed.reason) and bool(_ABOUT_FORMS.search(failed.reason))


def _output(reply: Reply, *, structured: bool) -> Output:
    """What a reply says.

    Raises:
        Unreadable: it says nothing.
        JudgeError: its length was not enough for anything.
    """
    text, cut = content_of(reply.message), reply.finish_reason.lower() in _CUT
    if text.strip():
        return Output(text, structured, cut)
    if cut:
        raise JudgeError("the judge's output was cut off before it said anything: raise judge.max_tokens")
    refusal = reply.message.get("refusal")
    raise Unreadable(f"the judge declines: {refusal}"[:300] if refusal else "the judge's output is empty")


def _is_address(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _limiter(per_minute: float | None) -> Callable[[], Awaitable[None]]:
    """Waits until the next request may go: evenly spaced, so that there is no burst at the start."""
    if per_minute is None:
        return _at_once
    from aiolimiter import AsyncLimiter

    return AsyncLimiter(1, 60 / per_minute).acquire


async def _at_once() -> None:
    return None
