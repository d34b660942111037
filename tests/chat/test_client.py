"""The chat client against a server on the wire: whose failure is whose."""

from __future__ import annotations

import email.utils
import time

import pytest
from aiohttp import web

from toleap.chat.client import Chat, serialise
from toleap.errors import ContextOverflow, ServerFault
from toleap.types import Usage

HELLO = [serialise({"role": "user", "content": "hello"})]


async def test_a_reply_and_what_was_sent(endpoint):
    server = await endpoint({"role": "assistant", "content": "hi"})
    async with Chat(server.url, "m", api_key="secret") as chat:
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
        async with Chat(server.url, "m", patience=5) as chat:
            with pytest.raises(ServerFault, match="429") as caught:
                await chat.ask(HELLO, {})
        assert caught.value.fatal, "a rate limit is everybody's: no attempt is to blame"
        assert len(server.requests) == 1
    server = await endpoint(
        web.Response(status=429, headers={"Retry-After": soon}),
        web.Response(status=429, headers={"Retry-After": "nonsense"}),
        {"role": "assistant", "content": "ok"},
    )
    async with Chat(server.url, "m", patience=5) as chat:
        assert (await chat.ask(HELLO, {})).message["content"] == "ok"


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        '{"error": {"code": "context_length_exceeded"}}',
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096",
    ],
)
async def test_a_prompt_that_does_not_fit_is_the_models(endpoint, said):
    server = await endpoint(web.Response(status=400, text=said))
    async with Chat(server.url, "m") as chat:
        with pytest.raises(ContextOverflow):
            await chat.ask(HELLO, {})


@pytest.mark.parametrize(("status", "fatal"), [(400, False), (401, True), (404, True)])
async def test_a_refusal_is_ours_at_once(endpoint, status, fatal):
    server = await endpoint(web.Response(status=status, text="no"))
    async with Chat(server.url, "m", patience=60) as chat:
        with pytest.raises(ServerFault) as caught:
            await chat.ask(HELLO, {})
    assert caught.value.fatal is fatal
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"choices": []}', '{"choices": [{"message": "x"}]}'])
async def test_an_answer_that_is_no_completion_is_never_the_models(endpoint, body):
    server = await endpoint(web.Response(text=body, content_type="application/json"))
    async with Chat(server.url, "m", patience=0.1) as chat:
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
    async with Chat(f"http://127.0.0.1:{unused_tcp_port}/v1", "m", patience=0.1) as chat:
        with pytest.raises(ServerFault) as caught:
            await chat.ask(HELLO, {})
    assert caught.value.fatal
