"""Calls between DeepSeek's tokens, in both known forms.

The newer one (V3.1) has the name before the separator and bare arguments behind it; the older one (V3, R1) has the
word ``function`` before it, and behind it the name and the arguments as a fenced block. The tokens are written with
``｜`` and ``▁``; what a server turned into ``|`` and ``_`` is read as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from toleap.chat.dialects.bodies import xml_calls
from toleap.chat.dialects.calls import cut_off, named_call, problem
from toleap.chat.dialects.dialect import Reading, as_lines
from toleap.chat.dialects.in_text import Grammar, read_text, sayable
from toleap.chat.dialects.json_values import json_end
from toleap.types import Message, ToolCall, ToolResult


def _token(words: str) -> str:
    return rf"<[｜|]{words.replace(' ', '[▁_]')}[｜|]>"


_SEPARATOR = re.compile(f"{_token('tool sep')}|{_token('tool call argument begin')}")
_END = re.compile(rf"(?P<close>{_token('tool calls? end')})|{_token('tool calls? begin')}|</think\s*>|\Z")
_OLDER = re.compile(r"\s*([^\s{`<]{1,64})\s*(?=```|\{)")
_FENCE = re.compile(r"\s*```(?:json)?\s*")

_TOOLS = """

You have these tools, one JSON schema per line:
<tools>
{tools}
</tools>
To call a tool, write its name and its arguments as a JSON object like this:
<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>search<｜tool▁sep｜>{{"query": ["a few words"]}}<｜tool▁call▁end｜>\
<｜tool▁calls▁end｜>
Several calls stand one behind the other, each from <｜tool▁call▁begin｜> to <｜tool▁call▁end｜>.
Each answer comes back between <｜tool▁output▁begin｜> and <｜tool▁output▁end｜>."""


def _take(text: str, start: int, tools: Collection[str]) -> tuple[int, Sequence[ToolCall]]:
    """The call whose opening token ends at ``start``."""
    first = _END.search(text, start)
    separator = _SEPARATOR.search(text, start, first.start() if first else len(text))
    if separator is None:
        closed = first is not None and bool(first["close"])
        return (first.end(), [problem("it has no separator")]) if first and closed else (_before(first, text), [_CUT])
    name, begin = _named(text, text[start : separator.start()].strip(), separator.end())
    fence = _FENCE.match(text, begin)
    begin = fence.end() if fence else begin
    end = _END.search(text, json_end(text, begin))
    if end is None or not end["close"]:
        return _before(end, text), [cut_off(_CALL_END, name)]
    body = text[begin : end.start()].strip()
    if body.startswith("<") and (others := xml_calls(body, tools)):
        return end.end(), others
    return end.end(), [named_call(name, body.removesuffix("```") if fence else body, tools)]


def _named(text: str, before: str, after: int) -> tuple[str, int]:
    """The name, and where what follows it begins."""
    older = _OLDER.match(text, after) if before == "function" else None
    return (older[1], older.end()) if older else (before, after)


def _before(mark: re.Match[str] | None, text: str) -> int:
    return mark.start() if mark else len(text)


_CALL_END = "<｜tool▁call▁end｜>"
_CUT = cut_off(_CALL_END)
_GRAMMAR = Grammar(_token("tool call begin"), _take, marks=_token("tool calls (?:section[▁_])?(?:begin|end)"))


class DeepSeek:
    """Tools in the system message, calls and results between DeepSeek's tokens."""

    answers_boxed = False

    def request_tools(self, schemas: Sequence[Mapping[str, Any]]) -> bytes | None:  # noqa: ARG002
        return None

    def system(self, prompt: str, schemas: Sequence[Mapping[str, Any]]) -> str:
        return prompt + _TOOLS.format(tools=as_lines(schemas)) if schemas else prompt

    def read(
        self, reply: Message, *, keep_thoughts: bool, turn: int, tools: Collection[str] = (), cut: bool = False
    ) -> Reading:
        return read_text(reply, _GRAMMAR, keep_thoughts=keep_thoughts, turn=turn, tools=tools, cut=cut)

    def hand_back(self, call: ToolCall, result: ToolResult) -> Message:  # noqa: ARG002
        text = sayable(result.text)
        return {"role": "user", "content": f"<｜tool▁output▁begin｜>{text}<｜tool▁output▁end｜>"}
