"""A call from what a model wrote: its name and its arguments, or one sentence on why it cannot be made."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from toleap.chat.dialects.values import Unreadable, read_json, strict
from toleap.types import ToolCall

_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
IN_THOUGHTS = "The call stands inside your thoughts, where none is made: end the thoughts, then write the call."


def problem(why: str) -> ToolCall:
    """A call without a name, which only its problem is known of."""
    return ToolCall("", "", problem=f"The tool call could not be read: {why}.")


def cut_off(before: str, name: str = "") -> ToolCall:
    """A call that stops too early."""
    call = f"The call of {name}" if name else "The tool call"
    return ToolCall("", "", problem=f"{call} was cut off before {before}: write it again, complete and shorter.")


def object_call(text: str, tools: Collection[str]) -> ToolCall:
    """The call in ``{"name": …, "arguments": {…}}``, without an id."""
    try:
        value = read_json(text.strip(), lambda found: _names(found, tools))
    except Unreadable as error:
        return problem(str(error))
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"]:
        return problem('write {"name": …, "arguments": {…}}')
    return named_call(value["name"], value.get("arguments", value.get("parameters", {})), tools)


def named_call(name: str, arguments: Any, tools: Collection[str]) -> ToolCall:
    """The call of a name with its arguments, which are an object that ``strict`` gave, or its JSON text."""
    if name not in tools and not _NAME.fullmatch(name):
        return problem(f"{name[:80]!a} is no tool's name")
    try:
        if isinstance(arguments, str):
            arguments = _parsed(arguments, mend=name in tools)
    except Unreadable as error:
        return ToolCall("", name, problem=f"The arguments of {name} could not be read: {error}.")
    if not isinstance(arguments, dict):
        return ToolCall("", name, problem=f"The arguments of {name} must be a JSON object.")
    return ToolCall("", name, arguments)


def checked(arguments: Any) -> Any:
    """Arguments that a server has parsed, as a text that is checked as every other.

    Raises:
        Unreadable: they are nested too deeply.
    """
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    try:
        return json.dumps(arguments)
    except RecursionError as error:
        raise Unreadable("it is nested too deeply") from error


def with_ids(calls: Iterable[ToolCall], turn: int) -> tuple[ToolCall, ...]:
    """The calls of a turn, those with a name under our own ids.

    A server's ids may repeat within a conversation, and a resumed one must send the same bytes.
    """
    return tuple(replace(call, id=f"call_{turn}_{n}") if call.name else call for n, call in enumerate(calls))


def _names(value: Any, tools: Collection[str]) -> bool:
    """Whether this is a call of a known tool, so that a mended text may be taken for one."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or value["name"] not in tools:
        return False
    return isinstance(value.get("arguments", value.get("parameters", {})), dict)


def _parsed(text: str, *, mend: bool) -> Any:
    if not text.strip():
        return {}
    return read_json(text, lambda value: isinstance(value, dict)) if mend else strict(text)
