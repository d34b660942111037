"""The endpoint's own tool calling: ``tools`` in the request, ``tool_calls`` in the reply, ``tool`` messages back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from toleap.chat.dialects.base import Reading
from toleap.chat.dialects.blocks import HERMES
from toleap.chat.dialects.calls import checked, cut_off, named_call, problem, with_ids
from toleap.chat.dialects.text import calls_of, content_of, find, listed, sayable, sent, without
from toleap.chat.dialects.values import Unreadable
from toleap.types import Message, ToolCall, ToolResult


class Native:
    """Blocks that the endpoint's parser left in the text are read as ``hermes`` does, and go back as native calls."""

    answers_boxed = False

    def request_tools(self, schemas: Sequence[Mapping[str, Any]]) -> bytes | None:
        return orjson.dumps(list(schemas)) if schemas else None

    def system(self, prompt: str, schemas: Sequence[Mapping[str, Any]]) -> str:  # noqa: ARG002
        return prompt

    def read(
        self, reply: Message, *, keep_thoughts: bool, turn: int, tools: Collection[str] = (), cut: bool = False
    ) -> Reading:
        content = content_of(reply)
        found = find(content, HERMES, tools)
        text = without(content, *found.thoughts, *found.places).strip()
        listed_calls = [_call(item, tools) for item in listed(reply.get("tool_calls"))]
        if listed_calls and cut:
            # Servers complete the JSON of a call that was cut off: that it parses says nothing.
            listed_calls[-1] = replace(cut_off("its end", listed_calls[-1].name), name=listed_calls[-1].name)
        calls = with_ids(listed_calls or calls_of(reply, text, found, HERMES, tools, cut=cut), turn, tools)
        named = [call for call in calls if call.id]
        said = content if keep_thoughts else without(content, *found.thoughts).strip()
        if named and found.places:
            said = without(content, *found.places).strip() if keep_thoughts else text
        elif named and not listed_calls:
            said = "".join(content[start:end] for start, end in found.thoughts) if keep_thoughts else ""
        message = sent(reply, said, keep_thoughts)
        if named:
            message["tool_calls"] = [_as_native(call) for call in named]
        return Reading(sayable(text), calls, message)

    def hand_back(self, call: ToolCall, result: ToolResult) -> Message:
        if not call.id:
            return {"role": "user", "content": sayable(result.text)}
        return {"role": "tool", "tool_call_id": call.id, "content": sayable(result.text)}


def _call(item: Any, tools: Collection[str]) -> ToolCall:
    function = item.get("function") if isinstance(item, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not name:
        return problem("it has no function name")
    try:
        return named_call(name, checked(function.get("arguments")), tools)
    except Unreadable as error:
        return problem(error)


def _as_native(call: ToolCall) -> dict[str, Any]:
    arguments = orjson.dumps(dict(call.arguments)).decode()
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}
