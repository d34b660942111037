"""What a run says of itself before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toleap.runs.plan import Plan
from toleap.runs.spending import Meter, cap_of


@dataclass(frozen=True, slots=True)
class Announcement:
    """A run that is about to start, for people and ``--json``."""

    run: str
    folder: str
    model: str
    server: str
    benchmarks: dict[str, str]
    k: int
    attempts: int
    owed: int
    tools: tuple[str, ...]
    web: dict[str, str]
    most_tokens: int
    cap: str
    """What is spent of the run's cap, and how far attempts in flight can go beyond it; empty where there is none."""
    skipped: dict[str, str]


def announcement(plan: Plan, name: str, folder: Path, owed: int, meter: Meter) -> Announcement:
    """The announcement of a plan of which ``owed`` attempts are to be played now."""
    return Announcement(
        run=name,
        folder=str(folder),
        model=plan.model.label,
        server=plan.model.where,
        benchmarks={
            item.benchmark.name: f"{len(item.tasks)} of {len(item.benchmark.tasks())} tasks"
            for item in plan.benchmarks
        },
        k=plan.k,
        attempts=plan.attempts,
        owed=owed,
        tools=plan.config.dock.tools,
        web={item.benchmark.name: f"corpus {item.corpus}" for item in plan.benchmarks},
        most_tokens=plan.most_tokens,
        cap=_capped(plan, meter, owed),
        skipped={item.name: f"{item.reason}: {item.command}" for item in plan.skipped},
    )


def _capped(plan: Plan, meter: Meter, owed: int) -> str:
    cap = cap_of(plan.operation)
    if not cap.is_set:
        return ""
    if cap.reached(meter):
        return f"{cap.shown(meter)}: nothing more is begun"
    at_once = min(plan.operation.max_in_flight, owed)
    beyond = cap.most_beyond(plan.most_each, at_once)
    return f"{cap.shown(meter)}; then the attempts in flight ({at_once}) end, with up to {beyond} more"
