"""What a run shows while it runs: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.text import Text

from toleap.types import Turn, Verdict

_PLAIN_EVERY = 10.0
_LIVE_EVERY = 0.5


@dataclass(slots=True)
class Progress:
    """Counters of one run; attempts that had ended before this start count as done, not in the rates."""

    planned: int
    done: int = 0
    correct: int = 0
    scored: int = 0
    in_flight: int = 0
    faults: int = 0
    turns: int = 0
    tokens: int = 0
    finished_now: int = 0
    started: float = field(default_factory=time.monotonic)
    spent: Callable[[], str] = lambda: ""
    """What is spent of the run's cap; empty where there is none."""

    def turn(self, turn: Turn) -> None:
        """Count a turn that is durable."""
        self.turns += 1
        self.tokens += turn.usage.completion

    def ended(self) -> None:
        """Count an attempt that has ended."""
        self.done += 1
        self.finished_now += 1

    def judged(self, verdict: Verdict) -> None:
        """Count a verdict."""
        if verdict.status != "unscored":
            self.scored += 1
            self.correct += verdict.status == "correct"

    def line(self) -> str:
        """One line: done, in flight, running average, tokens a second, time left."""
        seconds = max(time.monotonic() - self.started, 1e-6)
        average = f"{100 * self.correct / self.scored:.1f} %" if self.scored else "–"
        left = "–"
        if self.finished_now:
            left = _duration((self.planned - self.done) * seconds / self.finished_now)
        faults = f" · {self.faults} faults" if self.faults else ""
        spent = self.spent()
        if spent:
            spent = f" · {spent}"
        return (
            f"{self.done}/{self.planned} done · {self.in_flight} in flight · avg {average} · {self.turns} turns · "
            f"{self.tokens / seconds:.0f} tok/s · {_duration(seconds)} · left {left}{spent}{faults}"
        )


@contextlib.asynccontextmanager
async def shown(progress: Progress, console: Console) -> AsyncIterator[None]:
    """Show ``progress`` while the block runs, and its last state after it."""
    live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
    with live or contextlib.nullcontext():
        ticker = asyncio.create_task(_tick(progress, console, live))
        try:
            yield
        finally:
            ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticker
    console.print(Text(progress.line()))


async def _tick(progress: Progress, console: Console, live: Live | None) -> None:
    while True:
        await asyncio.sleep(_LIVE_EVERY if live else _PLAIN_EVERY)
        if live:
            live.update(Text(progress.line()), refresh=True)
        else:
            console.print(Text(progress.line()))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
