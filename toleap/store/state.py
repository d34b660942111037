"""What a run's records say together.

``fold`` is a pure function of the records, whatever their order, and takes more of them at any time. Whatever is
lost or damaged can only make an attempt owed or unscored: an attempt has ended if a whole record says so that was
played under the run's settings, and it is scored if a whole verdict on just that answer is there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from toleap.errors import TornRecord
from toleap.store.database import Row
from toleap.store.records import (
    Benchmark,
    Fault,
    Forgiven,
    Given,
    Kind,
    Planned,
    Record,
    Run,
    body_of,
)
from toleap.types import AttemptRow, BenchmarkResult, Ended, Key, RunResult, Verdict

FOLDED = (Kind.RUN, Kind.BENCHMARK, Kind.PLANNED, Kind.ENDED, Kind.VERDICT, Kind.FAULT, Kind.FORGIVEN)
"""The kinds that say how a run stands. Opening messages and turns are read for one attempt at a time."""
_PLAN = {Kind.RUN.value, Kind.BENCHMARK.value, Kind.PLANNED.value}
_DAMAGED = "its stored record is damaged; the next run makes it good"


@dataclass(frozen=True, slots=True)
class Faults:
    """Failures of ours on an attempt: how many count, whether it is set aside, and the reason of the last one."""

    count: int
    quarantined: bool
    reason: str


_NO_FAULTS = Faults(0, quarantined=False, reason="")
_NEVER: Mapping[int, Ended] = {}


@dataclass(slots=True)
class RunState:
    """How a run stands after some of its records; see ``fold``. The numbers are those of records."""

    last: int = 0
    """The number of the last record."""
    runs: dict[int, Run] = field(default_factory=dict)
    parts: dict[str, dict[int, Benchmark]] = field(default_factory=dict)
    tasks: dict[str, dict[str, dict[int, Planned]]] = field(default_factory=dict)
    endings: dict[Key, dict[int, Ended]] = field(default_factory=dict)
    verdicts: dict[tuple[Key, str, str], tuple[int, Verdict]] = field(default_factory=dict)
    """By attempt, what was judged and by whom."""
    failures: dict[Key, dict[str, tuple[int, Fault]]] = field(default_factory=dict)
    forgiven: dict[Key, set[str]] = field(default_factory=dict)
    damaged: dict[int, tuple[str, Key]] = field(default_factory=dict)
    """Kinds and keys, as far as they can be read."""

    @property
    def run(self) -> Run | None:
        """The run's settings; None where no whole record has them."""
        return self.runs[max(self.runs)] if self.runs else None

    @property
    def benchmarks(self) -> dict[str, Benchmark]:
        """Every benchmark of the run, in the order of its table."""
        newest = {name: numbered[max(numbered)] for name, numbered in self.parts.items()}
        return dict(sorted(newest.items(), key=lambda item: (item[1].place, item[0])))

    def planned(self, benchmark: str) -> dict[str, Planned]:
        """The tasks planned of a benchmark, in its order, each with the most attempts that were ever planned."""
        newest = {
            task: Planned(
                numbered[max(numbered)].place,
                max(one.k for one in numbered.values()),
                numbered[max(numbered)].metadata,
            )
            for task, numbered in self.tasks.get(benchmark, {}).items()
        }
        return dict(sorted(newest.items(), key=lambda item: (item[1].place, item[0])))

    def keys(self, benchmark: str) -> Iterator[Key]:
        """Every planned attempt, task by task."""
        for task, planned in self.planned(benchmark).items():
            yield from (Key(benchmark, task, attempt) for attempt in range(planned.k))

    def origin(self, benchmark: str) -> str:
        """What attempts that count were played under: the run's settings, and the benchmark's revision."""
        part = self.benchmarks.get(benchmark)
        return f"{self.run.fingerprint if self.run else ''}/{part.revision if part else ''}"

    def ended(self, key: Key, origin: str) -> Ended | None:
        """How an attempt ended; None while it is owed. Of several endings the first counts."""
        for _, ended in sorted(self.endings.get(key, _NEVER).items()):
            if ended.origin == origin:
                return ended
        return None

    def verdict(self, key: Key, ended: Ended, scorer: str) -> Verdict | None:
        """A scorer's newest verdict on an ended attempt."""
        given = self.verdicts.get((key, ended.digest, scorer))
        return given[1] if given else None

    def faults(self, key: Key) -> Faults:
        """The failures of ours on an attempt. What is forgiven does not count, but sets aside until it is played."""
        named = self.failures.get(key)
        if not named:
            return _NO_FAULTS
        _, newest = max(named.values(), key=lambda numbered: numbered[0])
        return Faults(len(named.keys() - self.forgiven.get(key, set())), newest.quarantine, newest.reason)

    def lost(self) -> list[Key]:
        """Attempts that had ended, and are owed since the record of it is damaged."""
        keys = {key for kind, key in self.damaged.values() if kind == Kind.ENDED}
        return sorted(
            key
            for key in keys
            if key.attempt < self._k(key.benchmark, key.task) and self.ended(key, self.origin(key.benchmark)) is None
        )

    @property
    def strays(self) -> dict[str, dict[str, int]]:
        """Attempts that nothing says are planned: benchmark → task → how many attempts it must have."""
        known = {(name, task): self._k(name, task) for name in self.parts for task in self.tasks.get(name, {})}
        strays: dict[str, dict[str, int]] = {}
        for key in itertools.chain(self.endings, self.failures, (key for key, _, _ in self.verdicts)):
            if key.attempt >= known.get((key.benchmark, key.task), 0):
                tasks = strays.setdefault(key.benchmark, {})
                tasks[key.task] = max(tasks.get(key.task, 0), key.attempt + 1)
        return strays

    @property
    def problem(self) -> str | None:
        """Why nothing that the records say of the run can be relied on; None where that is not so."""
        since = max(self.runs, default=0)
        torn = [f"{kind} {key.benchmark} {key.task}".strip() for n, (kind, key) in self.damaged.items()
                if kind in _PLAN and n > since]  # fmt: skip
        if torn:
            return f"the record of {torn[0]} is not what was written"
        if self.run is None:
            return "the record of its settings is lost" if self.last else None
        for benchmark, tasks in self.strays.items():
            task = min(tasks)
            return f"the record that {benchmark}/{task} is planned is lost"
        return None

    def _k(self, benchmark: str, task: str) -> int:
        numbered = self.tasks.get(benchmark, {}).get(task, {}) if benchmark in self.parts else {}
        return max((planned.k for planned in numbered.values()), default=0)


def fold(records: Iterable[Row], state: RunState | None = None) -> RunState:
    """How a run stands after its records; with ``state`` after these too, which is changed and returned."""
    state = RunState() if state is None else state
    for number, record in records:
        state.last = max(state.last, number)
        try:
            if not record.is_whole:
                raise TornRecord("its seal is another")
            _take(state, number, record)
        except TornRecord:
            state.damaged[number] = (record.kind, record.key)
    return state


def _take(state: RunState, number: int, record: Record) -> None:
    key = Key(record.benchmark, record.task, record.attempt)
    match record.kind:
        case Kind.ENDED:
            ended = body_of(record, Ended)
            if key in state.endings:
                state.endings[key][number] = ended
            else:
                state.endings[key] = {number: ended}
        case Kind.VERDICT:
            given = body_of(record, Given)
            of = (key, given.digest, given.verdict.scorer)
            if of not in state.verdicts or state.verdicts[of][0] < number:
                state.verdicts[of] = (number, given.verdict)
        case Kind.RUN:
            state.runs[number] = body_of(record, Run)
        case Kind.BENCHMARK:
            state.parts.setdefault(key.benchmark, {})[number] = body_of(record, Benchmark)
        case Kind.PLANNED:
            planned = body_of(record, Planned)
            state.tasks.setdefault(key.benchmark, {}).setdefault(key.task, {})[number] = planned
        case Kind.FAULT:
            fault = body_of(record, Fault)
            state.failures.setdefault(key, {})[fault.name] = (number, fault)
        case Kind.FORGIVEN:
            state.forgiven.setdefault(key, set()).update(body_of(record, Forgiven).names)


def result_of(state: RunState, name: str) -> RunResult:
    """The run called ``name`` as a report needs it: every planned attempt of every benchmark."""
    run = state.run
    if run is None:
        return RunResult(name, "?", scripted=False, fingerprint="", settings={}, created="", benchmarks=())
    lost = set(state.lost())
    return RunResult(
        name=name,
        model=run.model,
        scripted=run.scripted,
        fingerprint=run.fingerprint,
        settings=run.settings,
        created=run.created,
        benchmarks=tuple(_part(state, name, part, lost) for name, part in state.benchmarks.items()),
        varied=run.varied,
    )


def _part(state: RunState, name: str, part: Benchmark, lost: set[Key]) -> BenchmarkResult:
    planned, origin = state.planned(name), state.origin(name)
    rows = tuple(
        _row(state, key, state.ended(key, origin), part) if key not in lost else AttemptRow(key, fault=_DAMAGED)
        for key in state.keys(name)
    )
    return BenchmarkResult(
        name=name,
        title=part.title,
        tasks_total=part.tasks_total,
        k=max((task.k for task in planned.values()), default=0),
        rows=rows,
        metadata={task: one.metadata for task, one in planned.items()},
        breakdown=part.breakdown,
        revision=part.revision,
        scorers=part.scorers,
        measures=part.measures,
    )


def _row(state: RunState, key: Key, ended: Ended | None, part: Benchmark) -> AttemptRow:
    faults = state.faults(key)
    # A quarantined attempt that is played again has its faults forgiven; that it had one stays known.
    failed = max(faults.count, bool(faults.reason or key in state.failures))
    if ended is None:
        return AttemptRow(key, quarantined=faults.quarantined, fault=faults.reason or None, faults=failed)
    verdicts = tuple(state.verdict(key, ended, by.fingerprint) for by in part.scorers)
    return AttemptRow(key, ended, verdicts, faults=failed)


def verdicts_of(state: RunState, benchmark: str) -> Mapping[str, dict[Key, Verdict]]:
    """Every scorer's verdicts on the ended attempts of a benchmark: fingerprint → attempt → verdict."""
    by_scorer: dict[str, dict[Key, Verdict]] = {}
    origin = state.origin(benchmark)
    endings = {key: state.ended(key, origin) for key in state.keys(benchmark)}
    for (key, digest, scorer), (_, verdict) in state.verdicts.items():
        ended = endings.get(key)
        if ended is not None and digest == ended.digest:
            by_scorer.setdefault(scorer, {})[key] = verdict
    return by_scorer
