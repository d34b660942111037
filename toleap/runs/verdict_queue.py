"""Scoring beside the run: attempts that have ended wait for their verdicts without holding up the others.

A verdict that a judge could not give is stored as unscored with its reason, and is asked for again by ``toleap
score`` or by the same command. Killing the process between an attempt's end and its verdict repeats only the scoring.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from toleap.scoring.scorers import Scorer
from toleap.store.store import Store, Unjudged
from toleap.types import Key, Task, Verdict


@dataclass(slots=True)
class VerdictQueue:
    """The verdicts that are being asked for now. ``told`` gets each headline verdict once it is durable."""

    store: Store
    told: Callable[[Key, Verdict], None] = lambda _key, _verdict: None
    _pending: set[asyncio.Task[None]] = field(default_factory=set)
    _failed: BaseException | None = None
    """The first that no scorer could be blamed for: the store's, or a bug of ours."""

    @property
    def pending(self) -> int:
        """How many verdicts are being waited for."""
        return len(self._pending)

    def submit(self, scorers: Sequence[Scorer], task: Task, ended: Unjudged) -> None:
        """Ask for the verdicts on an attempt in the background, the headline's scorer first."""
        for place, scorer in enumerate(scorers):
            self._ask(scorer, task, ended, headline=place == 0)

    def submit_missing(self, benchmark: str, scorers: Sequence[Scorer], tasks: Mapping[str, Task]) -> list[int]:
        """Ask for the verdicts that ended attempts at these tasks lack; returns how many of each scorer."""
        asked = []
        for place, scorer in enumerate(scorers):
            waiting = [
                item for item in self.store.without_verdict(benchmark, scorer.fingerprint) if item.key.task in tasks
            ]
            for item in waiting:
                self._ask(scorer, tasks[item.key.task], item, headline=place == 0)
            asked.append(len(waiting))
        return asked

    async def finish(self) -> None:
        """Wait until every verdict asked for is stored.

        Raises:
            StoreFault: a verdict could not be stored.
        """
        while self._pending:
            await asyncio.gather(*self._pending, return_exceptions=True)
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """Give up what is pending: those attempts are scored when asked for again."""
        for pending in self._pending:
            pending.cancel()

    def _ask(self, scorer: Scorer, task: Task, ended: Unjudged, *, headline: bool) -> None:
        pending = asyncio.create_task(self._score(scorer, task, ended, headline=headline))
        self._pending.add(pending)
        pending.add_done_callback(self._ended)

    def _ended(self, scored: asyncio.Task[None]) -> None:
        self._pending.discard(scored)
        if not scored.cancelled() and self._failed is None:
            self._failed = scored.exception()

    async def _score(self, scorer: Scorer, task: Task, ended: Unjudged, *, headline: bool) -> None:
        verdict = await scorer.score(task, ended.answer, ended.response)
        await self.store.put_verdict(ended, verdict)
        if headline:
            self.told(ended.key, verdict)
