"""How long a call may take, and what happens to one that takes longer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from toleap.chat.deadline import Deadlines, Pace
from toleap.chat.metrics import Work, metrics_url, read_work

REPLIES = st.lists(st.tuples(st.integers(0, 40_000), st.floats(0.001, 5_000)), max_size=30)


@given(REPLIES, st.integers(1, 131_072))
def test_more_tokens_never_get_less_time(replies: list[tuple[int, float]], tokens: int) -> None:
    pace = Pace()
    for reply in replies:
        pace.saw(*reply)
    assert 0 < pace.seconds_for(tokens) <= pace.seconds_for(tokens + 1)


@given(st.integers(1, 16_384), st.floats(0.01, 2_000), st.integers(1, 50))
def test_a_reply_like_those_before_it_is_never_late(tokens: int, seconds: float, count: int) -> None:
    pace = Pace()
    for _ in range(count):
        pace.saw(tokens, seconds)
    assert pace.seconds_for(tokens) > 3 * seconds


def test_the_deadline_follows_the_pace_up_to_the_most_and_a_second_try_gets_more() -> None:
    deadlines = Deadlines(none, most=1_000, stalled=1)
    assert deadlines.seconds(None) == deadlines.seconds(16_384) == 1_000
    deadlines.pace.saw(10_000, 100)  # 100 tokens a second
    assert 1_000 > deadlines.seconds(16_384, 1) > 4 * 164
    assert deadlines.seconds(16, 1) < deadlines.seconds(16, 2) < deadlines.seconds(16, 9) == 1_000


async def none() -> Work | None:
    return None


async def test_a_call_in_time_is_left_alone() -> None:
    async with Deadlines(none, most=9, stalled=1).limit(60):
        await asyncio.sleep(0)


async def test_without_counters_the_deadline_is_the_end() -> None:
    with pytest.raises(TimeoutError):
        async with Deadlines(none, most=9, stalled=9_999).limit(0.01):
            await asyncio.Event().wait()


async def test_while_the_counters_move_an_overdue_call_goes_on() -> None:
    done = asyncio.Event()
    looks = iter(range(100))

    async def look() -> Work:
        if (number := next(looks)) == 12:
            done.set()
        return Work(number, 1)

    deadlines = Deadlines(look, most=9, stalled=0.1)  # twelve looks take three times as long
    async with deadlines.limit(0.01):
        await done.wait()
    await deadlines.close()


@pytest.mark.parametrize("requests", [0, 1])
async def test_counters_that_stand_still_or_know_of_too_few_requests_end_every_overdue_call(requests: int) -> None:
    tokens: Iterator[int] = iter(range(10_000))

    async def look() -> Work:
        return Work(next(tokens) if requests == 0 else 5, 2 * requests)

    deadlines = Deadlines(look, most=9, stalled=0.05)

    async def call() -> None:
        async with deadlines.limit(0.01):
            await asyncio.Event().wait()

    async with asyncio.timeout(60):
        ended = await asyncio.gather(call(), call(), return_exceptions=True)
    assert [type(error) for error in ended] == [TimeoutError, TimeoutError]


async def test_a_server_too_busy_to_show_its_counters_once_is_not_given_up_for_that() -> None:
    done = asyncio.Event()
    looks = iter(range(100))

    async def look() -> Work:
        number = next(looks)
        if number in {0, 1, 3}:
            raise aiohttp.ClientConnectionError if number else TimeoutError
        if number > 4:
            done.set()
        return Work(number, 1)

    deadlines = Deadlines(look, most=9, stalled=1)
    async with deadlines.limit(0.01):
        await done.wait()
    await deadlines.close()


async def test_a_stop_is_no_deadline() -> None:
    async def call() -> None:
        async with Deadlines(none, most=9, stalled=9).limit(60):
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


COUNTERS = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a} b"} 3.0
vllm:num_requests_running{engine="1",model_name="a} b"} 2.0
vllm:num_requests_waiting{engine="0",model_name="a} b"} 1.0
vllm:prompt_tokens_total{engine="0",model_name="a} b"} 1.5e+06
vllm:generation_tokens_total{engine="0",model_name="a} b"} 20.0
vllm:generation_tokens_created{engine="0",model_name="a} b"} 1.7e+09
"""


@pytest.mark.parametrize(
    ("said", "status", "work"),
    [
        (COUNTERS, 200, Work(1_500_020, 6)),
        (COUNTERS, 500, None),
        ("process_cpu_seconds_total 12\n", 200, None),
        ("vllm:num_requests_running x\nvllm:generation_tokens_total y\n", 200, None),
        ("", 404, None),
    ],
)
async def test_the_counters_of_vllm_are_read(said: str, status: int, work: Work | None) -> None:
    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(text=said, status=status)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        url = metrics_url(str(server.make_url("/v1")))
        assert url is not None
        assert await read_work(session, url) == work


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/metrics"),
        ("http://gate/v1/models/m/v1/", "http://gate/v1/models/m/metrics"),
        ("https://api.example.org/v1beta/openai", None),
        ("http://127.0.0.1:8000", None),
    ],
)
def test_where_the_counters_are(base_url: str, url: str | None) -> None:
    assert metrics_url(base_url) == url
