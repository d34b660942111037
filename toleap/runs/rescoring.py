"""Scoring a stored run again: only what has no verdict yet, or everything by another judge. No agent runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toleap.benchmark import Benchmark, load
from toleap.config import JudgeSettings
from toleap.errors import UsageError
from toleap.runs.evaluation import Prepared, score_missing
from toleap.runs.judges import Judges
from toleap.runs.judging import Judging
from toleap.runs.store import Store, read_run
from toleap.scoring.scorers import AbsentJudge, scorer_for
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
    attempt; until then, and if this is stopped before, the earlier ones do. Both sets are kept.

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
                told(await _rescore(store, part, benchmark, judges, again=again, trust=trust))


async def _rescore(
    store: Store, part: BenchmarkResult, benchmark: Benchmark, judges: Judges, *, again: bool, trust: bool
) -> Rescored:
    judge = judges.judge_of(benchmark)
    scorer = scorer_for(benchmark.score.by, folder=benchmark.source.folder, trust=trust)
    if judge is None and isinstance(scorer, AbsentJudge):
        raise UsageError(f"{part.name} needs a judge: add --judge-model NAME --judge-url URL")
    fingerprint, label = (judge.fingerprint, judge.label) if judge else (scorer.fingerprint, "")
    before = store.scorer(part.name)
    if judge and part.judged_by and before != (fingerprint, label) and not again:
        raise UsageError(f"{part.name} was judged by {part.judged_by}: add --again to judge all of it by {label}")
    tasks = {task.id: task for task in benchmark.tasks()}
    prepared = Prepared(tasks, benchmark.render_prompt, scorer, None, judge)
    judging = Judging(store)
    asked = await score_missing(store, part.name, prepared, fingerprint, judging)
    await judging.finish()
    await store.set_scorer(part.name, fingerprint, label)
    return Rescored(part.name, asked, label or fingerprint)


def _loaded(run: RunResult, part: BenchmarkResult, *, trust: bool) -> Benchmark:
    """The benchmark as the run played it: with its options, and the same data."""
    prefix = f"benchmark.{part.name}."
    options = {key.removeprefix(prefix): value for key, value in run.settings.items() if key.startswith(prefix)}
    benchmark = load(part.name, trust=trust, options=options)
    played = part.revision.partition("-")[0]
    if benchmark.revision != played:
        raise UsageError(
            f"{part.name} is not what run {run.name} played ({played}, now {benchmark.revision}): "
            "its data, prompt or scoring changed"
        )
    return benchmark
