"""A reply that came as a stream of events, as the one body that a server without streaming sends."""

from __future__ import annotations

from typing import Any

import orjson


def joined(raw: bytes) -> bytes:
    """The completion that a body of server-sent events adds up to; an error among them is the body.

    Events that are no JSON are left out; what stops in the middle is a completion without a ``finish_reason``.
    """
    message: dict[str, Any] = {"role": "assistant", "content": None}
    calls: dict[Any, dict[str, Any]] = {}
    whole: dict[str, Any] = {}
    finish: Any = None
    for line in raw.splitlines():
        name, _, data = line.partition(b":")
        if name.strip() != b"data" or data.strip() in {b"", b"[DONE]"}:
            continue
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(event, dict):
            continue
        if event.get("error"):
            return orjson.dumps({"error": event["error"]})
        if event.get("usage"):
            whole["usage"] = event["usage"]
        for choice in event.get("choices") or ():
            if isinstance(choice, dict) and choice.get("index", 0) == 0:
                finish = choice.get("finish_reason") or finish
                _add(message, calls, choice.get("delta") or choice.get("message") or {})
    if calls:
        message["tool_calls"] = list(calls.values())
    choice = {"index": 0, "message": message, "finish_reason": finish or "error"}
    return orjson.dumps({"choices": [choice], **whole})


def _add(message: dict[str, Any], calls: dict[Any, dict[str, Any]], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            for place, part in enumerate(value or ()):
                _add_call(calls, place, part)
        elif name == "function_call" and isinstance(value, dict):
            _add_call(calls, 0, {"function": value})
        elif isinstance(value, list) and isinstance(message.get(name), list):
            message[name] = [*message[name], *value]
        elif isinstance(value, str) and name != "role":
            message[name] = (message.get(name) or "") + value
        elif value is not None and name != "role":
            message[name] = value


def _add_call(calls: dict[Any, dict[str, Any]], place: int, part: dict[str, Any]) -> None:
    """A part of a call: of the one with its index, else of its place."""
    function = part.get("function") or {}
    call = calls.setdefault(
        part.get("index", place), {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
    )
    call["id"] = part.get("id") or call["id"]
    call["function"]["name"] += function.get("name") or ""
    call["function"]["arguments"] += function.get("arguments") or ""
