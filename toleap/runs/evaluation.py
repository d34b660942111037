"""One attempt from its task to its verdict: opening messages, loop, scorer, store."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from toleap.agent.conversation import Conversation, opening_messages
from toleap.agent.limits import limit_reached
from toleap.agent.loop import Attempt, Player, is_last
from toleap.chat.signs import Watch
from toleap.data.images import is_picture
from toleap.errors import TornRecord
from toleap.runs.events import Events
from toleap.runs.plan import PlannedBenchmark
from toleap.runs.replaying import replayed
from toleap.runs.spending import Meter
from toleap.runs.verdict_queue import VerdictQueue
from toleap.store.store import Store
from toleap.types import CallContext, Key, Message, Task, ToolCall, ToolResult, ToolSettings, Trajectory, Turn

_log = logging.getLogger(__name__)


class Tools(Protocol):
    """What an evaluation needs of the dock."""

    async def call(self, call: ToolCall, context: CallContext) -> ToolResult:
        """Make one call."""

    def keeps_state(self, name: str) -> bool:
        """Whether this tool's calls build on each other."""

    async def release(self, context: CallContext) -> None:
        """End the trajectory's sessions."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Plays attempts of one run."""

    run: str
    benchmarks: Mapping[str, PlannedBenchmark]
    player: Player
    dock: Tools
    store: Store
    events: Events
    system: str
    policy: ToolSettings
    verdicts: VerdictQueue
    meter: Meter
    watch: Watch
    shows_pictures: bool = False

    async def play(self, key: Key) -> None:
        """Play one attempt from where it stopped, score it and store both.

        Raises:
            Fault: the attempt stays owed.
        """
        benchmark = self.benchmarks[key.benchmark]
        task = benchmark.tasks[key.task]
        context = self._context(key, task, benchmark)
        try:
            talk = await self._continued(key, self._opening(task, benchmark), context)
            attempt = Attempt(key, talk, player=self.player, dock=self.dock, context=context, save=self._save)
            trajectory = await attempt.play()
        finally:
            await self.dock.release(context)
        await self._end(trajectory, task, benchmark)

    async def _continued(self, key: Key, opening: Sequence[Message], context: CallContext) -> Conversation:
        """The conversation where it stopped; from its first turn where that state cannot be had again."""
        try:
            before = self.store.trajectory_so_far(key)
        except TornRecord as torn:
            return await self._restarted(key, opening, str(torn))
        if before is None:
            await self.store.begin(key, opening)
            return Conversation(opening, agent=self.player.agent)
        if before[0] != tuple(opening):
            return await self._restarted(key, opening, "its opening messages are others now")
        # A model that has had its last word needs no tools: it must not be asked once more because of them.
        differs = None if self._calls_no_more(before[1]) else await replayed(before[1], self.dock, context)
        if differs is None:
            return Conversation(*before, agent=self.player.agent)
        await self.dock.release(context)
        return await self._restarted(key, opening, differs)

    def _calls_no_more(self, turns: Sequence[Turn]) -> bool:
        return bool(turns) and (
            is_last(self.player.agent, turns[-1]) or limit_reached(self.player.agent, turns) is not None
        )

    async def _restarted(self, key: Key, opening: Sequence[Message], reason: str) -> Conversation:
        _log.warning("%s begins anew: %s", key, reason)
        await self.store.begin(key, opening, restart=True)
        return Conversation(opening, agent=self.player.agent)

    async def _save(self, key: Key, turn: Turn) -> None:
        await self.store.put_turn(key, turn, self.meter.take())
        self.events.turn(key, turn)
        self.watch.turn(turn)

    async def _end(self, trajectory: Trajectory, task: Task, benchmark: PlannedBenchmark) -> None:
        ended = await self.store.end(trajectory)
        self.events.ended(trajectory.key)
        self.verdicts.submit(benchmark.scorers, task, ended)

    def _opening(self, task: Task, benchmark: PlannedBenchmark) -> tuple[Message, ...]:
        pictures = [file.path for file in task.attachments if is_picture(file.path)] if self.shows_pictures else []
        return opening_messages(self.system, benchmark.benchmark.render_prompt(task), pictures)

    def _context(self, key: Key, task: Task, benchmark: PlannedBenchmark) -> CallContext:
        files = {attachment.name: str(attachment.path) for attachment in task.attachments}
        return CallContext(self.run, *key, corpus=benchmark.corpus, files=files, policy=self.policy)
