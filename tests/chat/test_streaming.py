"""A streamed reply put together: calls in pieces, in whatever pieces a server sends them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toleap.chat.dialects import dialect_for
from toleap.chat.reply import parse_reply
from toleap.chat.streaming import joined

TOOLS = frozenset({"search", "fetch_url"})
SEARCH, FETCH = ("search", {"query": ["x"]}), ("fetch_url", {"url": "u"})


def streamed(*deltas: Any, finish: str = "tool_calls") -> bytes:
    events = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"


def piece(name: str | None = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **more}


def calls(*deltas: Any) -> list[Any]:
    reply = parse_reply(joined(streamed(*deltas)), 0.0)
    reading = dialect_for("native").read(reply.message, keep_thoughts=False, turn=0, tools=TOOLS)
    return [(call.name, call.arguments) if call.problem is None else call.problem for call in reading.calls]


@pytest.mark.parametrize(
    ("deltas", "meant"),
    [
        (
            [
                {"tool_calls": [piece("search", "", index=0, id="a")]},
                {"tool_calls": [piece(None, '{"query": [', index=0)]},
                {"tool_calls": [piece(None, '"x"]}', index=0)]},
            ],
            [SEARCH],
        ),
        (
            [
                {"tool_calls": [piece("search", '{"query":', index=0, id="a")]},
                {"tool_calls": [piece("search", ' ["x"]}', index=0, id="a")]},
            ],
            [SEARCH],
        ),
        (
            [
                {"tool_calls": [piece("search", '{"query": ["x"]}', index=0, id="a")]},
                {"tool_calls": [piece("fetch_url", '{"url": "u"}', index=0, id="b")]},
            ],
            [SEARCH, FETCH],
        ),
        (
            [{"tool_calls": [piece("search", '{"query": ["x"]}', index=None), piece("fetch_url", '{"url": "u"}')]}],
            [SEARCH, FETCH],
        ),
        ([{"tool_calls": [piece("search", {"query": ["x"]}, index=0)]}], [SEARCH]),
        ([{"tool_calls": piece("search", '{"query": ["x"]}')}], [SEARCH]),
        ([{"function_call": {"name": "search"}}, {"function_call": {"arguments": '{"query": ["x"]}'}}], [SEARCH]),
        ([{"tool_calls": [None, 3, {"function": None}]}], []),
    ],
)
def test_calls_in_pieces_are_the_calls_that_were_meant(deltas: list[Any], meant: list[Any]) -> None:
    assert calls(*deltas) == meant


def test_content_in_parts_and_in_pieces_is_one_text() -> None:
    parts = [{"content": [{"type": "text", "text": text}]} for text in ("Ro", "me")]
    for deltas in (parts, [{"content": "Ro"}, {"content": None}, {"content": "me"}]):
        reply = parse_reply(joined(streamed(*deltas, finish="stop")), 0.0)
        assert dialect_for("native").read(reply.message, keep_thoughts=False, turn=0).text == "Rome"
