"""What a run is going to do, settled and checked before anything starts or is written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from toleap import benchmark as benchmarks
from toleap.agent.prompts import prompt
from toleap.benchmark import Benchmark
from toleap.chat.dialects import dialect_for
from toleap.chat.profiles import profile_for
from toleap.config import PRESETS, Operation, RunConfig
from toleap.data.corpus import open_corpus
from toleap.errors import UsageError
from toleap.folders import find, find_all
from toleap.layers import build, build_judge, read_file
from toleap.runs.judges import Judges
from toleap.runs.models import ModelChoice, choose_model
from toleap.runs.spending import cap_of
from toleap.scoring.measures import check_measures
from toleap.scoring.scorers import Scorer
from toleap.types import Task, Usage, Varied

_WEB_CHOICES = (
    "--web corpus:PATH (a JSONL file of url, title, text), or a benchmark that brings its own pages, such as atoll"
)


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for. ``layer`` holds flat settings from flags and ``--set``, the strongest ones."""

    names: tuple[str, ...] = ()
    everything: bool = False
    k: int | None = None
    limit: int | None = None
    run: str | None = None
    results: Path = Path("results")
    preset: str | None = None
    file: Path | None = None
    layer: Mapping[str, Any] = field(default_factory=dict)
    retry_quarantined: bool = False


@dataclass(frozen=True, slots=True)
class PlannedBenchmark:
    """One benchmark of a run: which of its tasks, over which pages, scored by whom."""

    benchmark: Benchmark
    tasks: Mapping[str, Task]
    """Those to be played now, by id."""
    scorers: tuple[Scorer, ...]
    """Who gives verdicts, the headline's first."""
    corpus: str
    web: str
    """What ``search`` and ``fetch_url`` answer from, as a fingerprint."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A benchmark that ``--all`` leaves out, why, and what to type."""

    name: str
    reason: str
    command: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, ready to start."""

    config: RunConfig
    operation: Operation
    model: ModelChoice
    benchmarks: tuple[PlannedBenchmark, ...]
    skipped: tuple[Skipped, ...]
    k: int
    results: Path
    named: str | None
    judges: Judges
    varied: Varied | None = None
    """The run's place in an ablation; its first run has no name there yet."""
    retry_quarantined: bool = False
    """Whether attempts that were set aside have all their tries again."""

    @property
    def shows_pictures(self) -> bool:
        """Whether the model sees the pictures that belong to a task."""
        return self.config.agent.pictures == "show" and profile_for(self.model.profile).sees_images

    @property
    def attempts(self) -> int:
        """How many attempts are planned, those that may be done already included."""
        return self.k * sum(len(item.tasks) for item in self.benchmarks)

    @property
    def most_each(self) -> Usage:
        """An upper bound of what the model can read and write in one attempt."""
        agent = self.config.agent
        return Usage((agent.max_turns + 1) * agent.context, self.most_tokens // max(self.attempts, 1))

    @property
    def most_tokens(self) -> int:
        """An upper bound of the tokens that the model can write in this run."""
        agent, sampling = self.config.agent, self.config.sampling
        each = min((agent.max_turns + 1) * sampling.max_tokens, (agent.max_turns + 1) * agent.context)
        if agent.max_total_tokens is not None:
            each = min(each, agent.max_total_tokens + 2 * sampling.max_tokens)
        return self.attempts * min(each, agent.context + sampling.max_tokens)


def make_plan(request: Request, log: Callable[[str], None]) -> Plan:
    """Check everything that can be checked without starting a server. ``log`` gets a line for each long step.

    Raises:
        UsageError: an unknown benchmark or setting, data or pages that are missing, a model that cannot be served.
    """
    preset = _preset(request.preset)
    preset_k = preset.pop("k", 8)
    k = preset_k if request.k is None else request.k
    for flag, value in (("--k", k), ("--limit", request.limit)):
        if value is not None and value < 1:
            raise UsageError(f"{flag} {value}: give a number from 1 up")
    if request.run is not None and request.run != _slug(request.run):
        raise UsageError(f"--run {request.run!r}: use letters, digits, '.', '_' and '-' only")
    layers = [preset, read_file(request.file) if request.file else {}, request.layer]
    options, operation = build(layers)
    cap_of(operation)
    for name in options.benchmark:
        find("benchmarks", name)
    loaded, skipped = _choose(request, options, operation)
    judges = Judges(build_judge(layers))
    planned = tuple(_planned(item, options, limit=request.limit, judges=judges, log=log) for item in loaded)
    if options.web is not None:
        _web_corpus(options.web)
        if not request.everything and all(item.spec.web.corpus for item in loaded):
            names = ", ".join(item.name for item in loaded)
            raise UsageError(f"--web is for none of {names}: each is answered from its own pages; leave it out")
    named = next((layer["model"] for layer in reversed(layers) if "model" in layer), None)
    model = choose_model(named, [item.spec.model for item in loaded], operation, log)
    profile = profile_for(model.profile)
    if "agent.context" in preset:
        preset["agent.context"] = min(preset["agent.context"], profile.context)
    config, operation = build([profile.settings(), *layers, {"model": model.label}])
    if model.window is not None and config.agent.context > model.window:
        raise UsageError(
            f"{model.label} at {model.base_url} has a context of {model.window} tokens, agent.context is "
            f"{config.agent.context}: --set agent.context={model.window}"
        )
    if config.needs_auxiliary and not config.reader.models:
        raise UsageError("an auxiliary model is needed and none is named: --set 'reader.models=[\"NAME\"]'")
    if config.agent.pictures == "show" and not profile.sees_images:
        planned, unseen = _without_pictures(planned, model.label, skip=request.everything)
        skipped += unseen
    again = request.retry_quarantined
    return Plan(
        config,
        operation,
        model=model,
        benchmarks=planned,
        skipped=skipped,
        k=k,
        results=request.results,
        named=request.run,
        judges=judges,
        retry_quarantined=again,
    )


def with_model(request: Request, model: str, benchmark: Benchmark) -> Request:
    """The same request for one benchmark and another model, under the default name."""
    free = {"operation.base_url": None, "operation.token_cap": None, "operation.cost_cap": None}
    layer = {**request.layer, **free, "model": model}
    if benchmark.spec.web.corpus:
        layer["web"] = None
    return replace(request, names=(benchmark.name,), everything=False, run=None, layer=layer)


def identity(plan: Plan, tool_schemas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Everything run-wide that can change a score, flat: what the fingerprint is made of."""
    flat = {key: value for key, value in plan.config.scoring().items() if not key.startswith("benchmark.")}
    for item in plan.benchmarks:
        defaults = item.benchmark.spec.data.options
        changed = {name: value for name, value in item.benchmark.options.items() if value != defaults.get(name)}
        flat |= {f"benchmark.{item.benchmark.name}.{name}": value for name, value in changed.items()}
    # Which pages a corpus holds counts, in each benchmark's revision; where the file lies does not.
    asked = plan.config.web if any(not item.benchmark.spec.web.corpus for item in plan.benchmarks) else None
    flat["web"] = asked.partition(":")[0] if asked else None
    system = dialect_for(plan.config.agent.dialect).system(prompt(plan.config.agent.prompt), tool_schemas)
    texts = {"prompt.system": system, "prompt.forced": prompt("forced")}
    if plan.config.agent.policy == "summarise":
        texts["prompt.summary"] = prompt("summary")
    if plan.config.reader.mode == "model":
        texts["prompt.read"] = prompt("read")
    profile = profile_for(plan.model.profile)
    served = [profile.tool_call_parser, profile.reasoning_parser, *profile.serve] if plan.model.source else []
    schemas = orjson.dumps(list(tool_schemas), option=orjson.OPT_SORT_KEYS)
    return {
        **flat,
        "model.digest": plan.model.digest,
        "model.precision": plan.model.precision,
        "model.served_with": " ".join(served),
        **{key: _short(text.encode()) for key, text in texts.items()},
        "dock.schemas": _short(schemas),
    }


def run_name(plan: Plan, fingerprint: str) -> str:
    """The run's folder: as named by the user, or the model and the fingerprint."""
    return f"{_slug(plan.model.label)}-{fingerprint}" if plan.named is None else plan.named


def revision(item: PlannedBenchmark) -> str:
    """Fingerprint of a benchmark's data, prompt, scoring and pages within this run."""
    return f"{item.benchmark.revision}-{item.web}"


def _choose(request: Request, config: RunConfig, operation: Operation) -> tuple[list[Benchmark], tuple[Skipped, ...]]:
    """The benchmarks to run, and those that ``--all`` leaves out."""
    if request.everything == bool(request.names):
        raise UsageError("name one or more benchmarks, or --all (toleap list shows them)")
    if not request.everything:
        return [_load(name, config, operation) for name in dict.fromkeys(request.names)], ()
    chosen: list[Benchmark] = []
    skipped: list[Skipped] = []
    for name in find_all("benchmarks"):
        item = _load(name, config, operation)
        ready = item.ready()
        if not ready:
            skipped.append(Skipped(name, ready.missing, ready.command))
        elif item.spec.web.corpus is None and config.web is None:
            skipped.append(Skipped(name, "it needs pages to search", f"toleap run {name} --web corpus:PATH"))
        elif broken := _broken(item):
            skipped.append(Skipped(name, broken, f"toleap data status {name}"))
        else:
            chosen.append(item)
    if not chosen:
        raise UsageError("no benchmark is ready: toleap data status says what each one needs")
    return chosen, tuple(skipped)


def _broken(item: Benchmark) -> str | None:
    """Why the tasks cannot be read after all: one broken file does not keep ``--all`` from the others."""
    try:
        item.tasks()
    except UsageError as mistake:
        return str(mistake)
    return None


def _load(name: str, config: RunConfig, operation: Operation) -> Benchmark:
    return benchmarks.load_benchmark(name, trust=operation.trust, options=config.benchmark.get(name))


def _without_pictures(
    planned: tuple[PlannedBenchmark, ...], model: str, *, skip: bool
) -> tuple[tuple[PlannedBenchmark, ...], tuple[Skipped, ...]]:
    """The benchmarks that a model without sight can be measured on fairly; the others are refused, or skipped."""
    kept: list[PlannedBenchmark] = []
    skipped: list[Skipped] = []
    for item in planned:
        benchmark = item.benchmark
        if not benchmark.needs_sight:
            kept.append(item)
            continue
        reason = f"it has pictures, and {model} does not see (sees_images in profiles.toml)"
        instead = f"toleap run {benchmark.text_only}" if benchmark.text_only else "toleap run"
        command = f"{instead}, or --set agent.pictures=ignore"
        if not skip:
            raise UsageError(f"{benchmark.name}: {reason}; type {command}")
        skipped.append(Skipped(benchmark.name, reason, command))
    if not kept:
        raise UsageError(f"nothing is left to run: {skipped[0].name}: {skipped[0].reason}; type {skipped[0].command}")
    return tuple(kept), tuple(skipped)


def _planned(
    item: Benchmark, config: RunConfig, limit: int | None, judges: Judges, log: Callable[[str], None]
) -> PlannedBenchmark:
    ready = item.ready()
    if not ready:
        raise UsageError(f"{item.name}: {ready.missing}; type: {ready.command}")
    corpus = _corpus(item, config.web)
    tasks = {task.id: task for task in item.tasks()[:limit]}
    scorers = judges.scorers_of(item, trust=item.source.trust)
    check_measures(item.measures, f"{item.folder / 'benchmark.toml'}: report.measures")
    for odd in item.check(tuple(tasks.values())):
        log(f"warning: {odd}")
    # Last, since it may index a large file: whatever else is wrong is said before that.
    web = open_corpus(corpus).digest[:16]
    return PlannedBenchmark(item, tasks, scorers=scorers, corpus=str(corpus), web=web)


def _corpus(item: Benchmark, web: str | None) -> Path:
    """The pages of a benchmark: its own, since its tasks can be answered from no others, else the web source's."""
    given = None if web is None else _web_corpus(web)
    own = item.corpus
    if own is not None:
        return own
    if given is None:
        raise UsageError(f"{item.name} has no pages of its own and no web source is configured: {_WEB_CHOICES}")
    return given


def _web_corpus(web: str) -> Path:
    kind, colon, place = web.partition(":")
    if kind != "corpus" or not colon or not place:
        raise UsageError(f"--web {web!r}: not a web source; choose {_WEB_CHOICES}")
    path = Path(place).expanduser()
    if not path.is_file():
        raise UsageError(f"--web {web}: there is no file {path}")
    return path.absolute()


def _preset(name: str | None) -> dict[str, Any]:
    if name is None:
        return {}
    if name not in PRESETS:
        raise UsageError(f"unknown preset {name!r}: there are {', '.join(PRESETS)}")
    return dict(PRESETS[name])


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "run"
