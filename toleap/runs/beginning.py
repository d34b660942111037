"""The beginning of a run: whether it is the same as before, and what is written down of its plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import tomli_w

from toleap.config import fingerprint
from toleap.data.cache import writing
from toleap.errors import StoreFault, UsageError
from toleap.layers import differing
from toleap.runs.judges import counted
from toleap.runs.plan import Plan, revision
from toleap.store.reading import holds_run, stored_state
from toleap.store.records import Benchmark, Planned, Run, now, same
from toleap.store.store import Store
from toleap.types import Task, Varied
from toleap.version import __version__


def check_same(folder: Path, settings: Mapping[str, Any], plan: Plan) -> None:
    """Refuse to continue a run whose stored settings or data are others.

    Raises:
        UsageError: they are; says which keys differ.
    """
    if not holds_run(folder):
        return
    stored = stored_state(folder)
    changed = differing(stored.run.settings, settings) if stored.run else []
    before = {name: part.revision for name, part in stored.benchmarks.items()}
    for item in plan.benchmarks:
        name = item.benchmark.name
        if name in before and before[name] != revision(item):
            changed.append(f"{name} (data, prompt, scoring or pages): {before[name]} → {revision(item)}")
    if changed:
        raise UsageError(f"{folder} was run with other settings; use another --run NAME. {'; '.join(changed)}")


async def write_plan(store: Store, plan: Plan, settings: Mapping[str, Any]) -> None:
    """Write down the run's settings and plan its attempts, where that is not done yet.

    Raises:
        UsageError: tasks that the run had planned are not known any more, and this plan has not got them.
        StoreFault: it cannot be written.
    """
    state = store.state
    varied = _varied(store.folder.name, plan.varied, state.run.varied if state.run else ())
    run = Run(
        model=plan.model.label,
        scripted=plan.model.policy is not None,
        fingerprint=fingerprint(settings),
        created=state.run.created if state.run else now(),
        settings=settings,
        varied=varied,
    )
    if state.run is None:
        _write_settings(store.folder / "run.toml", plan, run)
    benchmarks: dict[str, Benchmark] = {}
    tasks: dict[str, dict[str, Planned]] = {}
    for item in plan.benchmarks:
        name, before = item.benchmark.name, state.benchmarks.get(item.benchmark.name)
        benchmarks[name] = Benchmark(
            place=before.place if before else len(state.benchmarks) + len(benchmarks),
            title=item.benchmark.title,
            tasks_total=len(item.benchmark.tasks()),
            revision=revision(item),
            breakdown=item.benchmark.breakdown,
            scorers=counted(item.scorers, before.scorers if before else ()),
            measures=item.benchmark.measures,
        )
        again = state.strays.get(name, {})
        tasks[name] = {
            task.id: Planned(place, max(plan.k if task.id in item.tasks else 0, again.get(task.id, 0)), _plain(task))
            for place, task in enumerate(item.benchmark.tasks())
            if task.id in item.tasks or task.id in again
        }
    await store.put_plan(run, benchmarks, tasks)
    if problem := store.state.problem:
        raise UsageError(f"{store.folder}: {problem}: the command that planned it makes it good")


def _write_settings(path: Path, plan: Plan, run: Run) -> None:
    document = {
        "toleap": __version__,
        "created": run.created,
        "fingerprint": run.fingerprint,
        "digest": plan.model.digest,
        **plan.config.model_dump(mode="json", exclude_none=True),
    }
    try:
        with writing(path) as file:
            file.write_text(tomli_w.dumps(document), encoding="utf-8")
    except OSError as error:
        raise StoreFault(f"{path}: cannot be written: {error.strerror}") from error


def _varied(run: str, varied: Varied | None, before: tuple[Varied, ...]) -> tuple[Varied, ...]:
    """The ablations that the run is part of, this one added; the first run of an ablation names itself."""
    if varied is None:
        return before
    ours = Varied(varied.first or run, dict(varied.values))
    return before if any(same(ours, other) for other in before) else (*before, ours)


def _plain(task: Task) -> dict[str, Any]:
    """The columns of a task's data as JSON has them."""
    columns: dict[str, Any] = orjson.loads(orjson.dumps(dict(task.metadata), default=str))
    return columns
