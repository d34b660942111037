"""Calls that a server lists in its own shapes, and replies in which it swallowed what was said."""

from __future__ import annotations

from typing import Any

import pytest

from toleap.chat.dialects import dialect_for
from toleap.chat.dialects.listed import with_missed
from toleap.types import CallForm

TOOLS = frozenset({"search"})
ARGS = '{"query": ["x"]}'
FUNCTION = {"name": "search", "arguments": ARGS}
DIALECTS = ("native", "hermes", "agentcpm", "mirothinker", "deepseek")


def read(dialect: str, reply: dict[str, Any], finish: str = "tool_calls") -> Any:
    message = {"role": "assistant", "content": None, **reply}
    reading = dialect_for(dialect).read(message, keep_thoughts=False, turn=0, tools=TOOLS, cut=finish == "length")
    return with_missed(reading, message, finish)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "reply",
    [
        {"tool_calls": [{"id": "a", "type": "function", "function": FUNCTION}]},
        {"tool_calls": {"id": "a", "type": "function", "function": FUNCTION}},
        {"tool_calls": {"0": {"function": FUNCTION}}},
        {"tool_calls": [FUNCTION]},
        {"tool_calls": FUNCTION},
        {"tool_calls": [{"function": {"name": "search", "parameters": {"query": ["x"]}}}]},
        {"tool_calls": '[{"function": {"name": "search", "arguments": {"query": ["x"]}}}]'},
        {"function_call": FUNCTION},
        {"function_call": {"name": "functions.search", "arguments": {"query": ["x"]}}},
        {"function_call": FUNCTION, "tool_calls": []},
        {"function_call": FUNCTION, "tool_calls": None},
        {"content": [{"type": "tool_use", "id": "a", "name": "search", "input": {"query": ["x"]}}]},
        {
            "content": [
                {"type": "text", "text": ""},
                {"type": "tool_call", "name": "search", "args": {"query": ["x"]}},
            ]
        },
    ],
)
def test_a_listed_call_is_read_whatever_its_shape_in_every_dialect(dialect: str, reply: dict[str, Any]) -> None:
    reading = read(dialect, reply)
    assert [(call.name, call.arguments, call.problem) for call in reading.calls] == [
        ("search", {"query": ["x"]}, None)
    ]
    sent = str(reading.sent)
    assert "search" in sent and "query" in sent, "the model sees what it called"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "finish",
    [
        "tool_calls",
        "function_call",
        "MALFORMED_FUNCTION_CALL",
        "tool_use",
        "TOOL_CALL",
        "function_call_filter: MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
    ],
)
@pytest.mark.parametrize(
    "reply", [{"tool_calls": []}, {}, {"content": "I look that up."}, {"tool_calls": {}}, {"tool_calls": "nothing"}]
)
def test_a_call_that_only_the_server_speaks_of_is_told(dialect: str, finish: str, reply: dict[str, Any]) -> None:
    (call,) = read(dialect, reply, finish).calls
    assert call.form is CallForm.LOST
    assert "no call could be read" in call.problem


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "reply",
    [
        {"reasoning": "It must be Rome."},
        {"reasoning_content": "<answer>Rome</answer>", "content": ""},
        {"reasoning": "hm", "content": "\n \n"},
        {"content": "<think>It must be Rome.</think>"},
        {"content": "<think>It must be Rome. <answer>Rome</answer>"},
        {"thinking": "It must be Rome."},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "It must be Rome."}]}]},
        {"content": [{"type": "reasoning", "text": "It must be Rome."}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "It must be Rome."}]},
    ],
)
def test_thoughts_alone_are_told(dialect: str, reply: dict[str, Any]) -> None:
    (call,) = read(dialect, reply, "stop").calls
    assert call.form is CallForm.SILENT
    assert read(dialect, reply, "length").calls == (), "a model that thinks for too long is no server's fault"


@pytest.mark.parametrize(
    ("reply", "finish"),
    [
        ({"content": "Rome"}, "stop"),
        ({"content": ""}, "stop"),
        ({"content": "<answer>Rome</answer>"}, "tool_calls"),
        ({"content": "", "refusal": "I cannot.", "reasoning": "hm"}, "stop"),
        ({"content": "Rome", "reasoning": "hm"}, "stop"),
    ],
)
def test_an_answer_a_refusal_and_silence_are_no_lost_calls(reply: dict[str, Any], finish: str) -> None:
    assert read("native", reply, finish).calls == ()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_many_tokens_that_left_nothing_at_all_were_swallowed(dialect: str) -> None:
    reply = {"role": "assistant", "content": None, "tool_calls": []}
    reading = dialect_for(dialect).read(reply, keep_thoughts=False, turn=0, tools=TOOLS)
    (call,) = with_missed(reading, reply, "stop", 150).calls
    assert call.form is CallForm.SILENT
    assert with_missed(reading, reply, "stop", 4).calls == (), "an end, or marks around empty thoughts"
    assert with_missed(reading, reply, "content_filter", 150).calls == ()
    assert with_missed(reading, {**reply, "refusal": "no"}, "stop", 150).calls == ()
    assert with_missed(reading, {**reply, "provider_specific_fields": {"a": None}}, "stop", 150).calls
