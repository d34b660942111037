"""Dialects: whatever a model writes, what goes back is valid, and a bad call says what was wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.chat.client import serialise
from toleap.chat.dialects import dialect_for
from toleap.types import ToolResult

NATIVE, HERMES = dialect_for("native"), dialect_for("hermes")
SCHEMAS = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def native(arguments, name="search"):
    call = {"id": "x", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def read(dialect, reply, **kwargs):
    return dialect.read(reply, **{"keep_thoughts": True, "turn": 3, **kwargs})


def test_native_shows_tools_in_the_request_and_hermes_in_the_system_message():
    assert json.loads(NATIVE.request_tools(SCHEMAS)) == SCHEMAS
    assert NATIVE.system("be good", SCHEMAS) == "be good"
    assert HERMES.request_tools(SCHEMAS) is None
    assert json.dumps(SCHEMAS[0], separators=(",", ":")) in HERMES.system("be good", SCHEMAS)


def test_all_native_calls_are_read_and_sent_back_with_our_ids():
    reply = native('{"query": ["a"]}')
    reply["tool_calls"].append(reply["tool_calls"][0])
    reading = read(NATIVE, reply)
    assert [(call.id, call.name, call.arguments, call.problem) for call in reading.calls] == [
        ("call_3_0", "search", {"query": ["a"]}, None),
        ("call_3_1", "search", {"query": ["a"]}, None),
    ]
    assert [call["id"] for call in reading.sent["tool_calls"]] == ["call_3_0", "call_3_1"]
    answer = NATIVE.hand_back(reading.calls[0], ToolResult.of("found"))
    assert answer == {"role": "tool", "tool_call_id": "call_3_0", "content": "found"}


@pytest.mark.parametrize("bad", ['{"query": [', "[1]", '"x"', "NaN", '{"a": NaN}', '{"a": "\\ud800"}', "nonsense"])
def test_bad_native_arguments_are_the_models_problem_and_go_back_valid(bad):
    reading = read(NATIVE, native(bad))
    assert reading.calls[0].problem
    assert json.loads(reading.sent["tool_calls"][0]["function"]["arguments"]) == {}


def test_a_block_the_server_left_in_the_text_becomes_a_native_call():
    reading = read(NATIVE, {"content": 'so <tool_call>{"name": "search", "arguments": {"query": []}}</tool_call>'})
    assert reading.calls[0].name == "search"
    assert reading.sent["tool_calls"][0]["function"]["name"] == "search"
    assert "<tool_call>" not in reading.sent["content"]


def test_hermes_reads_every_block_and_says_what_is_wrong_with_one():
    text = '<tool_call>{"name": "a", "arguments": {}}</tool_call> and <tool_call>{"name": "b", "argu'
    reading = read(HERMES, {"content": text})
    assert reading.calls[0].problem is None
    assert "cut off" in str(reading.calls[1].problem)
    assert reading.sent == {"role": "assistant", "content": text}
    handed = HERMES.hand_back(reading.calls[0], ToolResult.of("r"))
    assert handed == {"role": "user", "content": "<tool_response>\nr\n</tool_response>"}


def test_calls_inside_thoughts_are_not_calls():
    text = '<think><tool_call>{"name": "a", "arguments": {}}</tool_call></think>done'
    assert read(HERMES, {"content": text}).calls == ()
    assert read(NATIVE, {"content": text}).calls == ()
    assert read(HERMES, {"content": text}, keep_thoughts=False).sent["content"] == "done"


def test_thoughts_of_a_reasoning_parser_are_kept_or_dropped():
    reply = {"role": "assistant", "content": "x", "reasoning_content": "hmm"}
    assert read(NATIVE, reply).sent["reasoning_content"] == "hmm"
    assert "reasoning_content" not in read(NATIVE, reply, keep_thoughts=False).sent


REPLY = st.fixed_dictionaries(
    {},
    optional={
        "content": st.none() | st.text() | JSON | st.text().map(lambda text: f"<tool_call>{text}</tool_call>"),
        "tool_calls": JSON
        | st.lists(
            st.fixed_dictionaries({"function": st.fixed_dictionaries({"name": JSON, "arguments": JSON | st.text()})}),
            max_size=3,
        ),
        "reasoning": JSON,
    },
)


@given(reply=REPLY, keep=st.booleans())
@pytest.mark.parametrize("dialect", [NATIVE, HERMES], ids=["native", "hermes"])
def test_any_reply_goes_back_as_something_that_parses(dialect, reply, keep):
    reading = dialect.read(reply, keep_thoughts=keep, turn=0)
    text = str(reading.sent["content"])
    if not any("\ud800" <= letter <= "\udfff" for letter in text):
        sent = json.loads(serialise(reading.sent))
        for call in sent.get("tool_calls", []):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    sayable = [call for call in reading.calls if call.id]
    assert len(reading.sent.get("tool_calls", [])) == (len(sayable) if dialect is NATIVE else 0)
