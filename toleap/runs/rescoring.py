"""Scoring a stored run again: only what has no verdict yet, or everything by another judge. No agent runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toleap.benchmark import Benchmark, load
from toleap.config import JudgeSettings
from toleap.errors import UsageError
from toleap.runs.evaluation import Prepared, judge_second, score_missing
from toleap.runs.judges import Judges, authority
from toleap.runs.judging import Judging
from toleap.runs.store.reading import read_run
from toleap.runs.store.store import Authority, Store
from toleap.scoring.judge import Judge
from toleap.scoring.measures import check_measures
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
                for done in await _rescore(store, part, benchmark, judges, again=again, trust=trust):
                    told(done)


async def _rescore(
    store: Store, part: BenchmarkResult, benchmark: Benchmark, judges: Judges, *, again: bool, trust: bool
) -> list[Rescored]:
    judge, second = judges.judge_of(benchmark), judges.second_of(benchmark)
    scorer = scorer_for(benchmark.score.by, folder=benchmark.source.folder, trust=trust)
    if judge is None and isinstance(scorer, AbsentJudge):
        raise UsageError(f"{part.name} needs a judge: add --judge-model NAME --judge-url URL")
    by = authority(judge) if judge else Authority(scorer.fingerprint)
    for before, now in ((store.scorer(part.name), judge), (store.second(part.name), second)):
        _refuse_another(part.name, before, now, again=again)
    tasks = {task.id: task for task in benchmark.tasks()}
    prepared = Prepared(tasks, benchmark.render_prompt, scorer, None, judge, second)
    judging = Judging(store)
    done = [Rescored(part.name, await score_missing(store, part.name, prepared, by.scorer, judging), _name(by))]
    if second:
        done.append(Rescored(part.name, judge_second(store, part.name, prepared, judging), second.label))
    await judging.finish()
    await store.set_measures(part.name, benchmark.measures)
    await store.set_scorer(part.name, by)
    if second:
        await store.set_second(part.name, authority(second))
    return done


def _refuse_another(name: str, before: Authority | None, now: Judge | None, *, again: bool) -> None:
    """Another judge than before goes over everything only when told to."""
    if now and before and before.label and before[:2] != authority(now)[:2] and not again:
        raise UsageError(f"{name} was judged by {before.label}: add --again to judge all of it by {now.label}")


def _name(by: Authority) -> str:
    return by.label or by.scorer


def _loaded(run: RunResult, part: BenchmarkResult, *, trust: bool) -> Benchmark:
    """The benchmark as the run played it: with its options, and the same data."""
    prefix = f"benchmark.{part.name}."
    options = {key.removeprefix(prefix): value for key, value in run.settings.items() if key.startswith(prefix)}
    benchmark = load(part.name, trust=trust, options=options)
    played = part.revision.partition("-")[0]
    check_measures(benchmark.measures, f"{benchmark.folder / 'benchmark.toml'}: report.measures")
    if benchmark.revision != played:
        raise UsageError(
            f"{part.name} is not what run {run.name} played ({played}, now {benchmark.revision}): "
            "its data, prompt or scoring changed"
        )
    return benchmark
