"""Calls that a server loses, through the program: the attempt goes on, and the table and the terminal say why."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chat.test_families import WRITTEN
from tests.cli.program import Program, database_in, row_of, turns_in
from tests.faults.small import ANSWER, COMMAND, make_benchmark, playing

CONTENT = {"role": "assistant", "content": ""}


def notes(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [note for note in document["notes"] if note["kind"] == "server"]


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("kimi", "--tool-call-parser kimi_k2"),
        ("deepseek v3.2", "--tool-call-parser deepseek_v32"),
        ("mistral v11", "--tool-call-parser mistral"),
        ("pythonic", "--tool-call-parser pythonic"),
        ("hermes", "--tool-call-parser hermes"),
        ("elements named like tools", "agent.dialect=hermes"),
        ("kimi, two without marks", "--tool-call-parser kimi_k2"),
        ("harmony, run together", "--tool-call-parser openai"),
        ("deepseek v3.2, bare", "--tool-call-parser deepseek_v32"),
        ("llama 3, bare", "--tool-call-parser llama3_json"),
        ("minimax m2", "--tool-call-parser minimax_m2"),
        ("harmony", "--tool-call-parser openai"),
        ("qwen3-coder", "--tool-call-parser qwen3_coder"),
        ("mirothinker", "agent.dialect=mirothinker"),
    ],
)
def test_a_call_left_in_the_text_is_made_and_the_setting_is_named(program: Program, name: str, fix: str) -> None:
    make_benchmark(program.folder, ["Ostby"])
    said = {**CONTENT, "content": WRITTEN[name][0]}
    with playing(program, [said, ANSWER]) as server:
        done = program.here(*COMMAND, "--k", "4", "--base-url", server.url)
    assert done.code == 0, done.said
    row = row_of(done.json, "mine")
    assert (row["average"], row["behaviour"]["turns"]) == (1.0, 2.0)
    (note,) = notes(done.json)
    assert note["count"] == 4 and fix in note["fix"], note
    assert done.err.count("warning: 3 replies hold calls in the markup of") == 1
    assert all(not turn.calls or turn.results for turn in turns_in(database_in(program.folder)))


@pytest.mark.parametrize(
    "beside",
    [
        'I used search(query="x") and fetch_url.',
        "In Mistral one writes `[TOOL_CALLS]search{}` for that.",
        'I wrote <invoke name="search"> to call it.',
        '```python\nsearch(query="x")\n```',
        '{"name": "search", "arguments": {"query": ["x"]}} was my call.',
        "I stopped writing `<tool_call>` blocks.",
        "The <tool_call> tag was used for search.",
    ],
)
def test_an_answer_that_speaks_of_tools_ends_the_attempt_at_once(program: Program, beside: str) -> None:
    make_benchmark(program.folder, ["Ostby"])
    said = {**CONTENT, "content": f"{beside}\n<answer>Ostby</answer>"}
    with playing(program, [said]) as server:
        done = program.here(*COMMAND, "--k", "1", "--base-url", server.url)
    assert done.code == 0, done.said
    row = row_of(done.json, "mine")
    assert (row["average"], row["behaviour"]["turns"], notes(done.json)) == (1.0, 1.0, [])


@pytest.mark.parametrize("dialect", ["native", "hermes", "mirothinker"])
@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_a_call_swallowed_by_the_reasoning_is_told_and_the_setting_is_named(
    program: Program, dialect: str, field: str
) -> None:
    make_benchmark(program.folder, ["Ostby"])
    said = {**CONTENT, field: f"I look that up. {WRITTEN['kimi'][0]}"}
    with playing(program, [said, ANSWER]) as server:
        done = program.here(*COMMAND, "--k", "3", "--base-url", server.url, "--set", f"agent.dialect={dialect}")
    assert done.code == 0, done.said
    row = row_of(done.json, "mine")
    assert (row["average"], row["behaviour"]["turns"], row["behaviour"]["bad_call_rate"]) == (1.0, 2.0, 1.0)
    (note,) = notes(done.json)
    assert note["count"] == 3 and "kimi_k2" in note["fix"]
    assert done.err.count("warning: 3 replies hold calls in the markup of Kimi K2") == 1


@pytest.mark.parametrize(
    ("reply", "finish", "says"),
    [
        ({"content": None, "tool_calls": []}, "tool_calls", "none could be read"),
        ({"content": "I look."}, "MALFORMED_FUNCTION_CALL", "none could be read"),
        ({"content": "I look."}, "function_call_filter: UNEXPECTED_TOOL_CALL", "none could be read"),
        ({"content": [{"type": "thinking", "thinking": "It is Ostby"}]}, "stop", "reasoning parser"),
        ({"content": None, "reasoning_content": "It is <answer>Ostby</answer>"}, "stop", "reasoning parser"),
    ],
)
def test_what_a_server_swallowed_is_told_to_the_model_and_to_the_reader(
    program: Program, reply: dict[str, Any], finish: str, says: str
) -> None:
    make_benchmark(program.folder, ["Ostby"])
    with playing(program, [{"role": "assistant", **reply, "finish_reason": finish}, ANSWER]) as server:
        done = program.here(*COMMAND, "--k", "3", "--base-url", server.url)
    assert done.code == 0, done.said
    row = row_of(done.json, "mine")
    assert (row["average"], row["behaviour"]["bad_call_rate"]) == (1.0, 1.0)
    (note,) = notes(done.json)
    assert note["count"] == 3 and says in note["text"] and note["fix"]
    assert done.err.count("warning: 3 replies") == 1 and says in done.err


def test_a_reasoning_parser_that_swallows_every_answer_is_no_silent_zero(program: Program) -> None:
    make_benchmark(program.folder, ["Ostby"])
    reply = {"role": "assistant", "content": "", "reasoning": "It is <answer>Ostby</answer>"}
    with playing(program, [reply] * 30) as server:
        done = program.here(*COMMAND, "--k", "2", "--base-url", server.url)
    row = row_of(done.json, "mine")
    assert row["average"] == 0.0
    (note,) = notes(done.json)
    assert note["count"] == 2 and "reasoning parser" in note["text"] and "--reasoning-parser" in note["fix"]
