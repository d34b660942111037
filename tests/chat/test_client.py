"""The chat client against a server on the wire: whose failure is whose."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Callable

import pytest
from aiohttp import web

from toleap.chat.client import Asking, Chat, Patience, serialise
from toleap.errors import ContextOverflow, ServerFault
from toleap.serving.policies import FixedTurns
from toleap.serving.scripted import Conditions, start_scripted
from toleap.serving.scripted_faults import Faults
from toleap.types import Usage

HELLO = [serialise({"role": "user", "content": "hello"})]


def answering(only: str, status: int = 500) -> Callable[[object], object]:
    """The server fails every conversation but those that hold this text."""

    def answer(body: object) -> object:
        if only in str(body):
            return {"role": "assistant", "content": "fine"}
        return web.Response(status=status, text="broken")

    return answer


async def test_a_reply_and_what_was_sent(endpoint):
    server = await endpoint({"role": "assistant", "content": "hi"})
    async with Chat(server.url, "m", asking=Asking(api_key="secret")) as chat:
        reply = await chat.ask(HELLO, {"temperature": 0.5}, tools=b'[{"type":"function"}]', request_id="t-1")
    assert reply.message["content"] == "hi"
    assert reply.usage == Usage(100, 10, 0)
    assert server.requests == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "hello"}],
            "tools": [{"type": "function"}],
            "temperature": 0.5,
        }
    ]
    assert server.headers[0]["X-Request-Id"] == "t-1"
    assert server.headers[0]["Authorization"] == "Bearer secret"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_server_is_waited_for(endpoint, status):
    server = await endpoint(web.Response(status=status), {"role": "assistant", "content": "late"})
    async with Chat(server.url, "m") as chat:
        assert (await chat.ask(HELLO, {})).message["content"] == "late"
    assert len(server.requests) == 2


async def test_retry_after_is_heeded_and_patience_ends_it(endpoint):
    soon = email.utils.format_datetime(email.utils.localtime())
    for value in ("3600", email.utils.formatdate(time.time() + 3600, usegmt=True)):
        server = await endpoint(web.Response(status=429, headers={"Retry-After": value}))
        async with Chat(server.url, "m", patience=Patience(5)) as chat:
            with pytest.raises(ServerFault, match="429") as caught:
                await chat.ask(HELLO, {})
        assert caught.value.fatal, "a rate limit is everybody's: no attempt is to blame"
        assert len(server.requests) == 2, "the second asks whether it is everybody's"
    server = await endpoint(
        web.Response(status=429, headers={"Retry-After": soon}),
        web.Response(status=429, headers={"Retry-After": "nonsense"}),
        web.Response(status=429, headers={"Retry-After": "nan"}),
        web.Response(status=429, headers={"Retry-After": "-7"}),
        {"role": "assistant", "content": "ok"},
    )
    async with Chat(server.url, "m", patience=Patience(5)) as chat:
        assert (await chat.ask(HELLO, {})).message["content"] == "ok"


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        '{"error": {"code": "context_length_exceeded"}}',
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096",
        "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it",
    ],
)
async def test_a_prompt_that_does_not_fit_is_the_models(endpoint, said):
    server = await endpoint(web.Response(status=400, text=said))
    async with Chat(server.url, "m") as chat:
        with pytest.raises(ContextOverflow):
            await chat.ask(HELLO, {})


@pytest.mark.parametrize("status", [401, 404])
async def test_a_refusal_is_ours_at_once(endpoint, status):
    server = await endpoint(web.Response(status=status, text="no"))
    async with Chat(server.url, "m", patience=Patience(60)) as chat:
        with pytest.raises(ServerFault) as caught:
            await chat.ask(HELLO, {})
    assert caught.value.fatal
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 403, 422])
async def test_a_refusal_of_one_conversation_is_ours_at_once_and_one_of_all_is_fatal(endpoint, status):
    server = await endpoint(lambda body: answering("Hello", status)(body) if "tools" not in body else refusal(status))
    async with Chat(server.url, "m", patience=Patience(60)) as chat:
        with pytest.raises(ServerFault, match="broken") as caught:
            await chat.ask(HELLO, {})
        assert not caught.value.fatal
        with pytest.raises(ServerFault, match="does not do tools") as caught:
            await chat.ask(HELLO, {"temperature": 0.5, "max_tokens": 99}, tools=b"[{}]")
        assert caught.value.fatal
    assert len(server.requests) == 4
    hello = [{"role": "user", "content": "Hello"}]
    assert server.requests[3] == {
        "model": "m", "messages": hello, "temperature": 0.5, "max_tokens": 1, "tools": [{}],
    }  # fmt: skip


def refusal(status: int) -> web.Response:
    return web.Response(status=status, text="this server does not do tools")


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"choices": []}', '{"choices": [{"message": "x"}]}'])
async def test_an_answer_that_is_no_completion_is_never_the_models(endpoint, body):
    server = await endpoint(web.Response(text=body, content_type="application/json"))
    async with Chat(server.url, "m", patience=Patience(0.1)) as chat:
        with pytest.raises(ServerFault, match="no chat completion"):
            await chat.ask(HELLO, {})


async def test_a_lone_surrogate_from_a_model_is_kept_sendable(endpoint):
    body = '{"choices": [{"message": {"role": "assistant", "content": "a\\ud800b"}, "finish_reason": "stop"}]}'
    server = await endpoint(web.Response(text=body, content_type="application/json"))
    async with Chat(server.url, "m") as chat:
        reply = await chat.ask(HELLO, {})
    assert serialise(reply.message)
    assert reply.message["content"].startswith("a")


async def test_nobody_there_is_a_fatal_fault(unused_tcp_port):
    async with Chat(f"http://127.0.0.1:{unused_tcp_port}/v1", "m", patience=Patience(0.1)) as chat:
        with pytest.raises(ServerFault) as caught:
            await chat.ask(HELLO, {})
    assert caught.value.fatal


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_what_fails_every_conversation_is_fatal(endpoint, status):
    server = await endpoint(web.Response(status=status, text="<html>\r\n<h1>Bad Gateway</h1>\n</html>\n"))
    async with Chat(server.url, "m", patience=Patience(0)) as chat:
        with pytest.raises(ServerFault, match="<h1>Bad Gateway</h1>") as caught:
            await chat.ask(HELLO, {})
    assert caught.value.fatal
    assert len(str(caught.value).splitlines()) == 1
    assert len(server.requests) == 2, "the call and one token for a conversation of its own"
    assert server.requests[1]["max_tokens"] == 1


async def test_what_fails_one_conversation_is_not(endpoint):
    server = await endpoint(answering("Hello"))
    async with Chat(server.url, "m", patience=Patience(0)) as chat:
        with pytest.raises(ServerFault, match="500") as caught:
            await chat.ask(HELLO, {})
    assert not caught.value.fatal


async def test_nothing_is_tried_out_while_others_are_answered(endpoint):
    server = await endpoint(answering("fine"))
    async with Chat(server.url, "m", patience=Patience(0.5)) as chat:
        failing = asyncio.create_task(chat.ask(HELLO, {}))
        while not failing.done():
            await chat.ask([serialise({"role": "user", "content": "fine"})], {})
        with pytest.raises(ServerFault) as caught:
            failing.result()
    assert not caught.value.fatal
    assert all("Hello" not in str(body) for body in server.requests)


async def test_a_limited_rate_is_waited_out_as_long_as_it_lets_anybody_through(endpoint):
    limited = [7]

    def answer(body):
        if "hello" in str(body) and limited[0]:
            limited[0] -= 1
            return web.Response(status=429, headers={"Retry-After": "0.1"})
        return {"role": "assistant", "content": "ok"}

    server = await endpoint(answer)
    async with Chat(server.url, "m", patience=Patience(1.2)) as chat:
        late = asyncio.create_task(chat.ask(HELLO, {}))
        while not late.done():
            await chat.ask([serialise({"role": "user", "content": "fine"})], {})
            await asyncio.sleep(0.01)
        assert (await late).message["content"] == "ok"


async def test_a_server_that_takes_a_call_and_is_silent_is_left_before_it_is_asked_again():
    server = await start_scripted(
        FixedTurns([{"content": "hi"}]), conditions=Conditions(faults=Faults(kind="silent", first=2))
    )
    async with server, Chat(server.base_url, "m", patience=Patience(call=0.3)) as chat:
        reply = await chat.ask(HELLO, {"max_tokens": 9}, request_id="t-1")
        assert reply.message["content"] == "hi"
        assert server.stats.hung_up == server.stats.requests - 1 >= 2
        assert server.stats.peak_alive == 1


async def test_a_server_that_is_silent_for_everybody_is_a_fatal_fault():
    server = await start_scripted(
        FixedTurns([{"content": "hi"}]), conditions=Conditions(faults=Faults(kind="silent", every=1))
    )
    async with server, Chat(server.base_url, "m", patience=Patience(0, call=0.1)) as chat:
        with pytest.raises(ServerFault, match="no answer in") as caught:
            await chat.ask(HELLO, {})
    assert caught.value.fatal


async def test_a_slow_server_that_gets_on_is_waited_for():
    server = await start_scripted(
        FixedTurns([{"content": "hi"}]), conditions=Conditions(latency_ms=900, metrics=True)
    )
    async with server, Chat(server.base_url, "m", patience=Patience(0, call=0.1, stalled=0.4)) as chat:
        assert (await chat.ask(HELLO, {})).message["content"] == "hi"
        assert (server.stats.hung_up, server.stats.requests) == (0, 1)
