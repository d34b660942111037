"""``toleap score``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from toleap.commands.command import argument, as_json, given, judge_model, judge_url, option, results, sets, trust
from toleap.commands.output import log, print_json, print_table
from toleap.commands.stored import run_folder
from toleap.errors import UsageError
from toleap.layers import build_judge, parse_set
from toleap.report.export import export
from toleap.report.tables import build_table, is_complete
from toleap.runs.rescoring import Rescored, rescore
from toleap.scoring.agreement import agreement
from toleap.store.reading import read_run, read_state
from toleap.store.state import RunState, verdicts_of
from toleap.types import Key, VerdictStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Score what a run left unscored; no agent runs.

    \b
    Examples:
      toleap score my-run --judge-model gpt-4.1 --judge-url https://api.openai.com/v1
      toleap score my-run --again --judge-model o3-mini --judge-url https://api.openai.com/v1
      toleap score my-run --agreement
    """

    run_name: str = argument(metavar="RUN")
    judge_model: str | None = judge_model()
    judge_url: str | None = judge_url()
    sets: tuple[str, ...] = sets("judge.prompt=official")
    again: bool = option(
        "--again", is_flag=True, help="Judge everything by another judge; both sets of verdicts are kept."
    )
    agreement: bool = option("--agreement", is_flag=True, help="Judge nothing: how far the judges of this run agree.")
    trust: bool = trust()
    results: Path = results()
    as_json: bool = as_json()

    def __call__(self) -> int:
        """Score and print the table; returns 0 where everything that ended is scored, else 1."""
        folder = run_folder(self.run_name, self.results)
        if self.agreement:
            return _agreement(folder, json=self.as_json)
        layer = parse_set(self.sets) | given(self)
        for key in layer:
            if key.partition(".")[0] != "judge":
                raise UsageError(
                    f"toleap score takes judge settings only: {key} cannot change attempts that have ended"
                )
        settings = build_judge([layer])
        asyncio.run(rescore(folder, settings, again=self.again, trust=self.trust, told=_tell))
        table = build_table([read_run(folder)])
        if self.as_json:
            print_json(table.to_dict())
        else:
            print_table(table)
        export(table, folder)
        return 0 if is_complete(table) else 1


def _tell(done: Rescored) -> None:
    log(f"{done.benchmark}: {done.by} was asked about {done.asked} attempts")


def _agreement(folder: Path, *, json: bool) -> int:
    state = read_state(folder)
    rows = [
        {"benchmark": name, "first": a, "second": b, **asdict(agreement(verdicts[a], verdicts[b]))}
        for name in state.benchmarks
        for verdicts in [_statuses(state, name)]
        for a, b in combinations(sorted(verdicts), 2)
    ]
    if json:
        print_json(rows)
    for row in rows if not json else ():
        differing = "".join(f"  differ on {'/'.join(map(str, key))}\n" for key in row["differing"])
        sys.stdout.write(f"{row['benchmark']}: {row['first']} and {row['second']}: {_in_words(row)}\n{differing}")
    if not rows:
        log("no attempt of this run has verdicts by two scorers")
    return 0 if rows else 1


def _statuses(state: RunState, benchmark: str) -> dict[str, dict[Key, VerdictStatus]]:
    """The verdicts of every scorer that gave any."""
    statuses = {
        scorer: {key: verdict.status for key, verdict in verdicts.items()}
        for scorer, verdicts in verdicts_of(state, benchmark).items()
    }
    return {scorer: verdicts for scorer, verdicts in statuses.items() if set(verdicts.values()) - {"unscored"}}


def _in_words(row: Mapping[str, Any]) -> str:
    if row["raw"] is None:
        return "no attempt is scored by both"
    kappa = "undefined" if row["kappa"] is None else f"{row['kappa']:.3f}"
    return f"agree on {100 * row['raw']:.1f} % of {row['both']} attempts, Cohen's kappa {kappa}"
