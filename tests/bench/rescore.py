"""Score every ended attempt of a stored run again, and print its table.

``python rescore.py RUN_FOLDER WORK_FOLDER`` uses the benchmark's own rule scorer under another fingerprint, as
after a change of the scorer. It prints ``{"attempts": …, "score": seconds, "table": seconds}``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import os
import sys
import time
from pathlib import Path

from rich.console import Console
from world import NAME

from toleap.benchmark import Benchmark, load_benchmark
from toleap.report.render import to_rich
from toleap.report.tables import build_table, is_complete
from toleap.runs.verdict_queue import VerdictQueue
from toleap.scoring.scorers import RuleScorer, scorer_for
from toleap.store.store import Store
from toleap.types import ScoredBy


async def rescore(store: Store, benchmark: Benchmark, scorer: RuleScorer) -> None:
    """Make ``scorer`` the run's scorer and let it score whatever has no verdict of it."""
    played = {row.key.task for row in store.result().benchmarks[0].rows}
    tasks = [task for task in benchmark.tasks() if task.id in played]
    await store.put_scorers(NAME, [ScoredBy(scorer.fingerprint)], benchmark.measures)
    verdicts = VerdictQueue(store)
    verdicts.submit_missing(NAME, [scorer], {task.id: task for task in tasks})
    await verdicts.finish()


def main() -> None:
    """The command line."""
    run, work = map(Path, sys.argv[1:])
    os.chdir(work)
    benchmark = load_benchmark(NAME)
    scorer = scorer_for(benchmark.score.by)
    if not isinstance(scorer, RuleScorer):
        raise SystemExit(f"{NAME} is not scored by a rule")
    with Store(run) as store:
        started = time.perf_counter()
        asyncio.run(rescore(store, benchmark, dataclasses.replace(scorer, fingerprint=f"again-{time.time_ns()}")))
        scored = time.perf_counter()
        table = build_table([store.result()])
        Console(file=io.StringIO(), width=100).print(to_rich(table))
    if not is_complete(table):
        raise SystemExit("some attempts have no verdict of the new scorer")
    rows = [row for row in table.rows if row.subject.group is None]
    seconds = {"score": scored - started, "table": time.perf_counter() - scored}
    print(json.dumps({"attempts": rows[0].counts.scored, **seconds}))


if __name__ == "__main__":
    main()
