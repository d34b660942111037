"""What a server's refusal means: by its code, by its own words, and by the setting it names.

The words of servers are data here, to be added to. They are not all there is: a refusal that only one conversation
gets, and not when it is sent shorter, is a full context in whatever words (``agent/loop.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from toleap.chat.waiting import Failed, seconds_until
from toleap.errors import ContextOverflow

TOO_LONG_CODES = frozenset(
    {
        "context_length_exceeded", "exceed_context_size_error", "context_window_exceeded", "string_above_max_length",
        "model_context_window_exceeded", "prompt_too_long", "request_too_large", "input_too_long", "1261", "20015",
        "context_size_exceeded", "max_context_length_exceeded", "tokens_limit_reached",
        "model_max_prompt_tokens_exceeded",
    }
)  # fmt: skip
TOO_LONG_WORDS = (
    r"(?:maximum|max|model['’]?s?) (?:supported )?(?:context|sequence|prompt|input) (?:length|size|window)",
    r"context[ _-]?(?:length|window|size|limit)\b.{0,80}\b(?:exceed|reach|full|too (?:small|long)|overflow|limit)",
    r"(?:exceed|reach|over|larger than|greater than|beyond|longer than)\w*\b.{0,80}\bcontext\b",
    r"context window|available context size|context[- ]overflow|context is full|model['’]s context length",
    r"(?:prompt|input|conversation|messages?|request|text)s?\b.{0,40}\btoo (?:long|large|many tokens)",
    r"too many (?:input |prompt |total )?tokens|exceed\w* (?:the )?(?:model )?token limit",
    r"must (?:have|be|contain) (?:less|fewer) than \d+ tokens",
    r"longer than the (?:maximum )?model|cannot be greater than max_model_len|max_model_len",
    r"maximum allowed (?:input )?(?:length|tokens|number of tokens)",
    r"max(?:imum)?_?(?:input|prompt)_?(?:length|tokens)",
    r"(?:input|prompt|total)[ _](?:token|length)\w*\b.{0,80}\b(?:exceed|must be|should be|greater|larger|more|limit)",
    r"range of input length should be|`?inputs`? tokens \+ `?max_new_tokens`?|exceeds? (?:the )?(?:max_|token limit)",
    r"(?:tokens?|length|size)\b.{0,60}\bexceeds?\b.{0,60}\b(?:maximum|limit|allowed|max)\b",
    r"requested token count exceeds|reduce the length of (?:the )?(?:messages|prompt|input)|prompt[- ]too[- ]long",
    r"n_keep\b.{0,40}n_ctx|not enough (?:context|kv[ -]?cache)",
    r"(?:输入|提示|上下文|请求|prompt).{0,12}(?:过长|超长|太长|超出|超过)",
    r"(?:超出|超过).{0,12}(?:上下文|最大长度|长度限制|token)",
)
FILTER_CODES = frozenset(
    {"content_filter", "content_policy_violation", "data_inspection_failed", "1301", "sensitive"}
)
FILTER_WORDS = (
    r"content[ _-]?(?:filter|management|policy|moderation)",
    r"(?:data|input|output)[^.]{0,40}(?:inappropriate content|sensitive content)",
    r"content exists risk|considered high risk",
    r"prohibited_content|flagged (?:by|as)|blocked by (?:our |the )?(?:safety|content)",
    r"内容.{0,10}(?:敏感|不安全|违规)|(?:敏感|不安全|违规).{0,10}内容",
)
STATUS_OF_CODE: Mapping[str, int] = {
    "rate_limit_exceeded": 429, "rate_limit_error": 429, "too_many_requests": 429, "insufficient_quota": 402,
    "insufficient_balance": 402, "billing_hard_limit_reached": 402, "billing_not_active": 402,
    "invalid_api_key": 401, "authentication_error": 401, "permission_error": 403, "permission_denied": 403,
    "model_not_found": 404, "not_found_error": 404, "invalid_request_error": 400, "server_error": 500,
    "api_error": 500, "internal_error": 500, "internal_server_error": 500, "overloaded_error": 529,
    "service_unavailable": 503,
    "unavailable": 503, "timeout": 504, "resource_exhausted": 429, "unauthenticated": 401, "invalid_argument": 400,
}  # fmt: skip
"""The status that belongs to an error's code, where that comes with HTTP 200."""
SETTINGS: Mapping[str, str] = {
    "max_completion_tokens": "max_tokens", "max_tokens": "max_tokens", "parallel_tool_calls": "parallel_tool_calls",
    "tool_choice": "tool_choice", "temperature": "temperature", "presence_penalty": "presence_penalty",
    "top_p": "top_p", "top_k": "top_k", "stream": "stream", "stop": "stop", "seed": "seed",
}  # fmt: skip
"""Fields of the request as refusals name them, and ours."""

_TOO_LONG = re.compile("|".join(TOO_LONG_WORDS), re.IGNORECASE | re.DOTALL)
_FILTERED = re.compile("|".join(FILTER_WORDS), re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r"\binput(?:_value)?['\"]?\s*[=:].*", re.IGNORECASE | re.DOTALL)
"""What validators quote of the request: a question about context windows is no refusal because of one."""
_REPLY_LENGTH = re.compile(
    r"at most \d+ completion tokens|maximum value for `?max_|`?max_tokens`? (?:is|must be|should be|cannot|value)",
    re.IGNORECASE,
)
"""A refusal of the reply's length, whatever the prompt's is."""
_PERMANENT = frozenset({401, 402, 404, 405})
_EVERYBODY = _PERMANENT | {429, 503}
"""Not 403: a firewall before the server may dislike what one conversation quotes."""
_PASSING = frozenset({408, 409, 425, 429, 499})


class Filtered(Exception):
    """The server refuses to let the model answer because of what was asked: a refusal of the model's side."""


def says_too_long(body: bytes) -> bool:
    """Whether an error's own words or code say that the prompt does not fit; what it quotes does not count."""
    document = _document(body)
    if any(code.lower() in TOO_LONG_CODES for code in _codes(document)):
        return True
    words = [_QUOTED.sub("", text) for text in _words(document)]
    return any(_TOO_LONG.search(text) and not _REPLY_LENGTH.search(text) for text in words)


def check(status: int, body: bytes, headers: Mapping[str, str]) -> None:
    """Nothing where a response is an answer.

    Raises:
        ContextOverflow: the prompt does not fit.
        Filtered: a content filter refused it.
        Failed: the server did not answer, and whether that passes, and concerns everybody.
    """
    if status == 200:
        if b"error" not in body and b'"abort"' not in body and b'"choices"' in body:
            return
        error = _error_in(_document(body))
        if error is None:
            return
        status = _status_of(error)
        body = orjson.dumps({"error": error})
    if status == 429 and any(STATUS_OF_CODE.get(code.lower()) == 402 for code in _codes(_document(body))):
        status = 402  # No waiting brings money back.
    answer = " ".join(body[:2_000].decode("utf-8", "replace").split())
    html = answer[:200].lstrip().lower().startswith(("<!doctype", "<html", "<head", "<?xml"))
    if status == 413 or (status in {400, 413, 422, 500} and not html and says_too_long(body)):
        raise ContextOverflow(answer)
    if status in {400, 403, 422, 451} and not html and _is_filtered(body):
        raise Filtered(answer[:300])
    raise Failed(
        f"HTTP {status}: {answer[:300]}{_hint(body)}",
        passing=status in _PASSING or status >= 500 or (html and status not in _PERMANENT),
        retry_after=seconds_until(headers),
        everybody=status in _EVERYBODY,
        status=status,
    )


def refused_field(text: str) -> str:
    """The field of the request that a refusal names, in our words; empty where it names none."""
    for theirs, ours in SETTINGS.items():
        if re.search(rf"(?<![\w]){theirs}(?![\w])", text):
            return ours
    return ""


def _hint(body: bytes) -> str:
    """Which setting leaves out, or renames, the field that a refusal names."""
    text = " ".join(_QUOTED.sub("", word) for word in _words(_document(body)))
    field = refused_field(text)
    if field == "max_tokens" and "max_completion_tokens" in text:
        return " → --set sampling.fields.max_tokens=max_completion_tokens"
    if field == "max_tokens" and _REPLY_LENGTH.search(text):
        return " → set sampling.max_tokens lower"
    if field == "stream":
        return " → --set operation.stream=true"
    return f" → --set sampling.fields.{field}=none leaves it out" if field else ""


def _is_filtered(body: bytes) -> bool:
    document = _document(body)
    if any(code.lower() in FILTER_CODES for code in _codes(document)):
        return True
    return any(_FILTERED.search(_QUOTED.sub("", text)) for text in _words(document))


def _error_in(document: Any) -> Any:
    """The error in a body that came with HTTP 200; None where it is an answer."""
    if not isinstance(document, dict):
        return None
    choices = document.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    speaks = isinstance(message, dict) and any(value for name, value in message.items() if name != "role")
    if document.get("error") and (not speaks or choice.get("finish_reason") == "error"):
        return document["error"]
    if choice.get("error"):
        return choice["error"]
    if choice.get("finish_reason") in {"error", "abort"}:
        return {"message": "the server gave up on the reply", "code": "server_error"}
    if choices is None and (document.get("object") == "error" or _is_error_code(document.get("code"))):
        return document
    return None


def _is_error_code(code: Any) -> bool:
    """Whether a gateway's own code, where an answer should be, is an error's."""
    text = str(code).lower()
    return text in STATUS_OF_CODE or (text.isdecimal() and 400 <= int(text) <= 599)


def _status_of(error: Any) -> int:
    """The status that an error in a body would have come with; 500 where it says none."""
    for code in _codes({"error": error}):
        if code.isdecimal() and 400 <= int(code) <= 599:
            return int(code)
        if code.lower() in STATUS_OF_CODE:
            return STATUS_OF_CODE[code.lower()]
    body = orjson.dumps({"error": error})
    return 400 if says_too_long(body) or _is_filtered(body) else 500


def _document(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body[:2_000].decode("utf-8", "replace")


def _codes(document: Any) -> Iterator[str]:
    """The codes and types in which servers say what is wrong."""
    if isinstance(document, list):
        for item in document[:20]:
            yield from _codes(item)
    elif isinstance(document, dict):
        for name in ("code", "type", "status", "error_code"):
            if isinstance(document.get(name), str | int):
                yield str(document[name])
        for name in ("error", "detail", "metadata", "innererror"):
            yield from _codes(document.get(name))


def _words(document: Any, depth: int = 0) -> Iterator[str]:
    """The texts in which servers put what is wrong; JSON within them is looked into."""
    if isinstance(document, str):
        yield document[:4_000]
        if depth < 3 and document.lstrip().startswith("{"):
            yield from _words(_document(document.encode("utf-8", "replace")), depth + 1)
    elif isinstance(document, list):
        for item in document[:20]:
            yield from _words(item, depth + 1)
    elif isinstance(document, dict) and depth < 8:
        for name in ("error", "message", "msg", "code", "type", "detail", "metadata", "raw", "error_msg", "reason",
                     "loc", "param"):  # fmt: skip
            if name in document:
                yield from _words(document[name], depth + 1)
