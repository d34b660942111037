"""How tools are shown to a model, how its calls are read, and how results are handed back.

Two dialects: ``native`` (the endpoint's own ``tools`` and ``tool_calls``) and ``hermes`` (tools as JSON lines in the
system message, calls as ``<tool_call>`` blocks in the text). Whatever a model writes, what goes back into the history
is valid for the server: a call that could not be read is answered with what was wrong with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import orjson

from toleap.chat.answer import without_thoughts
from toleap.types import Message, ToolCall, ToolResult

_BLOCK = re.compile(r"<tool_call>(.*?)(</tool_call>|(?=<tool_call>)|\Z)", re.DOTALL)
_THOUGHT_FIELDS = ("reasoning_content", "reasoning")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply means: its text without calls and thoughts, its calls, and the message that is sent back."""

    text: str
    calls: tuple[ToolCall, ...]
    sent: Message


class Dialect(Protocol):
    """One way of talking about tools."""

    def request_tools(self, schemas: Sequence[Mapping[str, Any]]) -> bytes | None:
        """The request's ``tools`` field as JSON, or None where tools stand in the system message."""

    def system(self, prompt: str, schemas: Sequence[Mapping[str, Any]]) -> str:
        """The system message's text."""

    def read(self, reply: Message, *, keep_thoughts: bool, turn: int) -> Reading:
        """The calls in a reply. A call that cannot be made carries its ``problem``."""

    def hand_back(self, call: ToolCall, result: ToolResult) -> Message:
        """The message that answers a call."""


class Native:
    """The endpoint's own tool calling; blocks that its parser left in the text are read as ``hermes`` does."""

    def request_tools(self, schemas: Sequence[Mapping[str, Any]]) -> bytes | None:
        return orjson.dumps(list(schemas)) if schemas else None

    def system(self, prompt: str, schemas: Sequence[Mapping[str, Any]]) -> str:  # noqa: ARG002
        return prompt

    def read(self, reply: Message, *, keep_thoughts: bool, turn: int) -> Reading:
        content = _content(reply)
        calls = [_native_call(item, turn, n) for n, item in enumerate(_list(reply.get("tool_calls")))]
        text, blocks = _blocks(content)
        if not calls:
            calls = [_block_call(block, closed, turn, n) for n, (block, closed) in enumerate(blocks)]
        sayable = [call for call in calls if call.id]
        if not sayable:
            return Reading(text, tuple(calls), _sent(reply, content, keep_thoughts))
        sent = _sent(reply, text if blocks else content, keep_thoughts)
        sent["tool_calls"] = [_as_native(call) for call in sayable]
        return Reading(text, tuple(calls), sent)

    def hand_back(self, call: ToolCall, result: ToolResult) -> Message:
        if not call.id:
            return {"role": "user", "content": result.text}
        return {"role": "tool", "tool_call_id": call.id, "content": result.text}


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


class Hermes:
    """Tools and calls as text, for models and endpoints without tool calling of their own."""

    def request_tools(self, schemas: Sequence[Mapping[str, Any]]) -> bytes | None:  # noqa: ARG002
        return None

    def system(self, prompt: str, schemas: Sequence[Mapping[str, Any]]) -> str:
        if not schemas:
            return prompt
        return prompt + _HERMES_TOOLS.format(tools="\n".join(orjson.dumps(schema).decode() for schema in schemas))

    def read(self, reply: Message, *, keep_thoughts: bool, turn: int) -> Reading:
        content = _content(reply)
        text, blocks = _blocks(content)
        calls = tuple(_block_call(block, closed, turn, n) for n, (block, closed) in enumerate(blocks))
        return Reading(text, calls, _sent(reply, content, keep_thoughts))

    def hand_back(self, call: ToolCall, result: ToolResult) -> Message:  # noqa: ARG002
        return {"role": "user", "content": f"<tool_response>\n{result.text}\n</tool_response>"}


_DIALECTS: Mapping[str, Dialect] = {"native": Native(), "hermes": Hermes()}


def dialect_for(name: Literal["native", "hermes"]) -> Dialect:
    """The dialect of this name."""
    return _DIALECTS[name]


def _content(reply: Message) -> str:
    content = reply.get("content")
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in _list(content) if isinstance(part, dict))
    return "".join(part for part in parts if isinstance(part, str))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _sent(reply: Message, content: str, keep_thoughts: bool) -> Message:
    if not keep_thoughts:
        return {"role": "assistant", "content": without_thoughts(content).strip()}
    thoughts = {name: reply[name] for name in _THOUGHT_FIELDS if isinstance(reply.get(name), str)}
    return {"role": "assistant", "content": content, **thoughts}


def _blocks(content: str) -> tuple[str, list[tuple[str, bool]]]:
    """The text outside thoughts and ``<tool_call>`` blocks, and each block with whether it was closed."""
    visible = without_thoughts(content)
    blocks = [(match[1], match[2] == "</tool_call>") for match in _BLOCK.finditer(visible)]
    return _BLOCK.sub("", visible).strip(), blocks


def _native_call(item: Any, turn: int, n: int) -> ToolCall:
    function = item.get("function") if isinstance(item, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
        return ToolCall("", "", problem="The tool call has no function name.")
    identity = _identity(turn, n)
    name, arguments = function["name"], function.get("arguments")
    if isinstance(arguments, str):
        return _with_arguments(identity, name, arguments)
    return _checked(identity, name, {} if arguments is None else arguments)


def _identity(turn: int, n: int) -> str:
    """Our own ids: a server's may repeat within a conversation, and a resumed one must send the same bytes."""
    return f"call_{turn}_{n}"


def _block_call(block: str, closed: bool, turn: int, n: int) -> ToolCall:
    try:
        value = _strict(block)
    except ValueError as error:
        why = "it was cut off before </tool_call>" if not closed else f"it is not valid JSON ({error})"
        return ToolCall(
            "", "", problem=f"The tool call could not be read: {why}. Write it again, complete and short."
        )
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"]:
        return ToolCall("", "", problem='The tool call could not be read: write {"name": …, "arguments": {…}}.')
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        return _with_arguments(_identity(turn, n), value["name"], arguments)
    return _checked(_identity(turn, n), value["name"], arguments)


def _with_arguments(identity: str, name: str, text: str) -> ToolCall:
    try:
        return _checked(identity, name, _strict(text) if text.strip() else {})
    except ValueError as error:
        return ToolCall(identity, name, problem=f"The arguments of {name} are not valid JSON: {error}.")


def _checked(identity: str, name: str, arguments: Any) -> ToolCall:
    if not isinstance(arguments, dict):
        return ToolCall(identity, name, problem=f"The arguments of {name} must be a JSON object.")
    return ToolCall(identity, name, arguments)


def _strict(text: str) -> Any:
    """JSON without NaN, infinities or lone surrogates: only what can be sent on as JSON."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
        orjson.dumps(value)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except orjson.JSONEncodeError as error:
        raise ValueError(str(error)) from error
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _as_native(call: ToolCall) -> dict[str, Any]:
    arguments = orjson.dumps(dict(call.arguments)).decode()
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}
