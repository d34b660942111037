"""A request as strict servers take it: what their validation and chat templates refuse is a problem here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_FIELDS = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "reasoning", "reasoning_content"},
    "tool": {"role", "content", "tool_call_id"},
}


class Refused(ValueError):
    """Why a server would answer 400."""


def check_request(raw: bytes) -> dict[str, Any]:
    """The request's body.

    Raises:
        Refused: it is no JSON of the strict kind, or its messages break a rule.
    """
    try:
        body = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        json.dumps(body, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise Refused(f"no strict JSON: {error}") from error
    _check_messages(body["messages"])
    return dict(body)


def _check_messages(messages: Sequence[Mapping[str, Any]]) -> None:
    if [message["role"] for message in messages[:2]] not in (["system", "user"], ["user"]):
        raise Refused("it does not begin with the system's and the user's message")
    waiting: list[str] = []
    used: set[str] = set()
    for place, message in enumerate(messages):
        role = message.get("role")
        if role not in _FIELDS or message.keys() - _FIELDS[role]:
            raise Refused(f"message {place}: role {role!r} with {sorted(message)}")
        if role == "system" and place:
            raise Refused(f"message {place}: a system message that is not the first")
        _check_content(place, message)
        if role == "tool":
            if message["tool_call_id"] not in waiting:
                raise Refused(f"message {place} answers no call of the last assistant message")
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            raise Refused(f"message {place}: {waiting} are not answered yet")
        waiting = [_checked_call(place, call) for call in message.get("tool_calls", ())]
        if used.intersection(waiting) or len(set(waiting)) < len(waiting) or message.get("tool_calls") == []:
            raise Refused(f"message {place}: calls {waiting} repeat an id, or are an empty list")
        used.update(waiting)
    if waiting:
        raise Refused(f"{waiting} are never answered")
    if messages[-1]["role"] == "assistant":
        raise Refused("there is nothing to answer")


def _check_content(place: int, message: Mapping[str, Any]) -> None:
    if not isinstance(message.get("content"), str):
        raise Refused(f"message {place}: content is {type(message.get('content')).__name__}")
    for name in ("reasoning", "reasoning_content"):
        if not isinstance(message.get(name, ""), str):
            raise Refused(f"message {place}: {name} is no text")


def _checked_call(place: int, call: Any) -> str:
    if set(call) != {"id", "type", "function"} or call["type"] != "function" or not isinstance(call["id"], str):
        raise Refused(f"message {place}: a call of another shape: {call!r}")
    function = call["function"]
    if set(function) != {"name", "arguments"} or not isinstance(function["name"], str) or not function["name"]:
        raise Refused(f"message {place}: a function of another shape: {function!r}")
    arguments = json.loads(function["arguments"], object_pairs_hook=_unique, parse_constant=_no_constant)
    if not isinstance(arguments, dict):
        raise Refused(f"message {place}: arguments that are no object")
    json.dumps(arguments, ensure_ascii=False).encode("utf-8")
    return str(call["id"])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise Refused("a key is there twice")
    return dict(pairs)


def _no_constant(name: str) -> Any:
    raise Refused(f"{name} is no JSON")
