"""The beginning of a run: whether it is the same as before, and what is written down of its plan."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

import toleap
from toleap.config import differing, fingerprint
from toleap.data.cache import writing
from toleap.errors import StoreFault, UsageError
from toleap.runs.evaluation import Prepared
from toleap.runs.judges import authority
from toleap.runs.plan import Plan, PlannedBenchmark, revision
from toleap.runs.store.reading import holds_run, read_run
from toleap.runs.store.store import Authority, Planned, Store
from toleap.types import Varied


def prepared_for(item: PlannedBenchmark) -> Prepared:
    """What playing and scoring a benchmark needs of its plan."""
    tasks = {task.id: task for task in item.tasks}
    return Prepared(tasks, item.benchmark.render_prompt, item.scorer, item.corpus, item.judge, item.second)


def check_same(folder: Path, settings: Mapping[str, Any], plan: Plan) -> None:
    """Refuse to continue a run whose stored settings or data are others.

    Raises:
        UsageError: they are; says which keys differ.
    """
    if not holds_run(folder):
        return
    stored = read_run(folder)
    changed = differing(stored.settings, settings) if stored.settings else []
    before = {item.name: item.revision for item in stored.benchmarks}
    for item in plan.benchmarks:
        name = item.benchmark.name
        if name in before and before[name] != revision(item):
            changed.append(f"{name} (data, prompt, scoring or pages): {before[name]} → {revision(item)}")
    if changed:
        raise UsageError(f"{folder} was run with other settings; use another --run NAME. {'; '.join(changed)}")


async def write_plan(store: Store, plan: Plan, settings: Mapping[str, Any]) -> None:
    """Write down the run's settings, where that is not done yet, and plan its attempts.

    Raises:
        StoreFault: it cannot be written.
    """
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    facts = {
        "model": plan.model.label,
        "scripted": plan.model.policy is not None,
        "fingerprint": fingerprint(settings),
        "created": created,
        "settings": settings,
    }
    if any(store.meta(key) is None for key in facts):
        document = {
            "toleap": toleap.__version__,
            "created": created,
            "fingerprint": facts["fingerprint"],
            "digest": plan.model.digest,
            **plan.config.model_dump(mode="json", exclude_none=True),
        }
        try:
            with writing(store.folder / "run.toml") as file:
                file.write_text(tomli_w.dumps(document), encoding="utf-8")
        except OSError as error:
            raise StoreFault(f"{store.folder / 'run.toml'}: cannot be written: {error.strerror}") from error
        await store.set_meta(facts)
    if plan.varied is not None:
        await _write_varied(store, plan.varied)
    for item in plan.benchmarks:
        benchmark = item.benchmark
        by = authority(item.judge) if item.judge else Authority(item.scored_by)
        if item.unjudged:
            # Verdicts that a judge gave earlier go on counting while none is configured.
            by = store.scorer(benchmark.name) or by
        planned = Planned(
            benchmark.name,
            benchmark.title,
            len(benchmark.tasks()),
            revision(item),
            by.scorer,
            benchmark.breakdown,
            item.tasks,
            by.label,
            by.official,
            benchmark.measures,
            authority(item.second) if item.second else None,
        )
        await store.plan(planned, plan.k)


async def _write_varied(store: Store, varied: Varied) -> None:
    """Add an ablation to those that the run is part of; the first of an ablation names itself."""
    ours = {"first": varied.first or store.folder.name, "values": dict(varied.values)}
    before: list[dict[str, Any]] = store.meta("varied") or []
    if ours not in before:
        await store.set_meta({"varied": [*before, ours]})
