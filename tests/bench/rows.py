"""What is measured: each row as figures, with its aim and the floor that was measured beside it."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import measure
import world
from measure import CaseFailed, Cost, Server
from shapes import PAGES
from world import Script, World

_STARTS = 10
_LONG_TASKS = 2
"""Sixteen attempts of row E: together 3,216 turns."""


@dataclass(frozen=True)
class Figure:
    """One measured number beside its floor (None: there is none) and its aim (None: none is set)."""

    row: str
    what: str
    value: float
    floor: float | None = None
    aim: float | None = None


@dataclass(frozen=True)
class Played:
    """The same episodes played by toleap and by the floor, each against a scripted server of its own."""

    toleap: Cost
    again: Cost
    """The same command once more: nothing is left to play, so this is start-up and table."""
    server: Server
    floor: Cost
    floor_server: Server


def episodes_64(made: World, scratch: Path) -> list[Figure]:
    """Row A: the whole stack with 64 attempts in flight."""
    return _short("A  64 in flight", 64, made, scratch)


def episodes_256(made: World, scratch: Path) -> list[Figure]:
    """Row B: the whole stack with 256 attempts in flight."""
    return _short("B  256 in flight", 256, made, scratch)


def start(made: World, scratch: Path) -> list[Figure]:
    """Row C: how long ``toleap --help`` takes, beside an empty Python program."""
    helped = [measure.run([str(_toleap()), "--help"], scratch) for _ in range(_STARTS)]
    empty = [measure.run([sys.executable, "-c", "pass"], scratch) for _ in range(_STARTS)]
    wall = statistics.median(cost.wall for cost in helped)
    floor = statistics.median(cost.wall for cost in empty)
    return [Figure("C  toleap --help", f"wall s, median of {_STARTS}", wall, floor, 0.3)]


def rescore(made: World, scratch: Path) -> list[Figure]:
    """Row D: scoring stored attempts again and building their table, beside the imports that this needs."""
    run = _stored_run(made, scratch)
    cost = measure.run(measure.python("rescore.py", str(run), str(made.folder)), scratch)
    found = json.loads(cost.output)
    if found["attempts"] != made.episodes:
        raise CaseFailed(f"{found['attempts']} of {made.episodes} attempts were scored again")
    imports = "import toleap.benchmark, toleap.report.render, toleap.runs.evaluation"
    floor = measure.run([sys.executable, "-c", imports], scratch)
    row = f"D  rescore {made.episodes}"
    return [
        Figure(row, "wall s, whole program", cost.wall, floor.wall, 2),
        Figure(row, "scoring s", found["score"]),
        Figure(row, "table s, built and rendered", found["table"]),
        Figure(row, "peak MB", cost.peak, floor.peak, 150),
    ]


def long_histories(made: World, scratch: Path) -> list[Figure]:
    """Row E: attempts of 201 turns, whose histories grow to 128K tokens."""
    few = replace(made, tasks=min(made.tasks, _LONG_TASKS))
    row = f"E  {few.long.searches + 1} turns, {few.episodes} in flight"
    return _long(row, few.episodes, few, few.long, scratch)


def many_histories(made: World, scratch: Path) -> list[Figure]:
    """Row F: a thousand histories that grow to 128K tokens in 13 turns, 64 of them in flight."""
    return _long(f"F  {made.episodes} x 128K, 64 in flight", 64, made, made.wide, scratch)


def full_histories(made: World, scratch: Path) -> list[Figure]:
    """Row G: turns that all have a history of 128K tokens."""
    few = replace(made, tasks=world.FULL_TASKS)
    return _long(f"G  full from the start, {few.episodes} in flight", few.episodes, few, few.full, scratch)


def fold(made: World, scratch: Path) -> list[Figure]:
    """Row H: reading how a hundred thousand attempts stand, beside reading the same rows and doing nothing."""
    attempts = 100_000 if made.tasks == world.TASKS else 10_000
    cost = measure.run(measure.python("fold.py", str(scratch / "many"), str(attempts)), scratch)
    found = json.loads(cost.output)
    if found["attempts"] != attempts:
        raise CaseFailed(f"{found['attempts']} of {attempts} attempts came back")
    aim = 2 if attempts == 100_000 else None
    return [Figure(f"H  fold {attempts} attempts", "wall s", found["fold"], found["floor"], aim)]


def pages(made: World, scratch: Path) -> list[Figure]:
    """Row I: what is kept of pages and how long one takes, beside the extractor alone that finds their main part."""
    cost = measure.run(measure.python("pages.py", str(50 if made.tasks == world.TASKS else 5)), scratch)
    found = json.loads(cost.output)
    row = f"I  read {len(PAGES)} shapes of pages"
    return [
        Figure(row, "facts kept, per cent", found["facts"], found["floor_facts"], 100),
        Figure(row, "menus let through, per cent", found["menus"], found["floor_menus"], 0),
        Figure(row, "characters kept, of a page", found["characters"], found["floor_characters"]),
        Figure(row, "ms a page", found["ms"], found["floor_ms"]),
        Figure(row, "ms a page of 300 kB", found["long_ms"], found["floor_long_ms"]),
    ]


ROWS: Mapping[str, Callable[[World, Path], list[Figure]]] = {
    "A": episodes_64,
    "B": episodes_256,
    "C": start,
    "D": rescore,
    "E": long_histories,
    "F": many_histories,
    "G": full_histories,
    "H": fold,
    "I": pages,
}


def _long(row: str, in_flight: int, made: World, script: Script, scratch: Path) -> list[Figure]:
    played = _play(made, script, in_flight, scratch)
    turns = made.episodes * (script.searches + 1)
    toleap = (played.toleap.cpu - played.again.cpu) * 1_000 / turns
    return [
        Figure(row, "wall s", played.toleap.wall, played.floor.wall),
        Figure(row, "CPU ms a turn, less start-up", toleap, played.floor.cpu * 1_000 / turns),
        Figure(row, "peak MB", played.toleap.peak, played.floor.peak),
        Figure(row, "start-up and table alone: peak MB", played.again.peak),
        Figure(row, "scripted server: CPU s", _cpu(played.server), _cpu(played.floor_server)),
    ]


def _short(row: str, in_flight: int, made: World, scratch: Path) -> list[Figure]:
    played = _play(made, made.short, in_flight, scratch)
    toleap, again, floor = played.toleap, played.again, played.floor
    full = made.tasks == world.TASKS
    return [
        Figure(row, "wall s", toleap.wall, floor.wall, 12 if full else None),
        Figure(row, "CPU ms an episode", _ms(toleap, made), _ms(floor, made), 8 if full else None),
        Figure(row, "peak MB", toleap.peak, floor.peak, 150),
        Figure(row, "start-up and table alone: wall s", again.wall),
        Figure(row, "start-up and table alone: CPU s", again.cpu),
        Figure(row, "start-up and table alone: peak MB", again.peak),
        Figure(row, "CPU ms an episode, less that", _ms(toleap, made) - _ms(again, made), _ms(floor, made)),
        Figure(row, "scripted server: CPU s", _cpu(played.server), _cpu(played.floor_server)),
        Figure(row, "scripted server: most at once", played.server.stats["peak_in_flight"], in_flight),
    ]


def _play(made: World, script: Script, in_flight: int, scratch: Path) -> Played:
    """The floor, then toleap, then toleap again on the finished run."""
    results = _results(scratch, script, in_flight)
    shutil.rmtree(results, ignore_errors=True)
    with measure.serving(script.turns, scratch) as floor_server:
        floor = measure.run(_floor(floor_server, made, script, in_flight, scratch), scratch)
    with measure.serving(script.turns, scratch) as server:
        command = _command(server, made, script, in_flight, results)
        toleap = measure.run(command, made.folder)
        _check_run(toleap, made, script)
        again = measure.run(command, made.folder)
    wanted = made.episodes * (script.searches + 1)
    for each in (floor_server, server):
        if each.stats["requests"] != wanted:
            raise CaseFailed(f"the scripted server had {each.stats['requests']} requests, not {wanted}")
    return Played(toleap, again, server, floor, floor_server)


def _command(server: Server, made: World, script: Script, in_flight: int, results: Path) -> list[str]:
    options = ["--base-url", server.url, "--k", str(world.K), "--max-in-flight", str(in_flight), "--json"]
    options += ["--results", str(results), "--run", "measured", "--web", f"corpus:{made.corpus}"]
    options += ["--limit", str(made.tasks)]
    for setting in ('dock.tools=["search"]', f"dock.results={script.hits}", "agent.max_turns=250"):
        options += ["--set", setting]
    return [str(_toleap()), "run", script.benchmark, *options]


def _floor(server: Server, made: World, script: Script, in_flight: int, scratch: Path) -> list[str]:
    numbers = (str(made.episodes), str(in_flight))
    return measure.python("floor.py", server.url, str(script.conversation), *numbers, str(scratch / "floor.jsonl"))


def _check_run(cost: Cost, made: World, script: Script) -> None:
    """A run counts only if every attempt was played, searched and scored."""
    row = json.loads(cost.output)["rows"][0]
    behaviour = row["behaviour"]
    found = [
        row["counts"]["scored"],
        *(behaviour[key] for key in ("endings", "turns", "tool_calls", "bad_call_rate")),
    ]
    if found != [made.episodes, {"answered": made.episodes}, script.searches + 1, script.searches, 0]:
        raise CaseFailed(f"the measured run is not what it should be: {row}")


def _stored_run(made: World, scratch: Path) -> Path:
    """The run of row A, played now where it was not measured."""
    results = _results(scratch, made.short, 64)
    if not (results / "measured" / "run.db").is_file():
        with measure.serving(made.short.turns, scratch) as server:
            _check_run(measure.run(_command(server, made, made.short, 64, results), made.folder), made, made.short)
    return results / "measured"


def _results(scratch: Path, script: Script, in_flight: int) -> Path:
    return scratch / f"results-{script.searches}-{in_flight}"


def _toleap() -> Path:
    return Path(sys.executable).parent / "toleap"


def _ms(cost: Cost, made: World) -> float:
    return cost.cpu * 1_000 / made.episodes


def _cpu(server: Server) -> float:
    if server.cost is None:
        raise CaseFailed("the scripted server has not ended")
    return server.cost.cpu
