"""What every dialect does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from toleap.types import Message, ToolCall, ToolResult


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply means: its text without calls and thoughts, its calls, and the message that is sent back."""

    text: str
    calls: tuple[ToolCall, ...]
    sent: Message


class Dialect(Protocol):
    """One way of talking about tools."""

    @property
    def answers_boxed(self) -> bool:
        """Whether its models were trained to put the final answer into ``\\boxed{…}``."""

    def request_tools(self, schemas: Sequence[Mapping[str, Any]]) -> bytes | None:
        """The request's ``tools`` field as JSON, or None where tools stand in the system message."""

    def system(self, prompt: str, schemas: Sequence[Mapping[str, Any]]) -> str:
        """The system message's text."""

    def read(
        self, reply: Message, *, keep_thoughts: bool, turn: int, tools: Collection[str] = (), cut: bool = False
    ) -> Reading:
        """The calls in a reply. A call that cannot be made carries its ``problem``.

        Args:
            reply: the assistant's message as the server gave it.
            keep_thoughts: whether the thoughts stay in the message that is sent back.
            turn: the turn's index, part of the calls' ids.
            tools: the names that can be called. Only their calls are mended, or read without their tags.
            cut: the reply reached its length limit, so that its last call may lack its end.
        """

    def hand_back(self, call: ToolCall, result: ToolResult) -> Message:
        """The message that answers a call: one for each, so that roles and order do not depend on their number."""


def as_lines(schemas: Sequence[Mapping[str, Any]]) -> str:
    """The schemas as JSON, one per line."""
    return "\n".join(orjson.dumps(schema).decode() for schema in schemas)
