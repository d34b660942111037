"""Which refusals say that a prompt is too long: by the server's own words, never by what it quotes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toleap.chat.refusals import says_too_long

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
        {"error": {"message": "Invalid request: Your request exceeded model token limit: 131072", "type":
         "invalid_request_error"}},
        {"error": {"code": "invalid_parameter_error", "message": "InternalError.Algo.InvalidParameter: Range of "
         "input length should be [1, 129024]"}},
        {"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}},
        {"error": {"message": "request (40000 tokens) exceeds the available context size (32768 tokens)"}},
        {"error": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"},
        {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` "
         "tokens and 20 `max_new_tokens`", "error_type": "validation"},
        {"error": "Input validation error: `inputs` must have less than 4095 tokens. Given: 5000"},
        {"message": "The sum of prompt length (5000) and query length (0) should not exceed max_num_tokens (4096)"},
        {"error": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded "
         "with context length of only 4096 tokens, which is not enough."},
        {"error": {"code": "1261", "message": "Prompt 超长"}},
        {"message": "Input is too long for requested model."},
        {"code": "Client specified an invalid argument", "error": "This model's maximum prompt length is 131072 but "
         "the request contains 140000 tokens."},
        {"error": "the prompt is too long for the context window of the model (num_ctx 4096)"},
        {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw":
         '{"error":{"message":"This endpoint\'s maximum context length is 32768 tokens. However, you requested about '
         '40000 tokens."}}', "provider_name": "X"}}},
        {"error": {"message": "Please reduce the length of the messages or completion.", "code":
         "context_length_exceeded"}},
        {"object": "error", "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with "
         "32768 maximum context length", "type": "invalid_request_error"},
        {"error": {"message": "Input token length is too long for this model"}},
        {"detail": "The request's prompt has 40000 tokens, which exceeds the model's context of 32768"},
        {"error": {"message": "input tokens (40000) exceeded the limit of 32768"}},
        {"error": {"type": "exceeded_context", "message": "too many tokens: 40000"}},
        {"error": {"message": "total message token length exceed model limit 32768"}},
        {"error": {"message": "输入过长：40000 个 token，超过模型上限"}},
        {"error": {"message": "超出最大长度限制"}},
        {"error": {"code": 20015, "message": "length of prompt_tokens (40000) must be less than max_seq_len"}},
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
        {"error": {"message": "max_tokens is too large: 99999. This model supports at most 16384 completion tokens"}},
        {"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model."}},
        {"error": {"message": "Invalid 'seed': integer above maximum value."}},
        {"error": {"message": "Conversation roles must alternate user/assistant"}},
        {"error": {"message": "temperature must be between 0 and 2"}},
        {"error": {"message": "image_url is not supported by this model"}},
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
