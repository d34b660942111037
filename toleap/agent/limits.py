"""When an attempt has gone on for long enough: each limit ends it with an ending, never with an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from toleap.agent.repetition import ends_in_cycle, ends_in_loop, texts
from toleap.chat.answer import without_thoughts
from toleap.chat.dialects.parts import content_of
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
    return (bool(turns) and is_loop(agent, turns[-1])) or ends_in_cycle(
        turns, times=agent.repetition_limit, longest=agent.repetition_period, same=_same
    )


def is_loop(agent: Agent, turn: Turn) -> bool:
    """Whether a turn's reply went on with one phrase until it was cut off."""
    return turn.finish_reason == "length" and says_in_loop(agent, turn.reply)


def says_in_loop(agent: Agent, reply: Message) -> bool:
    """Whether a reply that was cut off ends in one phrase, said ``agent.loop_limit`` times or more.

    A reply that ended by itself is no loop, whatever it repeats: the model may have been asked for it.
    """
    return any(ends_in_loop(text, agent.loop_limit) for text in texts(reply))


def _same(one: Turn, other: Turn) -> bool:
    """Whether two turns make the same calls and say the same; thoughts aside, which not every server shows."""
    if len(one.calls) != len(other.calls):
        return False
    calls = zip(one.calls, other.calls, strict=True)
    if any((a.name, a.arguments, a.problem) != (b.name, b.arguments, b.problem) for a, b in calls):
        return False
    return without_thoughts(content_of(one.reply)) == without_thoughts(content_of(other.reply))


_LIMITS: Sequence[tuple[Ending, Callable[[Agent, Sequence[Turn]], bool]]] = (
    (Ending.TURN_LIMIT, _turns),
    (Ending.TOOL_LIMIT, _tool_calls),
    (Ending.TOKEN_LIMIT, _tokens),
    (Ending.TIME_LIMIT, _seconds),
    (Ending.NOOP_LIMIT, _noops),
    (Ending.REPETITION, _repetition),
)
