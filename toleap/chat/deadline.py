"""How long one call may take: a model that thinks long is not at fault, a server that forgot a call is.

A call's deadline follows from how many tokens it may write and from the pace of this endpoint: tokens a second as
earlier callers saw it, waiting included, with a generous factor. Past the deadline the server's own counters decide,
where it has any (``chat/metrics.py``): while they move, and it has at least as many requests as are overdue, the
call goes on, however long that takes. Without counters, ``most`` seconds are the end in any case.

A call that is given up is cancelled, which closes its connection *before* anything is sent again: vLLM then aborts
what it generates for it, so that of each turn one copy is alive. (A gateway that hangs up on us may let the server
behind it go on; nothing on our side can prevent that.)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from toleap.chat.metrics import Work

_FACTOR = 4.0
"""How much slower than those before it a call may be: contexts grow, and so does the queue."""
_BEFORE = 60.0
"""Seconds for what comes before the first token."""
_UNMEASURED = 2.0
"""Tokens a second, before any reply was seen: the pace of a small model on a busy CPU."""
_MEMORY = 0.97
"""How much of what was seen is left after one more reply."""

Look = Callable[[], Awaitable[Work | None]]
"""Reads the server's counters: None where there are none; ``aiohttp.ClientError``, TimeoutError without an answer."""


@dataclass(slots=True)
class Pace:
    """What the replies of an endpoint so far say about the next one. Newer ones count more."""

    tokens: float = 0.0
    seconds: float = 0.0
    longest: float = 0.0

    def saw(self, tokens: int, seconds: float) -> None:
        """One reply came, so long, after so many seconds."""
        self.tokens = self.tokens * _MEMORY + tokens
        self.seconds = self.seconds * _MEMORY + seconds
        self.longest = max(self.longest * _MEMORY, seconds)

    def seconds_for(self, tokens: int) -> float:
        """By when a reply of so many tokens should have come."""
        if self.tokens <= 0 or self.seconds <= 0:
            return _BEFORE + tokens / _UNMEASURED
        return _BEFORE + _FACTOR * max(tokens * self.seconds / self.tokens, self.longest)


class Deadlines:
    """Sets the deadlines of all calls to one endpoint, and looks after those that have passed theirs.

    ``most``: the longest deadline, in seconds. ``stalled``: for how many seconds the server's counters may stand
    still once a call is overdue. ``look``: reads them.
    """

    def __init__(self, look: Look, *, most: float, stalled: float) -> None:
        self.pace = Pace()
        self._look = look
        self._most = most
        self._stalled = stalled
        self._overdue: set[asyncio.Timeout] = set()
        self._watcher: asyncio.Task[None] | None = None

    def seconds(self, tokens: int | None, tries: int = 1) -> float:
        """The deadline of a call that may write so many tokens (None: any number); later tries get more time."""
        return self._most if tokens is None else min(self._most, self.pace.seconds_for(tokens) * tries)

    @contextlib.asynccontextmanager
    async def limit(self, seconds: float) -> AsyncIterator[None]:
        """Run the block, which makes one call.

        Raises:
            TimeoutError: it took longer than ``seconds`` and the server does not get on; the block was cancelled.
        """
        async with asyncio.timeout(None) as call:
            timer = asyncio.get_running_loop().call_later(seconds, self._passed, call)
            try:
                yield
            finally:
                timer.cancel()
                self._overdue.discard(call)

    async def close(self) -> None:
        """Stop looking."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    def _passed(self, call: asyncio.Timeout) -> None:
        self._overdue.add(call)
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """Let overdue calls go on until the server has none of them in work, or does not say."""
        clock = asyncio.get_running_loop().time
        before: Work | None = None
        moved = clock()
        while self._overdue:
            try:
                work = await self._look()
            except (aiohttp.ClientError, TimeoutError):
                work = before or Work(0, 0)
            if work is None:
                self._give_up()
                return
            # It may be at work for others only. All that are in flight are no measure: some are always on their way.
            if before is not None and work.tokens != before.tokens and work.requests >= len(self._overdue):
                moved = clock()
            if clock() - moved >= self._stalled:
                self._give_up()
                return
            before = work
            await asyncio.sleep(self._stalled / 4)

    def _give_up(self) -> None:
        for call in self._overdue:
            call.reschedule(asyncio.get_running_loop().time())
        self._overdue.clear()
