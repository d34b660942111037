"""History policies, over the wire and as functions: what is sent, when a history is cut, and that it repeats."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.store.building import stored_turn
from toleap.agent import history
from toleap.agent.auxiliary import Auxiliary
from toleap.agent.conversation import Conversation
from toleap.agent.loop import Attempt, Player
from toleap.agent.shortening import summary_prompt, usable_summary
from toleap.chat.client import Chat, Patience
from toleap.chat.dialects import dialect_for
from toleap.config import Agent, Reader, RunConfig, Sampling
from toleap.errors import ServerFault
from toleap.types import CallContext, Ending, Key, SubCall, ToolResult, Trajectory, Turn, Usage

KEY = Key("bench", "task", 0)
OPENING = ({"role": "system", "content": "s"}, {"role": "user", "content": "q"})
SUMMARY = "Actions: searched.\nResults: none.\nStatus: open."


class Tools:
    """A tool layer whose n-th result says n."""

    def __init__(self, made: int = 0) -> None:
        self.made = made

    async def call(self, call: Any, context: CallContext) -> ToolResult:
        self.made += 1
        return ToolResult.of(f"result {self.made}")


def calling(*names: str, content: str | None = None) -> dict[str, Any]:
    calls = [{"id": "i", "type": "function", "function": {"name": name, "arguments": "{}"}} for name in names]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def saying(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


async def play(server: Any, helper: Any = None, turns: tuple[Turn, ...] = (), **agent: Any) -> Trajectory:
    async def save(key: Key, turn: Turn) -> None:
        assert stored_turn(turn) == turn

    settings = Agent(repetition_limit=99, **agent)
    reader = Reader(models=("aux",))
    url = helper.url if helper else "http://127.0.0.1:9/v1"
    async with Chat(server.url, "m", patience=Patience(0.1)) as chat, Chat(url, "aux", patience=Patience(0.1)) as aux:
        auxiliary = Auxiliary([aux], reader) if helper else None
        player = Player(
            chat, dialect_for("native"), Sampling(max_tokens=50), settings, b"[]", "answer now", auxiliary
        )
        talk = Conversation(OPENING, [stored_turn(turn) for turn in turns], agent=settings)
        tools = Tools(sum(len(turn.results) for turn in turns))
        return await Attempt(KEY, talk, player=player, dock=tools, context=CallContext("r", *KEY), save=save).play()


def contents(request: dict[str, Any]) -> list[str | None]:
    return [message.get("content") for message in request["messages"]]


def valid(messages: list[dict[str, Any]]) -> bool:
    """Whether a server takes these: every call answered exactly once, at once, and nothing else answered."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return False
        waiting = [call["id"] for call in message.get("tool_calls", ())]
    return not waiting


async def test_keep_n_blanks_all_but_the_newest_results_of_parallel_calls(endpoint: Any) -> None:
    server = await endpoint(calling("a", "b"), calling("c", "d"), calling("e"), saying("<answer>1</answer>"))
    done = await play(server, policy="keep-n", keep_results=2)
    old = history.BLANK
    assert done.answer == "1"
    assert contents(server.requests[1])[2:] == [None, "result 1", "result 2"] or contents(server.requests[1])[3:] == [
        "result 1", "result 2",
    ]  # fmt: skip
    assert contents(server.requests[2])[3:5] == [old, old]
    assert contents(server.requests[2])[6:] == ["result 3", "result 4"]
    assert contents(server.requests[3])[3:5] == [old, old]
    assert contents(server.requests[3])[6:8] == [old, "result 4"]
    assert contents(server.requests[3])[9:] == ["result 5"]
    assert all(valid(request["messages"]) for request in server.requests)
    assert [message["content"] for turn in done.turns for message in turn.messages if message["role"] == "tool"] == [
        f"result {n}" for n in range(1, 6)
    ]


async def test_keep_n_can_blank_in_steps_so_that_prefixes_stay(endpoint: Any) -> None:
    server = await endpoint(*[calling("a")] * 6, saying("<answer>1</answer>"))
    await play(server, policy="keep-n", keep_results=1, keep_step=3)
    blanked = [contents(request).count(history.BLANK) for request in server.requests]
    assert blanked == [0, 0, 0, 0, 3, 3, 3]


async def test_discard_drops_all_turns_at_the_fraction_and_says_so(endpoint: Any) -> None:
    server = await endpoint(calling("a"), calling("b"), calling("c"), saying("<answer>1</answer>"))
    server.usage = {"prompt_tokens": 700, "completion_tokens": 90}
    done = await play(server, policy="discard", context=1_000, policy_at=0.8)
    assert done.ending is Ending.ANSWERED
    assert [len(request["messages"]) for request in server.requests] == [2, 3, 3, 3]
    assert [turn.subcalls[0].kind if turn.subcalls else None for turn in done.turns] == [None, *["discard"] * 3]
    for request, turn in zip(server.requests[1:], done.turns[1:], strict=True):
        assert request["messages"][:2] == list(OPENING)
        assert request["messages"][2] == {"role": "user", "content": turn.subcalls[0].text}
    assert "2 steps" in server.requests[2]["messages"][2]["content"]
    assert len(done.turns[0].results) == 1


@pytest.mark.parametrize(("at", "cut"), [(0.9, False), (0.45, True)])
async def test_the_servers_own_count_decides(endpoint: Any, at: float, cut: bool) -> None:
    server = await endpoint(calling("a"), saying("<answer>1</answer>"))
    server.usage = {"prompt_tokens": 5_000, "completion_tokens": 10}
    done = await play(server, policy="discard", context=10_000, policy_at=at)
    assert bool(done.turns[1].subcalls) == cut


async def test_a_cut_history_grows_again_by_what_is_sent(endpoint: Any) -> None:
    server = await endpoint(*[calling("a")] * 5, saying("<answer>1</answer>"))

    def reply(body: dict[str, Any]) -> Any:
        server.usage = {"prompt_tokens": 300 * len(body["messages"]), "completion_tokens": 10}
        return calling("a") if len(server.requests) < 6 else saying("<answer>1</answer>")

    server.answers = [reply]
    await play(server, policy="discard", context=2_000, policy_at=0.7)
    assert [len(request["messages"]) for request in server.requests] == [2, 4, 3, 5, 3, 5]


async def test_a_summary_stands_for_the_turns_before_it(endpoint: Any) -> None:
    server = await endpoint(calling("a", content="I try a"), calling("b"), saying("<answer>1</answer>"))
    server.usage = {"prompt_tokens": 790, "completion_tokens": 9}
    helper = await endpoint(saying(f"<think>hm</think>{SUMMARY}"))
    done = await play(server, helper, policy="summarise", context=1_000, policy_at=0.8)
    assert len(helper.requests) == 2
    asked = helper.requests[0]["messages"][0]["content"]
    assert "I try a" in asked and "result 1" in asked and "q" in asked
    assert SUMMARY in helper.requests[1]["messages"][0]["content"]
    note = server.requests[1]["messages"][2]
    assert note["role"] == "user" and note["content"].endswith(SUMMARY)
    assert server.requests[1]["messages"] == [*OPENING, note]
    (call,) = done.turns[1].subcalls
    assert (call.kind, call.model, call.ok, call.text) == ("summary", "aux", True, note["content"])
    assert call.usage == Usage(100, 10)
    assert done.turns[1].usage == Usage(790, 9)


@pytest.mark.parametrize("said", ["", "I cannot do that.", "Actions: only"])
async def test_without_a_usable_summary_an_answer_is_forced(endpoint: Any, said: str) -> None:
    server = await endpoint(calling("a"), saying("<answer>guess</answer>"))
    server.usage = {"prompt_tokens": 790, "completion_tokens": 9}
    done = await play(server, await endpoint(saying(said)), policy="summarise", context=1_000)
    assert (done.ending, done.answer, done.forced) == (Ending.CONTEXT_LIMIT, "guess", True)
    assert [call.ok for call in done.turns[-1].subcalls] == [False]
    assert [message["role"] for message in server.requests[1]["messages"]][2:] == ["assistant", "tool", "user"]


async def test_an_auxiliary_server_that_is_down_leaves_the_attempt_owed(endpoint: Any) -> None:
    server = await endpoint(calling("a"))
    server.usage = {"prompt_tokens": 790, "completion_tokens": 9}
    helper = await endpoint(lambda body: web.Response(status=500))
    with pytest.raises(ServerFault):
        await play(server, helper, policy="summarise", context=1_000)


async def test_a_refused_prompt_cuts_the_history_too(endpoint: Any) -> None:
    def reply(body: dict[str, Any]) -> Any:
        if len(body["messages"]) > 3:
            return web.Response(status=400, text="maximum context length is 100 tokens")
        return saying("<answer>x</answer>") if len(body["messages"]) == 3 else calling("a")

    server = await endpoint(reply)
    done = await play(server, policy="discard")
    assert (done.ending, done.answer, done.forced) == (Ending.ANSWERED, "x", False)


@pytest.mark.parametrize(
    "agent",
    [
        {"policy": "keep-n", "keep_results": 1},
        {"policy": "discard", "context": 1_000, "policy_at": 0.3},
        {"policy": "summarise", "context": 1_000, "policy_at": 0.3},
    ],
)
async def test_a_continued_attempt_sends_the_same_requests(endpoint: Any, agent: dict[str, Any]) -> None:
    answers = [calling("a", "b"), calling("c"), calling("d"), calling("e"), saying("<answer>7</answer>")]
    helper = await endpoint(saying(SUMMARY))
    first = await endpoint(*answers)
    first.usage = {"prompt_tokens": 200, "completion_tokens": 10}
    whole = await play(first, helper, **agent)
    assert whole.answer == "7"
    for stop in range(1, len(answers)):
        rest = await endpoint(*answers[stop:])
        rest.usage = first.usage
        again = await play(rest, helper, whole.turns[:stop], **agent)
        assert again.answer == "7"
        assert rest.requests == first.requests[stop:]


REPLIES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["", "x", "long " * 50]), st.sampled_from([(), ("discard",)])),
    max_size=12,
)


@given(REPLIES, st.sampled_from(["keep", "keep-n", "discard", "summarise"]), st.integers(0, 4), st.integers(1, 3))
def test_any_history_under_any_policy_is_valid_and_keeps_its_opening(
    replies: list[tuple[int, str, tuple[str, ...]]], policy: Any, kept: int, step: int
) -> None:
    agent = Agent(policy=policy, keep_results=kept, keep_step=step)
    native, turns = dialect_for("native"), []
    talk = Conversation(OPENING, agent=agent)
    for index, (calls, text, cut) in enumerate(replies):
        reading = native.read(calling(*["a"] * calls, content=text), keep_thoughts=True, turn=index)
        results = tuple(ToolResult.of(f"{index}.{n} {text}") for n in range(calls))
        answers = [native.hand_back(*both) for both in zip(reading.calls, results, strict=True)]
        made = tuple(SubCall("discard", text=f"cut {index}") for _ in cut)
        turn = Turn(
            index, {}, (reading.sent, *answers), reading.calls, results, Usage(100 + index, 10), subcalls=made
        )
        talk.add(turn)
        turns.append(turn)
    messages = history.sent(agent, OPENING, turns)
    assert tuple(messages[:2]) == OPENING
    assert valid(messages)
    assert [json.loads(fragment) for fragment in talk.sent()] == messages
    assert [json.loads(fragment) for fragment in talk.fragments] == history.sent(Agent(), OPENING, turns)
    assert talk.prompt_tokens() >= 0
    shown = [json.loads(fragment) for fragment in talk.without_results(10**6)]
    assert valid(shown)
    assert all("left out" in message["content"] for message in shown if message["role"] == "tool")
    if policy == "keep-n":
        total = sum(len(turn.results) for turn in turns)
        blank = sum(message["content"] == history.BLANK for message in messages)
        assert blank % step == 0
        assert 0 <= max(total - kept, 0) - blank < step


@given(st.lists(st.text(max_size=3_000), max_size=8), st.integers(2_500, 20_000))
def test_a_request_for_a_summary_keeps_to_its_size(texts: list[str], most: int) -> None:
    history = [{"role": "assistant", "content": text} for text in texts]
    made = summary_prompt(OPENING, history, most)
    assert len(made.encode()) <= most
    assert "Actions" in made


@pytest.mark.parametrize(
    ("reply", "usable"),
    [
        (SUMMARY, True),
        ("**Actions:** a\n## Results\nb\nStatus - c", True),
        ("Results: a\nStatus: b", False),
        ("", False),
    ],
)
def test_a_summary_has_three_sections(reply: str, usable: bool) -> None:
    assert (usable_summary(reply) is not None) is usable


def test_settings_that_are_switched_off_are_not_in_the_fingerprint() -> None:
    plain = RunConfig(reader=Reader(mode="none")).scoring()
    assert [key for key in plain if "policy" in key or "keep_" in key or key.startswith("reader.")] == ["reader.mode"]
    extracts = [key for key in RunConfig().scoring() if key.startswith("reader.")]
    assert extracts == ["reader.extract_chars", "reader.mode", "reader.page_chars", "reader.skip_below"]
    kept = RunConfig(agent=Agent(policy="keep-n")).scoring()
    assert kept["agent.keep_results"] == 5 and "agent.policy_at" not in kept
    summed = RunConfig(
        agent=Agent(policy="summarise"), reader=Reader(models=("a",), base_url="http://x/v1")
    ).scoring()
    assert summed["agent.policy_at"] == 0.8 and summed["reader.models"] == ["a"]
    assert "reader.base_url" not in summed
