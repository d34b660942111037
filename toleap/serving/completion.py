"""The bodies that a ChatCompletions endpoint sends: a completion, an error."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from toleap.types import Message

BYTES_PER_TOKEN = 4
"""The rough size of a token, where nobody counts them."""


def assistant_message(reply: Message, place: int, *, with_calls: bool) -> Message:
    """A policy's reply as an endpoint would send it: calls with an id each and their arguments as JSON text.

    Without tools in the request there are no calls. ``place`` makes the ids unique in their conversation.
    """
    message = {"content": None, **reply, "role": "assistant"}
    calls = message.pop("tool_calls", None)
    if calls and with_calls:
        message["tool_calls"] = [_call(call, f"call_{place}_{n}") for n, call in enumerate(calls)]
    elif message["content"] is None:
        message["content"] = ""
    return message


def _call(call: Mapping[str, Any], name: str) -> dict[str, Any]:
    function = call.get("function") or {}
    arguments = function.get("arguments", "{}")
    if not isinstance(arguments, str):
        arguments = orjson.dumps(arguments).decode()
    return {"id": call.get("id") or name, "type": "function", "function": {**function, "arguments": arguments}}


def completion(model: str, message: Message, prompt: int) -> dict[str, Any]:
    """A completion with one choice; ``prompt`` is the request's size in tokens.

    A message that names its ``finish_reason`` ends with that.
    """
    finish = message.pop("finish_reason", "tool_calls" if "tool_calls" in message else "stop")
    tokens = max(1, len(orjson.dumps(message)) // BYTES_PER_TOKEN)
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens},
    }


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """``value`` as a JSON response."""
    return web.Response(body=orjson.dumps(value), status=status, headers=headers, content_type="application/json")


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as ChatCompletions endpoints send it."""
    return json_response({"error": {"message": message, "type": "scripted", "code": status}}, status, headers)
