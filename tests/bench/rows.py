"""What is measured: each row as figures, with its aim and the floor that was measured beside it."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import measure
import world
from measure import CaseFailed, Cost, Server

TURNS = world.SEARCHES + 1
_STARTS = 10


@dataclass(frozen=True)
class Figure:
    """One measured number beside its floor (None: there is none) and its aim (None: none is set)."""

    row: str
    what: str
    value: float
    floor: float | None = None
    aim: float | None = None


def episodes_64(made: world.World, scratch: Path) -> list[Figure]:
    """Row A: the whole stack with 64 attempts in flight."""
    return _episodes("A  64 in flight", 64, made, scratch)


def episodes_256(made: world.World, scratch: Path) -> list[Figure]:
    """Row B: the whole stack with 256 attempts in flight."""
    return _episodes("B  256 in flight", 256, made, scratch)


def start(made: world.World, scratch: Path) -> list[Figure]:
    """Row C: how long ``toleap --help`` takes, beside an empty Python program."""
    helped = [measure.run([str(_toleap()), "--help"], scratch) for _ in range(_STARTS)]
    empty = [measure.run([sys.executable, "-c", "pass"], scratch) for _ in range(_STARTS)]
    wall = statistics.median(cost.wall for cost in helped)
    floor = statistics.median(cost.wall for cost in empty)
    return [Figure("C  toleap --help", f"wall s, median of {_STARTS}", wall, floor, 0.3)]


def rescore(made: world.World, scratch: Path) -> list[Figure]:
    """Row D: scoring stored attempts again and building their table."""
    run = _stored_run(made, scratch)
    cost = measure.run(measure.python("rescore.py", str(run), str(made.folder)), scratch)
    found = json.loads(cost.output)
    if found["attempts"] != made.episodes:
        raise CaseFailed(f"{found['attempts']} of {made.episodes} attempts were scored again")
    row = f"D  rescore {made.episodes}"
    empty = measure.run([sys.executable, "-c", "import toleap.runs.store, toleap.report.render"], scratch)
    return [
        Figure(row, "wall s, whole program", cost.wall, empty.wall, 2),
        Figure(row, "scoring s", found["score"]),
        Figure(row, "table s, built and rendered", found["table"]),
        Figure(row, "peak MB", cost.peak, empty.peak, 150),
    ]


ROWS: Mapping[str, Callable[[world.World, Path], list[Figure]]] = {
    "A": episodes_64,
    "B": episodes_256,
    "C": start,
    "D": rescore,
}


def _episodes(row: str, in_flight: int, made: world.World, scratch: Path) -> list[Figure]:
    with measure.serving(made.turns, scratch) as floor_server:
        floor = measure.run(_floor(floor_server, made, in_flight, scratch), scratch)
    results = _results(scratch, in_flight)
    shutil.rmtree(results, ignore_errors=True)
    with measure.serving(made.turns, scratch) as server:
        command = _command(server, made, in_flight, results)
        cost = measure.run(command, made.folder)
        _check_run(cost, made)
        again = measure.run(command, made.folder)
    for each in (floor_server, server):
        if each.stats["requests"] < made.episodes * TURNS:
            raise CaseFailed(f"the server had {each.stats['requests']} requests of {made.episodes * TURNS}")
    full = made.tasks == world.TASKS
    return [
        Figure(row, "wall s", cost.wall, floor.wall, 12 if full else None),
        Figure(row, "CPU ms an episode", _ms(cost, made), _ms(floor, made), 8 if full else None),
        Figure(row, "peak MB", cost.peak, floor.peak, 150),
        Figure(row, "the same command again: wall s", again.wall),
        Figure(row, "the same command again: CPU s", again.cpu),
        Figure(row, "the same command again: peak MB", again.peak),
        Figure(row, "CPU ms an episode, less that", _ms(cost, made) - _ms(again, made), _ms(floor, made)),
        Figure(row, "scripted server: CPU s", _cpu(server), _cpu(floor_server)),
        Figure(row, "scripted server: most at once", server.stats["peak_in_flight"], in_flight),
    ]


def _command(server: Server, made: world.World, in_flight: int, results: Path) -> list[str]:
    limit = ["--limit", str(made.tasks)] if made.tasks != world.TASKS else []
    options = ["--base-url", server.url, "--k", str(world.K), "--max-in-flight", str(in_flight), "--json", *limit]
    options += ["--results", str(results), "--run", "measured", "--web", f"corpus:{made.corpus}"]
    options += ["--set", 'dock.tools=["search"]', "--set", f"dock.results={world.RESULTS}"]
    return [str(_toleap()), "run", world.NAME, *options]


def _floor(server: Server, made: world.World, in_flight: int, scratch: Path) -> list[str]:
    numbers = (str(made.episodes), str(in_flight))
    return measure.python("floor.py", server.url, str(made.conversation), *numbers, str(scratch / "floor.jsonl"))


def _check_run(cost: Cost, made: world.World) -> None:
    """A run counts only if every attempt was played, searched and scored."""
    table = json.loads(cost.output)
    row = table["rows"][0]
    behaviour, scored = row["behaviour"], row["counts"]["scored"]
    wanted = (made.episodes, {"answered": made.episodes}, TURNS, world.SEARCHES, 0)
    rate = behaviour["bad_call_rate"]
    if (scored, behaviour["endings"], behaviour["turns"], behaviour["tool_calls"], rate) != wanted:
        raise CaseFailed(f"the measured run is not what it should be: {row}")


def _stored_run(made: world.World, scratch: Path) -> Path:
    """The run of row A, played now where it was not measured."""
    results = _results(scratch, 64)
    if not (results / "measured" / "run.db").is_file():
        with measure.serving(made.turns, scratch) as server:
            _check_run(measure.run(_command(server, made, 64, results), made.folder), made)
    return results / "measured"


def _results(scratch: Path, in_flight: int) -> Path:
    return scratch / f"results-{in_flight}"


def _toleap() -> Path:
    return Path(sys.executable).parent / "toleap"


def _ms(cost: Cost, made: world.World) -> float:
    return cost.cpu * 1_000 / made.episodes


def _cpu(server: Server) -> float:
    if server.cost is None:
        raise CaseFailed("the scripted server has not ended")
    return server.cost.cpu
