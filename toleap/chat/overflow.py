"""Whether a server's refusal says that the prompt does not fit the model's context."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

_TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context length|model['’]s context length|context window|available context size|"
    r"longer than the (?:maximum )?model|prompt is too long|cannot be greater than max_model_len|"
    r"maximum allowed (?:input )?length|input token count\b.*\bexceeds",
    re.IGNORECASE | re.DOTALL,
)
_QUOTED = re.compile(r"\binput(?:_value)?['\"]?\s*[=:].*", re.IGNORECASE | re.DOTALL)
"""What validators quote of the request: a question about context windows is no refusal because of one."""


def says_too_long(body: bytes) -> bool:
    """Whether an error's own words say so; what it quotes of the request does not count."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = body[:2_000].decode("utf-8", "replace")
    return any(_TOO_LONG.search(_QUOTED.sub("", text)) for text in _words(document))


def _words(document: Any) -> Iterator[str]:
    """The texts in which servers put what is wrong."""
    if isinstance(document, str):
        yield document[:4_000]
    elif isinstance(document, list):
        for item in document[:20]:
            yield from _words(item)
    elif isinstance(document, dict):
        for name in ("error", "message", "msg", "code", "type", "detail"):
            yield from _words(document.get(name))
