"""Replies whose calls stand in the text: finding them, and telling them from thoughts and from an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import orjson

from toleap.chat.answer import extract_answer, is_spoken_of, is_tagged
from toleap.chat.dialects.calls import as_mended, cut_off, in_thoughts, object_call, with_ids
from toleap.chat.dialects.dialect import Reading
from toleap.chat.dialects.foreign import family_in, foreign
from toleap.chat.dialects.listed import listed_calls
from toleap.chat.dialects.parts import THOUGHT_FIELDS, content_of, thoughts_of
from toleap.types import Message, ToolCall

_NEAR = 200
_WORD = re.compile(r"[^\S\n]*(?:([\w-]+)(?![\w-])(?!\s*(?:<(?!/)|[{\[(]))|[.,;:!?)])")
_FENCE = re.compile(r"```\w*\s*")
_BARE = re.compile(r"""\{\s*["']name["']\s*:\s*["']([^"']*)["']\s*,\s*["'](?:arguments|parameters)["']\s*:""")

Span = tuple[int, int]
Take = Callable[[str, int, Collection[str]], tuple[int, Sequence[ToolCall]]]
"""From a text, the place after the opening tag of a call, and the tools' names: the call's end, and what it calls."""


class Grammar:
    """How calls stand in a text: the pattern that opens one, how it is taken, and marks around calls."""

    def __init__(self, opening: str, take: Take, marks: str = r"(?!)") -> None:
        self.take = take
        self.opening = re.compile(opening, re.IGNORECASE | re.ASCII)
        self.marks = re.compile(marks)
        self.tags = re.compile(rf"(?P<think><(?P<slash>/?)think\s*>)|{opening}", re.IGNORECASE | re.ASCII)


@dataclass(slots=True)
class Layout:
    """Where thoughts and calls stand in a text. ``hidden``: there are calls in the thoughts."""

    thoughts: list[Span]
    places: list[Span]
    calls: list[ToolCall]
    hidden: bool = False


def find(text: str, grammar: Grammar, tools: Collection[str]) -> Layout:
    """The thoughts (as ``without_thoughts`` knows them) and the calls outside them, each taken as a whole.

    A tag inside a call's strings is part of the string.
    """
    layout = Layout([], [], [])
    thinking: int | None = None
    position = 0
    while tag := grammar.tags.search(text, position):
        position = tag.end()
        if tag["slash"]:
            if thinking is None:
                layout = Layout([(0, position)], [], [], layout.hidden or bool(layout.calls))
            else:
                layout.thoughts.append((thinking, position))
            thinking = None
        elif tag["think"]:
            thinking = tag.start() if thinking is None else thinking
        elif thinking is not None:
            layout.hidden = True
        elif not is_spoken_of(text, *tag.span()) and not _is_prose(text, *tag.span(), tools):
            position, calls = grammar.take(text, position, tools)
            if is_spoken_of(text, tag.start(), position):
                continue
            layout.places.append((tag.start(), position))
            layout.calls += calls
    if thinking is not None:
        layout.thoughts.append((thinking, len(text)))
    return layout


def _is_prose(text: str, start: int, end: int, tools: Collection[str]) -> bool:
    """Whether an opening tag stands in the middle of a sentence that goes on behind it."""
    before = text[max(start - _NEAR, 0) : start].rpartition("\n")[2].strip()
    after = _WORD.match(text, end)
    return bool(before) and before[-1] != ">" and after is not None and after[1] not in tools


def without(text: str, *spans: Span) -> str:
    """The text without these parts, which do not overlap."""
    kept, position = [], 0
    for start, end in sorted(spans):
        kept.append(text[position:start])
        position = end
    return "".join([*kept, text[position:]])


def calls_of(
    reply: Message, text: str, layout: Layout, grammar: Grammar, tools: Collection[str], *, cut: bool
) -> tuple[str, list[ToolCall]]:
    """The visible text of a reply without its calls, and the calls: in blocks, as its whole text, in the markup of
    another family, or lost in its thoughts. ``text`` is the visible text without the blocks."""
    if layout.calls:
        return text, layout.calls
    bare, other = _whole(text, tools, cut=cut), foreign(text, tools, cut=cut)
    if bare is not None and (bare.problem is None or other is None) and not is_tagged(text):
        return "", [bare]
    if other is not None and (any(call.problem is None for call in other.calls) or not is_tagged(text)):
        return without(text, *other.places).strip(), list(other.calls)
    if extract_answer(text) is not None:
        return text, []
    content = content_of(reply)
    thoughts = [content[start:end] for start, end in layout.thoughts]
    thoughts += thoughts_of(reply)
    own = any(grammar.opening.search(thought) for thought in thoughts)
    family = "" if own else next((named for thought in thoughts if (named := family_in(thought, tools))), "")
    if layout.hidden or family or own:
        return text, [replace(in_thoughts(), family=family)]
    return text, []


def read_text(
    reply: Message, grammar: Grammar, *, keep_thoughts: bool, turn: int, tools: Collection[str], cut: bool
) -> Reading:
    """The reading of a reply whose calls stand in its text, and go back as they were written."""
    content = content_of(reply)
    layout = find(content, grammar, tools)
    visible = grammar.marks.sub("", without(content, *layout.thoughts, *layout.places)).strip()
    text, calls = calls_of(reply, visible, layout=layout, grammar=grammar, tools=tools, cut=cut)
    kept = content if keep_thoughts else without(content, *layout.thoughts).strip()
    if not calls and (calls := listed_calls(reply, tools, cut=cut)):
        # The server has a parser of its own. The model has to see what it called.
        kept = "\n".join(filter(None, [kept, *(_written(call) for call in calls if call.problem is None)]))
    return Reading(sayable(text), with_ids(calls, turn, tools), sent(reply, kept, keep_thoughts))


def _written(call: ToolCall) -> str:
    return orjson.dumps({"name": call.name, "arguments": dict(call.arguments)}).decode()


def sayable(text: str) -> str:
    """The text with lone surrogates, which no request can carry, as question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def sent(reply: Message, content: str, keep_thoughts: bool) -> Message:
    """The assistant's message as it goes back, with the thoughts that stand beside its text where they are kept."""
    message: Message = {"role": "assistant", "content": sayable(content)}
    if keep_thoughts:
        message |= {name: sayable(reply[name]) for name in THOUGHT_FIELDS[:2] if isinstance(reply.get(name), str)}
    return message


def _whole(text: str, tools: Collection[str], *, cut: bool) -> ToolCall | None:
    """The call that a whole text is, as JSON or as fenced JSON; None where it is no call of a known tool."""
    fence = _FENCE.match(text)
    body = text[fence.end() :].removesuffix("```") if fence else text
    start = _BARE.match(body)
    if start is None or start[1] not in tools:
        return None
    return cut_off("its end") if cut else as_mended(object_call(body, tools))
