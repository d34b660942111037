"""Servers that are not vLLM: what they refuse, rename, wrap and stream, and whose failure it is."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from toleap.chat.client import Asking, Chat, Patience, serialise
from toleap.chat.refusals import refused_field
from toleap.chat.wire import is_near
from toleap.errors import ContextOverflow, ServerFault
from toleap.types import Usage

HELLO = [serialise({"role": "user", "content": "hello"})]
FINE = {"role": "assistant", "content": "fine"}
PARAMETERS = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 9, "seed": 7, "top_k": 3, "tool_choice": "none"}


def refusing(field: str, said: Any, status: int) -> Any:
    def answer(body: dict[str, Any]) -> Any:
        said_so = {"error": {"message": said}} if isinstance(said, str) else {"detail": said}
        return web.json_response(said_so, status=status) if field in body else FINE

    return answer


@pytest.mark.parametrize(
    ("field", "said", "status", "fix"),
    [
        ("seed", "Extra inputs are not permitted: seed", 422, "fields.seed=none"),
        ("seed", "Unknown name \"seed\": Cannot find field.", 400, "fields.seed=none"),
        ("max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
         "'max_completion_tokens' instead.", 400, "fields.max_tokens=max_completion_tokens"),
        ("temperature", "Unsupported value: 'temperature' does not support 0.5", 400, "fields.temperature=none"),
        ("top_p", "`temperature` and `top_p` cannot both be specified", 400, "fields.temperature=none"),
        ("top_k", "property 'top_k' is unsupported", 400, "fields.top_k=none"),
        ("tool_choice", "tool_choice is not supported", 422, "fields.tool_choice=none"),
        ("seed", [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}], 422,
         "fields.seed=none"),
        ("top_p", [{"type": "extra_forbidden", "loc": ["body", "top_p"], "msg": "Extra inputs are not permitted",
                    "input": "temperature"}], 422, "fields.top_p=none"),
    ],
)  # fmt: skip
async def test_a_setting_that_is_refused_to_everybody_stops_the_run_and_is_named(
    endpoint: Any, field: str, said: Any, status: int, fix: str
) -> None:
    server = await endpoint(refusing(field, said, status))
    async with Chat(server.url, "m", patience=Patience(1)) as chat:
        with pytest.raises(ServerFault, match=fix) as caught:
            await chat.ask(HELLO, PARAMETERS)
    assert caught.value.fatal
    name, _, other = fix.removeprefix("fields.").partition("=")
    async with Chat(server.url, "m", patience=Patience(1), asking=Asking(fields={name: other, field: other})) as chat:
        assert (await chat.ask(HELLO, PARAMETERS)).message["content"] == "fine"
    sent = server.requests[-1]
    assert field not in sent and (other == "none" or sent[other] == PARAMETERS[field])


FIELDS = ["seed", "temperature", "top_p", "top_k", "stop", "tool_choice", "parallel_tool_calls"]


@pytest.mark.parametrize("name", FIELDS)
def test_a_refusal_names_its_field(name: str) -> None:
    assert refused_field(f"Invalid request: `{name}` is not allowed here") == name
    assert refused_field(f"un{name}ed words") == ""


async def test_nothing_is_sent_for_a_setting_of_none(endpoint: Any) -> None:
    server = await endpoint(FINE)
    async with Chat(server.url, "m") as chat:
        await chat.ask(HELLO, {"temperature": None, "seed": None, "max_tokens": 5})
    assert server.requests[0].keys() == {"model", "messages", "max_tokens"}


PASSING = [(status, "x") for status in (408, 409, 425, 429, 499, 500, 502, 503, 504, 520, 522, 524, 527, 529, 530)]
PASSING += [
    (403, "<!DOCTYPE html><html>Checking your browser</html>"),
    (400, "<html><body>Bad gateway</body></html>"),
]


@pytest.mark.parametrize(("status", "text"), PASSING)
async def test_what_passes_is_asked_again(endpoint: Any, status: int, text: str) -> None:
    server = await endpoint(web.Response(status=status, text=text), FINE)
    async with Chat(server.url, "m") as chat:
        assert (await chat.ask(HELLO, {})).message["content"] == "fine"
    assert len(server.requests) == 2


ERRORS: list[tuple[Any, str]] = [
    ({"error": {"message": "slow down", "code": 429}}, "passes"),
    ({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, "passes"),
    ({"error": {"message": "Provider returned error", "code": 502}}, "passes"),
    ({"error": "internal"}, "passes"),
    ({"choices": [{"error": {"code": 503, "message": "overloaded"}, "finish_reason": "error"}]}, "passes"),
    ({"choices": [{"message": {"content": "half"}, "finish_reason": "error"}]}, "passes"),
    ({"choices": [], "error": {"type": "overloaded_error"}}, "passes"),
    ({"error": {"message": "no such key", "code": 401}}, "fatal"),
    ({"error": {"message": "bad key", "code": "invalid_api_key"}}, "fatal"),
    ({"error": {"message": "no credits", "code": "insufficient_quota"}}, "fatal"),
    ({"error": {"message": "no model", "code": "model_not_found"}}, "fatal"),
    ({"error": {"message": "too long", "code": "context_length_exceeded"}}, "full"),
    ({"error": {"message": "This model's maximum context length is 9", "code": 400}}, "full"),
    ({"object": "error", "message": "prompt is too long", "code": 400}, "full"),
]


@pytest.mark.parametrize(("body", "goes"), ERRORS, ids=str)
async def test_an_error_with_status_200_goes_the_way_of_its_code(endpoint: Any, body: Any, goes: str) -> None:
    server = await endpoint(web.json_response(body), FINE)
    async with Chat(server.url, "m", patience=Patience(1)) as chat:
        if goes == "passes":
            assert (await chat.ask(HELLO, {})).message["content"] == "fine"
        elif goes == "full":
            with pytest.raises(ContextOverflow):
                await chat.ask(HELLO, {})
        else:
            with pytest.raises(ServerFault) as caught:
                await chat.ask(HELLO, {})
            assert caught.value.fatal


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"code": "content_filter", "message": "The response was filtered"}}),
        (
            400,
            {
                "error": {
                    "message": "Output data may contain inappropriate content.",
                    "code": "data_inspection_failed",
                }
            },
        ),
        (400, {"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}}),
        (400, {"error": {"message": "Your request was flagged as potentially violating our usage policy"}}),
        (403, {"error": {"message": "blocked by our content policy", "type": "content_policy_violation"}}),
        (200, {"error": {"code": "content_filter", "message": "filtered"}}),
    ],
    ids=str,
)
async def test_a_content_filter_is_a_refusal(endpoint: Any, status: int, body: Any) -> None:
    server = await endpoint(web.json_response(body, status=status))
    async with Chat(server.url, "m", patience=Patience(1)) as chat:
        reply = await chat.ask(HELLO, {})
    assert (reply.finish_reason, reply.message["content"]) == ("content_filter", "")
    assert len(server.requests) == 1


@pytest.mark.parametrize("text", ["<html>413 Request Entity Too Large</html>", "", '{"error": "payload"}'])
async def test_413_is_this_conversations_length(endpoint: Any, text: str) -> None:
    server = await endpoint(web.Response(status=413, text=text))
    async with Chat(server.url, "m", patience=Patience(1)) as chat:
        with pytest.raises(ContextOverflow):
            await chat.ask(HELLO, {})


@pytest.mark.parametrize(
    ("usage", "meant"),
    [
        ('{"prompt_tokens": NaN, "completion_tokens": 3}', Usage(0, 3)),
        ('{"prompt_tokens": -5, "completion_tokens": 3}', Usage(0, 3)),
        ('{"prompt_tokens": 1e400, "completion_tokens": "many"}', Usage()),
        ('{"prompt_tokens": 7, "prompt_tokens_details": [1]}', Usage(7)),
        ('{"prompt_tokens": {"a": 1}, "completion_tokens": 2.0}', Usage(0, 2)),
        ('"none"', Usage()),
        ("[]", Usage()),
        ("null", Usage()),
    ],
)
async def test_nonsense_in_usage_stops_nothing(endpoint: Any, usage: str, meant: Usage) -> None:
    raw = f'{{"choices": [{{"message": {{"content": "fine"}}}}], "usage": {usage}}}'
    async with Chat((await endpoint(web.Response(text=raw))).url, "m", patience=Patience(0)) as chat:
        assert (await chat.ask(HELLO, {})).usage == meant


async def test_an_odd_order_of_choices_and_a_torn_byte_stop_nothing(endpoint: Any) -> None:
    two = {"choices": [{"index": 1, "message": {"content": "b"}}, {"index": 0, "message": {"content": "a"}}]}
    torn = b'{"choices": [{"message": {"content": "caf\xe9"}}]}'
    server = await endpoint(web.json_response(two), web.Response(body=torn))
    async with Chat(server.url, "m", patience=Patience(0)) as chat:
        assert (await chat.ask(HELLO, {})).message["content"] == "a"
        assert (await chat.ask(HELLO, {})).message["content"] == "caf\ufffd"


async def test_a_redirect_that_loses_the_request_names_the_address(unused_tcp_port: int) -> None:
    app = web.Application()

    async def moved(_request: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently("/v2/chat/completions")

    async def listed(_request: web.Request) -> web.Response:
        return web.json_response({"detail": "POST only"}, status=405)

    app.router.add_post("/v1/chat/completions", moved)
    app.router.add_get("/v2/chat/completions", listed)
    async with TestServer(app) as server, Chat(str(server.make_url("/v1")), "m", patience=Patience(1)) as chat:
        with pytest.raises(ServerFault, match=r"redirects to http://127\.0\.0\.1:\d+/v2, ") as caught:
            await chat.ask(HELLO, {})
    assert caught.value.fatal


def events(*items: Any) -> web.Response:
    lines = [f"data: {item if isinstance(item, str) else json.dumps(item)}\n\n" for item in items]
    return web.Response(text=": ping\n\n" + "".join(lines), content_type="text/event-stream")


def delta(finish: str | None = None, **parts: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": parts, "finish_reason": finish}]}


async def test_a_server_that_only_streams_is_asked_with_stream(endpoint: Any) -> None:
    def answer(body: dict[str, Any]) -> web.Response:
        if not body.get("stream"):
            return web.json_response({"error": {"message": "This model only supports stream=true"}}, status=400)
        return events(
            delta(role="assistant", content="fi"), delta(content="ne"),
            delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "search", "arguments": '{"q'}}]),
            delta(tool_calls=[{"index": 0, "function": {"arguments": 'uery": 1}'}}]),
            delta("tool_calls"), {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}, "[DONE]",
        )  # fmt: skip

    server = await endpoint(answer)
    async with Chat(server.url, "m", patience=Patience(1)) as chat:
        replies = [await chat.ask(HELLO, {}) for _ in range(2)]
    for reply in replies:
        assert reply.message["content"] == "fine"
        (call,) = reply.message["tool_calls"]
        assert call["function"] == {"name": "search", "arguments": '{"query": 1}'}
        assert (reply.finish_reason, reply.usage) == ("tool_calls", Usage(5, 2))
    assert [body.get("stream", False) for body in server.requests] == [False, True, True]


@pytest.mark.parametrize("torn", [(delta(content="half"),), ({"error": {"code": 500, "message": "x"}},), ()])
async def test_a_stream_that_breaks_off_is_asked_again(endpoint: Any, torn: tuple[Any, ...]) -> None:
    server = await endpoint(events(*torn), events(delta("stop", content="fine")))
    async with Chat(server.url, "m", asking=Asking(stream=True)) as chat:
        assert (await chat.ask(HELLO, {})).message["content"] == "fine"


@pytest.mark.parametrize("headers", [{"Retry-After": "3600"}, {"retry-after-ms": "3600000"}])
async def test_a_long_retry_after_of_one_call_does_not_halt_the_others(
    endpoint: Any, headers: dict[str, str]
) -> None:
    turns = iter([web.Response(status=429, headers=headers)])
    server = await endpoint(lambda _body: next(turns, FINE))
    started = time.monotonic()
    async with Chat(server.url, "m", patience=Patience(2)) as chat:
        replies = await asyncio.gather(*(chat.ask(HELLO, {}) for _ in range(5)))
    assert {reply.message["content"] for reply in replies} == {"fine"}
    assert time.monotonic() - started < 60


async def test_retry_after_ms_is_heeded(endpoint: Any) -> None:
    server = await endpoint(web.Response(status=429, headers={"retry-after-ms": "700", "Retry-After": "60"}), FINE)
    started = time.monotonic()
    async with Chat(server.url, "m", patience=Patience(5)) as chat:
        await chat.ask(HELLO, {})
    assert time.monotonic() - started >= 0.7


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://10.1.2.3/v1", "http://gpu7/v1"]
)
async def test_no_proxy_is_asked_for_a_server_of_ours(
    monkeypatch: pytest.MonkeyPatch, endpoint: Any, url: str
) -> None:
    assert is_near(url)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with Chat((await endpoint(FINE)).url, "m", patience=Patience(0)) as chat:
        assert (await chat.ask(HELLO, {})).message["content"] == "fine"


async def test_a_proxy_is_asked_for_an_address_elsewhere(monkeypatch: pytest.MonkeyPatch, endpoint: Any) -> None:
    assert not is_near("http://api.example.com/v1")
    proxy = await endpoint(FINE)
    monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with Chat("http://api.example.com/v1", "m", patience=Patience(0)) as chat:
        assert (await chat.ask(HELLO, {})).message["content"] == "fine"
    assert len(proxy.requests) == 1
