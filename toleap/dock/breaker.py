"""Tells a tool that is down for everybody from one call that it cannot take, and holds all calls while it is down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from toleap.errors import ToolFault
from toleap.types import ToolResult

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
"""Seconds between two tries of a tool that is down."""
_DIFFERENT = 3
"""Where nothing else can tell: so many attempts that fail one after the other, and none that is answered between."""

Check = Callable[[], Awaitable[bool | None]]
"""Whether the tool works for others: True, False, or None where that cannot be told."""


class Breaker:
    """One tool's breaker. While it is open every call waits, for ``patience`` seconds at most; one at a time tries.

    A fault is its attempt's own where the tool works for others, and then counts against that attempt. Where it
    works for nobody the fault is an ``outage``, which counts against none.
    """

    def __init__(self, name: str, check: Check, *, told: Callable[[str], None], patience: float) -> None:
        self._name = name
        self._check = check
        self._told = told
        self._patience = patience
        self._opened: float | None = None
        self._why = ""
        self._pause = _FIRST_PAUSE
        self._answered = time.monotonic()
        self._closed = self._answered
        self._failed: set[str] = set()
        self._trying = asyncio.Lock()
        self._asking = asyncio.Lock()

    async def call(self, make: Callable[[], Awaitable[ToolResult]], session: str) -> ToolResult:
        """What ``make`` returns, once the tool is not known to be down.

        Raises:
            ToolFault: the call failed, as an ``outage`` where it is nobody's; or the tool stayed down (``fatal``).
        """
        while self._is_open():
            async with self._trying:
                if self._is_open() and await self._due():
                    return await self._made(make, session)
        return await self._made(make, session)

    def _is_open(self) -> bool:
        return self._opened is not None

    async def _due(self) -> bool:
        """Waits for the next try; whether a waiting call is to be made for it. Closes where others are answered."""
        assert self._opened is not None
        if time.monotonic() - self._opened >= self._patience:
            why = f"the tool {self._name} was down for {self._patience:g} seconds: {self._why}"
            raise ToolFault(why, outage=True, fatal=True)
        left = self._opened + self._patience - time.monotonic()
        await asyncio.sleep(min(self._pause, left))
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        works = await self._check()
        if works:
            self._works()
        return works is None

    async def _made(self, make: Callable[[], Awaitable[ToolResult]], session: str) -> ToolResult:
        started = time.monotonic()
        try:
            result = await make()
        except ToolFault as fault:
            if await self._is_down(session, started, str(fault)):
                raise ToolFault(str(fault), outage=True) from fault
            raise
        self._works()
        return result

    async def _is_down(self, session: str, started: float, why: str) -> bool:
        """Whether a call that failed says that the tool is down for everybody. Opens where it does."""
        async with self._asking:
            if self._opened is not None or self._closed > started:
                return True  # it was down while this call was made
            if self._answered > started:
                return False
            self._failed.add(session)
            works = await self._check()
            if works:
                self._works()
            elif works is False or len(self._failed) >= _DIFFERENT:
                self._opened, self._why, self._pause = time.monotonic(), why, _FIRST_PAUSE
                self._told(f"warning: the tool {self._name} is down, and the run waits for it: {why}")
            return self._opened is not None

    def _works(self) -> None:
        self._answered = time.monotonic()
        self._failed.clear()
        if self._opened is not None:
            self._told(
                f"the tool {self._name} works again after {self._answered - self._opened:.0f} s: the run goes on"
            )
            self._opened, self._closed = None, self._answered
