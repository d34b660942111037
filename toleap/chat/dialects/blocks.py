"""Calls as JSON in ``<tool_call>`` blocks: the dialects ``hermes`` and ``agentcpm``."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from toleap.chat.dialects.bodies import SHOWN_AS, coded_call, trained_call
from toleap.chat.dialects.calls import cut_off, object_call
from toleap.chat.dialects.dialect import Reading, as_lines
from toleap.chat.dialects.foreign import inside
from toleap.chat.dialects.in_text import Grammar, read_text, sayable
from toleap.chat.dialects.json_values import json_end
from toleap.types import Message, ToolCall, ToolResult

_FLAGS = re.IGNORECASE | re.ASCII
_AFTER = re.compile(r"(?P<close></tool_call\s*>)|(?P<again><tool_call\s*>)|</think\s*>|\Z", _FLAGS)
_CALL_FOLLOWS = re.compile(r"\s*[{\[<\w]")
_AFTER_OR_CODE = re.compile(rf"(?P<code><code\s*>)|{_AFTER.pattern}", _FLAGS)
_CODE_END = re.compile(r"</code\s*>\s*(?:(?P<close></tool_call\s*>)|(?=<tool_call\s*>)|\Z)", _FLAGS)
_THOUGHT_END = re.compile(r"</think\s*>|\Z", _FLAGS)


def _take(text: str, start: int, tools: Collection[str], *, codes: bool = False) -> tuple[int, Sequence[ToolCall]]:
    """The block whose opening tag ends at ``start``. What its JSON's strings hold does not end it."""
    end = json_end(text, start)
    mark = _AFTER_OR_CODE.search(text, end)
    if mark and mark["code"]:
        if codes or (end > start and not text[end : mark.start()].strip()):
            position, call = _code_call(text, start, mark, tools)
            return position, [call if codes else replace(call, family="AgentCPM")]
        mark = _AFTER.search(text, end)
    assert mark is not None  # both patterns match at the text's end
    read = trained_call if codes else object_call
    body = text[start : mark.start()]
    if not mark["close"]:
        if end == start or not mark["again"] or text[end : mark.start()].strip():
            return mark.start(), [cut_off("</tool_call>")]
        # A whole call, and an opening tag where the closing one belongs. It opens a call only if one follows.
        follows = _CALL_FOLLOWS.match(text, mark.end())
        return (mark.start() if follows else mark.end()), [read(body, tools)]
    others = [] if body.lstrip().startswith("{") else inside(body, tools)
    return mark.end(), others or [read(body, tools)]


def _code_call(text: str, start: int, mark: re.Match[str], tools: Collection[str]) -> tuple[int, ToolCall]:
    end = _CODE_END.search(text, mark.end())
    if end is None or not end["close"]:
        rest = _THOUGHT_END.search(text, mark.end())
        assert rest is not None
        return end.end() if end else rest.start(), cut_off("</code> and </tool_call>")
    return end.end(), coded_call(text[start : mark.start()], text[mark.end() : end.start()], tools)


HERMES = Grammar(r"<tool_call\s*>", _take)
_AGENTCPM = Grammar(r"<tool_call\s*>", functools.partial(_take, codes=True))

_HERMES_TOOLS = """

You have these tools, one JSON schema per line:
<tools>
{tools}
</tools>
To call a tool, write a JSON object with its name and arguments between <tool_call> and </tool_call>, for example:
<tool_call>
{{"name": "search", "arguments": {{"query": ["a few words"]}}}}
</tool_call>
You may write several such blocks. Each answer comes back between <tool_response> and </tool_response>."""

_AGENTCPM_CODE = """
The code for PythonInterpreter is no argument: write it between <code> and </code>, behind the JSON in the same block:
<tool_call>
{"name": "PythonInterpreter", "arguments": {}}
<code>
print(6 * 7)
</code>
</tool_call>"""


class Hermes:
    """Tools and calls as text, for models and endpoints without tool calling of their own."""

    answers_boxed = False

    def request_tools(self, schemas: Sequence[Mapping[str, Any]]) -> bytes | None:  # noqa: ARG002
        return None

    def system(self, prompt: str, schemas: Sequence[Mapping[str, Any]]) -> str:
        return prompt + _HERMES_TOOLS.format(tools=as_lines(schemas)) if schemas else prompt

    def read(
        self, reply: Message, *, keep_thoughts: bool, turn: int, tools: Collection[str] = (), cut: bool = False
    ) -> Reading:
        return read_text(reply, HERMES, keep_thoughts=keep_thoughts, turn=turn, tools=tools, cut=cut)

    def hand_back(self, call: ToolCall, result: ToolResult) -> Message:  # noqa: ARG002
        return {"role": "user", "content": f"<tool_response>\n{sayable(result.text)}\n</tool_response>"}


class AgentCPM:
    """``hermes`` with code behind the JSON, in ``<code>``: what AgentCPM-Explore was trained on."""

    answers_boxed = False

    def request_tools(self, schemas: Sequence[Mapping[str, Any]]) -> bytes | None:  # noqa: ARG002
        return None

    def system(self, prompt: str, schemas: Sequence[Mapping[str, Any]]) -> str:
        if not schemas:
            return prompt
        descriptions = [_shown(schema) for schema in schemas]
        return (
            prompt
            + _HERMES_TOOLS.format(tools=as_lines(descriptions))
            + (_AGENTCPM_CODE if descriptions != [*schemas] else "")
        )

    def read(
        self, reply: Message, *, keep_thoughts: bool, turn: int, tools: Collection[str] = (), cut: bool = False
    ) -> Reading:
        return read_text(reply, _AGENTCPM, keep_thoughts=keep_thoughts, turn=turn, tools=tools, cut=cut)

    def hand_back(self, call: ToolCall, result: ToolResult) -> Message:  # noqa: ARG002
        return {"role": "user", "content": f"<tool_response>\n{sayable(result.text)}\n</tool_response>"}


def _shown(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool's schema; one that runs code is shown without its code, under the name that the model knows."""
    function = schema.get("function", {})
    name = SHOWN_AS.get(function.get("name", ""))
    if name is None:
        return schema
    given = function.get("parameters", {})
    properties = {key: value for key, value in given.get("properties", {}).items() if key != "code"}
    required = [key for key in given.get("required", ()) if key != "code"]
    parameters = {**given, "properties": properties, "required": required}
    return {**schema, "function": {**function, "name": name, "parameters": parameters}}
