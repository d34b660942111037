"""The table of model families: how each writes calls, and which setting reads them.

Where a server runs without the right ``--tool-call-parser``, a call stays in the text, looks like a final answer and
would end the attempt on its first turn: ``foreign`` looks for every family's marks in every dialect.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from toleap.chat.dialects.bodies import (
    Reader,
    called_calls,
    coded_calls,
    element_call,
    json_calls,
    known_head,
    message_call,
    named_json,
    paired_calls,
    python_calls,
    server_calls,
    xml_calls,
)

_FLAGS = re.DOTALL | re.ASCII
_BAR = "[｜|]"
_NUMBERED = r"functions\.[\w-]{1,64}:\d{1,4}\s*(?:<\|tool_call_argument_begin\|>)?\s*\{"
_BEFORE_ARGS = r"(?<![\w.\]-])[\w.-]{1,64}(?:\[CALL_ID\]\w{1,40})?\[ARGS\]"


@dataclass(frozen=True, slots=True)
class Family:
    """How the models of a family write calls.

    ``around`` matches a call with its marks; its group ``body`` is what the readers are tried on, one by one. A group
    ``tool`` is the name that has to be a tool's; without one any name in the body may be. What ends a call may lack
    at the end of a reply: many servers take the last mark for the end of the text.
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
        "Kimi K2",
        re.compile(
            rf"(?P<body>{_NUMBERED}.*?)(?:<\|tool_call(?:s_section)?_end\|>|(?={_NUMBERED})|\Z)", _FLAGS),
        (named_json,), "kimi_k2",
    ),
    Family(
        "DeepSeek V3.2",
        _marked(rf"<{_BAR}?DSML{_BAR}(?:function|tool)_calls?>", rf"</{_BAR}?DSML{_BAR}(?:function|tool)_calls?>"),
        (xml_calls,), "deepseek_v32",
    ),
    Family(
        "DeepSeek V3.2",
        re.compile(rf"(?P<body><{_BAR}?DSML{_BAR}invoke\s.*?(?:</{_BAR}?DSML{_BAR}invoke>|\Z))", _FLAGS),
        (xml_calls,), "deepseek_v32",
    ),
    Family(
        "DeepSeek",
        _marked(_deepseek("tool call begin") + r"(?:function" + _deepseek("tool sep") + ")?",
                f"{_deepseek('tool call end')}|{_deepseek('tool calls end')}|(?={_deepseek('tool call begin')})"),
        readers=(named_json, xml_calls), parser="deepseek_v31 (deepseek_v3 for V3 and R1)", dialect="deepseek",
    ),
    Family(
        "MiroThinker",
        _marked(r"<use_mcp_tool\s*>", r"</use_mcp_tool\s*>"), readers=(server_calls,), dialect="mirothinker",
    ),
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
        "harmony (gpt-oss)",
        # As it reads where a server leaves out the special tokens.
        re.compile(
            r"(?:assistant)?(?:commentary|analysis)?[^\S\n]{0,4}to=(?P<body>functions\.[\w-]{1,64}"
            r"(?:\s|<\|\w{1,20}\|>|json|code|commentary|analysis){0,12}\{.*?)"
            r"(?:<\|call\|>|<\|end\|>|(?=assistant(?:commentary|analysis|final))|\Z)", _FLAGS),
        (message_call,), "openai",
    ),
    Family(
        "Mistral",
        _marked(r"\[TOOL_CALLS\]\s*", r"</s>|(?=\[TOOL_CALLS\])|\[/TOOL_CALLS\]"),
        (json_calls, named_json), "mistral",
    ),
    Family(
        "Mistral",
        re.compile(rf"(?P<body>{_BEFORE_ARGS}.*?)(?=</s>|{_BEFORE_ARGS}|\Z)", _FLAGS), (named_json,), "mistral",
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
        "FunctionGemma",
        _marked(r"<start_function_call>", r"<end_function_call>|(?=<start_function_call>)"),
        (called_calls,), "functiongemma",
    ),
    Family("Gemma 4", _marked(r"<\|tool_call>", r"<tool_call\|>|(?=<\|tool_call>)"), (called_calls,), "gemma4"),
    Family(
        "Gemma 3",
        _marked(r"```tool_code[^\S\n]*\n|<tool_code\s*>", r"```|</tool_code\s*>"),
        (python_calls, json_calls), "pythonic",
    ),
    Family(
        "Granite",
        _marked(r"<\|tool_call\|>", r"<\|end_of_text\|>|<\|?/\|?tool_call\|>|<\|end\|>"), (json_calls,), "granite",
    ),
    Family("LM Studio", _marked(r"\[TOOL_REQUEST\]", r"\[END_TOOL_REQUEST\]"), (json_calls,)),
    Family(
        "Qwen-Agent",
        _marked(r"✿FUNCTION✿:?", r"(?=✿FUNCTION✿)|✿RESULT✿|✿RETURN✿"),
        (lambda text, tools: named_json(re.sub("✿ARGS✿:?", "\n", text), tools),),
    ),
    Family(
        "Functionary",
        re.compile(r"^>>>(?P<body>[\w.-]{1,64}\n\s*\{.*?)(?=^>>>|\Z)", _FLAGS | re.MULTILINE), (named_json,),
    ),
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
    Family(
        "AgentCPM",
        _marked(r"<tool_call\s*>(?=\s*\{[^<]{0,4000}<code>)", r"</tool_call\s*>"),
        readers=(coded_calls,), dialect="agentcpm",
    ),
    Family("MiniMax M1", _marked(r"<tool_calls\s*>", r"</tool_calls\s*>"), (json_calls,), "minimax"),
    Family("Seed", _marked(r"<seed:tool_call\s*>", r"</seed:tool_call\s*>"), (xml_calls,), "seed_oss"),
    Family(
        "Qwen and Hermes",
        _marked(r"<(?:\w+_)?tool_call\s*>", r"</(?:\w+_)?tool_call\s*>|(?=<tool_call\s*>)"),
        readers=(json_calls, python_calls, named_json), parser="hermes", dialect="hermes",
    ),
    Family(
        "Qwen and Hermes",
        re.compile(r"(?P<body><tool_call\s+name\s*=.*?(?:</tool_call\s*>|\Z))", _FLAGS),
        readers=(xml_calls,), parser="hermes", dialect="hermes",
    ),
    Family("invoke", _marked(r"<tool_use\s*>", r"</tool_use\s*>"), (server_calls, json_calls, xml_calls)),
    Family(
        "invoke",
        _marked(r"<(?:\w+:)?(?:function_calls|steptml:toolcall)\s*>",
                r"</(?:\w+:)?(?:function_calls|steptml:toolcall)\s*>"),
        (xml_calls, server_calls, python_calls, json_calls),
    ),
    Family(
        "invoke",
        re.compile(r"(?P<body><(?:\w+:)?invoke\s+name\s*=.*?(?:</(?:\w+:)?invoke\s*>|\Z))", _FLAGS), (xml_calls,),
    ),
    Family(
        "elements",
        re.compile(
            r"(?P<body><(?P<tool>[A-Za-z_]\w{1,40})\s*>[^<]{0,20000}(?:<(?!/?(?P=tool)\b)[^<]{0,20000}){0,40})"
            r"</(?P=tool)\s*>", _FLAGS),
        (element_call,),
    ),
    Family(
        "Qwen3-Coder",
        re.compile(r"(?P<body><function=[\w.:-]+\s*>.*?(?:</function\s*>|\Z))", _FLAGS),
        (xml_calls,), "qwen3_coder",
    ),
    Family(
        "ReAct",
        re.compile(
            r"^Action:[^\S\n]*(?P<body>[\w.:-]+[^\S\n]*\nAction Input:.*?)(?=^Observation:|\Z)",
            _FLAGS | re.MULTILINE),
        (lambda text, tools: named_json(text.replace("\nAction Input:", "\n", 1), tools),),
    ),
    Family(
        "ReAct",
        re.compile(r"^Action:\s*(?P<body>```(?:json)?\s*[\[{].*?(?:```|\Z))", _FLAGS | re.MULTILINE), (json_calls,),
    ),
)  # fmt: skip
"""Every family that is known, the more special marks first."""

_whole_json = functools.partial(json_calls, arguments=True)
WHOLE: tuple[Family, ...] = (
    Family("pythonic", re.compile(r"(?P<body>\[\s*[\w.]+\(.*\)\s*\])", _FLAGS), (python_calls,), "pythonic"),
    Family(
        "xLAM", re.compile(r"(?P<body>(?:```\w*\s*)?\[\s*\{.*\}\s*\](?:\s*```)?)", _FLAGS), (_whole_json,), "xlam"
    ),
    Family("Llama", re.compile(r"(?P<body>```\w*\s*\{.*\}\s*```)", _FLAGS), (_whole_json,), "llama3_json"),
    Family(
        "DeepSeek",
        re.compile(r"(?P<body>(?:function)?[\w.-]{1,64}\s*(?:```json\s*\{.*\}\s*```|\{.*\}))", _FLAGS),
        readers=(
            lambda text, tools: named_json(text if known_head(text, tools) else text.removeprefix("function"), tools),
        ),
        parser="deepseek_v31 (deepseek_v3 for V3 and R1)",
        dialect="deepseek",
    ),
    Family("Llama", re.compile(r"(?P<body>\{.*\})", _FLAGS), (_whole_json,), "llama3_json"),
    Family("Kimi K2", re.compile(r"(?P<body>functions\.[\w.-]+:\d+\s*\{.*\})", _FLAGS), (named_json,), "kimi_k2"),
    Family("Python", re.compile(r"(?P<body>[\w.]+\(.*\))", _FLAGS), (python_calls,), "pythonic"),
)
"""Forms without marks, which are calls only where they are all that is said."""

IN_BLOCKS = (
    *(family for family in FAMILIES if family.name in {"Qwen3-Coder", "GLM", "MiniMax M1", "LFM2"}),
    Family("Hunyuan", re.compile(r"(?!)"), (named_json,), "hunyuan_a13b"),
)
"""Those that fill a block of ours in their own way."""

BY_NAME: Mapping[str, Family] = {
    family.name: family for family in (*reversed((*IN_BLOCKS, *WHOLE)), *reversed(FAMILIES))
}
