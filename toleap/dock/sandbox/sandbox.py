"""The sandboxes of a run: one for each trajectory, started when its first code comes, never shared."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toleap.dock.sandbox import session
from toleap.dock.sandbox.chain import Limits
from toleap.dock.sandbox.probing import confined
from toleap.dock.sandbox.session import Outcome, Session, Setup


@dataclass(frozen=True, slots=True)
class Reply:
    """What a piece of code did; ``restarted`` says why earlier variables and files are gone, if they are."""

    outcome: Outcome
    restarted: str | None = None


@dataclass(slots=True)
class _Place:
    """One trajectory's sandbox, if it has one now; ``lost`` says why an earlier one is gone."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    session: Session | None = None
    lost: str | None = None
    used: int = 0


class Sandbox:
    """Runs code for any number of trajectories.

    Args:
        limits: of each sandbox.
        most: how many sandboxes are kept alive; past it, the one that was idle longest is ended, and its
            trajectory is told so at its next call.
        parallel: how many pieces of code run at once; the others wait, and their time does not run meanwhile, so
            that a busy machine does not turn into deadlines missed. None: twice the cores, at least four.
    """

    def __init__(self, *, limits: Limits | None = None, most: int = 64, parallel: int | None = None) -> None:
        self._limits = limits or Limits()
        self._setup: Setup | None = None
        self._most = most
        self._parallel = parallel or max(4, 2 * (os.cpu_count() or 1))
        self._turns = asyncio.Semaphore(self._parallel)
        self._places: dict[str, _Place] = {}
        self._clock = itertools.count(1)

    async def run(
        self, name: str, code: str, *, seconds: float, output_bytes: int, files: Mapping[str, Path] | None = None
    ) -> Reply:
        """Run ``code`` in the session ``name``; calls of one session wait for each other.

        Args:
            files: shown in the working folder, read-only, when the session starts.

        Raises:
            UsageError: the machine lacks something, or a file cannot be used.
            ToolFault: the sandbox failed, not the code.
        """
        setup = self._setup = self._setup or await confined(self._limits)
        while True:
            place = self._places.setdefault(name, _Place())
            async with place.lock, self._turns:
                if self._places.get(name) is not place:
                    continue  # it was released while this call waited
                place.used = next(self._clock)
                reply = await self._run(place, setup, files or {}, code, seconds, output_bytes)
                if reply.outcome.end == "lost":
                    place.lost = "its interpreter had ended"
                    reply = await self._run(place, setup, files or {}, code, seconds, output_bytes)
                return reply

    async def release(self, name: str) -> None:
        """End the session ``name``, if there is one, after the call that it is in."""
        place = self._places.get(name)
        if place is not None:
            async with place.lock:
                self._places.pop(name, None)
                await _end(place)

    async def close(self) -> None:
        """End every session at once. Afterwards it can be used again, in another event loop as well."""
        places, self._places = list(self._places.values()), {}
        self._turns = asyncio.Semaphore(self._parallel)
        await asyncio.gather(*(_end(place) for place in places))

    async def _run(
        self, place: _Place, setup: Setup, files: Mapping[str, Path], code: str, seconds: float, output_bytes: int
    ) -> Reply:
        live, restarted = await self._live(place, setup, files)
        kept = False
        try:
            outcome = await live.run(code, seconds=seconds, output_bytes=output_bytes)
            kept = outcome.alive
        finally:
            if not kept:
                place.lost = "the call before was broken off"
                await _end(place)
        place.lost = None
        return Reply(outcome, restarted)

    async def _live(self, place: _Place, setup: Setup, files: Mapping[str, Path]) -> tuple[Session, str | None]:
        """The place's sandbox, started if need be, and why an earlier one is gone if it was."""
        if place.session is not None and not place.session.running:
            place.lost = "its sandbox had ended"
            await _end(place)
        if place.session is not None:
            return place.session, None
        await self._make_room()
        place.session = await session.start(setup, files)
        return place.session, place.lost

    async def _make_room(self) -> None:
        live = [place for place in self._places.values() if place.session is not None]
        idle = sorted((place for place in live if not place.lock.locked()), key=lambda place: place.used)
        for place in idle[: max(0, len(live) - self._most + 1)]:
            if not place.lock.locked():
                place.lost = "it was the one idle longest among too many"
                await _end(place)


async def _end(place: _Place) -> None:
    ending, place.session = place.session, None
    if ending is not None:
        await ending.kill()
