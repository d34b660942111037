"""The sandboxes of a run: one for each trajectory, started when its first code comes, never shared."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from toleap.dock.sandbox import session
from toleap.dock.sandbox.chain import Limits
from toleap.dock.sandbox.probing import confined
from toleap.dock.sandbox.session import Outcome, Session, Setup
from toleap.errors import ToolFault


class _Order(NamedTuple):
    """One piece of code and its limits."""

    code: str
    seconds: float
    output_bytes: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What a piece of code did; ``restarted`` says why earlier variables and files are gone, if they are."""

    outcome: Outcome
    restarted: str | None = None


@dataclass(slots=True)
class _Place:
    """One trajectory's sandbox, if it has one now.

    ``done`` is the code that made its variables and files, with a digest of what each piece gave: where a sandbox is
    lost by no fault of the code's, another one is brought to the same state. ``lost`` says why that is impossible.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    session: Session | None = None
    done: list[tuple[_Order, bytes]] = field(default_factory=list)
    lost: str | None = None
    used: int = 0

    def forget(self, why: str | None) -> None:
        """The variables and files are gone, and nothing can bring them back."""
        self.done.clear()
        self.lost = why


class Sandbox:
    """Runs code for any number of trajectories.

    A sandbox that ends by no doing of its code is replaced, and the trajectory's code run again in the new one: its
    author sees nothing of it. Where that gives anything else than before it is a fault.

    Args:
        limits: of each sandbox.
        most: how many sandboxes are kept alive; past it, the one that was idle longest is ended, and replaced at
            its trajectory's next call.
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
            ToolFault: the sandbox failed twice, not the code; or the variables of a lost one cannot be had again.
        """
        setup = self._setup = self._setup or await confined(self._limits)
        order = _Order(code, seconds, output_bytes)
        while True:
            place = self._places.setdefault(name, _Place())
            async with place.lock, self._turns:
                if self._places.get(name) is not place:
                    continue  # it was released while this call waited
                place.used = next(self._clock)
                return await self._run(place, setup, files or {}, order)

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

    async def _run(self, place: _Place, setup: Setup, files: Mapping[str, Path], order: _Order) -> Reply:
        try:
            try:
                outcome = await self._once(place, setup, files, order)
            except _SandboxEnded:
                outcome = await self._once(place, setup, files, order)
        except BaseException:
            place.forget("the call before was broken off")
            await _end(place)
            raise
        restarted, place.lost = place.lost, None
        if outcome.alive:
            place.done.append((order, _digest(outcome)))
        else:
            place.forget(None)
            await _end(place)
        return Reply(outcome, restarted)

    async def _once(self, place: _Place, setup: Setup, files: Mapping[str, Path], order: _Order) -> Outcome:
        live = await self._live(place, setup, files)
        outcome = await _given(place, live, order)
        if outcome.end != "lost":
            return outcome
        # Code may have ended its interpreter behind its own back, so that this is not surely our doing.
        await _end(place)
        try:
            live = await self._live(place, setup, files)
        except _NotTheSame:
            place.forget("its interpreter had ended")
            live = await self._live(place, setup, files)
        return await _given(place, live, order)

    async def _live(self, place: _Place, setup: Setup, files: Mapping[str, Path]) -> Session:
        """The place's sandbox; a new one, in which its code was run again, where the former is gone."""
        if place.session is not None and not place.session.running:
            await _end(place)
        if place.session is None:
            await self._make_room()
            place.session = await session.start(setup, files)
            for order, digest in place.done:
                if _digest(await _given(place, place.session, order)) != digest:
                    await _end(place)
                    raise _NotTheSame("a sandbox was lost, and its code does not come out the same when run again")
        return place.session

    async def _make_room(self) -> None:
        live = [place for place in self._places.values() if place.session is not None]
        idle = sorted((place for place in live if not place.lock.locked()), key=lambda place: place.used)
        for place in idle[: max(0, len(live) - self._most + 1)]:
            if not place.lock.locked():
                await _end(place)


class _SandboxEnded(ToolFault):
    """The sandbox ended under a piece of code, which no code can bring about."""


class _NotTheSame(ToolFault):
    """Code that was run again gave something else."""


async def _given(place: _Place, live: Session, order: _Order) -> Outcome:
    try:
        return await live.run(order.code, seconds=order.seconds, output_bytes=order.output_bytes)
    except ToolFault as error:
        await _end(place)
        raise _SandboxEnded(str(error)) from error


def _digest(outcome: Outcome) -> bytes:
    return hashlib.sha256(repr(outcome).encode("utf-8", "replace")).digest()


async def _end(place: _Place) -> None:
    ending, place.session = place.session, None
    if ending is not None:
        await ending.kill()
