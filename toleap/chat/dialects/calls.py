"""A call from what a model wrote: its name and its arguments, or one sentence on why it cannot be made."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from toleap.chat.dialects.json_values import CutOff, Read, Unreadable, read_json, strict
from toleap.types import CallForm, ToolCall

_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_NUMBERED = re.compile(r":\d+\Z")
IN_THOUGHTS = "The call stands inside your thoughts, where none is made: end the thoughts, then write the call."


def problem(why: object) -> ToolCall:
    """A call without a name, which only its problem is known of: a sentence's end, or the error that says it."""
    return ToolCall("", "", problem=f"The tool call could not be read: {why}.", form=_form_of(why))


def in_thoughts() -> ToolCall:
    """What stands for calls inside the thoughts."""
    return ToolCall("", "", problem=IN_THOUGHTS, form=CallForm.HIDDEN)


def cut_off(before: str, name: str = "") -> ToolCall:
    """A call that stops too early."""
    label = " ".join(name.split())[:64]
    call = f"The call of {label}" if label else "The tool call"
    text = f"{call} was cut off before {before}: write it again, complete and shorter."
    return ToolCall("", "", problem=text, form=CallForm.CUT)


def object_call(text: str, tools: Collection[str]) -> ToolCall:
    """The call in ``{"name": …, "arguments": {…}}``, without an id."""
    try:
        value, mended = read_json(text.strip(), lambda candidate: _names(candidate, tools))
    except Unreadable as error:
        return problem(error)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"]:
        return problem('write {"name": …, "arguments": {…}}')
    call = named_call(value["name"], value.get("arguments", value.get("parameters", {})), tools)
    return as_mended(call) if mended else call


def as_mended(call: ToolCall) -> ToolCall:
    """The call, counted as one that tolerant reading repaired, unless it cannot be made all the same."""
    return replace(call, form=CallForm.MENDED) if call.problem is None else call


def named_call(name: str, arguments: Any, tools: Collection[str]) -> ToolCall:
    """The call of a name with its arguments, which are an object that ``strict`` gave, or its JSON text."""
    name = known_name(name, tools)
    if name not in tools and not _NAME.fullmatch(name):
        return problem(f"{name[:80]!a} is no tool's name")
    try:
        read = _parsed(arguments, mend=name in tools) if isinstance(arguments, str) else Read(arguments)
    except Unreadable as error:
        text = f"The arguments of {name} could not be read: {error}."
        return ToolCall("", name, problem=text, form=_form_of(error))
    if not isinstance(read.value, dict):
        text = f"The arguments of {name} must be a JSON object."
        return ToolCall("", name, problem=text, form=CallForm.MALFORMED)
    call = ToolCall("", name, read.value)
    return as_mended(call) if read.mended else call


def known_name(name: str, tools: Collection[str]) -> str:
    """The tool that a name means: also with a namespace before it or a number behind it; as it is, where none is."""
    if name in tools:
        return name
    bare = _NUMBERED.sub("", name)
    last = re.split(r"[.:/]", bare)[-1]
    return next((meant for meant in (bare, last) if meant in tools), name)


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


def with_ids(calls: Iterable[ToolCall], turn: int, tools: Collection[str] = ()) -> tuple[ToolCall, ...]:
    """The calls of a turn, those with a name under our own ids, and those of no tool marked as such.

    A server's ids may repeat within a conversation, and a resumed one must send the same bytes.
    """
    return tuple(
        replace(call, id=f"call_{turn}_{n}", form=_known_form(call, tools)) if call.name else call
        for n, call in enumerate(calls)
    )


def _names(value: Any, tools: Collection[str]) -> bool:
    """Whether this is a call of a known tool, so that a mended text may be taken for one."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return False
    if known_name(value["name"], tools) not in tools:
        return False
    return isinstance(value.get("arguments", value.get("parameters", {})), dict)


def _form_of(why: object) -> CallForm:
    return CallForm.CUT if isinstance(why, CutOff) else CallForm.MALFORMED


def _known_form(call: ToolCall, tools: Collection[str]) -> CallForm:
    unknown = call.problem is None and bool(tools) and call.name not in tools
    return CallForm.UNKNOWN if unknown else call.form


def _parsed(text: str, *, mend: bool) -> Read:
    if not text.strip():
        return Read({})
    read = read_json(text, lambda value: isinstance(value, dict)) if mend else Read(strict(text))
    if isinstance(read.value, str) and read.value.lstrip().startswith("{"):
        # Encoded twice: an object in a text has one meaning.
        return Read(strict(read.value), mended=True)
    return read
