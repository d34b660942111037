"""Judging beside the run: attempts that have ended wait for their verdict without holding up the others.

A verdict that a judge could not give is stored as unscored with its reason, and is asked for again by ``toleap
score`` or by the same command. Killing the process between an attempt's end and its verdict repeats only the judging.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from toleap.runs.store.store import Store
from toleap.types import Key, Task, Verdict


class Judge(Protocol):
    """Whatever turns an answer into a verdict by asking somebody; it bounds its own concurrency."""

    @property
    def fingerprint(self) -> str:
        """The judge's name and a hash of everything that can change its verdicts."""

    async def judge(self, task: Task, answer: str | None, response: str) -> Verdict:
        """The verdict on one attempt; a judge that fails gives an unscored one with the reason."""


@dataclass(slots=True)
class Judging:
    """The verdicts that are being asked for now. ``told`` is called with each verdict once it is durable."""

    store: Store
    told: Callable[[Verdict], None] = lambda _verdict: None
    _pending: set[asyncio.Task[None]] = field(default_factory=set)
    _failed: BaseException | None = None
    """The first that a judge could not be blamed for: the store's, or a bug of ours."""

    @property
    def pending(self) -> int:
        """How many verdicts are being waited for."""
        return len(self._pending)

    def submit(
        self, judge: Judge, key: Key, task: Task, answer: str | None, response: str, *, second: bool = False
    ) -> None:
        """Ask for a verdict in the background. A ``second`` one, beside the headline's, is stored and not told."""
        pending = asyncio.create_task(self._judge(judge, key, task, answer, response, second=second))
        self._pending.add(pending)
        pending.add_done_callback(self._ended)

    async def finish(self) -> None:
        """Wait until every verdict asked for is stored.

        Raises:
            StoreFault: a verdict could not be stored.
        """
        while self._pending:
            await asyncio.gather(*self._pending, return_exceptions=True)
        if self._failed is not None:
            raise self._failed

    def _ended(self, judged: asyncio.Task[None]) -> None:
        self._pending.discard(judged)
        if not judged.cancelled() and self._failed is None:
            self._failed = judged.exception()

    def stop(self) -> None:
        """Give up what is pending: those attempts are judged when asked for again."""
        for pending in self._pending:
            pending.cancel()

    async def _judge(
        self, judge: Judge, key: Key, task: Task, answer: str | None, response: str, *, second: bool
    ) -> None:
        verdict = await judge.judge(task, answer, response)
        await self.store.put_verdict(key, verdict)
        if not second:
            self.told(verdict)
