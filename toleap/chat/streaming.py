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
        if event.get("object") == "error":
            return orjson.dumps({"error": event})
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("index", 0) == 0:
                if choice.get("error"):
                    return orjson.dumps({"error": choice["error"]})
                finish = choice.get("finish_reason") or finish
                delta = choice.get("delta") or choice.get("message")
                _add(message, calls, delta if isinstance(delta, dict) else {})
    if calls:
        message["tool_calls"] = list(calls.values())
    choice = {"index": 0, "message": message, "finish_reason": finish or "error"}
    return orjson.dumps({"choices": [choice], **whole})


def _add(message: dict[str, Any], calls: dict[Any, dict[str, Any]], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            for place, part in enumerate(value if isinstance(value, list) else [value]):
                _add_call(calls, place, part)
        elif name == "function_call" and isinstance(value, dict):
            _add_call(calls, 0, {"function": value})
        elif isinstance(value, list) and isinstance(message.get(name), list):
            message[name] = [*message[name], *value]
        elif isinstance(value, str) and name != "role":
            message[name] = (message.get(name) or "") + value
        elif value is not None and name != "role":
            message[name] = value


def _add_call(calls: dict[Any, dict[str, Any]], place: int, part: Any) -> None:
    """A part of a call: of the one with its index, else of its place. A new id and a name begin another call there:
    some servers give every call the same index."""
    function = part.get("function") if isinstance(part, dict) else None
    if not isinstance(function, dict):
        return
    index = part["index"] if isinstance(part.get("index"), int) else place
    there = [key for key in calls if key[0] == index]
    last = calls[there[-1]] if there else None
    name, given = str(function.get("name") or ""), part.get("id")
    if last is None or (name and given and last["id"] not in {None, given}):
        last = calls[index, len(there)] = {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
    last["id"] = last["id"] or given
    if name != last["function"]["name"]:
        last["function"]["name"] += name
    arguments = function.get("arguments") or ""
    last["function"]["arguments"] += arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
