"""Whatever a model says, in every dialect: the history parses again, and every call has exactly one answer.

Seeded with JSON that parsers disagree on and with strings that break naive code.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toleap.chat.answer import without_thoughts
from toleap.chat.client import serialise
from toleap.chat.dialects import dialect_for
from toleap.types import ToolResult

NAMES = ("native", "hermes", "agentcpm", "mirothinker", "deepseek")
TOOLS = frozenset({"search", "execute_code"})
ROLES = {"native": "tool", "hermes": "user", "agentcpm": "user", "mirothinker": "user", "deepseek": "user"}
DATA = os.environ.get("TOLEAP_TESTDATA") or None


def corpus(name: str) -> list[Any]:
    if DATA is None:
        return []
    return list(json.loads((Path(DATA) / "corpora" / name).read_bytes()))


PARSING = [(case["name"], base64.b64decode(case["base64"])) for case in corpus("json_parsing.json")]
NAUGHTY = [text for text in corpus("naughty_strings.json") if isinstance(text, str)] or ["'; --"]

PIECES = (
    "<tool_call>",
    "</tool_call>",
    "<code>",
    "</code>",
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<use_mcp_tool>",
    "</use_mcp_tool>",
    "<server_name>t</server_name>",
    "<tool_name>search</tool_name>",
    "<arguments>",
    "</arguments>",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁calls▁end｜>",
    "```json\n",
    "\n```",
    "function",
    "search",
    '{"name": "search", "arguments": {"query": ["x"]}}',
    '{"name": "search", "arguments": ',
    '{"query": ["x"], "n": 1}',
    "{'query': ['x',], 'all': True",
    "}",
    ",",
    "\ud800",
)
STRINGS = st.one_of(st.text(st.characters(codec="utf-8")), st.sampled_from(NAUGHTY), st.sampled_from(PIECES[:-1]))
CASES = st.sampled_from([data.decode("utf-8", "surrogateescape") for _, data in PARSING] or ["[1,]"])
TEXTS = st.lists(st.sampled_from(PIECES) | STRINGS | CASES, max_size=8).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(
    STRINGS,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | STRINGS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
REPLIES = st.fixed_dictionaries(
    {},
    optional={
        "content": st.none()
        | TEXTS
        | JSON
        | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS})),
        "tool_calls": JSON
        | st.lists(
            st.fixed_dictionaries(
                {"function": JSON | st.fixed_dictionaries({"name": JSON | STRINGS, "arguments": JSON | TEXTS})}
            ),
            max_size=3,
        ),
        "reasoning": JSON | TEXTS,
        "reasoning_content": JSON | TEXTS,
    },
)


@pytest.mark.parametrize("name", NAMES)
@given(reply=REPLIES, keep=st.booleans(), cut=st.booleans(), tools=st.sampled_from([TOOLS, frozenset()]))
@settings(deadline=None)
@example(reply={"content": "\ud800", "reasoning": "\udfff"}, keep=True, cut=False, tools=TOOLS)
@example(reply={"content": "<｜tool▁call▁begin｜>a\nb<｜tool▁sep｜>"}, keep=False, cut=False, tools=TOOLS)
def test_any_reply_leaves_a_history_that_parses_with_one_answer_for_each_call(name, reply, keep, cut, tools):
    dialect = dialect_for(name)
    reading = dialect.read(reply, keep_thoughts=keep, turn=0, tools=tools, cut=cut)
    answers = [dialect.hand_back(call, ToolResult.of(call.problem or "found \ud800")) for call in reading.calls]
    history = json.loads(b"[" + b",".join(serialise(message) for message in (reading.sent, *answers)) + b"]")
    said, *answered = history
    assert said["role"] == "assistant"
    for call in said.get("tool_calls", []):
        assert isinstance(json.loads(call["function"]["arguments"]), dict)
    asked = [call["id"] for call in said.get("tool_calls", [])]
    assert len(set(asked)) == len(asked)
    assert [answer["tool_call_id"] for answer in answered if answer["role"] == "tool"] == asked
    assert len(answered) == len(reading.calls)
    assert all(answer["role"] in {ROLES[name], "user"} for answer in answered)
    orjson.dumps([dict(call.arguments) for call in reading.calls])
    for call in reading.calls:
        assert call.problem is None or (call.problem and "\n" not in call.problem)
        assert call.problem is not None or call.name


def write(name: str, calls: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """A reply with these calls, as the dialect asks for them."""
    texts = [json.dumps(arguments, ensure_ascii=False) for _, arguments in calls]
    if name == "native":
        items = [{"function": {"name": call[0], "arguments": text}} for call, text in zip(calls, texts, strict=True)]
        return {"content": None, "tool_calls": items}
    shapes = {
        "hermes": '<tool_call>\n{{"name": "{0}", "arguments": {1}}}\n</tool_call>',
        "agentcpm": '<tool_call>\n{{"name": "{0}", "arguments": {1}}}\n</tool_call>',
        "mirothinker": "<use_mcp_tool>\n<server_name>tools</server_name>\n<tool_name>{0}</tool_name>\n"
        "<arguments>\n{1}\n</arguments>\n</use_mcp_tool>",
        "deepseek": "<｜tool▁call▁begin｜>{0}<｜tool▁sep｜>{1}<｜tool▁call▁end｜>",
    }
    return {"content": "\n".join(shapes[name].format(call[0], text) for call, text in zip(calls, texts, strict=True))}


@pytest.mark.parametrize("name", NAMES)
@given(calls=st.lists(st.tuples(st.sampled_from(sorted(TOOLS)), ARGUMENTS), max_size=3), keep=st.booleans())
@settings(deadline=None)
def test_calls_are_read_as_they_were_written_and_again_from_what_is_sent_back(name, calls, keep):
    dialect = dialect_for(name)
    first = dialect.read(write(name, calls), keep_thoughts=keep, turn=4, tools=TOOLS)
    assert [(call.name, call.arguments, call.problem) for call in first.calls] == [(*call, None) for call in calls]
    assert [call.id for call in first.calls] == [f"call_4_{n}" for n in range(len(calls))]
    again = dialect.read(first.sent, keep_thoughts=keep, turn=4, tools=TOOLS)
    assert (again.calls, again.sent) == (first.calls, first.sent)


@given(code=STRINGS.filter(lambda text: "</code>" not in text))
def test_agentcpm_code_is_read_as_it_was_written(code):
    text = f'<tool_call>{{"name": "PythonInterpreter", "arguments": {{}}}}\n<code>\n{code}\n</code>\n</tool_call>'
    calls = dialect_for("agentcpm").read({"content": text}, keep_thoughts=True, turn=0, tools=TOOLS).calls
    assert [(call.name, call.arguments) for call in calls] == [("execute_code", {"code": code})]


@pytest.mark.parametrize("name", NAMES)
@given(text=st.lists(st.sampled_from(["<think>", "</think>", "< /THINK >", "<Think >", "a", "\n", "{"])).map("".join))
def test_thoughts_are_told_apart_as_they_are_in_answers(name, text):
    reading = dialect_for(name).read({"content": text}, keep_thoughts=False, turn=0, tools=TOOLS)
    assert (reading.text, reading.calls) == (without_thoughts(text).strip(), ())
    assert reading.sent["content"] == reading.text


@pytest.mark.skipif(DATA is None, reason="the corpora are found through TOLEAP_TESTDATA")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("case", "data"), PARSING, ids=[case for case, _ in PARSING])
def test_json_that_parsers_disagree_on_as_arguments(name, case, data):
    """What must parse is read, what must not is mended without a loss or refused; nothing raises."""
    text = data.decode("utf-8", "surrogateescape")
    arguments = f'{{"value": {text}}}'
    reply = write(name, [("search", {})])
    as_text = reply["content"]
    if name == "native":
        reply["tool_calls"][0]["function"]["arguments"] = arguments
    else:
        reply["content"] = as_text.replace("{}", arguments)
    reading = dialect_for(name).read(reply, keep_thoughts=True, turn=0, tools=TOOLS)
    assert len(reading.calls) == 1
    call = reading.calls[0]
    strange = call.problem is not None and any(
        why in call.problem for why in ("twice", "64-bit", "large", "surrogates")
    )
    if case.startswith("y_") and not strange:
        assert call.arguments == {"value": json.loads(text)}
    if call.problem is None:
        assert json.loads(orjson.dumps(dict(call.arguments))) == call.arguments
    orjson.dumps(reading.sent)
