"""The scripted server over real HTTP."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from toleap.errors import UsageError
from toleap.serving.policies import FixedTurns
from toleap.serving.process import free_port
from toleap.serving.scripted import Conditions, start_scripted
from toleap.serving.scripted_faults import Faults
from toleap.serving.scripted_process import ScriptedProcess

TOOLS = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]
TURNS = [
    {"tool_calls": [{"function": {"name": "search", "arguments": {"query": ["a"]}}}]},
    {"content": "<answer>42</answer>"},
]
QUESTION = [{"role": "user", "content": "?"}]


async def ask(server: Any, messages: list[dict[str, Any]], *, id: str | None = None, **more: Any) -> tuple[int, Any]:
    headers = {"X-Request-Id": id} if id else {}
    body = {"model": "scripted", "messages": messages, **more}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.base_url}/chat/completions", json=body, headers=headers) as response,
    ):
        return response.status, await response.json()


async def stats(server: Any) -> dict[str, Any]:
    url = server.base_url.removesuffix("/v1")
    async with aiohttp.ClientSession() as session, session.get(f"{url}/stats") as response:
        found: dict[str, Any] = await response.json()
        return found


async def test_turns_are_played_in_their_order_and_the_last_repeats() -> None:
    async with await start_scripted(FixedTurns(TURNS)) as server:
        status, first = await ask(server, QUESTION, tools=TOOLS)
        assert status == 200
        choice = first["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        call = choice["message"]["tool_calls"][0]
        assert json.loads(call["function"]["arguments"]) == {"query": ["a"]}
        history = [*QUESTION, choice["message"], {"role": "tool", "tool_call_id": call["id"], "content": "b"}]
        for _ in range(2):
            _, later = await ask(server, history, tools=TOOLS)
            assert later["choices"][0]["message"]["content"] == "<answer>42</answer>"
            assert later["choices"][0]["finish_reason"] == "stop"
            history.append(later["choices"][0]["message"])


@pytest.mark.parametrize("more", [{}, {"tools": TOOLS, "tool_choice": "none"}])
async def test_without_tools_there_are_no_calls(more: dict[str, Any]) -> None:
    async with await start_scripted(FixedTurns(TURNS)) as server:
        _, body = await ask(server, QUESTION, **more)
    assert body["choices"][0]["message"] == {"role": "assistant", "content": ""}
    assert body["choices"][0]["finish_reason"] == "stop"


async def test_two_calls_of_one_turn_have_different_ids() -> None:
    async with await start_scripted(FixedTurns([{"tool_calls": TURNS[0]["tool_calls"] * 2}])) as server:
        _, body = await ask(server, QUESTION, tools=TOOLS)
    calls = body["choices"][0]["message"]["tool_calls"]
    assert len({call["id"] for call in calls}) == 2


async def test_usage_grows_with_the_request() -> None:
    async with await start_scripted(FixedTurns(TURNS)) as server:
        _, short = await ask(server, QUESTION)
        _, long = await ask(server, [{"role": "user", "content": "x" * 40_000}])
    assert long["usage"]["prompt_tokens"] - short["usage"]["prompt_tokens"] == pytest.approx(10_000, abs=5)
    assert short["usage"]["total_tokens"] == short["usage"]["prompt_tokens"] + short["usage"]["completion_tokens"]


async def test_stats_count_every_request_and_every_id(tmp_path: Path) -> None:
    log = tmp_path / "played"
    async with await start_scripted(FixedTurns(TURNS), stats_file=log) as server:
        for name in ("a", "b", "b"):
            await ask(server, QUESTION, id=name)
        found = await stats(server)
    assert found["requests"] == 3
    assert found["by_id"] == {"a": 1, "b": 2}
    assert found["repeated"] == 1
    async with await start_scripted(FixedTurns(TURNS), stats_file=log) as server:
        await ask(server, QUESTION, id="a")
        assert (await stats(server))["by_id"] == {"a": 2, "b": 2}
    assert log.read_text().split() == ["a", "b", "b", "a"]


async def test_latency_is_waited_by_all_at_once() -> None:
    async with await start_scripted(FixedTurns(TURNS), conditions=Conditions(latency_ms=200)) as server:
        await asyncio.gather(*(ask(server, QUESTION) for _ in range(8)))
        assert (await stats(server))["peak_in_flight"] == 8


async def test_faults_come_as_planned_and_are_not_counted_as_played() -> None:
    faults = Faults.parse('{"every": 2, "status": 429, "retry_after": 0.5}')
    async with await start_scripted(FixedTurns(TURNS), conditions=Conditions(faults=faults)) as server:
        assert [(await ask(server, QUESTION, id=str(n)))[0] for n in range(4)] == [200, 429, 200, 429]
        found = await stats(server)
    assert found["failed"] == 2
    assert sorted(found["by_id"]) == ["0", "2"]


async def test_a_reset_breaks_the_connection_and_the_server_goes_on() -> None:
    async with await start_scripted(
        FixedTurns(TURNS), conditions=Conditions(faults=Faults(every=2, status=0))
    ) as server:
        assert (await ask(server, QUESTION))[0] == 200
        with pytest.raises(aiohttp.ClientError):
            await ask(server, QUESTION)
        assert (await ask(server, QUESTION))[0] == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"messages": []}', b'{"messages": 3}', b"\xff", b"null"])
async def test_nonsense_is_refused(body: bytes) -> None:
    async with (
        await start_scripted(FixedTurns(TURNS)) as server,
        aiohttp.ClientSession() as session,
        session.post(f"{server.base_url}/chat/completions", data=body) as response,
    ):
        assert response.status == 400


async def test_a_prompt_beyond_the_context_is_refused_as_model_servers_do() -> None:
    async with await start_scripted(FixedTurns(TURNS), conditions=Conditions(context=100)) as server:
        status, body = await ask(server, [{"role": "user", "content": "x" * 1_000}])
    assert status == 400
    assert "maximum context length" in body["error"]["message"]


async def test_it_names_its_model() -> None:
    async with (
        await start_scripted(FixedTurns(TURNS), model="scripted:x") as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.base_url}/models") as response,
    ):
        assert (await response.json())["data"][0]["id"] == "scripted:x"


async def test_a_port_in_use_is_named() -> None:
    async with await start_scripted(FixedTurns(TURNS)) as server:
        with pytest.raises(UsageError, match=str(server.port)):
            await start_scripted(FixedTurns(TURNS), port=server.port)
        with pytest.raises(UsageError, match=str(server.port)):
            free_port(server.port)


async def test_as_a_process_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "turns.json"
    path.write_text(json.dumps(TURNS))
    async with ScriptedProcess(f"turns:{path}", faults='{"every": 2, "status": 503}') as server:
        assert server.alive
        status, body = await ask(server, QUESTION, tools=TOOLS)
        assert (status, body["choices"][0]["finish_reason"]) == (200, "tool_calls")
        assert (await ask(server, QUESTION))[0] == 503
    assert not server.alive


async def test_a_process_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.json"):
        async with ScriptedProcess(f"turns:{tmp_path / 'missing.json'}"):
            pass


@pytest.mark.parametrize(
    "text", ["", "7", "{}", '{"every": "often"}', "[1]", '{"every": 1, "kind": "odd"}', '{"each": 1}']
)
def test_a_plan_of_faults_must_be_one(text: str) -> None:
    with pytest.raises(UsageError, match="--faults"):
        Faults.parse(text)


@pytest.mark.parametrize(
    ("plan", "failing"),
    [
        ('{"every": 3}', [3, 6, 9]),
        ('{"first": 2}', [1, 2]),
        ('{"first": 1, "every": 4, "after": 2}', [3, 6, 10]),
        ('{"every": 1, "after": 8}', [9, 10]),
    ],
)
def test_which_requests_fail(plan: str, failing: list[int]) -> None:
    faults = Faults.parse(plan)
    assert [number for number in range(1, 11) if faults.hit(number)] == failing


async def test_only_requests_that_hold_the_text_fail() -> None:
    faults = Faults.parse('{"every": 2, "match": "poison"}')
    async with await start_scripted(FixedTurns(TURNS), conditions=Conditions(faults=faults)) as server:
        said = [[{"role": "user", "content": text}] for text in ("poison", "fine", "poison", "fine")]
        assert [(await ask(server, messages))[0] for messages in said] == [200, 200, 500, 200]


async def test_two_living_copies_of_a_request_are_seen_and_so_is_a_client_that_hung_up() -> None:
    async with await start_scripted(
        FixedTurns(TURNS), conditions=Conditions(faults=Faults(kind="silent", first=3))
    ) as server:
        async with asyncio.TaskGroup() as group:
            copies = [group.create_task(ask(server, QUESTION, id=name)) for name in ("a", "a", "b")]
            while server.stats.in_flight < 3:
                await asyncio.sleep(0.01)
            for copy in copies:
                copy.cancel()
        while server.stats.in_flight:
            await asyncio.sleep(0.01)
        assert (server.stats.peak_alive, server.stats.hung_up) == (2, 3)
        assert (await ask(server, QUESTION, id="a"))[0] == 200
        assert (await stats(server))["peak_alive"] == 2


async def test_the_counters_move_only_while_something_is_played() -> None:
    conditions = Conditions(latency_ms=100, metrics=True)
    async with await start_scripted(FixedTurns(TURNS), conditions=conditions) as server:
        before = server.stats.metrics()
        asking = asyncio.create_task(ask(server, QUESTION))
        while server.stats.metrics() == before:
            await asyncio.sleep(0.01)
        assert 'num_requests_running{engine="0",model_name="scripted"} 1.0' in server.stats.metrics()
        await asking
        after = server.stats.metrics()
        await asyncio.sleep(0.01)
        assert server.stats.metrics() == after
