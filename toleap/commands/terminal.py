"""What a run shows on the terminal: a live line, or plain lines where it is none."""

# ruff: noqa: ARG002 - a listener is told more than it shows

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.text import Text

from toleap.runs.events import Events, Underway
from toleap.types import Key, Turn, Verdict

_PLAIN_EVERY = 10.0
_LIVE_EVERY = 0.5


@dataclass(slots=True)
class Progress:
    """Counters of what is played now."""

    planned: int
    done: int = 0
    correct: int = 0
    scored: int = 0
    in_flight: int = 0
    faults: int = 0
    turns: int = 0
    tokens: int = 0
    started: float = field(default_factory=time.monotonic)
    spent: str = ""
    """What is spent of the run's cap; empty where there is none."""

    def turn(self, turn: Turn) -> None:
        """Count a turn."""
        self.turns += 1
        self.tokens += turn.usage.completion

    def judged(self, verdict: Verdict) -> None:
        """Count a verdict."""
        if verdict.status != "unscored":
            self.scored += 1
            self.correct += verdict.status == "correct"

    def line(self) -> str:
        """One line: done, in flight, running average, tokens a second, time left."""
        seconds = max(time.monotonic() - self.started, 1e-6)
        average = f"{100 * self.correct / self.scored:.1f} %" if self.scored else "–"
        left = _duration((self.planned - self.done) * seconds / self.done) if self.done else "–"
        parts = [f"{self.done}/{self.planned} done", f"{self.in_flight} in flight", f"avg {average}"]
        parts += [f"{self.turns} turns", f"{self.tokens / seconds:.0f} tok/s", _duration(seconds), f"left {left}"]
        parts += [self.spent] if self.spent else []
        parts += [f"{self.faults} faults"] if self.faults else []
        return " · ".join(parts)


class Terminal(Events):
    """Shows one run on a console, from its plan to its last attempt."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._progress = Progress(0)
        self._run: Underway | None = None
        self._ticker: asyncio.Task[None] | None = None

    def planned(self, run: Underway) -> None:
        self._run = run
        self._progress = Progress(run.owed)
        self.told("\n".join(announcement(run)))

    def playing(self) -> None:
        self._progress.started = time.monotonic()
        self._ticker = asyncio.get_running_loop().create_task(self._tick())
        if self._live:
            self._live.start()

    def turn(self, key: Key, turn: Turn) -> None:
        self._progress.turn(turn)

    def ended(self, key: Key) -> None:
        self._progress.done += 1

    def failed(self, key: Key, reason: str, quarantined: bool) -> None:
        self._progress.faults += 1

    def judged(self, key: Key, verdict: Verdict) -> None:
        self._progress.judged(verdict)

    def played(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
        if self._live:
            self._live.stop()
        self._console.print(self._line())

    def told(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_LIVE_EVERY if self._live else _PLAIN_EVERY)
            if self._live:
                self._live.update(self._line(), refresh=True)
            else:
                self._console.print(self._line())

    def _line(self) -> Text:
        if self._run is not None:
            self._progress.in_flight, self._progress.spent = self._run.in_flight, self._run.spent
        return Text(self._progress.line())


def announcement(run: Underway) -> list[str]:
    """What a run says of itself before it starts, line by line."""
    plan = run.plan
    tasks = [f"{i.benchmark.name} ({len(i.tasks)} of {len(i.benchmark.tasks())} tasks)" for i in plan.benchmarks]
    return [
        f"run      {run.name} → {run.folder}",
        f"plan     {', '.join(tasks)} × k {plan.k} = {plan.attempts} attempts, {run.owed} to run now",
        f"model    {plan.model.label}, {plan.model.where}",
        f"tools    {', '.join(plan.config.dock.tools)}",
        f"web      {'; '.join(f'{item.benchmark.name}: corpus {item.corpus}' for item in plan.benchmarks)}",
        f"tokens   at most {plan.most_tokens:,} written by the model",
        *([f"cap      {run.capped}"] if run.spent else []),
        *(f"skipped  {item.name}: {item.reason}: {item.command}" for item in plan.skipped),
    ]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
