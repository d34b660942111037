"""Calls that the server lists beside the text, in every shape that servers give them; and calls it only speaks of."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from toleap.chat.answer import is_tagged, swallowed_answer
from toleap.chat.dialects.calls import checked, cut_off, named_call, problem
from toleap.chat.dialects.dialect import Reading
from toleap.chat.dialects.json_values import Unreadable
from toleap.chat.dialects.parts import content_of, parts_of, thoughts_of
from toleap.types import CallForm, Message, ToolCall

_SAYS_CALLED = re.compile(r"tool|function", re.IGNORECASE)
"""In a finish reason: ``tool_calls``, ``function_call``, ``tool_use``, ``MALFORMED_FUNCTION_CALL`` and such."""
_CALL_PARTS = frozenset({"tool_use", "tool_call", "function_call", "toolUse", "functionCall"})
_OTHER_ENDS = frozenset({"length", "content_filter"})
_ARGUMENTS = ("arguments", "parameters", "input", "args")
_AN_END = 16
"""Tokens that a reply may have which says nothing: marks around empty thoughts, and its end."""
LOST = (
    "Your reply ended as the call of a tool, but no call could be read in it. If you meant to call a tool, write the "
    "call again; otherwise write your answer."
)
SILENT = "Your reply held thoughts only. Call a tool or write the final answer, after the end of your thoughts."


def listed_calls(reply: Message, tools: Collection[str], *, cut: bool) -> list[ToolCall]:
    """The calls in the reply's ``tool_calls``, in its ``function_call`` of old, or in parts of its content.

    A single object, objects under numbers, a JSON text of them, and calls without the ``function`` around name and
    arguments are what they seem to be.
    """
    parts = [part for part in parts_of(reply.get("content")) if part.get("type") in _CALL_PARTS]
    items = _items(reply.get("tool_calls")) or _items(reply.get("function_call")) or parts
    calls = [_call(item, tools) for item in items]
    if calls and cut:
        # Servers complete the JSON of a call that was cut off: that it parses says nothing.
        calls[-1] = replace(cut_off("its end", calls[-1].name), name=calls[-1].name)
    return calls


def with_missed(reading: Reading, reply: Message, finish_reason: str, generated: int = 0) -> Reading:
    """The reading, with a call that cannot be made where the server says that there is one and none can be found, or
    where the whole reply is thoughts: neither is an answer, and often the server's parser swallowed what was said.

    Args:
        generated: the tokens of the reply. Of many that left nothing at all, not even thoughts, the same is true.
    """
    if reading.calls:
        return reading
    if _SAYS_CALLED.search(finish_reason) and not is_tagged(reading.text):
        return replace(reading, calls=(ToolCall("", "", problem=LOST, form=CallForm.LOST),))
    hidden = generated > _AN_END and not (content_of(reply) or reply.get("refusal"))
    if finish_reason not in _OTHER_ENDS and (hidden or only_thoughts(reply, reading.text)):
        return replace(reading, calls=(ToolCall("", "", problem=SILENT, form=CallForm.SILENT),))
    return reading


def only_thoughts(reply: Message, text: str) -> bool:
    """Whether a reply without calls says nothing outside its thoughts, and has some. ``text`` is what it says."""
    if text.strip() or reply.get("refusal"):
        return False
    content = content_of(reply)
    return swallowed_answer(content) is None and any(thought.strip() for thought in (*thoughts_of(reply), content))


def _items(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return ()
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping) and value:
        numbered = all(key.isdecimal() for key in value)
        return list(value.values()) if numbered else [value]
    return ()


def _call(item: Any, tools: Collection[str]) -> ToolCall:
    function = item.get("function", item) if isinstance(item, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or not isinstance(name, str) or not name:
        return problem("it has no function name")
    try:
        return named_call(name, checked(next((function[key] for key in _ARGUMENTS if key in function), None)), tools)
    except Unreadable as error:
        return problem(error)
