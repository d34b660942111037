"""Which refusals say that a prompt is too long: by the server's own words, never by what it quotes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toleap.chat.overflow import says_too_long

QUOTING = "how long is the context window of GPT-4, and what is its maximum context length?"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "This model's maximum context length is 32768 tokens.", "code": 400}},
        {"object": "error", "message": "You passed 40000 input tokens and requested 1 output tokens. However, the "
         "model's context length is only 32768 tokens."},
        {"error": {"message": "The input (40000 tokens) is longer than the model's context length (32768 tokens)."}},
        {"error": {"message": "max_tokens=99999 cannot be greater than max_model_len=32768."}},
        {"error": {"message": "The decoder prompt is longer than the maximum model length of 32768."}},
        {"error": {"type": "exceed_context_size_error", "message": "exceeds the available context size"}},
        [{"error": {"message": "The input token count (1200000) exceeds the maximum number of tokens allowed."}}],
        {"detail": "Input length 40000 exceeds the maximum allowed length (32768 tokens)"},
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
    ids=str,
)  # fmt: skip
def test_a_prompt_that_is_too_long(body: Any) -> None:
    raw = body if isinstance(body, str) else json.dumps(body)
    assert says_too_long(raw.encode())


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{"type": "missing", "msg": "Field required", "input": {"content": QUOTING}}]},
        {"error": {"message": f"1 validation error: Field required [type=missing, input_value='{QUOTING}']"}},
        {"error": {"message": "Invalid parameter: temperature"}, "request": QUOTING},
        {"error": None},
        [],
        "",
        "\udcff",
    ],
    ids=str,
)
def test_what_a_refusal_quotes_does_not_count(body: Any) -> None:
    raw = body if isinstance(body, str) else json.dumps(body)
    assert not says_too_long(raw.encode("utf-8", "surrogateescape"))
