"""What is text and what is thought in a reply, whatever shape a server gives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from toleap.types import Message

THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking")
_THOUGHT_PARTS = frozenset({"thinking", "reasoning", "reasoning_content", "reasoning.text", "reasoning.summary"})
_WORDS = ("text", "thinking", "reasoning", "reasoning_content", "summary", "content")


def content_of(reply: Message) -> str:
    """The text of a reply, without thoughts that stand in parts of their own."""
    content = reply.get("content")
    if isinstance(content, str):
        return content
    parts = (part.get("text") for part in parts_of(content) if not _is_thought(part))
    return "".join(part for part in parts if isinstance(part, str))


def thoughts_of(reply: Message) -> list[str]:
    """The thoughts beside the text of a reply, each field and part for itself."""
    fields = [reply.get(name) for name in THOUGHT_FIELDS]
    parts = [part for part in parts_of(reply.get("content")) if _is_thought(part)]
    told = "".join(_texts([*fields, parts]))
    # OpenRouter says the same a second time, in parts; a server that says it only there is heard as well.
    more = [] if told.strip() else [parts_of(reply.get("reasoning_details"))]
    return [text for value in (*fields, *parts, *more) if (text := "".join(_texts(value)))]


def parts_of(value: Any) -> Sequence[dict[str, Any]]:
    """The objects in a list; none where the value is no list."""
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else ()


def _is_thought(part: dict[str, Any]) -> bool:
    return part.get("type") in _THOUGHT_PARTS


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from _texts(next((value[name] for name in _WORDS if value.get(name)), None))
