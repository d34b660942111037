"""Calls in the markup of another model family, which a server's parser left in the text.

What can be read is read; what cannot is told to the model; both carry the family's name, for the table's notes. Marks
that an answer only speaks of are text.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from toleap.chat.answer import is_tagged
from toleap.chat.dialects.bodies import Reader, trained_names
from toleap.chat.dialects.calls import cut_off, problem
from toleap.chat.dialects.families import FAMILIES, IN_BLOCKS, WHOLE, Family
from toleap.types import ToolCall

_LONGEST_WHOLE = 100_000
_NEAR = 200
_BETWEEN = re.compile(r"<\|tool_calls_section_(?:begin|end)\|>|<[｜|]tool[▁_]calls[▁_](?:begin|end)[｜|]>", re.ASCII)
"""Marks around all calls of a reply."""
_SPOKEN = re.compile(r"(?<!`)`[^`\n]+`(?!`)|<answer\s*>(?:(?!<answer).)*?</answer", re.DOTALL | re.IGNORECASE)
"""What is only spoken of: code within a line, and what stands in an answer."""
_MEANT = re.compile(
    r"""[{\[(]\s*["'\w]+\s*[":=]|["']\s*:\s*["\[{]|<(?:\w+:|[｜|]?DSML[｜|])?(?:parameter|arg_|tool_name|arguments)"""
)
"""What a call has that was meant to be made, even where it cannot be read."""
_TURN = re.compile(
    r"\A\s*<\|start_header_id\|>assistant<\|end_header_id\|>|"
    r"(?:<\|(?:eot_id|eom_id|im_end|end_of_text|endoftext|end|eot|return|call)\|>|</s>|<end_of_turn>|"
    r"<[｜|]end[▁_]of[▁_]sentence[｜|]>)\s*\Z"
)
"""Marks of a turn that a server left around it."""
_LINES = re.compile(r"^(?=[{\[]|```(?:json|tool_call)?[^\S\n]*\n)", re.MULTILINE)
_MOST_LINES = 8


@dataclass(frozen=True, slots=True)
class Foreign:
    """Calls in another family's markup, and where they stand."""

    calls: tuple[ToolCall, ...]
    places: tuple[tuple[int, int], ...]


def foreign(text: str, tools: Collection[str], *, cut: bool = False) -> Foreign | None:
    """The calls of known tools that stand in a text in any family's markup; None where there are none.

    Args:
        cut: the reply reached its length limit: a last call without its end is never made.
    """
    if not tools or not text:
        return None
    for family in FAMILIES:
        matches = [(match, calls) for match in _marked_in(text, family, tools)
                 if (calls := _read(family, match, tools, cut=cut and match.end() == len(text)))]  # fmt: skip
        if matches:
            places = (*(match.span() for match, _ in matches), *(match.span() for match in _BETWEEN.finditer(text)))
            return Foreign(tuple(call for _, calls in matches for call in calls), places)
    return None if cut or len(text) > _LONGEST_WHOLE else _unmarked(text, tools)


def _marked_in(text: str, family: Family, tools: Collection[str]) -> list[re.Match[str]]:
    """Where a family's marks stand around a tool's name, and are not only spoken of."""
    names = {*tools, *trained_names(tools)}
    matches = [
        match
        for match in family.around.finditer(text)
        if _names_one(match.groupdict().get("tool") or match["body"], names)
    ]
    spoken = [match.span() for match in _SPOKEN.finditer(text)] if matches else []
    answered = bool(matches) and is_tagged(text)
    return [match for match in matches if not _is_spoken(match, spoken) and not (answered and _is_in_line(match))]


def _is_spoken(match: re.Match[str], spoken: Sequence[tuple[int, int]]) -> bool:
    place = bisect.bisect(spoken, (match.start(),)) - 1
    return place >= 0 and match.start() < spoken[place][1]


def _is_in_line(match: re.Match[str]) -> bool:
    """Whether there is text on both sides of a call, in its line: beside an answer it is an example then."""
    after = match.string[match.end() : match.end() + _NEAR].partition("\n")[0]
    return bool(_line_before(match) and after.strip())


def _line_before(match: re.Match[str]) -> str:
    return match.string[max(match.start() - _NEAR, 0) : match.start()].rpartition("\n")[2].strip()


def _unmarked(text: str, tools: Collection[str]) -> Foreign | None:
    """The calls that a text is without any marks, or that JSON at its end is, on lines of its own."""
    visible = _TURN.sub("", text.strip()).strip()
    starts = [match.start() for match in _LINES.finditer(visible)][-_MOST_LINES:] if not is_tagged(visible) else []
    for start in (0, *starts):
        for family in WHOLE:
            match = family.around.fullmatch(visible, start)
            calls = _first(family.readers, match["body"], tools) if match else []
            if calls and all(call.name in tools for call in calls):
                place = text.rfind(visible[start:])
                return Foreign(tuple(_of(family, call) for call in calls), ((place, len(text)),))
    return None


def inside(text: str, tools: Collection[str]) -> list[ToolCall]:
    """The calls in a block of ours that another family fills in its own way; none where nothing of it can be read."""
    for family in IN_BLOCKS:
        calls = _first(family.readers, text, tools)
        if calls and all(call.name in tools for call in calls):
            return [_of(family, call) for call in calls]
    return []


def family_in(text: str, tools: Collection[str]) -> str:
    """The name of the family whose marks stand around a known tool's name in a text; empty where none do."""
    return next((family.name for family in FAMILIES if tools and _marked_in(text, family, tools)), "")


def _read(family: Family, match: re.Match[str], tools: Collection[str], *, cut: bool) -> Sequence[ToolCall]:
    if cut:
        return [_of(family, cut_off("its end"))]
    calls = _first(family.readers, match["body"], tools)
    if not any(call.problem is None for call in calls) and not _is_meant(match, tools):
        return []
    if not calls:
        return [_of(family, problem(f"it is written in the markup of {family.name} and has no one meaning"))]
    return [_of(family, call) for call in calls]


def _is_meant(match: re.Match[str], tools: Collection[str]) -> bool:
    """Whether what cannot be read was meant as a call: marks within a line of prose are often only spoken of."""
    before = _line_before(match)
    if not before or before[-1] in ">|]":
        return True
    name = re.match(r"\s?(?:functions\.)?([\w-]+)(?=[^\s\w.,;])", match["body"])
    return bool(_MEANT.search(match["body"])) or (name is not None and name[1] in tools)


def _first(readers: Sequence[Reader], body: str, tools: Collection[str]) -> list[ToolCall]:
    return next((calls for reader in readers if (calls := reader(body, tools))), [])


def _of(family: Family, call: ToolCall) -> ToolCall:
    return replace(call, family=family.name)


def _names_one(body: str, tools: Collection[str]) -> bool:
    """Whether a tool's name stands in a text, and not only as a part of another word."""
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", body) for name in tools)
