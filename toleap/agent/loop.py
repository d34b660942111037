"""The agent loop: ask, read the calls, run them all, hand back what came of each, store, go on.

A turn is durable (``save``) before the next one starts, so an attempt continues at the turn where it stopped. What
the model does wrong goes back to it as text; what we do wrong raises a ``Fault`` and leaves the attempt owed.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from toleap.agent import policies
from toleap.agent.auxiliary import Auxiliary
from toleap.agent.conversation import Conversation
from toleap.agent.limits import is_loop, limit_reached, says_in_loop
from toleap.agent.reading import PageReader, read_results
from toleap.agent.shortening import NotShortened, shorten, text_of
from toleap.chat.answer import extract_answer, swallowed_answer
from toleap.chat.client import Chat, serialise
from toleap.chat.dialects import Dialect
from toleap.chat.dialects.listed import with_missed
from toleap.chat.dialects.parts import content_of
from toleap.chat.reply import Reply
from toleap.config import Agent, Sampling
from toleap.errors import ContextOverflow, ServerFault, SuspectedOverflow, ToleapError
from toleap.types import (
    CallContext,
    Ending,
    ErrorClass,
    Key,
    Message,
    SubCall,
    ToolCall,
    ToolResult,
    Trajectory,
    Turn,
    Usage,
)

Save = Callable[[Key, Turn], Awaitable[None]]
_MOST_CALLS = 32
_LEAST_ROOM = 64


class ToolLayer(Protocol):
    """What the loop needs of the dock."""

    async def call(self, call: ToolCall, context: CallContext) -> ToolResult:
        """Make one call. Raises ToolFault when the tool layer, not the world, has failed."""


@dataclass(frozen=True, slots=True)
class Player:
    """The model as the loop sees it: where to ask, in which dialect, with which settings."""

    chat: Chat
    dialect: Dialect
    sampling: Sampling
    agent: Agent
    tools: bytes | None
    forced_prompt: str
    auxiliary: Auxiliary | None = None
    reader: PageReader | None = None
    names: Collection[str] = ()
    """The names that calls may have: only such calls are mended where they are almost readable."""


async def run_attempt(
    key: Key, talk: Conversation, *, player: Player, dock: ToolLayer, context: CallContext, save: Save
) -> Trajectory:
    """Play one attempt to its end, from the turns that ``talk`` already holds.

    Raises:
        Fault: an infrastructure failure; the durable turns stay, the attempt is owed.
    """
    while True:
        if talk.turns and is_last(player.agent, talk.turns[-1]):
            return _finished(key, talk, boxed=player.dialect.answers_boxed)
        limit = limit_reached(player.agent, talk.turns)
        tried: tuple[SubCall, ...] = ()
        suspected: SuspectedOverflow | None = None
        try:
            if limit is None:
                turn = await _turn(key, talk, player, dock, context)
        except ContextOverflow as full:
            limit = Ending.CONTEXT_LIMIT
            tried = full.calls if isinstance(full, NotShortened) else ()
            suspected = full if isinstance(full, SuspectedOverflow) else None
        if limit is not None:
            if not player.agent.forced_answer:
                if suspected is not None and suspected.fault is not None:
                    raise suspected.fault
                return Trajectory(key, talk.opening, tuple(talk.turns), limit, None)
            turn = await _forced_turn(key, talk, player, limit, tried, suspected)
        await save(key, turn)
        talk.add(turn)


async def _turn(key: Key, talk: Conversation, player: Player, dock: ToolLayer, context: CallContext) -> Turn:
    index, seed = len(talk.turns), call_seed(player.sampling.seed, key, len(talk.turns))
    reply, made = await _reply(key, index, seed, talk, player)
    keep, cut = player.agent.thoughts == "keep", reply.finish_reason == "length"
    reading = player.dialect.read(reply.message, keep_thoughts=keep, turn=index, tools=player.names, cut=cut)
    if player.names:
        reading = with_missed(reading, reply.message, reply.finish_reason, reply.usage.completion)
    if _says_nothing(reply) and not reading.calls and any(turn.results for turn in talk.turns):
        raise SuspectedOverflow("the reply is empty: the context may be full")
    if cut and reply.bounded and not reading.calls and not says_in_loop(player.agent, reply.message):
        # There was more to come and no room for it. No policy makes room now: that would be another draw. A loop
        # would not have ended with more room either: it stays the turn that it is.
        raise ContextOverflow("the context had no room for the whole reply")
    results = await _run_calls(reading.calls, dock, context)
    # Waiting for a server or a tool of ours is no time of the model's.
    seconds = reply.seconds + sum(call.seconds for call in made)
    seconds += max((result.ms / 1000 for result in results), default=0.0)
    returned = time.perf_counter()
    subcalls = made
    if player.reader is not None:
        question, name = text_of(talk.opening[-1]), request_id(key, index)
        results, read = await read_results(
            player.reader, reading.calls, results, question=question, seed=seed, name=name
        )
        subcalls = (*made, *read)
    answers = [player.dialect.hand_back(call, result) for call, result in zip(reading.calls, results, strict=True)]
    answers.sort(key=lambda message: message["role"] == "user")  # servers want tool messages right after the calls
    return Turn(
        index=index,
        reply=reply.message,
        messages=(reading.sent, *answers),
        calls=reading.calls,
        results=tuple(results),
        usage=reply.usage,
        finish_reason=reply.finish_reason,
        seed=seed,
        seconds=seconds + time.perf_counter() - returned,
        subcalls=subcalls,
    )


async def _reply(
    key: Key, index: int, seed: int, talk: Conversation, player: Player
) -> tuple[Reply, tuple[SubCall, ...]]:
    """The model's reply to the history, which is cut short before where the policy says so."""
    short = policies.due(player.agent, talk.turns, talk.prompt_tokens())
    while True:
        made: tuple[SubCall, ...] = ()
        if short:
            identity = f"{request_id(key, index)}-summary"
            made = await shorten(
                player.agent, talk.opening, talk.turns, player.auxiliary, seed=seed, request_id=identity
            )
        try:
            room = player.agent.context - talk.least_tokens(made)
            if room < _LEAST_ROOM:
                raise ContextOverflow(f"{room} tokens are left of a context of {player.agent.context}")
            return await _ask(key, index, seed, talk.sent(made), player, room), made
        except ContextOverflow:
            if short or not policies.can_cut(player.agent, talk.turns):
                raise
            short = True


async def _forced_turn(
    key: Key,
    talk: Conversation,
    player: Player,
    limit: Ending,
    tried: tuple[SubCall, ...],
    suspected: SuspectedOverflow | None = None,
) -> Turn:
    """One last call without tools. Where the context is full, the newest results make room for it.

    Where it is only ``suspected`` to be, less is sent at once: if that is refused too, it was something else.

    Raises:
        ServerFault: nothing was answered, and no refusal said that the prompt is too long.
    """
    started = time.perf_counter()
    request: Message = {"role": "user", "content": player.forced_prompt}
    index, seed = len(talk.turns), call_seed(player.sampling.seed, key, len(talk.turns))
    wanted = min(player.sampling.max_tokens, 1_024) + len(player.forced_prompt)
    rooms = [player.agent.context - tokens for tokens in (talk.least_tokens(), talk.prompt_tokens())]
    reply = Reply({"role": "assistant", "content": ""}, "no room", Usage(), 0.0)
    whole = sum(map(len, talk.without_results(0)))
    savings = dict.fromkeys([*(max(wanted - room, 0) for room in rooms), whole // 8, player.agent.context])
    for kept in (*map(talk.without_results, savings), _last_turn_only(talk, player.agent)):
        if suspected is None and len(kept) < len(talk.sent()):
            break  # Only a suspicion is worth an answer without the history.
        if suspected is not None and sum(map(len, kept)) >= whole:
            continue
        try:
            fragments = [*kept, serialise(request)]
            reply, suspected = await _ask(key, index, seed, fragments, player, max(*rooms, wanted), forced=True), None
            break
        except SuspectedOverflow as again:
            suspected = again
        except ContextOverflow:
            suspected = None
    if suspected is not None and suspected.fault is not None:
        raise suspected.fault
    keep = player.agent.thoughts == "keep"
    reading = player.dialect.read(reply.message, keep_thoughts=keep, turn=index, tools=player.names)
    return Turn(
        index=index,
        reply=reply.message,
        messages=(request, {"role": "assistant", "content": reading.text}),
        usage=reply.usage,
        finish_reason=reply.finish_reason,
        seed=seed,
        seconds=time.perf_counter() - started,
        limit=limit,
        subcalls=tried,
    )


def _last_turn_only(talk: Conversation, agent: Agent) -> list[bytes]:
    """The question and the last turn, its results blanked: of the same make as the whole, and as short as can be."""
    blank = talk.without_results(agent.context)
    last = len(talk.turns[-1].messages) if talk.turns else 0
    return [*blank[: len(talk.opening)], *blank[len(blank) - last :]]


async def _ask(
    key: Key, turn: int, seed: int, fragments: Sequence[bytes], player: Player, room: int, *, forced: bool = False
) -> Reply:
    sampling = player.sampling
    parameters: dict[str, Any] = {
        **sampling.extra,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": max(min(sampling.max_tokens, room), 1),
        "seed": None if sampling.seed is None else seed,
        "presence_penalty": sampling.presence_penalty or None,
        "top_k": sampling.top_k,
    }
    if forced and player.tools:
        parameters["tool_choice"] = "none"
    while True:
        try:
            reply = await player.chat.ask(fragments, parameters, tools=player.tools, request_id=request_id(key, turn))
            return replace(reply, bounded=parameters["max_tokens"] < sampling.max_tokens)
        except ContextOverflow:
            # The prompt's size is our estimate: where the server counts more, less room for the reply may still do.
            parameters["max_tokens"] //= 2
            if parameters["max_tokens"] < _LEAST_ROOM:
                raise
        except ServerFault as fault:
            if fault.fatal or not fault.refused:
                raise
            raise SuspectedOverflow(str(fault), fault) from fault


def _says_nothing(reply: Reply) -> bool:
    """Whether a server that counts tokens generated none."""
    said = any(value for name, value in reply.message.items() if name != "role")
    return not said and reply.usage.prompt > 0 and reply.usage.completion == 0


async def _run_calls(calls: Sequence[ToolCall], dock: ToolLayer, context: CallContext) -> list[ToolResult]:
    """The results of all calls, in their order; the first fault cancels the rest."""
    if len(calls) == 1:
        return [await _run_call(0, calls[0], dock, context)]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_run_call(n, call, dock, context)) for n, call in enumerate(calls)]
    except* ToleapError as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _run_call(place: int, call: ToolCall, dock: ToolLayer, context: CallContext) -> ToolResult:
    if call.problem is not None:
        return ToolResult(call.problem, ErrorClass.CALL)
    if place >= _MOST_CALLS:
        return ToolResult(f"Too many calls in one step: at most {_MOST_CALLS} are made.", ErrorClass.CALL)
    return await dock.call(call, context)


def is_last(agent: Agent, turn: Turn) -> bool:
    """Whether the model has said what it had to say. One that was cut off in a loop is asked for an answer."""
    return turn.limit is not None or not (turn.results or is_loop(agent, turn))


def _finished(key: Key, talk: Conversation, *, boxed: bool) -> Trajectory:
    """The trajectory whose last turn called no tool, or was forced."""
    last = talk.turns[-1]
    response = content_of(last.reply)
    said = response if last.limit is None else str(last.messages[-1]["content"])
    answer = extract_answer(said, boxed=boxed) or swallowed_answer(response)
    without = Ending.REFUSED if _declined(last) else Ending.NO_ANSWER
    ending = last.limit or (without if answer is None else Ending.ANSWERED)
    return Trajectory(key, talk.opening, tuple(talk.turns), ending, answer, response, last.limit is not None)


def _declined(turn: Turn) -> bool:
    """Whether the endpoint says that the model, or a filter of its, refused to answer."""
    return turn.finish_reason == "content_filter" or bool(turn.reply.get("refusal"))


def call_seed(seed: int | None, key: Key, turn: int) -> int:
    """The sampling seed of one call, derived from the run's seed, the task, the attempt and the turn."""
    text = f"{seed or 0}/{key.benchmark}/{key.task}/{key.attempt}/{turn}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) & 0x7FFF_FFFF


def request_id(key: Key, turn: int) -> str:
    """What goes into ``X-Request-Id``: the same for every try of one turn, plain ASCII whatever the task's id is."""
    return f"{hashlib.sha256(str(key).encode()).hexdigest()[:16]}-{key.attempt}-{turn}"
