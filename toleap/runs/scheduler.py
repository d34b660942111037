"""Plays what is owed, a bounded number at once, and decides what a failure of ours does to an attempt."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from toleap.errors import Fault, ServerFault, StoreFault, ToolFault, UsageError
from toleap.store.store import Owed
from toleap.types import Key

_log = logging.getLogger(__name__)

Play = Callable[[Key], Awaitable[None]]
_OF_AN_ATTEMPT = 6
"""A connection to the model server, an interpreter's three pipes, and what starting it needs for a moment."""
_OF_THE_REST = 150
"""The database, the search index, workers that read pages, the judge's connections, the display."""
NoteFault = Callable[[Key, str, bool], Awaitable[None]]
"""Called with the attempt, the reason, and whether it is quarantined now."""


@dataclass(slots=True)
class Scheduler:
    """Plays attempts in the order given; ``stop`` ends it early and leaves the rest owed.

    ``fault_limit`` faults quarantine an attempt; until then one that failed is played again after all others. A fatal
    fault, or a store that cannot be written, stops the whole run: no other attempt would fare better. What happens to
    an attempt while the run is being stopped, or because a tool is down for everybody, is not held against it.
    """

    play: Play
    note_fault: NoteFault
    max_in_flight: int
    fault_limit: int
    halted: str | None = None
    """Why the run was stopped before everything was played; None where it was not."""
    closed: Callable[[], str | None] = lambda: None
    """Asked before each attempt: why no further one may be begun. Those in flight are played to their end."""
    in_flight: int = 0
    """How many attempts are being played."""
    _stopped: bool = False
    _waiting: deque[Owed] = field(default_factory=deque)
    _workers: list[asyncio.Task[None]] = field(default_factory=list)

    async def run(self, owed: Sequence[Owed]) -> None:
        """Play every owed attempt until each has ended or is quarantined, or the run is stopped.

        Raises:
            StoreFault: a fault could not be noted.
        """
        self._waiting.extend(owed)
        workers = min(self.max_in_flight, len(owed))
        self._workers = [asyncio.create_task(self._work()) for _ in range(workers)]
        for ended in await asyncio.gather(*self._workers, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    def stop(self, reason: str) -> None:
        """Stop at once: what is in flight stays owed at its last durable turn. The first reason counts."""
        if not self._stopped:
            self.halted = reason
        self._stopped = True
        for worker in self._workers:
            worker.cancel()

    async def _work(self) -> None:
        while self._waiting and self.halted is None and not self._cancelled():
            self.halted = self.closed()
            if self.halted is None:
                await self._play(self._waiting.popleft())

    async def _play(self, item: Owed) -> None:
        self.in_flight += 1
        try:
            await self.play(item.key)
        except (ServerFault, StoreFault) as fault:
            await self._failed(item, str(fault), hopeless=isinstance(fault, StoreFault) or fault.fatal)
        except ToolFault as fault:
            if fault.outage and not fault.fatal and not self._cancelled():
                self._waiting.append(item)
            else:
                await self._failed(item, str(fault), hopeless=fault.fatal)
        except UsageError as mistake:
            self.stop(str(mistake))
        except Fault as fault:
            await self._failed(item, str(fault))
        except asyncio.CancelledError:
            if self._cancelled():
                raise
            await self._failed(item, "our bug: something that it waited for was cancelled")
        except Exception as bug:  # noqa: BLE001 - our bug is never the model's failure: the attempt is owed
            _log.exception("%s: a bug of ours", item.key)
            await self._failed(item, f"our bug: {type(bug).__name__}: {bug}")
        finally:
            self.in_flight -= 1

    def _cancelled(self) -> bool:
        """Whether it is this worker that was cancelled, and not only something it waited for."""
        worker = asyncio.current_task()
        return self._stopped or (worker is not None and worker.cancelling() > 0)

    async def _failed(self, item: Owed, reason: str, *, hopeless: bool = False) -> None:
        if self._cancelled():
            return
        if hopeless:
            self.stop(reason)
            return
        quarantine = item.faults + 1 >= self.fault_limit
        try:
            await self.note_fault(item.key, reason, quarantine)
        except StoreFault as fault:
            self.stop(str(fault))
            raise
        if not quarantine:
            self._waiting.append(Owed(item.key, item.faults + 1))


def room_for(attempts: int, log: Callable[[str], None]) -> int:
    """How many attempts can be in flight: as many as asked for, or fewer, which is said in one line.

    The process's own (soft) limit on open files is raised as far as needed and allowed; without room a connection
    would fail as if the server were down.
    """
    needed = attempts * _OF_AN_ATTEMPT + _OF_THE_REST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return attempts
    raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(raised, soft), hard))
    except (ValueError, OSError):
        raised = soft
    if raised >= needed:
        return attempts
    fewer = max(1, (raised - _OF_THE_REST) // _OF_AN_ATTEMPT)
    log(f"only {fewer} of {attempts} attempts at once: this needs ulimit -n {needed}, and {raised} is allowed")
    return fewer
