"""Scoring a stored run again: only what has no verdict yet, or everything by another judge. No agent runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toleap.benchmark import Benchmark, load_played
from toleap.config import JudgeSettings
from toleap.errors import UsageError
from toleap.runs.judges import Judges, counted
from toleap.runs.verdict_queue import VerdictQueue
from toleap.scoring.measures import check_measures
from toleap.scoring.scorers import NoJudge, Scorer
from toleap.store.reading import read_run
from toleap.store.store import Store
from toleap.types import BenchmarkResult, RunResult


@dataclass(frozen=True, slots=True)
class Rescored:
    """How many attempts of a benchmark a scorer was asked about."""

    benchmark: str
    asked: int
    by: str


async def rescore(
    folder: Path, settings: JudgeSettings, *, again: bool, trust: bool, told: Callable[[Rescored], None]
) -> None:
    """Give the attempts of a run the verdicts they lack.

    With ``again`` another judge goes over everything. Its verdicts count only when it has been asked about every
    attempt; until then, and if this is stopped before, the earlier ones do. Both sets are kept. The measures beside
    the average are those that the benchmark names now.

    Raises:
        UsageError: the data is not what the run played, no judge is configured, or another judge was used before
            and ``again`` is not given.
    """
    run = read_run(folder)
    judges = Judges(settings)
    parts = [(part, _loaded(run, part, trust=trust)) for part in run.benchmarks]
    with Store(folder) as store:
        async with contextlib.aclosing(judges):
            for part, benchmark in parts:
                scorers = judges.scorers_of(benchmark, trust=trust)
                for done in await _rescore(store, part, benchmark, scorers, again=again):
                    told(done)


async def _rescore(
    store: Store, part: BenchmarkResult, benchmark: Benchmark, scorers: tuple[Scorer, ...], *, again: bool
) -> list[Rescored]:
    if isinstance(scorers[0], NoJudge):
        raise UsageError(f"{part.name} needs a judge: add --judge-model NAME --judge-url URL")
    before = store.state.benchmarks[part.name].scorers
    for earlier, scorer in zip(before, scorers, strict=False):
        if scorer.label and earlier.label and earlier.fingerprint != scorer.fingerprint and not again:
            raise UsageError(
                f"{part.name} was judged by {earlier.label}: add --again to judge all of it by {scorer.label}"
            )
    verdicts = VerdictQueue(store)
    asked = verdicts.submit_missing(part.name, scorers, {task.id: task for task in benchmark.tasks()})
    await verdicts.finish()
    await store.put_scorers(part.name, counted(scorers, before), benchmark.measures)
    return [
        Rescored(part.name, count, scorer.label or scorer.fingerprint)
        for scorer, count in zip(scorers, asked, strict=True)
    ]


def _loaded(run: RunResult, part: BenchmarkResult, *, trust: bool) -> Benchmark:
    benchmark = load_played(run, part, trust=trust)
    check_measures(benchmark.measures, f"{benchmark.folder / 'benchmark.toml'}: report.measures")
    benchmark.check_played(part.revision, run.name)
    return benchmark
