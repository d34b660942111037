"""Replies whose calls stand in the text: finding them, and telling them from thoughts and from an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from toleap.chat.answer import extract_answer
from toleap.chat.dialects.base import Reading
from toleap.chat.dialects.calls import as_mended, cut_off, in_thoughts, object_call, with_ids
from toleap.types import Message, ToolCall

_THOUGHT_FIELDS = ("reasoning_content", "reasoning")
_FENCE = re.compile(r"```\w*\s*")
_BARE = re.compile(r"""\{\s*["']name["']\s*:\s*["']([^"']*)["']\s*,\s*["'](?:arguments|parameters)["']\s*:""")

Span = tuple[int, int]
Take = Callable[[str, int, Collection[str]], tuple[int, ToolCall]]
"""From a text, the place after the opening tag of a call, and the tools' names: the call's end, and the call."""


class Grammar:
    """How calls stand in a text: the pattern that opens one, how it is taken, and marks around calls."""

    def __init__(self, opening: str, take: Take, marks: str = r"(?!)") -> None:
        self.take = take
        self.opening = re.compile(opening, re.IGNORECASE | re.ASCII)
        self.marks = re.compile(marks)
        self.tags = re.compile(rf"(?P<think><(?P<slash>/?)think\s*>)|{opening}", re.IGNORECASE | re.ASCII)


@dataclass(slots=True)
class Found:
    """Where thoughts and calls stand in a text. ``hidden``: there are calls in the thoughts."""

    thoughts: list[Span]
    places: list[Span]
    calls: list[ToolCall]
    hidden: bool = False


def find(text: str, grammar: Grammar, tools: Collection[str]) -> Found:
    """The thoughts (as ``without_thoughts`` knows them) and the calls outside them, each taken as a whole.

    A tag inside a call's strings is part of the string.
    """
    found = Found([], [], [])
    thinking: int | None = None
    position = 0
    while tag := grammar.tags.search(text, position):
        position = tag.end()
        if tag["slash"]:
            if thinking is None:
                found = Found([(0, position)], [], [], found.hidden or bool(found.calls))
            else:
                found.thoughts.append((thinking, position))
            thinking = None
        elif tag["think"]:
            thinking = tag.start() if thinking is None else thinking
        elif thinking is not None:
            found.hidden = True
        else:
            position, call = grammar.take(text, position, tools)
            found.places.append((tag.start(), position))
            found.calls.append(call)
    if thinking is not None:
        found.thoughts.append((thinking, len(text)))
    return found


def without(text: str, *spans: Span) -> str:
    """The text without these parts, which do not overlap."""
    kept, position = [], 0
    for start, end in sorted(spans):
        kept.append(text[position:start])
        position = end
    return "".join([*kept, text[position:]])


def calls_of(
    reply: Message, text: str, found: Found, grammar: Grammar, tools: Collection[str], *, cut: bool
) -> list[ToolCall]:
    """The calls of a reply whose visible text is ``text``: in blocks, as its whole text, or lost in its thoughts."""
    if found.calls:
        return found.calls
    bare = _whole(text, tools, cut=cut)
    if bare is not None:
        return [bare]
    hidden = found.hidden or any(
        isinstance(reply.get(name), str) and grammar.opening.search(reply[name]) for name in _THOUGHT_FIELDS
    )
    return [in_thoughts()] if hidden and extract_answer(text) is None else []


def read_text(
    reply: Message, grammar: Grammar, *, keep_thoughts: bool, turn: int, tools: Collection[str], cut: bool
) -> Reading:
    """The reading of a reply whose calls stand in its text, and go back as they were written."""
    content = content_of(reply)
    found = find(content, grammar, tools)
    text = grammar.marks.sub("", without(content, *found.thoughts, *found.places)).strip()
    calls = calls_of(reply, text, found, grammar, tools, cut=cut)
    said = content if keep_thoughts else without(content, *found.thoughts).strip()
    return Reading(sayable(text), with_ids(calls, turn, tools), sent(reply, said, keep_thoughts))


def content_of(reply: Message) -> str:
    """The text of a reply, whatever shape its content has."""
    content = reply.get("content")
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in listed(content) if isinstance(part, dict))
    return "".join(part for part in parts if isinstance(part, str))


def listed(value: Any) -> Sequence[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else ()


def sayable(text: str) -> str:
    """The text with lone surrogates, which no request can carry, as question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def sent(reply: Message, content: str, keep_thoughts: bool) -> Message:
    """The assistant's message as it goes back, with the thoughts that stand beside its text where they are kept."""
    message: Message = {"role": "assistant", "content": sayable(content)}
    if keep_thoughts:
        message |= {name: sayable(reply[name]) for name in _THOUGHT_FIELDS if isinstance(reply.get(name), str)}
    return message


def _whole(text: str, tools: Collection[str], *, cut: bool) -> ToolCall | None:
    """The call that a whole text is, as JSON or as fenced JSON; None where it is no call of a known tool."""
    fence = _FENCE.match(text)
    body = text[fence.end() :].removesuffix("```") if fence else text
    start = _BARE.match(body)
    if start is None or start[1] not in tools:
        return None
    return cut_off("its end") if cut else as_mended(object_call(body, tools))
