"""Errors that come with HTTP 200, beside a choice that says nothing or in a stream, go the way of their code."""

from __future__ import annotations

import orjson
import pytest

from toleap.chat.refusals import Filtered, check
from toleap.chat.streaming import joined
from toleap.chat.waiting import Failed
from toleap.errors import ContextOverflow

_EMPTY = {"role": "assistant", "content": ""}


def _check(body: object) -> None:
    check(200, orjson.dumps(body), {})


@pytest.mark.parametrize(
    ("code", "message", "finish"),
    [
        (503, _EMPTY, None),
        (502, {**_EMPTY, "tool_calls": []}, "stop"),
        (429, {"role": "assistant", "content": None}, "error"),
        (401, _EMPTY, "error"),
        ("500", {"role": "assistant", "content": "half a rep"}, "error"),
    ],
)
def test_an_error_beside_a_message_that_is_none_is_no_answer(code: object, message: object, finish: object) -> None:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    with pytest.raises(Failed) as failed:
        _check({"error": {"code": code, "message": "down"}, "choices": [choice]})
    assert failed.value.status == int(str(code))


def test_a_reply_that_says_something_is_an_answer_whatever_stands_beside_it() -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "42"}, "finish_reason": "stop"}
    _check({"error": {"message": "a warning"}, "choices": [choice]})


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"choices": [{"index": 0, "error": {"code": 429, "message": "rate"}, "finish_reason": "error"}]}, 429),
        ({"choices": [{"index": 0, "error": {"code": 401, "message": "key"}, "delta": {"content": ""}}]}, 401),
        ({"object": "error", "message": "busy", "code": 503}, 503),
    ],
)
def test_an_error_in_a_stream_keeps_its_code(event: object, status: int) -> None:
    with pytest.raises(Failed) as failed:
        check(200, joined(b"data: " + orjson.dumps(event) + b"\n\n"), {})
    assert failed.value.status == status


def test_a_full_context_in_a_stream_is_one() -> None:
    event = {"object": "error", "message": "This model's maximum context length is 4096 tokens", "code": 400}
    with pytest.raises(ContextOverflow):
        check(200, joined(b"data: " + orjson.dumps(event) + b"\n\n"), {})


@pytest.mark.parametrize("event", [b'{"choices":5}', b'{"choices":[{"delta":"x"}]}', b'{"choices":[{"delta":[1]}]}'])
def test_events_of_no_known_shape_are_left_out(event: bytes) -> None:
    good = b'data: {"choices":[{"delta":{"content":"42"},"finish_reason":"stop"}]}\n'
    assert orjson.loads(joined(b"data: " + event + b"\n" + good))["choices"][0]["message"]["content"] == "42"


@pytest.mark.parametrize("words", ["Content Exists Risk", "It was rejected because it was considered high risk"])
def test_words_of_a_content_filter(words: str) -> None:
    with pytest.raises(Filtered):
        check(400, orjson.dumps({"error": {"message": words}}), {})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"code": 401, "msg": "bad token"}, 401),
        ({"code": "invalid_api_key", "message": "no"}, 401),
        ({"code": 503, "message": "busy", "data": None}, 503),
    ],
)
def test_a_gateways_code_where_an_answer_should_be_is_an_error(body: object, status: int) -> None:
    with pytest.raises(Failed) as failed:
        _check(body)
    assert failed.value.status == status


def test_money_that_is_gone_does_not_pass() -> None:
    body = orjson.dumps({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}})
    with pytest.raises(Failed) as failed:
        check(429, body, {})
    assert (failed.value.status, failed.value.passing, failed.value.everybody) == (402, False, True)


@pytest.mark.parametrize("said", ["max_tokens is too large: 32768", "max_tokens must be less than or equal to 8192"])
def test_a_reply_that_may_be_too_long_is_told_to_be_shorter(said: str) -> None:
    with pytest.raises(Failed, match=r"set sampling\.max_tokens lower"):
        check(400, orjson.dumps({"error": {"message": said}}), {})
