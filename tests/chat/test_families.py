"""Calls in other families' markup: recognised in every dialect, read where that is certain, never made of prose."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.chat.dialects import dialect_for
from toleap.chat.dialects.dialect import Reading
from toleap.chat.dialects.families import BY_NAME, FAMILIES
from toleap.chat.dialects.foreign import foreign

DIALECTS = ("native", "hermes", "agentcpm", "mirothinker", "deepseek")
TOOLS = frozenset({"search", "fetch_url", "execute_code"})
X = ("search", {"query": ["x"]})
TEXT = ("search", {"query": "x"})
LIST = ("search", {"query": '["x"]'})
U = ("fetch_url", {"url": "u"})
ARGS = '{"query": ["x"]}'

WRITTEN: dict[str, tuple[str, list[tuple[str, Any]]]] = {
    "kimi": (
        f"<|tool_calls_section_begin|><|tool_call_begin|>functions.search:0<|tool_call_argument_begin|>{ARGS}"
        '<|tool_call_end|><|tool_call_begin|>functions.fetch_url:1<|tool_call_argument_begin|>{"url": "u"}'
        "<|tool_call_end|><|tool_calls_section_end|>",
        [X, U],
    ),
    "kimi, without its end": (f"<|tool_call_begin|>functions.search:0<|tool_call_argument_begin|>{ARGS}", [X]),
    "kimi, without its marks": (f"functions.search:0{ARGS}", [X]),
    "deepseek v3": (
        f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>search\n```json\n{ARGS}\n```"
        "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        [X],
    ),
    "deepseek v3.1": (f"<｜tool▁call▁begin｜>search<｜tool▁sep｜>{ARGS}<｜tool▁call▁end｜>", [X]),
    "deepseek, other bars": (f"<|tool_call_begin|>search<|tool_sep|>{ARGS}<|tool_call_end|>", [X]),
    "deepseek v3.2": (
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="search">\n'
        '<｜DSML｜parameter name="query" string="false">["x"]'
        "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
        [X],
    ),
    "deepseek v3.2, a text": (
        '<｜DSML｜function_calls><｜DSML｜invoke name="fetch_url"><｜DSML｜parameter name="url" string="true">u'
        "</｜DSML｜parameter></｜DSML｜invoke></｜DSML｜function_calls>",
        [U],
    ),
    "mistral": (f'[TOOL_CALLS][{{"name": "search", "arguments": {ARGS}}}]', [X]),
    "mistral v11": (f"[TOOL_CALLS]search[ARGS]{ARGS}", [X]),
    "mistral v13": (f'[TOOL_CALLS]search{ARGS}[TOOL_CALLS]fetch_url{{"url": "u"}}</s>', [X, U]),
    "llama 3.1": (f'<|python_tag|>{{"name": "search", "parameters": {ARGS}}}<|eom_id|>', [X]),
    "llama 3, bare": (f'{{"type": "function", "name": "search", "parameters": {ARGS}}}', [X]),
    "llama 3, two": (
        f'{{"name": "search", "parameters": {ARGS}}}; {{"name": "fetch_url", "parameters": {{"url": "u"}}}}', [X, U],
    ),
    "llama 3, a function": (f"<function=search>{ARGS}</function>", [X]),
    "llama 4": ('<|python_start|>[search(query=["x"])]<|python_end|>', [X]),
    "pythonic": ('[search(query=["x"]), fetch_url(url="u")]', [X, U]),
    "pythonic, one": ("search(query=['x'])", [X]),
    "mirothinker": (
        "<use_mcp_tool>\n<server_name>t</server_name>\n<tool_name>search</tool_name>\n"
        f"<arguments>\n{ARGS}\n</arguments>\n</use_mcp_tool>",
        [X],
    ),
    "minimax m2": (
        '<minimax:tool_call>\n<invoke name="search">\n<parameter name="query">["x"]</parameter>\n</invoke>\n'
        "</minimax:tool_call>",
        [LIST],
    ),
    "minimax m1": (
        f'<tool_calls>\n{{"name": "search", "arguments": {ARGS}}}\n'
        '{"name": "fetch_url", "arguments": {"url": "u"}}\n</tool_calls>',
        [X, U],
    ),
    "harmony": (f"<|channel|>commentary to=functions.search <|constrain|>json<|message|>{ARGS}<|call|>", [X]),
    "harmony, recipient first": (
        f"<|start|>assistant to=functions.search<|channel|>commentary json<|message|>{ARGS}<|call|>", [X],
    ),
    "gemma": ('```tool_code\nprint(search(query=["x"]))\n```', [X]),
    "functiongemma": ("<start_function_call>call:search{query:[<escape>x<escape>]}<end_function_call>", [X]),
    "gemma 4": ('<|tool_call>call:search{query:<|"|>x<|"|>}<tool_call|>', [TEXT]),
    "qwen3-coder": (
        "<tool_call>\n<function=search>\n<parameter=query>\nx\n</parameter>\n</function>\n</tool_call>", [TEXT],
    ),
    "qwen3-coder, bare": ("<function=search>\n<parameter=query>\nx\n</parameter>\n</function>", [TEXT]),
    "glm": (
        '<tool_call>search\n<arg_key>query</arg_key>\n<arg_value>["x"]</arg_value>\n</tool_call>', [LIST],
    ),
    "hermes": (f'<tool_call>\n{{"name": "search", "arguments": {ARGS}}}\n</tool_call>', [X]),
    "granite": (f'<|tool_call|>[{{"name": "search", "arguments": {ARGS}}}]', [X]),
    "phi": (f'functools[{{"name": "search", "arguments": {ARGS}}}]', [X]),
    "seed": (
        "<seed:tool_call>\n<function=search>\n<parameter=query>x</parameter>\n</function>\n</seed:tool_call>", [TEXT],
    ),
    "command": (
        f'<|START_ACTION|>[{{"tool_call_id": "0", "tool_name": "search", "parameters": {ARGS}}}]<|END_ACTION|>', [X],
    ),
    "nemotron": (f'<TOOLCALL>[{{"name": "search", "arguments": {ARGS}}}]</TOOLCALL>', [X]),
    "olmo": ('<function_calls>search(query="x")</function_calls>', [TEXT]),
    "lfm2": ('<|tool_call_start|>[search(query="x")]<|tool_call_end|>', [TEXT]),
    "apertus": (f'<|tools_prefix|>[{{"search": {ARGS}}}]<|tools_suffix|>', [X]),
    "internlm": (f'<|action_start|><|plugin|>{{"name": "search", "parameters": {ARGS}}}<|action_end|>', [X]),
    "react": (f"Thought: hm\nAction: search\nAction Input: {ARGS}", [X]),
    "xlam": (f'[{{"name": "search", "arguments": {ARGS}}}]', [X]),
    "invoke": (
        '<function_calls>\n<invoke name="search">\n<parameter name="query">x</parameter>\n</invoke>\n'
        "</function_calls>",
        [TEXT],
    ),
    "kimi, without its first mark": (
        f"functions.search:0<|tool_call_argument_begin|>{ARGS}<|tool_call_end|>", [X],
    ),
    "kimi, two without marks": (f'functions.search:0{ARGS}functions.fetch_url:1{{"url": "u"}}', [X, U]),
    "deepseek v3.2, bare": (
        '<｜DSML｜invoke name="search"><｜DSML｜parameter name="query" string="false">["x"]</｜DSML｜parameter>'
        "</｜DSML｜invoke>",
        [X],
    ),
    "deepseek v3.2, another wrapper": (
        '<|DSML|tool_calls><|DSML|invoke name="search"><|DSML|parameter name="query" string="false">["x"]'
        "</|DSML|parameter></|DSML|invoke></|DSML|tool_calls>",
        [X],
    ),
    "deepseek v3.1, without its marks": (f"search{ARGS}", [X]),
    "deepseek v3, without its marks": (f"functionsearch\n```json\n{ARGS}\n```", [X]),
    "step 3": (
        '<｜tool_calls_begin｜><｜tool_call_begin｜>function<｜tool_sep｜><steptml:invoke name="search">'
        '<steptml:parameter name="query">x</steptml:parameter></steptml:invoke>'
        "<｜tool_call_end｜><｜tool_calls_end｜>",
        [TEXT],
    ),
    "harmony, without its marks": (f"commentary to=functions.search json{ARGS}", [X]),
    "harmony, run together": (f"assistantcommentary to=functions.search json {ARGS}", [X]),
    "mistral, call id": (f"[TOOL_CALLS]search[CALL_ID]a1b2[ARGS]{ARGS}", [X]),
    "mistral, without its first mark": (f"search[ARGS]{ARGS}", [X]),
    "llama, built in": ('<|python_tag|>search.call(query="x")', [TEXT]),
    "llama, end of turn": (f'{{"name": "search", "parameters": {ARGS}}}<|eot_id|>', [X]),
    "a list of calls": (f'{{"tool_calls": [{{"function": {{"name": "search", "arguments": {ARGS}}}}}]}}', [X]),
    "gemma, a tag": ('<tool_code>search(query="x")</tool_code>', [TEXT]),
    "lm studio": (f'[TOOL_REQUEST]\n{{"name": "search", "arguments": {ARGS}}}\n[END_TOOL_REQUEST]', [X]),
    "functionary": (f'>>>search\n{ARGS}\n>>>fetch_url\n{{"url": "u"}}', [X, U]),
    "qwen-agent": (f"✿FUNCTION✿: search\n✿ARGS✿: {ARGS}\n✿RESULT✿", [X]),
    "a name in the tag": (f'<tool_call name="search">{ARGS}</tool_call>', [X]),
    "elements": (
        "<function_calls>\n<invoke>\n<tool_name>search</tool_name>\n<parameters>\n<query>x</query>\n</parameters>\n"
        "</invoke>\n</function_calls>",
        [TEXT],
    ),
    "tool_use": (f"<tool_use><name>search</name><input>{ARGS}</input></tool_use>", [X]),
    "elements named like tools": ("<search>\n<query>x</query>\n</search>", [TEXT]),
    "an element with json": (f"<search>{ARGS}</search>", [X]),
    "agentcpm": (
        '<tool_call>\n{"name": "PythonInterpreter", "arguments": {"code": ""}}\n<code>\nprint(1 < 2)\n</code>\n'
        "</tool_call>",
        [("execute_code", {"code": "print(1 < 2)"})],
    ),
    "agentcpm, our name": (
        '<tool_call>{"name": "execute_code", "arguments": {}}<code>print("<code>")</code></tool_call>',
        [("execute_code", {"code": 'print("<code>")'})],
    ),
    "hunyuan": (f"<tool_call>search\n```json\n{ARGS}\n```</tool_call>", [X]),
    "command r": (f'Action: ```json\n[{{"tool_name": "search", "parameters": {ARGS}}}]\n```', [X]),
    "react, json": (f'Action:\n```json\n{{"action": "search", "action_input": {ARGS}}}\n```', [X]),
    "phi-4-mini": (f'<|tool_call|>[{{"name": "search", "arguments": {ARGS}}}]<|/tool_call|>', [X]),
    "longcat": (f'<longcat_tool_call>{{"name": "search", "arguments": {ARGS}}}</longcat_tool_call>', [X]),
}  # fmt: skip


def read(dialect: str, text: str, **reply: Any) -> Reading:
    message = {"role": "assistant", "content": text, **reply}
    return dialect_for(dialect).read(message, keep_thoughts=False, turn=0, tools=TOOLS)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", WRITTEN)
def test_a_call_in_any_familys_markup_is_read_in_every_dialect(dialect: str, name: str) -> None:
    text, meant = WRITTEN[name]
    if dialect == "deepseek" and name == "kimi, without its end":
        return  # its own marks, and there the end has to be
    for before in ("", "I look that up first.\n\n") if text[0] == "<" or "TOOL" in text else ("",):
        reading = read(dialect, before + text)
        assert [(call.name, call.arguments) for call in reading.calls] == meant, [c.problem for c in reading.calls]
        assert all(call.problem is None for call in reading.calls)
        assert reading.text in {before.strip(), "Thought: hm"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "call",
    [
        f'{{"name": "search", "parameters": {ARGS}}}',
        f'```json\n{{"name": "search", "arguments": {ARGS}}}\n```',
        f'[{{"name": "search", "arguments": {ARGS}}}]',
        "[search(query=['x'])]",
        '{\n  "name": "search",\n  "arguments": {\n    "query": [\n      "x"\n    ]\n  }\n}\n<|im_end|>',
        f"analysisWe search.assistantcommentary to=functions.search json{ARGS}",
    ],
)
def test_a_call_without_marks_at_the_end_of_prose_is_read(dialect: str, call: str) -> None:
    reading = read(dialect, f"I will search for that.\n{call}")
    assert [(made.name, made.arguments, made.problem) for made in reading.calls] == [(*X, None)]
    tagged = f"<answer>Rome</answer> It was this call:\n{call}"
    assert not call.startswith(("{", "[", "`")) or read(dialect, tagged).calls == ()


@pytest.mark.parametrize("text", ["hermes", "llama 3, bare", "llama 3.1", "qwen3-coder"])
def test_what_a_dialect_asks_for_is_its_own_and_another_familys_in_the_others(text: str) -> None:
    assert all(call.family for call in read("native", WRITTEN[text][0]).calls)
    if text == "hermes":
        for said in (WRITTEN[text][0], f"<think>{WRITTEN[text][0]}"):
            assert not any(call.family for call in read("hermes", said).calls)


@pytest.mark.parametrize(
    "text", ["<tool_call>{'name': 'search',}</tool_call>", "<tool_call>search x", "<tool_call>{}"]
)
def test_a_block_that_no_parser_takes_says_nothing_of_the_server(text: str) -> None:
    assert not any(call.family for call in read("native", text).calls)


FAMILIAR = ["kimi", "mistral v11", "harmony", "gemma", "deepseek v3.2", "minimax m2", "qwen3-coder", "glm"]


@pytest.mark.parametrize("name", FAMILIAR)
def test_the_family_is_known_so_that_the_table_can_name_the_setting(name: str) -> None:
    (call, *_) = read("native", WRITTEN[name][0]).calls
    assert BY_NAME[call.family].parser
    assert call.family in {family.name for family in FAMILIES}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "text",
    [
        '<|tool_call_begin|>functions.search:0<|tool_call_argument_begin|>{"query": ["x<|tool_call_end|>',
        '[TOOL_CALLS][{"name": "search", "arguments": {"query": }}]',
        '<minimax:tool_call><invoke name="search"><parameter name="query">x</parameter>'
        '<parameter name="query">y</parameter></invoke></minimax:tool_call>',
        "```tool_code\nsearch(something)\n```",
        "<start_function_call>call search with x<end_function_call>",
        "<|channel|>commentary to=functions.search<|message|>x<|call|>",
        "<|python_tag|>search for x",
        "<search>who was it</search>",
        "I have to look that up.\n<search> who was it </search>",
        '<｜DSML｜function_calls><｜DSML｜invoke name="search"><｜DSML｜parameter name="query" string="false">[x'
        "</｜DSML｜parameter></｜DSML｜invoke></｜DSML｜function_calls>",
    ],
)
def test_what_cannot_be_read_is_told_and_not_taken_for_an_answer(dialect: str, text: str) -> None:
    calls = read(dialect, text).calls
    assert calls and all(call.problem and (call.family or dialect == "deepseek") for call in calls)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "text",
    [
        "Mistral marks a call with [TOOL_CALLS], then anything may follow.",
        'I used search(query="x") and found Rome.',
        "<answer>Use <|python_tag|> before the JSON</answer>",
        "The tag <function_calls> was in what search gave me. <answer>Rome</answer>",
        "The function `search` takes a query. <answer>f(x)</answer>",
        '{"name": "Ada", "born": 1815}',
        '[{"name": "Ada", "arguments": {}}]',
        "[1, 2, 3]",
        "print(42)",
        "```python\nprint('search')\n```",
        "Action: none was needed\nAction Input: Rome",
        "<|tool_call_begin|>functions.other:0<|tool_call_argument_begin|>{}<|tool_call_end|>",
        "searching(query=1)",
        "to=functions.research",
        "Mistral marks a call with [TOOL_CALLS]; I used search for it, and the answer is Rome.",
        'I wrote <invoke name="search"> to call it. The answer is Rome.',
        "The marker <|tool_call_begin|> precedes search. Rome.",
        f"In Mistral one writes `[TOOL_CALLS]search{ARGS}` to search.",
        f"<answer>Use <function=search>{ARGS}</function> for it</answer>",
        f"<answer>Rome</answer> I called <function=search>{ARGS}</function> for it.",
        f'{{"name": "search", "arguments": {ARGS}}} was my call. <answer>Rome</answer>',
        f'My call was {{"name": "search", "arguments": {ARGS}}}.',
        f'My call was\n{{"name": "search", "arguments": {ARGS}}}\nand it found Rome.',
        '{"name": "search", "description": "finds pages"}',
        "I will explain:\n```python\nresult = search(query='x')\nprint(result)\n```",
        "```python\ndef search(query):\n    return query\n```\n<answer>Rome</answer>",
        'search: {"found": 3} is what I saw',
        "Use search, then fetch_url; execute_code gave 4.",
        "The functions.search:0 call failed, so it is Rome.",
        ">>> search\nRome",
        "<search> is a tag",
        "In <search>x</search> the tag has a tool's name.",
        "<b>search</b> gave Rome",
        "<search>x</search> <answer>Rome</answer>",
        "Action: search the web\nAnswer: Rome",
    ],
)
def test_prose_about_calls_and_calls_of_no_known_tool_are_none(dialect: str, text: str) -> None:
    reading = read(dialect, text)
    if dialect == "deepseek" and "tool_call_begin" in text:
        return  # its own markup
    assert (reading.calls, reading.text) == ((), text)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("field", ["reasoning", "reasoning_content", "<think>"])
@pytest.mark.parametrize("name", ["kimi", "mistral", "harmony", "qwen3-coder", "minimax m2"])
def test_a_call_lost_in_the_thoughts_is_told(dialect: str, field: str, name: str) -> None:
    text = WRITTEN[name][0]
    reading = read(dialect, f"<think>hm {text}</think>") if field == "<think>" else read(dialect, "", **{field: text})
    (call,) = reading.calls
    assert "inside your thoughts" in str(call.problem)
    answered = read(dialect, "<answer>Rome</answer>", **({} if field == "<think>" else {field: text}))
    assert answered.calls == ()


def test_a_call_that_the_length_limit_cut_off_is_never_made() -> None:
    for name in ("kimi, without its end", "mistral v11", "llama 3.1", "react"):
        text = WRITTEN[name][0].removesuffix("<|eom_id|>")
        reply = {"role": "assistant", "content": text}
        calls = dialect_for("native").read(reply, keep_thoughts=False, turn=0, tools=TOOLS, cut=True).calls
        assert all(call.problem for call in calls)


@pytest.mark.parametrize("name", ["functions.search", "functions.search:0", "search:3", "tools.search", "mcp/search"])
def test_a_name_with_a_namespace_or_a_number_is_the_tools(name: str) -> None:
    call = {"id": "x", "function": {"name": name, "arguments": ARGS}}
    (made,) = read("native", "", tool_calls=[call]).calls
    assert (made.name, made.arguments) == X
    (made,) = read("hermes", f'<tool_call>{{"name": "{name}", "arguments": {ARGS}}}</tool_call>').calls
    assert (made.name, made.arguments) == X


@pytest.mark.parametrize(
    "text",
    [
        f'<tool_call>{{"name": "search", "arguments": {ARGS}}}<tool_call>',
        f'<tool_call>\n{{"name": "search", "arguments": {ARGS}}}\n<tool_call>\n',
        '<tool_call>{"name": "search", "arguments": "{\\"query\\": [\\"x\\"]}"}</tool_call>',
        '<tool_call>{"name": "search", "arguments": "\\"{\\\\\\"query\\\\\\": [\\\\\\"x\\\\\\"]}\\""}</tool_call>',
    ],
)
def test_a_second_opening_tag_and_arguments_encoded_twice_have_one_meaning(text: str) -> None:
    for dialect in ("native", "hermes", "agentcpm"):
        (call,) = read(dialect, text).calls
        assert (call.name, call.arguments, call.problem) == (*X, None)


def test_two_calls_with_an_opening_tag_between_them_are_two() -> None:
    call = f'{{"name": "search", "arguments": {ARGS}}}'
    reading = read("hermes", f"<tool_call>{call}<tool_call>{call}</tool_call>")
    assert [(made.name, made.arguments) for made in reading.calls] == [X, X]


@pytest.mark.parametrize("inside", ['"code": ""', '"code": " "', '"code": null', '"code": "print(1)"'])
def test_code_beside_an_empty_argument_has_one_meaning(inside: str) -> None:
    head = f'{{"name": "execute_code", "arguments": {{{inside}}}}}'
    (call,) = read("agentcpm", f"<tool_call>{head}<code>print(1)</code></tool_call>").calls
    assert (call.name, call.arguments, call.problem) == ("execute_code", {"code": "print(1)"}, None)


MARKS = [
    "<tool_call>",
    "[TOOL_CALLS]",
    "<|python_tag|>",
    "<invoke name=",
    "to=functions.",
    "<function=",
    "search",
    "(",
]
MARKS += [
    '{"name": "search", "arguments": {',
    "}",
    "]",
    "[",
    "<arg_key>",
    "call:search{",
    "```tool_code\n",
    "Action: ",
]
MARKS += ["Action: ", "Action Input:", " ", "<｜tool▁calls▁begin｜>"]
MARKS += ["functions.search:0{", "to=functions.search{", "search[ARGS]", "`", "<answer>", "\n{", ">>>search\n{"]
MARKS += [
    "✿FUNCTION✿",
    "<tool_use>",
    "<search>",
    "<a><search>",
    "<name>search</name><input>",
    "<x>",
    "[TOOL_REQUEST]",
    "search{",
    "\n```json\n",
]
MARKS += ["<|message|>", "functools[", "<think>", "</think>", "\n", '"', "<｜DSML｜function_calls>", "<tool_calls>"]


@given(st.lists(st.sampled_from(MARKS) | st.text(max_size=4)).map("".join))
def test_any_text_is_read_and_names_only_known_tools(text: str) -> None:
    found = foreign(text, TOOLS)
    assert found is None or all(call.problem is not None or call.name for call in found.calls)
    for dialect in DIALECTS:
        read(dialect, text)


@pytest.mark.parametrize("mark", MARKS)
def test_many_marks_take_linear_time(mark: str) -> None:
    foreign(mark * (200_000 // len(mark)) + " search", TOOLS)


OPENINGS = {
    "native": "<tool_call>",
    "hermes": "<tool_call>",
    "agentcpm": "<tool_call>",
    "mirothinker": "<use_mcp_tool>",
    "deepseek": "<｜tool▁call▁begin｜>",
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "text",
    [
        "I used `{}` blocks. <answer>Rome</answer>",
        'I used "{}" for search. <answer>Rome</answer>',
        "The {} tag was used for search. <answer>Rome</answer>",
        "<answer>Rome</answer> I stopped writing {}.",
        "<answer>the {} tag</answer>",
        "It ends with {}, as search does.",
    ],
)
def test_an_opening_tag_of_its_own_dialect_that_an_answer_speaks_of_is_text(dialect: str, text: str) -> None:
    said = text.format(OPENINGS[dialect])
    reading = read(dialect, said)
    assert (reading.calls, reading.text) == ((), said)


@pytest.mark.parametrize("dialect", ["native", "hermes", "agentcpm"])
def test_a_whole_call_in_backticks_is_spoken_of_and_one_in_a_sentence_is_made(dialect: str) -> None:
    call = WRITTEN["hermes"][0].replace("\n", "")
    assert read(dialect, f"I wrote `{call}` and found it. <answer>Rome</answer>").calls == ()
    for said in (f"I look. {call}", f"I look: {call} and wait", f"```\n{call}\n```", f"```{call}```", f"> {call}"):
        assert [(made.name, made.arguments) for made in read(dialect, said).calls] == [X]
    for said in (
        "I look. <tool_call>",
        "I look. <tool_call>\nsearch",
        "I look. <tool_call>search for it</tool_call>",
    ):
        assert read(dialect, said).calls[0].problem
