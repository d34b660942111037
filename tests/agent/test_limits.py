"""Repetition, within a reply and over turns: found exactly where it is defined to be, and nowhere else."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from toleap.agent.conversation import Conversation
from toleap.agent.limits import is_loop, limit_reached
from toleap.agent.loop import Attempt, Player
from toleap.agent.repetition import LONGEST_PHRASE, SHORTEST_LOOP, ends_in_cycle, ends_in_loop, texts
from toleap.chat.client import Chat, Patience
from toleap.chat.dialects import dialect_for
from toleap.config import Agent, Sampling
from toleap.types import CallContext, Ending, Key, ToolCall, ToolResult, Trajectory, Turn

KEY = Key("bench", "task", 0)
OPENING = ({"role": "system", "content": "s"}, {"role": "user", "content": "q"})
PHRASE = "I should search for the name of the island again, since the page did not say. "
COUNTED = "".join(f"{number:04}" for number in range(600))
LIMITS = Agent(repetition_limit=3, repetition_period=3, noop_limit=99)


def turn(name: str, arguments: dict[str, Any] | None = None, content: str | None = None) -> Turn:
    calls = (ToolCall("i", name, arguments or {}),)
    return Turn(0, {"role": "assistant", "content": content}, (), calls, (ToolResult.of("found"),))


def seen(turns: Sequence[Turn], agent: Agent = LIMITS) -> bool:
    return limit_reached(agent, turns) is Ending.REPETITION


@given(st.lists(st.text(max_size=3), max_size=40), st.integers(1, 5), st.integers(2, 5))
def test_turns_that_all_differ_in_their_arguments_are_never_a_repetition(
    queries: list[str], longest: int, times: int
) -> None:
    agent = Agent(repetition_limit=times, repetition_period=longest)
    turns = [turn("search", {"query": query, "page": number}) for number, query in enumerate(queries)]
    assert not seen(turns, agent)


@given(
    st.lists(st.sampled_from("ABCDE"), max_size=8),
    st.lists(st.sampled_from("ABC"), min_size=1, max_size=5),
    st.integers(2, 5),
    st.integers(0, 3),
)
def test_a_cycle_up_to_the_longest_is_always_a_repetition(
    before: list[str], cycle: list[str], times: int, more: int
) -> None:
    agent = Agent(repetition_limit=times, repetition_period=len(cycle) + more)
    assert seen([turn(name) for name in (*before, *cycle * times)], agent)


@given(st.text("AB", max_size=24), st.integers(2, 4), st.integers(1, 4))
def test_a_cycle_is_what_its_definition_says(items: str, times: int, longest: int) -> None:
    periods = range(1, longest + 1)
    expected = any(len(items) >= times * n and items.endswith(items[len(items) - n :] * times) for n in periods)
    assert ends_in_cycle(items, times=times, longest=longest, same=str.__eq__) == expected


@pytest.mark.parametrize(
    ("names", "repeats"),
    [
        ("AAA", True),
        ("AA", False),
        ("AABAA", False),
        ("ABABAB", True),
        ("BABABA", True),
        ("ABABA", False),
        ("ABCABCABC", True),
        ("ABCDABCDABCD", False),
        ("ABABABC", False),
    ],
)
def test_cycles_of_turns(names: str, repeats: bool) -> None:
    assert seen([turn(name) for name in names]) == repeats


def test_what_makes_two_turns_the_same() -> None:
    def thrice(*turns: Turn) -> bool:
        return seen([*turns, *turns, *turns])

    assert thrice(turn("search", {"query": "x"}, "again"))
    assert seen([turn("search", {"query": "x"}, f"<think>try {n}</think> again") for n in range(3)])
    assert not seen([turn("search", {"query": "x"}, f"try {n}") for n in range(3)])
    assert not seen([turn("search", {"query": "x"}, None), *[turn("search", {"query": "y"}, None)] * 2])
    unreadable = [Turn(0, {}, (), (ToolCall("i", "", {}, problem),), (ToolResult.of(problem),)) for problem in "ab"]
    assert not seen([unreadable[0], unreadable[1], unreadable[0]])
    assert thrice(unreadable[0])


def slowly(text: str, times: int) -> bool:
    """The definition of a loop, letter by letter."""
    for period in range(1, LONGEST_PHRASE + 1):
        length = max(times * period, SHORTEST_LOOP)
        if length > len(text):
            continue
        tail = text[len(text) - length :]
        if tail[period:] == tail[:-period]:
            return True
    return False


@given(
    st.text("ab ", max_size=60),
    st.text("ab ", min_size=1, max_size=300),
    st.integers(1, 30),
    st.text("ab ", max_size=2),
    st.integers(2, 9),
)
def test_a_loop_is_what_its_definition_says(before: str, phrase: str, said: int, after: str, times: int) -> None:
    text = before + phrase * said + after
    assert ends_in_loop(text, times) == slowly(text, times)


@given(st.text(min_size=1, max_size=400), st.text(max_size=50), st.integers(0, 399), st.integers(2, 9))
def test_a_phrase_said_often_enough_is_always_a_loop_wherever_it_is_cut_off(
    phrase: str, before: str, cut: int, times: int
) -> None:
    enough = max(times, SHORTEST_LOOP // len(phrase) + 1)
    assert ends_in_loop(before + phrase * enough + phrase[: cut % len(phrase)], times)


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1, max_size=300), st.integers(2, 9))
def test_sentences_that_all_differ_are_never_a_loop(numbers: list[int], times: int) -> None:
    assert not ends_in_loop(" ".join(f"Page {number} says nothing of it." for number in numbers), times)


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("", False),
        (PHRASE * 20, True),
        (PHRASE * 20 + "So", False),
        ("So " + PHRASE * 20 + PHRASE[:9], True),
        (PHRASE * 7, False),
        ("-" * 999, False),
        ("-" * 1_000, True),
        ("".join(f"{n}. the same\n" for n in range(2_000)), False),
        (COUNTED[:2_000] * 8, True),
        (COUNTED[:2_001] * 9, False),
    ],
    ids=lambda value: str(value)[:12],
)
def test_loops_in_a_text(text: str, loop: bool) -> None:
    assert ends_in_loop(text, 8) == loop


def test_only_a_reply_that_was_cut_off_is_a_loop_and_every_part_of_it_is_looked_at() -> None:
    parts: list[dict[str, Any]] = [
        {"content": PHRASE * 20},
        {"content": [{"type": "text", "text": PHRASE * 20}]},
        {"content": None, "reasoning_content": PHRASE * 20},
        {"content": "", "tool_calls": [{"function": {"name": "search", "arguments": '{"query": "' + PHRASE * 20}}]},
    ]
    for reply in parts:
        assert is_loop(Agent(), Turn(0, reply, (), finish_reason="length"))
        assert not is_loop(Agent(), Turn(0, reply, (), finish_reason="stop"))
        assert not is_loop(Agent(loop_limit=21), Turn(0, reply, (), finish_reason="length"))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_reply_is_looked_at_without_an_error(value: Any) -> None:
    assert all(isinstance(text, str) for text in texts(value))


def cut_off(message: dict[str, Any]) -> web.Response:
    choice = {"message": {"role": "assistant", **message}, "finish_reason": "length"}
    return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 50}})


async def play(server: Any, **agent: Any) -> Trajectory:
    class Tools:
        async def call(self, call: ToolCall, context: CallContext) -> ToolResult:
            return ToolResult.of("found")

    async def save(_key: Key, _turn: Turn) -> None:
        pass

    async with Chat(server.url, "m", patience=Patience(0.1)) as chat:
        player = Player(chat, dialect_for("native"), Sampling(max_tokens=50), Agent(**agent), b"[]", "answer now")
        talk = Conversation(OPENING)
        return await Attempt(
            KEY, talk, player=player, dock=Tools(), context=CallContext("run", *KEY), save=save
        ).play()


@pytest.mark.parametrize("part", ["content", "reasoning_content"])
async def test_a_reply_that_loops_is_a_repetition_with_one_forced_answer(endpoint: Any, part: str) -> None:
    server = await endpoint(
        lambda _: cut_off({"content": "", part: PHRASE * 20}), {"role": "assistant", "content": "<answer>7</answer>"}
    )
    done = await play(server)
    assert (done.ending, done.answer, done.forced, len(done.turns)) == (Ending.REPETITION, "7", True, 2)
    assert server.requests[1]["messages"][-1] == {"role": "user", "content": "answer now"}


async def test_a_looping_reply_without_a_forced_answer_gives_none(endpoint: Any) -> None:
    server = await endpoint(lambda _: cut_off({"content": PHRASE * 20}))
    done = await play(server, forced_answer=False)
    assert (done.ending, done.answer, len(done.turns)) == (Ending.REPETITION, None, 1)


async def test_a_forced_answer_that_loops_ends_it_all_the_same(endpoint: Any) -> None:
    server = await endpoint(lambda _: cut_off({"content": PHRASE * 20}))
    done = await play(server)
    assert (done.ending, done.forced, len(done.turns)) == (Ending.REPETITION, True, 2)


async def test_going_to_and_fro_is_a_repetition(endpoint: Any) -> None:
    names = itertools.cycle(["search", "fetch_url"])

    def reply(body: dict[str, Any]) -> dict[str, Any]:
        if "tool_choice" in body:
            return {"role": "assistant", "content": "<answer>7</answer>"}
        call = {"id": "i", "type": "function", "function": {"name": next(names), "arguments": "{}"}}
        return {"role": "assistant", "content": None, "tool_calls": [call]}

    done = await play(await endpoint(reply), repetition_limit=3)
    assert (done.ending, done.answer, len(done.turns)) == (Ending.REPETITION, "7", 7)


@pytest.mark.parametrize(
    "message",
    [
        {"content": "<think>It must be Paris. <answer>Paris</answer></think>"},
        {"content": "<think>It must be Paris. <answer>Paris</answer>"},
        {"content": None, "reasoning_content": "It must be Paris. <answer>Paris</answer>"},
        {"content": "\n\n", "reasoning": "It must be Paris."},
        {"content": "so it is Paris</think>"},
    ],
)
@pytest.mark.parametrize("reason", ["stop", "length"])
async def test_thoughts_alone_are_no_answer_and_the_models(
    endpoint: Any, message: dict[str, Any], reason: str
) -> None:
    choice = {"message": {"role": "assistant", **message}, "finish_reason": reason}
    server = await endpoint(lambda _: web.json_response({"choices": [choice], "usage": {}}))
    done = await play(server)
    assert (done.ending, done.answer, done.forced, len(server.requests)) == (Ending.NO_ANSWER, None, False, 1)
