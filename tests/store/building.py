"""Plans for tests of the store, and what a run's file holds."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toleap.store.records import Benchmark, Planned, Played, Run, body_of, sealed
from toleap.store.store import Store
from toleap.types import Key, ScoredBy, Task, Trajectory, Turn, Verdict

RULE = ScoredBy("gaia-1")


def part(**fields: Any) -> Benchmark:
    """A benchmark of a run."""
    standard = {
        "place": 0,
        "title": "Bench",
        "tasks_total": 9,
        "revision": "rev",
        "breakdown": (),
        "scorers": (RULE,),
    }
    return Benchmark(**{**standard, **fields})


async def plan(
    store: Store,
    tasks: Sequence[Task],
    k: int,
    *,
    settings: Mapping[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Plan k attempts at tasks of one benchmark."""
    name = tasks[0].benchmark
    run = Run("m", False, "f", "", settings or {})
    planned = {task.id: Planned(place, k, dict(task.metadata)) for place, task in enumerate(tasks)}
    await store.put_plan(run, {name: part(**fields)}, {name: planned})


def stored_turn(turn: Turn) -> Turn:
    """A turn as it is read again."""
    return body_of(sealed(Key("b", "t", 0), Played("opening", turn)), Played).turn


async def end(store: Store, played: Trajectory, *verdicts: Verdict) -> None:
    """End an attempt, begun here where it was not, and give it verdicts."""
    if store.trajectory_so_far(played.key) is None:
        await store.begin(played.key, played.opening)
    ended = await store.end(played)
    for verdict in verdicts:
        await store.put_verdict(ended, verdict)


def changed(folder: Path, change: str, *parameters: object) -> int:
    """Change a run's file behind our back; returns how many rows were."""
    with contextlib.closing(sqlite3.connect(folder / "run.db")) as database:
        database.create_function("flip", 1, _flipped)
        found = database.execute(change, parameters).rowcount
        database.commit()
        return found


def _flipped(content: bytes) -> bytes:
    """The same with one bit in its middle turned."""
    torn = bytearray(content)
    torn[len(torn) // 2] ^= 1
    return bytes(torn)
