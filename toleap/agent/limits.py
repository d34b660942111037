"""When an attempt has gone on for long enough: each limit ends it with an ending, never with an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from toleap.config import Agent
from toleap.types import Ending, ErrorClass, Message, Turn


def limit_reached(agent: Agent, turns: Sequence[Turn]) -> Ending | None:
    """The first limit that these turns have reached, or None."""
    return next((ending for ending, reached in _LIMITS if reached(agent, turns)), None)


def _turns(agent: Agent, turns: Sequence[Turn]) -> bool:
    return len(turns) >= agent.max_turns


def _tool_calls(agent: Agent, turns: Sequence[Turn]) -> bool:
    return agent.max_tool_calls is not None and sum(len(turn.calls) for turn in turns) >= agent.max_tool_calls


def _tokens(agent: Agent, turns: Sequence[Turn]) -> bool:
    if agent.max_total_tokens is None:
        return False
    return sum(turn.usage.completion for turn in turns) >= agent.max_total_tokens


def _seconds(agent: Agent, turns: Sequence[Turn]) -> bool:
    return agent.max_seconds is not None and sum(turn.seconds for turn in turns) >= agent.max_seconds


def _noops(agent: Agent, turns: Sequence[Turn]) -> bool:
    last = turns[-agent.noop_limit :]
    return len(last) == agent.noop_limit and all(
        turn.results and all(result.error is ErrorClass.CALL for result in turn.results) for turn in last
    )


def _repetition(agent: Agent, turns: Sequence[Turn]) -> bool:
    last = turns[-agent.repetition_limit :]
    return len(last) == agent.repetition_limit and all(_said(turn) == _said(last[0]) for turn in last)


def _said(turn: Turn) -> tuple[object, tuple[tuple[str, Message, str | None], ...]]:
    return turn.reply.get("content"), tuple((call.name, dict(call.arguments), call.problem) for call in turn.calls)


_LIMITS: Sequence[tuple[Ending, Callable[[Agent, Sequence[Turn]], bool]]] = (
    (Ending.TURN_LIMIT, _turns),
    (Ending.TOOL_LIMIT, _tool_calls),
    (Ending.TOKEN_LIMIT, _tokens),
    (Ending.TIME_LIMIT, _seconds),
    (Ending.NOOP_LIMIT, _noops),
    (Ending.REPETITION, _repetition),
)
