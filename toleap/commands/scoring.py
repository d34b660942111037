"""``toleap score``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

from rich.console import Console

from toleap.commands.output import as_json
from toleap.commands.tables import find_run
from toleap.config import build_judge, parse_set
from toleap.errors import UsageError
from toleap.report.export import export
from toleap.report.render import print_table
from toleap.report.tables import build_table, is_complete
from toleap.runs.rescoring import Rescored, rescore
from toleap.runs.store.reading import read_run, read_state
from toleap.runs.store.state import RunState, verdicts_of
from toleap.scoring.agreement import agreement
from toleap.types import Key, VerdictStatus


def score(options: Mapping[str, Any]) -> int:
    """Carry out ``toleap score``; returns 0 where everything that ended is scored, else 1."""
    folder = find_run(options["run_name"], options["results"])
    if options["agreement"]:
        return _agreement(folder, json=options["as_json"])
    flags = {"judge.model": options["judge_model"], "judge.base_url": options["judge_url"]}
    layer = parse_set(options["sets"]) | {key: value for key, value in flags.items() if value is not None}
    for key in layer:
        if not key.startswith("judge."):
            raise UsageError(f"toleap score takes judge settings only: {key} cannot change attempts that have ended")
    said = Console(stderr=True, highlight=False, soft_wrap=True)

    def told(done: Rescored) -> None:
        said.print(f"{done.benchmark}: {done.by} was asked about {done.asked} attempts", markup=False)

    asyncio.run(rescore(folder, build_judge([layer]), again=options["again"], trust=options["trust"], told=told))
    table = build_table([read_run(folder)])
    if options["as_json"]:
        as_json(table.to_dict())
    else:
        print_table(table)
    export(table, folder)
    return 0 if is_complete(table) else 1


def _agreement(folder: Path, *, json: bool) -> int:
    state = read_state(folder)
    rows = [
        {"benchmark": name, "first": a, "second": b, **asdict(agreement(verdicts[a], verdicts[b]))}
        for name in state.benchmarks
        for verdicts in [_given(state, name)]
        for a, b in combinations(sorted(verdicts), 2)
    ]
    if json:
        as_json(rows)
    for row in rows if not json else ():
        print(f"{row['benchmark']}: {row['first']} and {row['second']}: {_said(row)}")  # noqa: T201
        for key in row["differing"]:
            print(f"  differ on {'/'.join(map(str, key))}")  # noqa: T201
    if not rows:
        Console(stderr=True).print("no attempt of this run has verdicts by two scorers", highlight=False)
    return 0 if rows else 1


def _given(state: RunState, benchmark: str) -> dict[str, dict[Key, VerdictStatus]]:
    """The verdicts of every scorer that gave any."""
    found = {
        scorer: {key: verdict.status for key, verdict in verdicts.items()}
        for scorer, verdicts in verdicts_of(state, benchmark).items()
    }
    return {scorer: verdicts for scorer, verdicts in found.items() if set(verdicts.values()) - {"unscored"}}


def _said(row: Mapping[str, Any]) -> str:
    if row["raw"] is None:
        return "no attempt is scored by both"
    kappa = "undefined" if row["kappa"] is None else f"{row['kappa']:.3f}"
    return f"agree on {100 * row['raw']:.1f} % of {row['both']} attempts, Cohen's kappa {kappa}"
