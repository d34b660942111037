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

from toleap.agent import history
from toleap.agent.auxiliary import Auxiliary
from toleap.agent.conversation import Conversation
from toleap.agent.limits import is_loop, limit_reached, says_in_loop
from toleap.agent.page_reader import PageReader, read_results
from toleap.agent.shortening import NotShortened, shorten, text_of
from toleap.chat.answer import extract_answer, swallowed_answer
from toleap.chat.client import Chat, serialise
from toleap.chat.dialects import Dialect
from toleap.chat.dialects.dialect import Reading
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


class Attempt:
    """One attempt at a task, from the turns that ``talk`` already holds to its end.

    Args:
        key: which attempt it is; seeds and request ids are made of it.
        talk: the conversation so far.
        player: the model, in its dialect, with its settings.
        dock: makes the calls.
        context: what every call carries.
        save: makes a turn durable.
    """

    def __init__(
        self, key: Key, talk: Conversation, *, player: Player, dock: ToolLayer, context: CallContext, save: Save
    ) -> None:
        self.key, self.talk, self.player = key, talk, player
        self._dock, self._context, self._save = dock, context, save

    async def play(self) -> Trajectory:
        """Turn after turn, until the model has said its last or a limit is reached.

        Raises:
            Fault: an infrastructure failure; the durable turns stay, the attempt is owed.
        """
        agent, turns = self.player.agent, self.talk.turns
        while not (turns and is_last(agent, turns[-1])):
            limit, full = limit_reached(agent, turns), None
            if limit is None:
                try:
                    turn = await self.turn()
                except ContextOverflow as overflow:
                    limit, full = Ending.CONTEXT_LIMIT, overflow
            if limit is not None:
                if not agent.forced_answer:
                    _raise_fault(full)
                    return Trajectory(self.key, self.talk.opening, turns=tuple(turns), ending=limit, answer=None)
                turn = await self.force_answer(limit, full)
            await self._save(self.key, turn)
            self.talk.add(turn)
        return self._trajectory()

    async def turn(self) -> Turn:
        """Ask the model, read its calls, make them all, and say what goes back to it.

        Raises:
            ContextOverflow: the context is full, or an empty reply is a sign that it is.
            Fault: an infrastructure failure.
        """
        player, index, seed = self.player, len(self.talk.turns), self.seed
        reply, subcalls = await self._reply()
        reading = self._read(reply)
        if _says_nothing(reply) and not reading.calls and any(turn.results for turn in self.talk.turns):
            raise SuspectedOverflow("the reply is empty: the context may be full")
        cut = reply.finish_reason == "length"
        if cut and reply.bounded and not reading.calls and not says_in_loop(player.agent, reply.message):
            # There was more to come and no room for it. No policy makes room now: that would be another draw. A loop
            # would not have ended with more room either: it stays the turn that it is.
            raise ContextOverflow("the context had no room for the whole reply")
        results = await self._run(reading.calls)
        # Waiting for a server or a tool of ours is no time of the model's.
        seconds = reply.seconds + sum(call.seconds for call in subcalls)
        seconds += max((result.ms / 1000 for result in results), default=0.0)
        returned = time.perf_counter()
        if player.reader is not None:
            question, calls = text_of(self.talk.opening[-1]), reading.calls
            results, read = await read_results(
                player.reader, calls, results, question=question, seed=seed, name=self.request_id
            )
            subcalls = (*subcalls, *read)
        answers = [
            player.dialect.hand_back(call, outcome) for call, outcome in zip(reading.calls, results, strict=True)
        ]
        answers.sort(
            key=lambda message: message["role"] == "user"
        )  # servers want tool messages right after the calls
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

    async def ask(self, fragments: Sequence[bytes], room: int, *, forced: bool = False) -> Reply:
        """The model's reply to some messages, with at most ``room`` tokens; ``forced``: it shall call nothing.

        Raises:
            ContextOverflow: the messages do not fit, or are refused for what may be that.
            ServerFault: the server did not answer.
        """
        sampling, tools = self.player.sampling, self.player.tools
        parameters: dict[str, Any] = {
            **sampling.extra,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": max(min(sampling.max_tokens, room), 1),
            "seed": None if sampling.seed is None else self.seed,
            "presence_penalty": sampling.presence_penalty or None,
            "top_k": sampling.top_k,
        }
        if forced and tools:
            parameters["tool_choice"] = "none"
        while True:
            try:
                reply = await self.player.chat.ask(fragments, parameters, tools=tools, request_id=self.request_id)
                return replace(reply, bounded=parameters["max_tokens"] < sampling.max_tokens)
            except ContextOverflow:
                # The prompt's size is our estimate: where the server counts more, less room for the reply may do.
                parameters["max_tokens"] //= 2
                if parameters["max_tokens"] < _LEAST_ROOM:
                    raise
            except ServerFault as fault:
                if fault.fatal or not fault.refused:
                    raise
                raise SuspectedOverflow(str(fault), fault) from fault

    async def force_answer(self, limit: Ending, full: ContextOverflow | None) -> Turn:
        """One last call without tools. Where the context is full, the newest results make room for it.

        Where it is only suspected to be, less is sent at once: if that is refused too, it was something else.

        Raises:
            ServerFault: nothing was answered, and no refusal said that the prompt is too long.
        """
        started = time.perf_counter()
        player, index, seed = self.player, len(self.talk.turns), self.seed
        request: Message = {"role": "user", "content": player.forced_prompt}
        rooms = [player.agent.context - tokens for tokens in (self.talk.least_tokens(), self.talk.prompt_tokens())]
        wanted = min(player.sampling.max_tokens, 1_024) + len(player.forced_prompt)
        reply = Reply({"role": "assistant", "content": ""}, "no room", Usage(), 0.0)
        suspected = full if isinstance(full, SuspectedOverflow) else None
        whole = sum(map(len, self.talk.without_results(0)))
        savings = dict.fromkeys([*(max(wanted - room, 0) for room in rooms), whole // 8, player.agent.context])
        for kept in (*map(self.talk.without_results, savings), self._last_turn_only()):
            if suspected is None and len(kept) < len(self.talk.sent()):
                break  # Only a suspicion is worth an answer without the history.
            if suspected is not None and sum(map(len, kept)) >= whole:
                continue
            try:
                reply = await self.ask([*kept, serialise(request)], max(*rooms, wanted), forced=True)
                suspected = None
                break
            except SuspectedOverflow as again:
                suspected = again
            except ContextOverflow:
                suspected = None
        _raise_fault(suspected)
        reading = player.dialect.read(
            reply.message, keep_thoughts=player.agent.thoughts == "keep", turn=index, tools=player.names
        )
        return Turn(
            index=index,
            reply=reply.message,
            messages=(request, {"role": "assistant", "content": reading.text}),
            usage=reply.usage,
            finish_reason=reply.finish_reason,
            seed=seed,
            seconds=time.perf_counter() - started,
            limit=limit,
            subcalls=full.calls if isinstance(full, NotShortened) else (),
        )

    @property
    def seed(self) -> int:
        """The sampling seed of the next turn."""
        return call_seed(self.player.sampling.seed, self.key, len(self.talk.turns))

    @property
    def request_id(self) -> str:
        """The name of the next turn's requests."""
        return request_id(self.key, len(self.talk.turns))

    async def _reply(self) -> tuple[Reply, tuple[SubCall, ...]]:
        """The model's reply to the history, which is cut short before where the policy says so."""
        talk, player = self.talk, self.player
        short = history.due(player.agent, talk.turns, talk.prompt_tokens())
        while True:
            subcalls: tuple[SubCall, ...] = ()
            if short:
                name = f"{self.request_id}-summary"
                subcalls = await shorten(
                    player.agent, talk.opening, talk.turns, player.auxiliary, seed=self.seed, request_id=name
                )
            try:
                room = player.agent.context - talk.least_tokens(subcalls)
                if room < _LEAST_ROOM:
                    raise ContextOverflow(f"{room} tokens are left of a context of {player.agent.context}")
                return await self.ask(talk.sent(subcalls), room), subcalls
            except ContextOverflow:
                if short or not history.can_cut(player.agent, talk.turns):
                    raise
                short = True

    def _read(self, reply: Reply) -> Reading:
        player, cut = self.player, reply.finish_reason == "length"
        keep, index = player.agent.thoughts == "keep", len(self.talk.turns)
        reading = player.dialect.read(reply.message, keep_thoughts=keep, turn=index, tools=player.names, cut=cut)
        if player.names:
            reading = with_missed(reading, reply.message, reply.finish_reason, reply.usage.completion)
        return reading

    def _last_turn_only(self) -> list[bytes]:
        """The question and the last turn, its results blanked: made as the whole is, and as short as can be."""
        blank = self.talk.without_results(self.player.agent.context)
        last = len(self.talk.turns[-1].messages) if self.talk.turns else 0
        return [*blank[: len(self.talk.opening)], *blank[len(blank) - last :]]

    async def _run(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        """The results of all calls, in their order; the first fault cancels the rest."""
        if len(calls) == 1:
            return [await self._call(0, calls[0])]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._call(place, call)) for place, call in enumerate(calls)]
        except* ToleapError as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _call(self, place: int, call: ToolCall) -> ToolResult:
        if call.problem is not None:
            return ToolResult.of(call.problem, ErrorClass.CALL)
        if place >= _MOST_CALLS:
            return ToolResult.of(f"Too many calls in one step: at most {_MOST_CALLS} are made.", ErrorClass.CALL)
        return await self._dock.call(call, self._context)

    def _trajectory(self) -> Trajectory:
        """The trajectory whose last turn called no tool, or was forced."""
        talk, last = self.talk, self.talk.turns[-1]
        response = content_of(last.reply)
        spoken = response if last.limit is None else str(last.messages[-1]["content"])
        answer = extract_answer(spoken, boxed=self.player.dialect.answers_boxed) or swallowed_answer(response)
        without = Ending.REFUSED if _declined(last) else Ending.NO_ANSWER
        return Trajectory(
            key=self.key,
            opening=talk.opening,
            turns=tuple(talk.turns),
            ending=last.limit or (without if answer is None else Ending.ANSWERED),
            answer=answer,
            response=response,
            forced=last.limit is not None,
        )


def _raise_fault(full: ContextOverflow | None) -> None:
    """Where a context was only suspected to be full, what the server refused is a failure of its own."""
    if isinstance(full, SuspectedOverflow) and full.fault is not None:
        raise full.fault


def _says_nothing(reply: Reply) -> bool:
    """Whether a server that counts tokens generated none."""
    speaks = any(value for name, value in reply.message.items() if name != "role")
    return not speaks and reply.usage.prompt > 0 and reply.usage.completion == 0


def is_last(agent: Agent, turn: Turn) -> bool:
    """Whether the model has said what it had to say. One that was cut off in a loop is asked for an answer."""
    return turn.limit is not None or not (turn.results or is_loop(agent, turn))


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
