"""The loop against a server on the wire: endings, limits, forced answers, continuing, and whose fault it is."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from tests.store.building import stored_turn
from toleap.agent.conversation import Conversation
from toleap.agent.loop import Attempt, Player, call_seed, request_id
from toleap.chat.client import Chat, Patience
from toleap.chat.dialects import dialect_for
from toleap.config import Agent, Sampling
from toleap.errors import ServerFault, ToolFault, UsageError
from toleap.types import CallContext, Ending, ErrorClass, Key, ToolCall, ToolResult

KEY = Key("bench", "task", 0)
OPENING = ({"role": "system", "content": "s"}, {"role": "user", "content": "q"})
CONTEXT = CallContext("run", *KEY)


@dataclass
class Tools:
    """A tool layer that answers at once and keeps what it was asked."""

    made: list[ToolCall] = field(default_factory=list)
    text: str = "found"
    fault: bool = False

    async def call(self, call, context):
        assert context is CONTEXT
        self.made.append(call)
        if self.fault:
            raise ToolFault("the sandbox is gone")
        return ToolResult.of(self.text, ErrorClass.CALL if call.name == "unknown" else None)


def calling(*names, content=None, arguments="{}"):
    calls = [{"id": "i", "type": "function", "function": {"name": name, "arguments": arguments}} for name in names]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def saying(text):
    return {"role": "assistant", "content": text}


async def play(server, tools=None, turns=(), dialect="native", sampling=Sampling(max_tokens=50), **agent):  # noqa: B008
    stored = []

    async def save(key, turn):
        assert key == KEY
        stored.append(turn)

    async with Chat(server.url, "m", patience=Patience(0.1)) as chat:
        player = Player(chat, dialect_for(dialect), sampling, Agent(**agent), b"[]", "answer now")
        talk = Conversation(OPENING, turns)
        done = await Attempt(KEY, talk, player=player, dock=tools or Tools(), context=CONTEXT, save=save).play()
    assert stored == list(done.turns)[len(turns) :]
    assert [turn.index for turn in done.turns] == list(range(len(done.turns)))
    return done


async def test_calls_of_a_turn_are_all_made_and_an_answer_ends_it(endpoint):
    server = await endpoint(calling("search", "fetch_url"), saying("so <answer>42</answer>"))
    tools = Tools()
    done = await play(server, tools)
    assert (done.ending, done.answer, done.forced) == (Ending.ANSWERED, "42", False)
    assert [call.name for call in tools.made] == ["search", "fetch_url"]
    assert [message["role"] for message in server.requests[1]["messages"]] == [
        "system", "user", "assistant", "tool", "tool",
    ]  # fmt: skip
    assert [request["seed"] for request in server.requests] == [call_seed(0, KEY, 0), call_seed(0, KEY, 1)]
    assert [headers["X-Request-Id"] for headers in server.headers] == [request_id(KEY, 0), request_id(KEY, 1)]


@pytest.mark.parametrize(
    ("agent", "ending", "turns"),
    [
        ({"max_turns": 3}, Ending.TURN_LIMIT, 3),
        ({"max_tool_calls": 2}, Ending.TOOL_LIMIT, 2),
        ({"max_total_tokens": 20}, Ending.TOKEN_LIMIT, 2),
        ({"max_seconds": 1e-9}, Ending.TIME_LIMIT, 1),
        ({"repetition_limit": 2}, Ending.REPETITION, 2),
    ],
)
async def test_a_limit_ends_with_one_forced_answer(endpoint, agent, ending, turns):
    def reply(body):
        return saying("<answer>best guess</answer>") if "tool_choice" in body else calling("search")

    server = await endpoint(reply)
    done = await play(server, **{"repetition_limit": 99, **agent})
    assert (done.ending, done.answer, done.forced) == (ending, "best guess", True)
    assert len(done.turns) == turns + 1
    assert server.requests[-1]["tool_choice"] == "none"
    assert server.requests[-1]["messages"][-1] == {"role": "user", "content": "answer now"}


async def test_without_a_forced_answer_a_limit_just_ends_it(endpoint):
    done = await play(await endpoint(calling("search")), max_turns=1, forced_answer=False)
    assert (done.ending, done.answer) == (Ending.TURN_LIMIT, None)


async def test_turns_that_only_hold_bad_calls_reach_the_noop_limit(endpoint):
    n = iter(range(99))
    server = await endpoint(lambda body: calling("search", arguments=f"{{{next(n)}"))
    tools = Tools()
    done = await play(server, tools, noop_limit=3)
    assert done.ending is Ending.NOOP_LIMIT
    assert tools.made == []
    assert "not valid JSON" in server.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize("reply", [saying(""), saying(None), saying("<think>never ends"), {"role": "assistant"}])
async def test_a_stop_without_an_answer_is_the_models(endpoint, reply):
    done = await play(await endpoint(reply))
    assert (done.ending, done.answer) == (Ending.NO_ANSWER, None)


async def test_an_overflow_is_a_context_limit_and_the_newest_results_make_room(endpoint):
    def reply(body):
        if len(json.dumps(body["messages"])) > 900:
            return web.Response(status=400, text="maximum context length is 100 tokens")
        return saying("<answer>x</answer>") if "tool_choice" in body else calling("search")

    done = await play(await endpoint(reply), Tools(text="long " * 400), context=100_000)
    assert (done.ending, done.answer, done.forced) == (Ending.CONTEXT_LIMIT, "x", True)
    assert "long" in done.turns[0].results[0].text


async def test_the_context_limit_is_seen_before_the_server_refuses(endpoint):
    def reply(body):
        return saying("<answer>x</answer>") if "tool_choice" in body else calling("search")

    server = await endpoint(reply)
    server.usage = {"prompt_tokens": 900, "completion_tokens": 50}
    done = await play(server, context=1_000)
    assert done.ending is Ending.CONTEXT_LIMIT
    assert len(server.requests) == 2


async def test_an_overflow_even_of_the_forced_answer_is_wrong_not_owed(endpoint):
    done = await play(await endpoint(lambda body: web.Response(status=400, text="maximum context length is 1")))
    assert (done.ending, done.answer, done.forced) == (Ending.CONTEXT_LIMIT, None, True)


@pytest.mark.parametrize("calls", [["a"], ["a", "b", "c"]])
async def test_a_tool_fault_leaves_the_attempt_owed_and_stores_nothing(endpoint, calls):
    with pytest.raises(ToolFault, match="sandbox"):
        await play(await endpoint(calling(*calls)), Tools(fault=True))


async def test_a_server_fault_leaves_the_attempt_owed(endpoint):
    with pytest.raises(ServerFault):
        await play(await endpoint(lambda body: web.Response(status=500)))


async def test_too_many_calls_in_one_step_are_answered_but_not_made(endpoint):
    tools = Tools()
    done = await play(await endpoint(calling(*["search"] * 40), saying("done")), tools)
    assert len(tools.made) == 32
    assert sum(result.error is ErrorClass.CALL for result in done.turns[0].results) == 8


async def test_hermes_hands_results_back_as_user_messages(endpoint):
    text = '<tool_call>{"name": "search", "arguments": {"query": ["x"]}}</tool_call>'
    server = await endpoint(saying(text), saying("<answer>1</answer>"))
    done = await play(server, dialect="hermes")
    assert done.answer == "1"
    assert server.requests[1]["messages"][-1]["content"] == "<tool_response>\nfound\n</tool_response>"


async def test_an_attempt_continues_at_the_turn_where_it_stopped(endpoint):
    first = await endpoint(calling("search"), calling("fetch_url"), saying("<answer>7</answer>"))
    whole = await play(first)
    for stop in range(1, 4):
        turns = [stored_turn(turn) for turn in whole.turns[:stop]]
        rest = await endpoint(*first.answers[stop:], saying("never asked"))
        again = await play(rest, turns=turns)
        assert (again.ending, again.answer) == (whole.ending, whole.answer)
        assert [body["messages"] for body in rest.requests] == [body["messages"] for body in first.requests[stop:]]
        assert [body["seed"] for body in rest.requests] == [body["seed"] for body in first.requests[stop:]]


async def test_a_forced_answer_that_was_stored_is_not_asked_for_again(endpoint):
    whole = await play(await endpoint(calling("search"), saying("<answer>z</answer>")), max_turns=1)
    server = await endpoint(saying("never asked"))
    again = await play(server, turns=[stored_turn(turn) for turn in whole.turns], max_turns=1)
    assert (again.ending, again.answer, server.requests) == (Ending.TURN_LIMIT, "z", [])


async def test_a_prompt_that_the_server_counts_larger_gets_less_room_for_its_reply(endpoint):
    def reply(body):
        if body["max_tokens"] > 400:
            return web.Response(
                status=400, text="'max_tokens' is too large: this model's maximum context length is 9"
            )
        return saying("<answer>fits</answer>")

    server = await endpoint(reply)
    done = await play(server, sampling=Sampling(max_tokens=3_000))
    assert (done.ending, done.answer) == (Ending.ANSWERED, "fits")
    assert [body["max_tokens"] for body in server.requests] == [3000, 1500, 750, 375]


def whole(message, finish, prompt, completion):
    choice = {"message": message, "finish_reason": finish}
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    return web.json_response({"choices": [choice], "usage": usage})


async def test_thoughts_that_are_not_sent_again_take_no_room(endpoint):
    # The endpoint counts 12,750 tokens of thoughts that it does not show, so they are in no later prompt.
    server = await endpoint(
        lambda _body: whole(calling("search"), "tool_calls", 20_000, 12_750), saying("<answer>there</answer>")
    )
    done = await play(server, sampling=Sampling(max_tokens=16_384), context=32_768)
    assert (done.ending, done.answer) == (Ending.ANSWERED, "there")
    assert 12_000 < server.requests[1]["max_tokens"] < 12_768


@pytest.mark.parametrize("policy", ["keep", "discard"])
async def test_a_reply_that_the_context_cut_off_is_a_context_limit_and_one_that_a_setting_cut_is_none(
    endpoint, policy
):
    half = saying("So the answer must be")
    for context, ending in ((2_000, Ending.CONTEXT_LIMIT), (100_000, Ending.ANSWERED)):
        server = await endpoint(
            lambda _body: whole(calling("search"), "tool_calls", 1_500, 10),
            lambda _body: whole(half, "length", 1_600, 390),
            saying("<answer>at last</answer>"),
        )
        done = await play(server, sampling=Sampling(max_tokens=1_000), context=context, policy=policy, policy_at=0.99)
        assert (done.ending, done.forced) == (ending, ending is Ending.CONTEXT_LIMIT)
        assert done.answer == ("at last" if done.forced else "So the answer must be")


async def test_a_loop_that_the_context_cut_off_is_a_repetition_and_never_drawn_again(endpoint):
    server = await endpoint(
        lambda _body: whole(calling("search"), "tool_calls", 1_500, 10),
        lambda _body: whole(saying("and so on, " * 200), "length", 1_600, 390),
        saying("<answer>at last</answer>"),
    )
    done = await play(server, sampling=Sampling(max_tokens=1_000), context=2_000, policy="discard", policy_at=0.99)
    assert (done.ending, done.answer, len(server.requests)) == (Ending.REPETITION, "at last", 3)
    assert done.turns[1].reply["content"].startswith("and so on")


@pytest.mark.parametrize("reason", ["abort", "error"])
async def test_a_reply_that_the_server_gave_up_on_is_ours(endpoint, reason):
    choice = {"message": saying("half a sen"), "finish_reason": reason}
    server = await endpoint(lambda body: web.json_response({"choices": [choice]}))
    with pytest.raises(ServerFault, match="gave up on the reply"):
        await play(server)


async def test_an_answer_in_parts_counts(endpoint):
    done = await play(await endpoint(saying([{"type": "text", "text": "<answer>parts</answer>"}])))
    assert (done.ending, done.answer) == (Ending.ANSWERED, "parts")


async def test_a_refusal_is_the_models(endpoint):
    done = await play(await endpoint({"role": "assistant", "content": None, "refusal": "I will not."}))
    assert (done.ending, done.answer) == (Ending.REFUSED, None)


async def test_a_users_mistake_in_one_of_several_calls_stays_one(endpoint):
    class Mistaken(Tools):
        async def call(self, call, context):
            raise UsageError("the corpus is gone")

    with pytest.raises(UsageError, match="the corpus is gone"):
        await play(await endpoint(calling("a", "b")), Mistaken())


async def test_extra_fields_go_with_every_request_and_cannot_force_a_call_on_the_forced_answer(endpoint):
    extra = {"chat_template_kwargs": {"enable_thinking": False}, "tool_choice": "required"}
    server = await endpoint(calling("search"), saying("<answer>1</answer>"))
    await play(server, sampling=Sampling(max_tokens=50, extra=extra), max_turns=1)
    assert [request["chat_template_kwargs"] for request in server.requests] == [{"enable_thinking": False}] * 2
    assert [request["tool_choice"] for request in server.requests] == ["required", "none"]


async def test_only_the_server_says_that_a_context_is_full(endpoint):
    page = "a long word " * 5_000
    server = await endpoint(calling("fetch_url"), saying("<answer>1</answer>"))
    server.usage = {"prompt_tokens": 1_600, "completion_tokens": 10}
    done = await play(server, Tools(text=page), sampling=Sampling(max_tokens=9_000), context=32_768)
    assert (done.ending, len(done.turns)) == (Ending.ANSWERED, 2)
    assert [request["max_tokens"] for request in server.requests] == [9_000, 9_000]


async def test_a_long_opening_is_sent_whatever_it_is_thought_to_take(endpoint):
    server = await endpoint(saying("<answer>1</answer>"))
    opening = (OPENING[0], {"role": "user", "content": "word " * 1_500})
    talk = Conversation(opening)
    assert talk.prompt_tokens() > 2_048 > talk.least_tokens()
    async with Chat(server.url, "m", patience=Patience(0.1)) as chat:
        player = Player(chat, dialect_for("native"), Sampling(), Agent(context=2_048), b"[]", "answer now")
        done = await Attempt(KEY, talk, player=player, dock=Tools(), context=CONTEXT, save=unsaved).play()
    assert (done.ending, done.answer) == (Ending.ANSWERED, "1")


async def test_a_forced_answer_keeps_every_result_that_may_fit(endpoint):
    server = await endpoint(calling("search"), saying("<answer>1</answer>"))
    server.usage = {"prompt_tokens": 1_600, "completion_tokens": 10}
    done = await play(server, Tools(text="a long word " * 3_000), max_turns=1, context=16_384)
    assert (done.ending, done.answer) == (Ending.TURN_LIMIT, "1")
    assert server.requests[1]["messages"][-2]["content"].startswith("a long word")


async def unsaved(key, turn):
    pass
