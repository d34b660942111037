"""What a run tells while it goes on. The terminal is one listener; a notebook or a viewer is another."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from toleap.runs.plan import Plan
from toleap.types import Key, Turn, Verdict


class Underway(Protocol):
    """What a listener may ask of a run that goes on."""

    plan: Plan
    name: str
    folder: Path
    owed: int
    """How many attempts are to be played now."""

    @property
    def in_flight(self) -> int:
        """How many are being played."""

    @property
    def spent(self) -> str:
        """What is spent of the run's cap; empty where there is none."""

    @property
    def capped(self) -> str:
        """The same, and how far attempts in flight can go beyond it."""


class Events:
    """A listener that hears nothing: override what is of interest.

    Every method is called in the run's event loop and must return at once. What it is told of is durable already.
    """

    def planned(self, run: Underway) -> None:
        """The run is checked and written down; ``run.owed`` attempts are to be played now."""

    def playing(self) -> None:
        """The model can be asked: attempts begin."""

    def turn(self, key: Key, turn: Turn) -> None:
        """An attempt has gone on by a turn."""

    def ended(self, key: Key) -> None:
        """An attempt has ended, and waits for its verdicts."""

    def failed(self, key: Key, reason: str, quarantined: bool) -> None:
        """A failure of ours stopped an attempt: it is played again, or set aside."""

    def judged(self, key: Key, verdict: Verdict) -> None:
        """The headline's scorer has given its verdict on an attempt."""

    def played(self) -> None:
        """Nothing is in flight any more."""

    def told(self, line: str) -> None:
        """Something that a person should know now."""
