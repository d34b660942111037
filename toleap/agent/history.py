"""What of an attempt's history is sent again: pure functions from what is stored to what is sent.

The opening messages are always sent. ``keep`` sends everything else too; ``keep-n`` blanks all but the newest tool
results; ``discard`` and ``summarise`` cut: from some turn on, one user message stands for all turns before it. Such a
cut is a ``SubCall`` of the turn that was the first to be played without them, so an attempt that is continued sends
the same bytes again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from toleap.config import Agent
from toleap.types import Message, SubCall, Turn

BLANK = "[An older result, left out to save room. Make the call again if you need it.]"
_CUTS = frozenset({"discard", "summary"})
_ACTS = frozenset({"discard", "summarise"})


def sent(
    agent: Agent, opening: Sequence[Message], turns: Sequence[Turn], subcalls: Sequence[SubCall] = ()
) -> list[Message]:
    """The messages of the next request. Those that are sent as they were are the same objects.

    Args:
        agent: the policy and its settings.
        opening: system and first user message.
        turns: all turns so far.
        made: the sub-calls that the next turn has made already.
    """
    return _POLICIES[agent.policy](agent, opening, turns, subcalls)


def due(agent: Agent, turns: Sequence[Turn], tokens: int) -> bool:
    """Whether the history is to be cut before a prompt of so many tokens is sent."""
    return tokens >= agent.policy_at * agent.context and can_cut(agent, turns)


def can_cut(agent: Agent, turns: Sequence[Turn]) -> bool:
    """Whether the policy cuts histories, and there is something of this one to be cut."""
    return agent.policy in _ACTS and first_sent(agent, turns) < len(turns)


def is_cut(call: SubCall) -> bool:
    """Whether from this sub-call on the turns before it are not sent."""
    return call.ok and call.kind in _CUTS


def first_sent(agent: Agent, turns: Sequence[Turn]) -> int:
    """The index of the first turn that is sent: 0, or that of the turn before which the history was cut last."""
    return _last_cut(turns, ())[0] if agent.policy in _ACTS else 0


def discarded(turns: Sequence[Turn]) -> SubCall:
    """The cut that drops all turns, and says so."""
    text = (
        f"[The {len(turns)} steps made so far have been dropped, since the context was nearly full. Nothing "
        "of them is left: answer the question above in fewer steps.]"
    )
    return SubCall("discard", text=text)


def results(messages: Sequence[Message], turns: Sequence[Turn]) -> list[int]:
    """The places in ``messages`` of the results of ``turns``, with which they end; the newest first."""
    places: list[int] = []
    place = len(messages)
    for turn in reversed(turns):
        place -= len(turn.messages)
        places.extend(range(place + len(turn.messages) - 1, place, -1))
    return places


def _keep(
    agent: Agent,  # noqa: ARG001
    opening: Sequence[Message],
    turns: Sequence[Turn],
    subcalls: Sequence[SubCall],  # noqa: ARG001
) -> list[Message]:
    return [*opening, *(message for turn in turns for message in turn.messages)]


def _keep_n(
    agent: Agent, opening: Sequence[Message], turns: Sequence[Turn], subcalls: Sequence[SubCall]
) -> list[Message]:
    messages = _keep(agent, opening, turns, subcalls)
    places = results(messages, turns)
    old = max(len(places) - agent.keep_results, 0)
    # In steps, since every newly blanked result costs the server's prefix cache all that stands behind it.
    for place in places[len(places) - old // agent.keep_step * agent.keep_step :]:
        messages[place] = {**messages[place], "content": BLANK}
    return messages


def _cut(
    agent: Agent,  # noqa: ARG001
    opening: Sequence[Message],
    turns: Sequence[Turn],
    subcalls: Sequence[SubCall],
) -> list[Message]:
    first, call = _last_cut(turns, subcalls)
    note: list[Message] = [] if call is None else [{"role": "user", "content": call.text}]
    return [*opening, *note, *(message for turn in turns[first:] for message in turn.messages)]


def _last_cut(turns: Sequence[Turn], subcalls: Sequence[SubCall]) -> tuple[int, SubCall | None]:
    for index, calls in [(len(turns), subcalls), *((n, turns[n].subcalls) for n in range(len(turns) - 1, -1, -1))]:
        cut = next((call for call in reversed(calls) if is_cut(call)), None)
        if cut is not None:
            return index, cut
    return 0, None


_Policy = Callable[[Agent, Sequence[Message], Sequence[Turn], Sequence[SubCall]], list[Message]]
_POLICIES: Mapping[str, _Policy] = {"keep": _keep, "keep-n": _keep_n, "discard": _cut, "summarise": _cut}
