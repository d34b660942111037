"""Bringing stateful tools back to where a stopped attempt had left them, by making its calls to them again.

Only calls that build on each other (an interpreter's) are made again, never a search or a fetch. They are no turns
and no tool calls of the attempt: nothing of them is stored or counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from toleap.types import CallContext, ErrorClass, ToolCall, ToolResult, Turn


class StatefulTools(Protocol):
    """What a replay needs of the dock."""

    async def call(self, call: ToolCall, context: CallContext) -> ToolResult:
        """Make one call."""

    def keeps_state(self, name: str) -> bool:
        """Whether this tool's calls build on each other."""


async def replayed(turns: Sequence[Turn], tools: StatefulTools, context: CallContext) -> str | None:
    """Make the stateful calls of the turns again, one by one; returns why the state is not the same now, or None.

    It is the same only if every call gave what it had given before: code that prints the time, or meets its own limit
    earlier on another machine, leaves a state that the model has not seen.

    Raises:
        ToolFault: a tool is down. That says nothing about the state, so the turns are worth keeping.
    """
    for index, call, before in _since_reset(turns, tools):
        now = await tools.call(call, context)
        if (now.text, now.error) != (before.text, before.error):
            return f"{call.name}, called again for turn {index}, gave another result than before"
    return None


def _since_reset(turns: Sequence[Turn], tools: StatefulTools) -> list[tuple[int, ToolCall, ToolResult]]:
    """The calls that made the present state: those of each tool after the last one that left it with none."""
    kept: list[tuple[int, ToolCall, ToolResult]] = []
    for turn in turns:
        for call, result in zip(turn.calls, turn.results, strict=True):
            if result.error is ErrorClass.CALL or not tools.keeps_state(call.name):
                continue
            if result.reset:
                kept = [item for item in kept if item[1].name != call.name]
            else:
                kept.append((turn.index, call, result))
    return kept
