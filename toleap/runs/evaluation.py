"""One attempt from its task to its verdict: opening messages, loop, scorer, store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from toleap.agent.conversation import Conversation
from toleap.agent.limits import limit_reached
from toleap.agent.loop import Player, is_last, run_attempt
from toleap.agent.opening import opening_messages
from toleap.data.images import is_picture
from toleap.errors import TornRecord
from toleap.runs.judging import Judge, Judging
from toleap.runs.progress import Progress
from toleap.runs.replaying import replayed
from toleap.runs.spending import Meter
from toleap.runs.store.store import Store
from toleap.types import CallContext, Key, Message, Task, ToolCall, ToolResult, Trajectory, Turn, Verdict

_log = logging.getLogger(__name__)
_VERDICTS_AT_ONCE = 256
"""Verdicts written together, so that they share a commit."""


class Tools(Protocol):
    """What an evaluation needs of the dock."""

    async def call(self, call: ToolCall, context: CallContext) -> ToolResult:
        """Make one call."""

    def keeps_state(self, name: str) -> bool:
        """Whether this tool's calls build on each other."""

    async def release(self, context: CallContext) -> None:
        """End the trajectory's sessions."""


class Scorer(Protocol):
    """From an answer to a verdict."""

    def score(self, task: Task, answer: str | None, response: str) -> Verdict:
        """The verdict on one attempt."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A benchmark ready to be played: its tasks by id, how a task is put to the model, and who scores it."""

    tasks: Mapping[str, Task]
    prompt: Callable[[Task], str]
    scorer: Scorer
    corpus: str | None
    judge: Judge | None = None
    """Asked instead of the scorer where one is configured."""
    second: Judge | None = None
    """Asked beside the scorer: its verdicts do not count in the headline."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Plays attempts of one run."""

    run: str
    benchmarks: Mapping[str, Prepared]
    player: Player
    dock: Tools
    store: Store
    progress: Progress
    system: str
    policy: Mapping[str, Any]
    judging: Judging
    meter: Meter
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
            trajectory = await run_attempt(
                key, talk, player=self.player, dock=self.dock, context=context, save=self._save
            )
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
        self.progress.turn(turn)

    async def _end(self, trajectory: Trajectory, task: Task, benchmark: Prepared) -> None:
        answer, response = trajectory.answer, trajectory.response
        if benchmark.judge is not None:
            await self.store.end(trajectory, None)
            self.progress.ended()
            self.judging.submit(benchmark.judge, trajectory.key, task, answer, response)
            return
        verdict = benchmark.scorer.score(task, answer, response)
        await self.store.end(trajectory, verdict)
        self.progress.ended()
        self.progress.judged(verdict)
        if benchmark.second is not None:
            self.judging.submit(benchmark.second, trajectory.key, task, answer, response, second=True)

    def _opening(self, task: Task, benchmark: Prepared) -> tuple[Message, ...]:
        pictures = [file.path for file in task.attachments if is_picture(file.path)] if self.shows_pictures else []
        return opening_messages(self.system, benchmark.prompt(task), pictures)

    def _context(self, key: Key, task: Task, benchmark: Prepared) -> CallContext:
        files = {attachment.name: str(attachment.path) for attachment in task.attachments}
        return CallContext(self.run, *key, corpus=benchmark.corpus, files=files, policy=self.policy)


async def score_missing(store: Store, name: str, benchmark: Prepared, fingerprint: str, judging: Judging) -> int:
    """Score the attempts that ended without a verdict of the benchmark's present scorer; returns how many.

    Those for a judge are only submitted: ``judging.finish()`` waits for them.
    """
    waiting = [item for item in store.without_verdict(name, fingerprint) if item[0].task in benchmark.tasks]
    if benchmark.judge is not None:
        for key, answer, response in waiting:
            judging.submit(benchmark.judge, key, benchmark.tasks[key.task], answer, response)
        return len(waiting)
    for start in range(0, len(waiting), _VERDICTS_AT_ONCE):
        verdicts = [
            (key, benchmark.scorer.score(benchmark.tasks[key.task], answer, response))
            for key, answer, response in waiting[start : start + _VERDICTS_AT_ONCE]
        ]
        await asyncio.gather(*(store.put_verdict(key, verdict) for key, verdict in verdicts))
    return len(waiting)


def judge_second(store: Store, name: str, benchmark: Prepared, judging: Judging) -> int:
    """Ask for the second verdicts that are missing; returns how many. ``judging.finish()`` waits for them."""
    if benchmark.second is None:
        return 0
    missing = store.without_verdict(name, benchmark.second.fingerprint)
    waiting = [item for item in missing if item[0].task in benchmark.tasks]
    for key, answer, response in waiting:
        judging.submit(benchmark.second, key, benchmark.tasks[key.task], answer, response, second=True)
    return len(waiting)
