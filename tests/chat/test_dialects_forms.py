"""How the dialects that stand in the text show tools, are read, and hand results back."""

from __future__ import annotations

import json

import pytest

from toleap.chat.dialects import dialect_for
from toleap.types import ToolCall, ToolResult

SCHEMAS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Does {name}.",
            "parameters": {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]},
        },
    }
    for name, argument in (("search", "query"), ("execute_code", "code"))
]
TOOLS = frozenset({"search", "execute_code"})


def read(dialect: str, text: str, tools=TOOLS, **kwargs):
    return dialect_for(dialect).read(
        {"content": text}, **{"keep_thoughts": True, "turn": 0, "tools": tools, **kwargs}
    )


def made(dialect: str, text: str, **kwargs) -> list[tuple[str, dict[str, object]]]:
    """The calls of a reply that has no problem."""
    calls = read(dialect, text, **kwargs).calls
    assert [call.problem for call in calls] == [None] * len(calls)
    return [(call.name, dict(call.arguments)) for call in calls]


@pytest.mark.parametrize(
    ("dialect", "example"),
    [
        ("hermes", "<tool_call>\n{"),
        ("agentcpm", "<tool_call>\n{"),
        ("mirothinker", "<use_mcp_tool>"),
        ("deepseek", "<｜tool▁calls▁begin｜>"),
    ],
)
def test_tools_and_how_to_call_them_stand_in_the_system_message(dialect: str, example: str) -> None:
    ours = dialect_for(dialect)
    assert ours.request_tools(SCHEMAS) is None
    assert ours.system("be good", []) == "be good"
    shown = ours.system("be good", SCHEMAS)
    assert shown.startswith("be good\n")
    assert json.dumps(SCHEMAS[0], separators=(",", ":")) in shown
    first = read(dialect, shown[shown.index(example) :]).calls[0]
    assert (first.name, first.arguments, first.problem) == ("search", {"query": ["a few words"]}, None)


def test_agentcpm_is_shown_its_interpreter_without_the_code_and_how_to_write_it() -> None:
    shown = dialect_for("agentcpm").system("be good", SCHEMAS)
    line = json.loads(shown.split("<tools>\n")[1].split("\n</tools>")[0].split("\n")[1])
    assert line["function"]["name"] == "PythonInterpreter"
    assert line["function"]["parameters"] == {"type": "object", "properties": {}, "required": []}
    assert "<code>" in shown
    assert "<code>" not in dialect_for("agentcpm").system("be good", SCHEMAS[:1])


def block(code: str) -> str:
    return f'<tool_call>\n{{"name": "PythonInterpreter", "arguments": {{}}}}\n<code>\n{code}\n</code>\n</tool_call>'


@pytest.mark.parametrize(
    "code",
    [
        "print(1)",
        "",
        "\n\n  if x:\n\ty = '</tool_call>'\n",
        "'<tool_call>' + '</code>' + '</tool_call>'",
        "re.sub('<think>.*?</think>', '', text)",
        '{"name": "search"}',
        "\\n \\ud800 £ \r\n",
    ],
)
def test_agentcpm_code_is_taken_verbatim(code: str) -> None:
    text = f"<think>hm</think>{block(code)} and {block('2')}"
    assert made("agentcpm", text) == [("execute_code", {"code": code}), ("execute_code", {"code": "2"})]
    assert read("agentcpm", text).sent["content"] == text
    assert read("agentcpm", text, keep_thoughts=False).sent["content"] == text.removeprefix("<think>hm</think>")
    assert read("agentcpm", text).text == "and"


def test_agentcpm_code_comes_as_an_argument_too_but_not_twice() -> None:
    call = '<tool_call>{"name": "%s", "arguments": {"code": "1"}}%s</tool_call>'
    assert made("agentcpm", call % ("PythonInterpreter", "")) == [("execute_code", {"code": "1"})]
    assert made("agentcpm", call % ("execute_code", "")) == [("execute_code", {"code": "1"})]
    assert "twice" in str(read("agentcpm", call % ("execute_code", "<code>2</code>")).calls[0].problem)


def test_agentcpm_code_behind_a_broken_call_is_not_run() -> None:
    text = '<tool_call>{"name": "PythonInterpreter", "arguments": {<code>1</code></tool_call>'
    assert made("agentcpm", text) == [("execute_code", {"code": "1"})], "only braces are missing"
    assert read("agentcpm", text.replace(": {<", ": <")).calls[0].problem
    assert read("agentcpm", block("'\udc80'")).calls[0].problem
    unclosed = block("1").replace("</tool_call>", "") + block("2")
    assert [call.problem is None for call in read("agentcpm", unclosed).calls] == [False, True]


def test_agentcpm_calls_a_tool_that_has_the_trained_name() -> None:
    tools = frozenset({"PythonInterpreter", "execute_code"})
    assert made("agentcpm", block("1"), tools=tools) == [("PythonInterpreter", {"code": "1"})]


@pytest.mark.parametrize("dialect", ["hermes", "agentcpm", "native"])
def test_a_closing_tag_in_a_string_does_not_end_the_call(dialect: str) -> None:
    arguments = {"query": ["</tool_call> <tool_call> <think> </think> <code>"]}
    call = f"<tool_call>{json.dumps({'name': 'search', 'arguments': arguments})}</tool_call>"
    assert made(dialect, f"{call}\n{call}") == [("search", arguments)] * 2


def mcp(name: str, arguments: str) -> str:
    return (
        f"<use_mcp_tool>\n<server_name>tools</server_name>\n<tool_name>{name}</tool_name>\n"
        f"<arguments>\n{arguments}\n</arguments>\n</use_mcp_tool>"
    )


def test_mirothinker_xml() -> None:
    searching = mcp("search", '{"query": ["</use_mcp_tool>"]}')
    text = f"so\n{searching}\n{mcp('fetch_url', '')}"
    assert made("mirothinker", text) == [("search", {"query": ["</use_mcp_tool>"]}), ("fetch_url", {})]
    assert read("mirothinker", text).text == "so"
    for broken in (text.replace("tool_name", "name"), text.replace("</arguments>", "")):
        assert "<tool_name>" in str(read("mirothinker", broken).calls[0].problem)


@pytest.mark.parametrize("plain", [False, True])
def test_deepseek_tokens_in_both_forms(plain: bool) -> None:
    newer = '<｜tool▁call▁begin｜>search<｜tool▁sep｜>{"query": ["<｜tool▁call▁end｜>"]}<｜tool▁call▁end｜>'
    older = '<｜tool▁call▁begin｜>function<｜tool▁sep｜>fetch_url\n```json\n{"url": ["```"]}\n```<｜tool▁call▁end｜>'
    text = f"so <｜tool▁calls▁begin｜>{newer}{older}\n{newer}<｜tool▁calls▁end｜>"
    end = "<｜tool▁call▁end｜>"
    if plain:
        text, end = (item.replace("｜", "|").replace("▁", "_") for item in (text, end))
    searched = ("search", {"query": [end]})
    assert made("deepseek", text) == [searched, ("fetch_url", {"url": ["```"]}), searched]
    assert read("deepseek", text).text == "so"
    assert read("deepseek", text).sent["content"] == text


def test_deepseek_without_a_separator_says_so() -> None:
    text = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>search {}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
    assert "separator" in str(read("deepseek", text).calls[0].problem)


@pytest.mark.parametrize(
    ("dialect", "content"),
    [
        ("hermes", "<tool_response>\nr\n</tool_response>"),
        ("agentcpm", "<tool_response>\nr\n</tool_response>"),
        ("mirothinker", "r"),
        ("deepseek", "<｜tool▁output▁begin｜>r<｜tool▁output▁end｜>"),
    ],
)
def test_results_come_back_as_messages_of_the_user(dialect: str, content: str) -> None:
    handed = dialect_for(dialect).hand_back(ToolCall("", ""), ToolResult.of("r"))
    assert handed == {"role": "user", "content": content}
