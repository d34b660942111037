"""The endpoint's own tool calling: ``tools`` in the request, ``tool_calls`` in the reply, ``tool`` messages back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from toleap.chat.dialects.blocks import HERMES
from toleap.chat.dialects.calls import with_ids
from toleap.chat.dialects.dialect import Reading
from toleap.chat.dialects.in_text import calls_of, find, sayable, sent, without
from toleap.chat.dialects.listed import listed_calls
from toleap.chat.dialects.parts import content_of
from toleap.types import CallForm, Message, ToolCall, ToolResult

_HERMES = "Qwen and Hermes"


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
        layout = find(content, HERMES, tools)
        visible = without(content, *layout.thoughts, *layout.places).strip()
        by_server = listed_calls(reply, tools, cut=cut)
        text, written = (
            (visible, [])
            if by_server
            else calls_of(reply, visible, layout=layout, grammar=HERMES, tools=tools, cut=cut)
        )
        written = [_left(call, visible, in_block=bool(layout.places)) for call in written]
        calls = with_ids(by_server or written, turn, tools)
        named = [call for call in calls if call.id]
        kept = content if keep_thoughts else without(content, *layout.thoughts).strip()
        if named and layout.places:
            kept = without(content, *layout.places).strip() if keep_thoughts else text
        elif named and not by_server:
            kept = "".join([*(content[start:end] for start, end in layout.thoughts if keep_thoughts), text])
        message = sent(reply, kept, keep_thoughts)
        if named:
            message["tool_calls"] = [_as_native(call) for call in named]
        return Reading(sayable(text), calls, message)

    def hand_back(self, call: ToolCall, result: ToolResult) -> Message:
        if not call.id:
            return {"role": "user", "content": sayable(result.text)}
        return {"role": "tool", "tool_call_id": call.id, "content": sayable(result.text)}


def _left(call: ToolCall, text: str, *, in_block: bool) -> ToolCall:
    """The call, of the family whose parser would have taken it. What no parser takes says nothing of the server."""
    if call.family or call.problem is not None or (in_block and call.form is not CallForm.PLAIN):
        return call
    return replace(call, family="Llama" if not in_block and '"parameters"' in text else _HERMES)


def _as_native(call: ToolCall) -> dict[str, Any]:
    arguments = orjson.dumps(dict(call.arguments)).decode()
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}
