"""A reply out of a response's bytes: whatever the model said, in a shape that can be stored and sent on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import orjson

from toleap.types import Message, Usage

_MOST_TOKENS = 2**31
_MOST_LEVELS = 100
"""More than a call's arguments may have, so that they are found too deep; far fewer than can be stored."""


class NoReply(ValueError):
    """The bytes are no chat completion: a failure of the server, not of the model."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said in one call, and what it cost."""

    message: Message
    finish_reason: str
    usage: Usage
    seconds: float
    bounded: bool = False
    """Whether the room left in the context, and not a setting, said how long it could be."""


def parse_reply(raw: bytes, seconds: float) -> Reply:
    """The reply in the body of a response.

    Raises:
        NoReply: it holds none, or the server says that it gave up.
    """
    try:
        answer = _loads(raw)
        choice = _first(answer["choices"])
        message = choice["message"]
        if not isinstance(message, dict):
            raise TypeError("message is no object")
        usage = _usage(answer.get("usage"))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise NoReply(f"an answer that is no chat completion: {raw[:200]!r}") from error
    return Reply(_storable(message), _finish(choice), usage, seconds)


def _finish(choice: Any) -> str:
    """Why the reply ended. Where a provider behind the server says that a call was malformed, that is why."""
    reasons = [str(choice.get(name) or "") for name in ("finish_reason", "native_finish_reason")]
    return reasons[1] if "malformed" in reasons[1].lower() else reasons[0]


def _first(choices: Any) -> Any:
    """The choice with index 0, wherever it stands; the first one where none says."""
    named = [choice for choice in choices if isinstance(choice, dict) and choice.get("index") == 0]
    return (named or choices)[0]


def _usage(usage: Any) -> Usage:
    """The tokens that a server counted; 0 where what it says is no number of tokens."""
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Usage(*map(_tokens, (usage.get("prompt_tokens"), usage.get("completion_tokens"), cached)))


def _tokens(count: Any) -> int:
    try:
        tokens = int(count or 0)
    except (TypeError, ValueError, OverflowError):
        return 0
    return tokens if 0 <= tokens <= _MOST_TOKENS else 0


def _loads(raw: bytes) -> Any:
    """The body as JSON. Lone surrogates that a model emits, which orjson refuses, and bytes that are no UTF-8 become
    U+FFFD."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _without_surrogates(json.loads(raw.decode("utf-8", "replace")))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _storable(message: Message) -> Message:
    """The message, without what no turn can be stored with: endless nesting and integers beyond 64 bits.

    Endpoints that parse a call's arguments themselves hand on whatever JSON a model wrote.
    """
    try:
        orjson.dumps([[[message]]])  # about as deep as it lies in a turn
    except orjson.JSONEncodeError:
        return {name: _bounded(value, _MOST_LEVELS) for name, value in message.items()}
    return message


def _bounded(value: Any, levels: int) -> Any:
    if isinstance(value, dict | list) and not levels:
        return "[nested too deeply]"
    if isinstance(value, dict):
        return {key: _bounded(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_bounded(item, levels - 1) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value
