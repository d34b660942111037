"""What is mended, what is not, and what is never made: calls that are almost readable, cut off, or in thoughts."""

from __future__ import annotations

import json

import pytest

from toleap.chat.dialects import dialect_for

NAMES = ("native", "hermes", "agentcpm", "mirothinker", "deepseek")
TOOLS = frozenset({"search", "execute_code"})
CALL = {"query": ["x"]}
BEGIN, END = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>", "<｜tool▁call▁end｜><｜tool▁calls▁end｜>"


def written(dialect: str, arguments: str, name: str = "search") -> dict[str, object]:
    """A reply with one call in this dialect."""
    if dialect == "native":
        return {"content": None, "tool_calls": [{"id": "x", "function": {"name": name, "arguments": arguments}}]}
    xml = f"<server_name>tools</server_name>\n<tool_name>{name}</tool_name>\n<arguments>\n{arguments}\n</arguments>"
    texts = {
        "hermes": f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>',
        "agentcpm": f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>',
        "mirothinker": f"<use_mcp_tool>\n{xml}\n</use_mcp_tool>",
        "deepseek": f"{BEGIN}{name}<｜tool▁sep｜>{arguments}{END}",
    }
    return {"content": texts[dialect]}


def read(dialect: str, reply, tools=TOOLS, **kwargs):
    if isinstance(reply, str):
        reply = {"content": reply}
    return dialect_for(dialect).read(reply, **{"keep_thoughts": True, "turn": 0, "tools": tools, **kwargs})


def only(dialect: str, reply, **kwargs):
    reading = read(dialect, reply, **kwargs)
    assert len(reading.calls) == 1
    return reading.calls[0]


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ('{"query": ["x"],}', CALL),
        ('{"query": ["x",]}', CALL),
        ('{"query": ["x"}', CALL),
        ("{'query': ['x']}", CALL),
        ("{'query': ['it\\'s \"x\"']}", {"query": ['it\'s "x"']}),
        ("{'query': ['x'], 'all': True, 'most': None, 'n': 1.5}", {**CALL, "all": True, "most": None, "n": 1.5}),
        ('{"query": ["a\nb "]}', {"query": ["a\nb "]}),
        ('{"query": ["\\d+ \\\\d \\" \\n"],}', {"query": ['\\d+ \\d " \n']}),
        ('{"query": ["{[,:"],}', {"query": ["{[,:"]}),
    ],
)
def test_what_can_only_mean_one_thing_is_mended(dialect: str, arguments: str, meant: dict[str, object]) -> None:
    call = only(dialect, written(dialect, arguments))
    assert (call.name, call.arguments, call.problem) == ("search", meant, None)


@pytest.mark.parametrize(
    "text", ['{"name": "search", "arguments": {"query": ["x"]}', "{'name': 'search', 'arguments': {}}}"]
)
def test_a_missing_and_a_surplus_brace_of_a_block_are_mended(text: str) -> None:
    for dialect in ("native", "hermes", "agentcpm"):
        call = only(dialect, f"<tool_call>{text}</tool_call>")
        assert (call.name, call.problem) == ("search", None)


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('{"query": "x", "query": "y"}', "twice"),
        ('{"query": "x", "query": "y",}', "JSON|twice"),
        ('{"query": {"a": 1, "a": 1}}', "twice"),
        ('{"n": NaN}', "NaN is no JSON number"),
        ('{"n": -Infinity}', "-Infinity is no JSON number"),
        ('{"n": 1e999}', "too large"),
        ('{"n": 123456789012345678901234567890}', "64-bit"),
        ('{"query": "\\ud800"}', "surrogates"),
        ('{"query": "\\ud800",}', "surrogates|JSON"),
        ('{"query": ' + "[" * 100 + "]" * 100 + "}", "nested"),
        ('{"query": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested"),
        ('{"query": ["x', "middle of a string"),
        ('{"query": }', "JSON"),
        ('{"query": ["the "best" x"]}', "JSON"),
        ('{"query": ["x" "y"]}', "JSON"),
        ('{query: ["x"]}', "JSON"),
        ('{1: ["x"]}', "JSON"),
        ('["x",]', "JSON|object"),
        ('["x"]', "must be a JSON object"),
        ("5", "must be a JSON object"),
        ("nonsense", "JSON"),
        ('{"query": [{]}', "JSON"),
        ("{'query'}", "JSON"),
        ('{"query": ["x",,]}', "JSON"),
        ('{"query": [,"x"]}', "JSON"),
        ('{"query": [' + "'x'," * 2_000 + "]}", "JSON"),
    ],
)
def test_what_leaves_open_what_is_meant_is_a_problem_in_one_sentence(dialect: str, arguments: str, says: str) -> None:
    reading = read(dialect, written(dialect, arguments))
    problem = reading.calls[0].problem
    assert problem is not None
    assert any(word in problem for word in says.split("|")), problem
    assert len(problem) < 250
    assert "\n" not in problem


def test_arguments_of_more_than_ten_megabytes_are_a_problem() -> None:
    call = only("native", written("native", json.dumps({"query": "x" * 10_000_000})))
    assert "longer than 10000000" in str(call.problem)
    call = only(
        "agentcpm", '<tool_call>{"name": "PythonInterpreter"}<code>' + "x" * 10_000_001 + "</code></tool_call>"
    )
    assert "longer than 10000000" in str(call.problem)


def test_only_calls_of_known_tools_are_mended() -> None:
    for dialect in NAMES:
        assert only(dialect, written(dialect, '{"query": ["x"],}'), tools=()).problem
        assert only(dialect, written(dialect, '{"query": ["x"],}', "other")).problem
        assert only(dialect, written(dialect, '{"query": ["x"]}', "other")).problem is None


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize(
    "text",
    [
        '{"name": "search", "arguments": {"query": ["x"]}}',
        '```json\n{"name": "search", "arguments": {"query": ["x"]}}\n```',
        "```\n{'name': 'search', 'arguments': {'query': ['x',]}\n```",
        '<think>so</think>\n{"name": "search", "parameters": {"query": ["x"]}}',
    ],
)
def test_a_reply_that_is_nothing_but_a_call_as_json_is_one(dialect: str, text: str) -> None:
    reading = read(dialect, text)
    assert [(call.id, call.name, call.arguments) for call in reading.calls] == [("call_0_0", "search", CALL)]
    if dialect == "native":
        assert reading.sent["tool_calls"][0]["function"]["name"] == "search"
        assert "arguments" not in reading.sent["content"]
    else:
        assert reading.sent["content"] == text


@pytest.mark.parametrize("dialect", NAMES)
@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ada", "arguments": {}}',
        '{"name": "search"}',
        '<answer>{"name": "search", "arguments": {}}</answer>',
        'the answer is {"name": "search", "arguments": {}}',
        "{",
        "``````",
    ],
)
def test_json_that_is_an_answer_stays_one(dialect: str, text: str) -> None:
    reading = read(dialect, text)
    assert (reading.calls, reading.text) == ((), text)


@pytest.mark.parametrize(
    "text", ['{"name": "search", "arguments": {}} now', '```\n{"name": "search", "arguments": {}}\n``` now']
)
def test_a_call_as_json_with_more_behind_it_is_neither_made_nor_an_answer(text: str) -> None:
    for dialect in NAMES:
        assert "not valid JSON" in str(only(dialect, text).problem)


def test_json_that_stops_after_a_comma_was_cut_off() -> None:
    for dialect in ("native", "mirothinker", "deepseek"):
        assert "it stops after ','" in str(only(dialect, written(dialect, '{"query": ["x",')).problem)


CUT = {
    "native": ['<tool_call>{"name": "search", "arguments": {"query": ["x"]}}', '<tool_call>{"name": "sea'],
    "hermes": [
        '<tool_call>{"name": "search", "arguments": {"query": ["x"]}}',
        '<tool_call>{"name": "sea',
        "<tool_call>",
    ],
    "agentcpm": [
        '<tool_call>{"name": "PythonInterpreter", "arguments": {}}\n<code>\nprint(1',
        '<tool_call>{"name": "PythonInterpreter", "arguments": {}}\n<code>\nprint(1)</code>',
        '<tool_call>{"name": "PythonInterpreter", "arguments": {}}\n<code>\nprint(1)\n</tool_call>',
        '<tool_call>{"name": "PythonInterpreter", "arguments": {}}\n',
    ],
    "mirothinker": [
        "<use_mcp_tool><server_name>t</server_name><tool_name>search</tool_name><arguments>{}</arguments>",
        "<use_mcp_tool><server_name>t</server_name><tool_name>search</tool_name><arguments>{}",
        "<use_mcp_tool><server_name>t</server_na",
    ],
    "deepseek": [
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>search<｜tool▁sep｜>{}",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>search\n```json\n{}\n```",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>sea",
    ],
}


@pytest.mark.parametrize(("dialect", "text"), [(name, text) for name, texts in CUT.items() for text in texts])
@pytest.mark.parametrize("cut", [True, False])
def test_a_call_that_is_not_closed_is_never_made(dialect: str, text: str, cut: bool) -> None:
    assert "was cut off before" in str(only(dialect, text, cut=cut).problem)


@pytest.mark.parametrize("dialect", NAMES)
def test_where_the_length_limit_was_reached_a_call_without_an_end_of_its_own_is_not_made(dialect: str) -> None:
    bare = '{"name": "search", "arguments": {"query": ["x"]}}'
    assert "was cut off" in str(only(dialect, bare, cut=True).problem)
    closed = only(dialect, written(dialect, '{"query": ["x"]}'), cut=True)
    assert ("was cut off" in str(closed.problem)) == (dialect == "native")


def test_of_native_calls_only_the_last_can_have_been_cut_off() -> None:
    reply = written("native", '{"query": ["x"]}')
    reply["tool_calls"] = [*reply["tool_calls"], *reply["tool_calls"]]  # type: ignore[misc]
    reading = read("native", reply, cut=True)
    assert [call.problem is None for call in reading.calls] == [True, False]
    assert len(reading.sent["tool_calls"]) == 2


@pytest.mark.parametrize("dialect", NAMES)
def test_a_call_in_the_thoughts_is_said_to_be_there_where_nothing_else_was_said(dialect: str) -> None:
    call = written("hermes" if dialect == "native" else dialect, "{}")["content"]
    for reply in (
        {"content": f"<think>hm {call}</think>"},
        {"content": f"<think>hm {call}"},
        {"content": f"hm {call} so</think>\n"},
        {"content": None, "reasoning_content": f"hm {call}"},
        {"content": "", "reasoning": str(call)},
    ):
        assert "inside your thoughts" in str(only(dialect, reply).problem)
    for text in (f"<think>{call}</think>42", f"{call}</think><answer>42</answer>"):
        assert read(dialect, text).calls == ()
    assert (
        only(dialect, f"<think>{call}</think>{call}" if dialect != "native" else f"{call}</think>{call}").problem
        is None
    )
    assert read(dialect, "<think>hm").calls == ()
