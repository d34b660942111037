"""Calls in the markup of another model family, which a server's parser left in the text.

Where the server runs without the right ``--tool-call-parser``, a call stays in the text, looks like a final answer
and would end the attempt on its first turn. So every dialect looks for the marks of every family around a known
tool's name. What can be read is read; what cannot is told to the model; both carry the family's name, for the
table's notes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from toleap.chat.dialects.bodies import (
    Reader,
    called_calls,
    json_calls,
    message_call,
    named_json,
    paired_calls,
    python_calls,
    server_calls,
    xml_calls,
)
from toleap.chat.dialects.calls import cut_off, problem
from toleap.types import ToolCall

_FLAGS = re.DOTALL | re.ASCII
_LONGEST_WHOLE = 100_000
_BETWEEN = re.compile(r"<\|tool_calls_section_(?:begin|end)\|>|<[｜|]tool[▁_]calls[▁_](?:begin|end)[｜|]>", _FLAGS)
"""Marks around all calls of a reply."""
_BAR = "[｜|]"


@dataclass(frozen=True, slots=True)
class Family:
    """How the models of a family write calls.

    ``around`` matches a call with its marks; its group ``body`` is what the readers are tried on, one by one. What
    ends a call may lack at the end of a reply: many servers take the last mark for the end of the text.
    """

    name: str
    around: re.Pattern[str]
    readers: tuple[Reader, ...]
    parser: str = ""
    """The server's ``--tool-call-parser`` that reads it; empty where there is none."""
    dialect: str = ""
    """Our dialect that reads it; empty where there is none."""


def _marked(opening: str, closing: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{opening})(?P<body>.*?)(?:{closing}|\Z)", _FLAGS)


def _deepseek(words: str) -> str:
    return rf"<{_BAR}{words.replace(' ', '[▁_]')}{_BAR}>"


FAMILIES: tuple[Family, ...] = (
    Family(
        "Kimi K2",
        _marked(r"<\|tool_call_begin\|>",
                r"<\|tool_call_end\|>|<\|tool_calls_section_end\|>|(?=<\|tool_call_begin\|>)"),
        (named_json,), "kimi_k2",
    ),
    Family(
        "DeepSeek V3.2",
        _marked(rf"<{_BAR}?DSML{_BAR}function_calls>", rf"</{_BAR}?DSML{_BAR}function_calls>"),
        (xml_calls,), "deepseek_v32",
    ),
    Family(
        "DeepSeek",
        _marked(_deepseek("tool call begin") + r"(?:function" + _deepseek("tool sep") + ")?",
                f"{_deepseek('tool call end')}|{_deepseek('tool calls end')}|(?={_deepseek('tool call begin')})"),
        (named_json,), "deepseek_v31", "deepseek",
    ),
    Family("MiroThinker", _marked(r"<use_mcp_tool\s*>", r"</use_mcp_tool\s*>"), (server_calls,), "", "mirothinker"),
    Family(
        "MiniMax",
        _marked(r"<minimax:tool_call\s*>", r"</minimax:tool_call\s*>"), (xml_calls, json_calls), "minimax_m2",
    ),
    Family(
        "harmony (gpt-oss)",
        re.compile(
            r"(?:<\|start\|>assistant)?(?:<\|channel\|>)?(?:commentary|analysis)?[^\S\n]{0,4}(?:<\|recipient\|>|to=)"
            r"(?P<body>[\w.-]{1,96}[^{]{0,80}?<\|message\|>.*?)(?:<\|call\|>|<\|end\|>|(?=<\|start\|>)|\Z)", _FLAGS),
        (message_call,), "openai",
    ),
    Family(
        "Mistral",
        _marked(r"\[TOOL_CALLS\]\s*", r"</s>|(?=\[TOOL_CALLS\])|\[/TOOL_CALLS\]"),
        (json_calls, named_json), "mistral",
    ),
    Family(
        "Llama",
        _marked(r"<\|python_tag\|>|<\|python_start\|>", r"<\|eom_id\|>|<\|eot_id\|>|<\|python_end\|>|<\|eot\|>"),
        (json_calls, python_calls), "llama3_json",
    ),
    Family("Command", _marked(r"<\|START_ACTION\|>", r"<\|END_ACTION\|>"), (json_calls,)),
    Family(
        "InternLM",
        _marked(r"<\|action_start\|>\s*<\|plugin\|>", r"<\|action_end\|>"), (json_calls,), "internlm",
    ),
    Family(
        "LFM2", _marked(r"<\|tool_call_start\|>", r"<\|tool_call_end\|>"), (python_calls, json_calls),
    ),
    Family(
        "Gemma",
        _marked(r"<start_function_call>|<\|tool_call>",
                r"<end_function_call>|<tool_call\|>|(?=<start_function_call>)"),
        (called_calls,), "functiongemma",
    ),
    Family("Gemma", _marked(r"```tool_code[^\S\n]*\n", r"```"), (python_calls,), "pythonic"),
    Family("Granite", _marked(r"<\|tool_call\|>", r"<\|end_of_text\|>|</\|tool_call\|>"), (json_calls,), "granite"),
    Family("Apertus", _marked(r"<\|tools_prefix\|>", r"<\|tools_suffix\|>"), (json_calls,)),
    Family("Phi-4", _marked(r"functools(?=\s*\[)", r"(?!)"), (json_calls,), "phi4_mini_json"),
    Family("Nemotron", _marked(r"<TOOLCALL>", r"</TOOLCALL>"), (json_calls,)),
    Family(
        "Qwen3-Coder",
        _marked(r"<tool_call\s*>\s*(?=<function=)", r"</tool_call\s*>|(?=<tool_call\s*>)"),
        (xml_calls,), "qwen3_coder",
    ),
    Family(
        "GLM",
        _marked(r"<tool_call\s*>(?=[^<{]{1,96}<arg_key>)", r"</tool_call\s*>|(?=<tool_call\s*>)"),
        (paired_calls,), "glm45",
    ),
    Family("MiniMax M1", _marked(r"<tool_calls\s*>", r"</tool_calls\s*>"), (json_calls,), "minimax"),
    Family("Seed", _marked(r"<seed:tool_call\s*>", r"</seed:tool_call\s*>"), (xml_calls,), "seed_oss"),
    Family(
        "Qwen and Hermes",
        _marked(r"<(?:\w+_)?tool_call\s*>", r"</(?:\w+_)?tool_call\s*>|(?=<tool_call\s*>)"),
        (json_calls, python_calls, named_json), "hermes", "hermes",
    ),
    Family(
        "invoke",
        _marked(r"<(?:\w+:)?(?:function_calls|steptml:toolcall)\s*>",
                r"</(?:\w+:)?(?:function_calls|steptml:toolcall)\s*>"),
        (xml_calls, python_calls, json_calls),
    ),
    Family(
        "invoke",
        re.compile(r"(?P<body><(?:\w+:)?invoke\s+name\s*=.*?(?:</(?:\w+:)?invoke\s*>|\Z))", _FLAGS), (xml_calls,),
    ),
    Family(
        "Qwen3-Coder",
        re.compile(r"(?P<body><function=[\w.:-]+\s*>.*?(?:</function\s*>|\Z))", _FLAGS),
        (xml_calls,), "qwen3_coder",
    ),
    Family(
        "ReAct",
        re.compile(r"^Action:[^\S\n]*(?P<body>[\w.:-]+[^\S\n]*\nAction Input:.*)\Z", _FLAGS | re.MULTILINE),
        (lambda text, tools: named_json(text.replace("\nAction Input:", "\n", 1), tools),),
    ),
)  # fmt: skip
"""Every family that is known, the more special marks first."""

_whole_json = functools.partial(json_calls, arguments=True)
_WHOLE: tuple[Family, ...] = (
    Family("pythonic", re.compile(r"(?P<body>\[\s*[\w.]+\(.*\)\s*\])", _FLAGS), (python_calls,), "pythonic"),
    Family(
        "xLAM", re.compile(r"(?P<body>(?:```\w*\s*)?\[\s*\{.*\}\s*\](?:\s*```)?)", _FLAGS), (_whole_json,), "xlam"
    ),
    Family("Llama", re.compile(r"(?P<body>\{.*\})", _FLAGS), (_whole_json,), "llama3_json"),
    Family("Kimi K2", re.compile(r"(?P<body>functions\.[\w.-]+:\d+\s*\{.*\})", _FLAGS), (named_json,), "kimi_k2"),
    Family("Python", re.compile(r"(?P<body>[\w.]+\(.*\))", _FLAGS), (python_calls,), "pythonic"),
)
"""Forms without marks, which are calls only where they are all that is said."""

_IN_BLOCKS = tuple(family for family in FAMILIES if family.name in {"Qwen3-Coder", "GLM", "MiniMax M1", "LFM2"})

BY_NAME: Mapping[str, Family] = {family.name: family for family in (*reversed(_WHOLE), *reversed(FAMILIES))}


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
        found = [match for match in family.around.finditer(text) if _names_one(match["body"], tools)]
        if found:
            calls = [
                call for match in found for call in _read(family, match, tools, cut=cut and match.end() == len(text))
            ]
            return Foreign(tuple(calls), tuple(match.span() for match in (*found, *_BETWEEN.finditer(text))))
    said = text.strip()
    for family in _WHOLE if len(said) <= _LONGEST_WHOLE else ():
        match = family.around.fullmatch(said)
        if match and not cut:
            calls = _first(family.readers, match["body"], tools)
            if calls and all(call.name in tools for call in calls):
                return Foreign(tuple(_of(family, call) for call in calls), ((0, len(text)),))
    return None


def inside(text: str, tools: Collection[str]) -> list[ToolCall]:
    """The calls in a block of ours that another family fills in its own way; none where nothing of it can be read."""
    for family in _IN_BLOCKS:
        calls = _first(family.readers, text, tools)
        if calls and all(call.name in tools for call in calls):
            return [_of(family, call) for call in calls]
    return []


def family_in(text: str, tools: Collection[str]) -> str:
    """The name of the family whose marks stand around a known tool's name in a text; empty where none do."""
    for family in FAMILIES if tools else ():
        if any(_names_one(match["body"], tools) for match in family.around.finditer(text)):
            return family.name
    return ""


def _read(family: Family, match: re.Match[str], tools: Collection[str], *, cut: bool) -> Sequence[ToolCall]:
    if cut:
        return [_of(family, cut_off("its end"))]
    calls = _first(family.readers, match["body"], tools)
    if not calls:
        return [_of(family, problem(f"it is written in the markup of {family.name} and has no one meaning"))]
    return [_of(family, call) for call in calls]


def _first(readers: Sequence[Reader], body: str, tools: Collection[str]) -> list[ToolCall]:
    return next((calls for reader in readers if (calls := reader(body, tools))), [])


def _of(family: Family, call: ToolCall) -> ToolCall:
    return replace(call, family=family.name)


def _names_one(body: str, tools: Collection[str]) -> bool:
    """Whether a tool's name stands in a text, and not only as a part of another word."""
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", body) for name in tools)
