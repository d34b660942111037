"""A full context in words that nobody foresaw: told by what goes away when less is sent, and by nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from tests.agent.test_loop import Tools, calling, play, saying
from tests.cli.program import Program, row_of
from tests.faults.small import COMMAND, make_benchmark
from toleap.config import Sampling
from toleap.errors import ServerFault
from toleap.types import Ending

ROOM = 6_000
PAGE = "kelp " * 400


def holding(most: int, refusal: web.Response, *, answer_at: int = 99) -> Any:
    """A model that searches until turn ``answer_at``, behind a server that refuses requests beyond ``most`` bytes."""

    def reply(body: dict[str, Any]) -> Any:
        if len(json.dumps(body)) > most:
            return refusal
        turns = sum(message["role"] == "assistant" for message in body["messages"])
        if body.get("tool_choice") == "none" or turns >= answer_at:
            return saying("<answer>Ostby</answer>")
        return calling("search", arguments=json.dumps({"query": [f"q{turns}"]}))

    return reply


REFUSALS = {
    "400, no word of it": web.json_response({"error": {"message": "E-7734: request rejected"}}, status=400),
    "422": web.json_response({"detail": "unprocessable"}, status=422),
    "406": web.Response(status=406, text="not acceptable"),
    "500": web.Response(status=500, text="slot unavailable"),
    "500 in JSON": web.json_response({"error": {"code": 500, "message": "decode: no KV slot"}}, status=500),
    "200, an error": web.json_response({"error": {"message": "rejected", "code": 400}}),
    "an empty reply": web.json_response(
        {
            "choices": [{"message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 900, "completion_tokens": 0},
        }
    ),
    "an empty reply, length": web.json_response(
        {
            "choices": [{"message": {"role": "assistant", "content": None}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 900, "completion_tokens": 0},
        }
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_that_goes_away_when_less_is_sent_is_a_full_context(endpoint: Any, refusal: Any) -> None:
    server = await endpoint(holding(ROOM, refusal))
    done = await play(server, Tools(text=PAGE), sampling=Sampling(max_tokens=50))
    assert (done.ending, done.answer, done.forced) == (Ending.CONTEXT_LIMIT, "Ostby", True)
    assert len(done.turns) > 2


@pytest.mark.parametrize("policy", ["keep-n", "discard"])
@pytest.mark.parametrize("name", ["400, no word of it", "500", "an empty reply"])
async def test_a_policy_makes_room_and_the_attempt_goes_on(endpoint: Any, policy: str, name: str) -> None:
    server = await endpoint(holding(3 * ROOM, REFUSALS[name], answer_at=12))
    tools = Tools(text=PAGE if policy == "discard" else PAGE * 2)
    done = await play(server, tools, policy=policy, keep_results=3, sampling=Sampling(max_tokens=50))
    assert done.answer == "Ostby"
    assert done.ending in {Ending.ANSWERED, Ending.CONTEXT_LIMIT}


@pytest.mark.parametrize("status", [400, 422, 500])
async def test_a_refusal_of_what_every_history_holds_is_ours(endpoint: Any, status: int) -> None:
    def reply(body: dict[str, Any]) -> Any:
        if body["messages"][-1]["content"] == "Hello":
            return saying("fine")
        turns = sum(message["role"] == "assistant" for message in body["messages"])
        if any(message["role"] == "tool" for message in body["messages"]):
            return web.Response(status=status, text="E-1")
        return calling("search", arguments=json.dumps({"query": [f"q{turns}"]}))

    with pytest.raises(ServerFault, match="E-1") as caught:
        await play(await endpoint(reply), Tools(text=PAGE))
    assert not caught.value.fatal


async def test_an_empty_reply_of_a_model_that_has_nothing_to_say_is_no_answer(endpoint: Any) -> None:
    done = await play(await endpoint(REFUSALS["an empty reply"]))
    assert (done.ending, done.answer) == (Ending.NO_ANSWER, None)


@pytest.mark.parametrize("name", ["400, no word of it", "500"])
async def test_through_the_program_the_longest_attempts_stay_in_the_headline(
    endpoint: Any, program: Program, name: str
) -> None:
    make_benchmark(program.folder, ["Ostby", "Varde"])
    server = await endpoint(holding(9_000, REFUSALS[name]))
    options = (
        "--k",
        "2",
        "--base-url",
        server.url,
        "--set",
        "operation.patience=2",
        "--set",
        "agent.repetition_limit=99",
    )
    done = await asyncio.to_thread(program, *COMMAND, *options)
    assert done.code == 0, done.said
    row = row_of(done.json, "mine")
    assert (row["counts"]["scored"], row["counts"]["quarantined"], row["average"]) == (4, 0, 0.5)
    assert row["behaviour"]["endings"] == {"context_limit": 4}


async def test_through_the_program_a_refused_setting_stops_the_run_at_once(endpoint: Any, program: Program) -> None:
    make_benchmark(program.folder, ["Ostby"])

    def reply(body: dict[str, Any]) -> Any:
        said = {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted: seed"}]}
        return web.json_response(said, status=422) if "seed" in body else saying("<answer>Ostby</answer>")

    server = await endpoint(reply)
    halted = await asyncio.to_thread(program, *COMMAND, "--k", "2", "--base-url", server.url)
    assert halted.code == 1 and "sampling.fields.seed=none" in halted.json["halted"], halted.said
    assert row_of(halted.json, "mine")["counts"]["quarantined"] == 0
    left_out = ("--set", "sampling.fields.seed=none")
    done = await asyncio.to_thread(program, *COMMAND, "--k", "2", "--base-url", server.url, *left_out)
    assert (done.code, row_of(done.json, "mine")["average"]) == (0, 1.0), done.said
    (folder,) = (
        path.parent for path in (program.folder / "results").glob("*/run.toml") if "none" in path.read_text()
    )
    assert 'seed = "none"' in (folder / "run.toml").read_text(), "what was left out stands in the record"
