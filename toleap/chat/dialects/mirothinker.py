"""Calls as MiroThinker writes them: XML with a server's name, a tool's name, and the arguments as JSON."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from toleap.chat.dialects.calls import cut_off, named_call, problem
from toleap.chat.dialects.dialect import Reading, as_lines
from toleap.chat.dialects.in_text import Grammar, read_text, sayable
from toleap.chat.dialects.json_values import json_end
from toleap.types import Message, ToolCall, ToolResult

_FLAGS = re.IGNORECASE | re.ASCII
_HEAD = re.compile(
    r"\s*(?:<server_name\s*>[^<]*</server_name\s*>\s*)?"
    r"<tool_name\s*>(?P<name>[^<]*)</tool_name\s*>\s*<arguments\s*>",
    _FLAGS,
)
_END = re.compile(
    r"(?P<close>(?P<inner></arguments\s*>\s*)?</use_mcp_tool\s*>)|<use_mcp_tool\s*>|</think\s*>|\Z", _FLAGS
)

_TOOLS = """

You have these tools, one JSON schema per line; all of them are on the server "tools":
<tools>
{tools}
</tools>
To call a tool, write a block like this one, with the arguments as a JSON object:
<use_mcp_tool>
<server_name>tools</server_name>
<tool_name>search</tool_name>
<arguments>
{{"query": ["a few words"]}}
</arguments>
</use_mcp_tool>
You may write several such blocks. Each answer comes back as a message of the user."""


def _take(text: str, start: int, tools: Collection[str]) -> tuple[int, Sequence[ToolCall]]:
    """The block whose opening tag ends at ``start``."""
    head = _HEAD.match(text, start)
    name = head["name"].strip() if head else ""
    begin = head.end() if head else start
    end = _END.search(text, json_end(text, begin))
    assert end is not None  # the pattern matches at the text's end
    if not end["close"]:
        return end.start(), [cut_off("</use_mcp_tool>", name)]
    if head is None or not end["inner"]:
        wanted = "<server_name>, <tool_name> and <arguments>"
        return end.end(), [problem(f"write {wanted}, each with its closing tag and in this order")]
    return end.end(), [named_call(name, text[begin : end.start()].strip(), tools)]


_GRAMMAR = Grammar(r"<use_mcp_tool\s*>", _take)


class MiroThinker:
    """Tools on one server, calls as XML, results as plain messages of the user."""

    answers_boxed = True

    def request_tools(self, schemas: Sequence[Mapping[str, Any]]) -> bytes | None:  # noqa: ARG002
        return None

    def system(self, prompt: str, schemas: Sequence[Mapping[str, Any]]) -> str:
        return prompt + _TOOLS.format(tools=as_lines(schemas)) if schemas else prompt

    def read(
        self, reply: Message, *, keep_thoughts: bool, turn: int, tools: Collection[str] = (), cut: bool = False
    ) -> Reading:
        return read_text(reply, _GRAMMAR, keep_thoughts=keep_thoughts, turn=turn, tools=tools, cut=cut)

    def hand_back(self, call: ToolCall, result: ToolResult) -> Message:  # noqa: ARG002
        return {"role": "user", "content": sayable(result.text)}
