"""The judge's ChatCompletions endpoint: concurrency, rate, retries, structured output where the server has it."""

from __future__ import annotations

import asyncio
import os
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import orjson

from toleap.chat.waiting import seconds_of
from toleap.config import JudgeSettings
from toleap.errors import JudgeError, UsageError
from toleap.scoring.judge.rubrics import Sampling

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from tenacity import RetryCallState

LONGEST_WAIT = 600.0
"""Seconds: a server that asks for a longer pause is not waited for; its answers stay unscored."""
_LONGEST_PAUSE = 30.0
_TRANSIENT = frozenset({408, 409, 425, 429})


class _Transient(JudgeError):
    """A failure that may pass; ``after`` is the pause in seconds that the server asked for."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class Unreadable(JudgeError):
    """The server's answer is no chat completion or holds no text: worth asking again."""


class _Refused(JudgeError):
    """The server calls the request bad: it may not know ``response_format``."""


@dataclass(frozen=True, slots=True)
class Output:
    """What the judge wrote, and whether the server held it to the schema."""

    text: str
    structured: bool


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
        self._client: AsyncOpenAI | None = None
        self._knows_schemas = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; asking again opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

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
                return Output(await self._patiently({**body, "response_format": form}), True)
            except _Refused:
                text = await self._patiently(body)
                # only now it is known that the schema was to blame, and not the rest of the request
                self._knows_schemas = False
                return Output(text, False)
        return Output(await self._patiently(body), False)

    def _body(self, prompt: str, sampling: Sampling) -> dict[str, Any]:
        text = prompt.encode("utf-8", "replace").decode("utf-8")
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            "max_completion_tokens": self._settings.max_tokens,
        }
        optional = {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed}
        return body | {key: value for key, value in optional.items() if value is not None}

    async def _patiently(self, body: dict[str, Any]) -> str:
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        retrying = AsyncRetrying(
            sleep=self._sleep,
            stop=stop_after_attempt(self._settings.attempts),
            wait=_pause,
            retry=retry_if_exception(lambda error: isinstance(error, _Transient) and error.after <= LONGEST_WAIT),
            reraise=True,
        )
        return await retrying(self._once, body)

    async def _once(self, body: dict[str, Any]) -> str:
        import openai

        async with self._places:
            await self._take_turn()
            try:
                async with asyncio.timeout(self._settings.seconds):
                    raw = await self._opened().chat.completions.with_raw_response.create(**body)
            except (TimeoutError, openai.APITimeoutError) as error:
                raise _Transient(f"the judge did not answer within {self._settings.seconds:g} s") from error
            except openai.APIConnectionError as error:
                cause = error.__cause__ or error
                raise _Transient(f"the judge cannot be reached: {type(cause).__name__}: {cause}"[:300]) from error
            except openai.APIStatusError as error:
                raise _of_status(
                    error.status_code, error.message, error.response.headers.get("retry-after")
                ) from error
            except (openai.OpenAIError, ValueError) as error:
                raise JudgeError(f"the judge's client: {error}"[:300]) from error
        return _content(raw.content)

    def _opened(self) -> AsyncOpenAI:
        if self._client is None:
            from openai import AsyncOpenAI

            key = os.environ.get(self._settings.api_key_env) or "none"
            self._client = AsyncOpenAI(
                base_url=self._settings.base_url, api_key=key, max_retries=0, timeout=self._settings.seconds
            )
        return self._client


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


def _pause(state: RetryCallState) -> float:
    """Seconds until the next try: what the server asked for, at least a growing pause of our own."""
    from tenacity import wait_random_exponential

    error = state.outcome.exception() if state.outcome else None
    own = wait_random_exponential(multiplier=0.5, max=_LONGEST_PAUSE)(state)
    return max(own, error.after if isinstance(error, _Transient) else 0.0)


def _of_status(status: int, message: str, retry_after: str | None) -> JudgeError:
    text = f"the judge's server answered {status}: {' '.join(message.split())}"[:300]
    if status in _TRANSIENT or status >= 500:
        return _Transient(text, seconds_of(retry_after))
    return _Refused(text) if status in (400, 422) else JudgeError(text)


def _content(raw: bytes) -> str:
    """The text of a chat completion.

    Raises:
        Unreadable: it is none, or holds no text.
    """
    try:
        choice = orjson.loads(raw)["choices"][0]
        text, refusal = choice["message"].get("content"), choice["message"].get("refusal")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unreadable(f"the judge's server sent no chat completion: {raw[:80]!r}") from error
    if isinstance(text, str) and text.strip():
        return text
    raise Unreadable(f"the judge declines: {refusal}"[:300] if refusal else "the judge's output is empty")
