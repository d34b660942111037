"""What a result table is made of: rows, counts that add up, flags and notes. Nothing here formats anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

from toleap.report.calls import Calls, Helpers
from toleap.scoring.measures import Figure
from toleap.stats.paired import Paired

Missing = Literal["report", "wrong"]
"""``report``: the headline counts what is scored. ``wrong``: missing results count as wrong, and the row says so."""

Flag = Literal[
    "scripted",
    "incomplete",
    "missing as wrong",
    "quarantined",
    "time limit",
    "settings differ",
    "revision differs",
    "scorer differs",
    "mixed scorers",
    "version differs",
    "mixed versions",
    "surroundings differ",
    "mixed surroundings",
]
"""What a reader must know before reading a row's headline."""

NoteKind = Literal[
    "unscored",
    "owed",
    "quarantined",
    "settings",
    "revision",
    "scorer",
    "time_limit",
    "missing",
    "plan",
    "judge",
    "beside",
    "retried",
    "restarted",
    "reader",
    "version",
    "server",
]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many attempts are planned, and where they stand: planned = scored + unscored + owed, always.

    Raises:
        ValueError: the counts do not add up.
    """

    planned: int
    scored: int
    unscored: int
    owed: int
    quarantined: int
    """The part of ``owed`` that failed too often by our fault and waits for a person."""

    def __post_init__(self) -> None:
        if self.planned != self.scored + self.unscored + self.owed or not 0 <= self.quarantined <= self.owed:
            raise ValueError(f"attempts do not add up: {self}")

    @property
    def complete(self) -> bool:
        """Whether something is planned and all of it is scored."""
        return 0 < self.planned == self.scored


@dataclass(frozen=True, slots=True)
class PassRate:
    """pass@k of a row; None where it is not defined. ``low`` and ``high`` bound it while results are missing."""

    k: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the ended attempts of a row went. Means are over ended attempts, None without any."""

    endings: Mapping[str, int]
    """Ending → attempts."""
    forced: int
    """Ended attempts whose answer was the one forced after a limit."""
    turns: float | None
    tool_calls: float | None
    completion_tokens: float | None
    bad_call_rate: float | None
    """Malformed, unknown or truncated calls among all calls, None without any call."""


@dataclass(frozen=True, slots=True)
class Group:
    """The part of a benchmark that a sub-row is about: tasks whose ``column`` has ``value``."""

    column: str
    value: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What a row is about: one run on one benchmark, or on one group of its tasks."""

    run: str
    model: str
    scripted: bool
    benchmark: str
    title: str
    group: Group | None = None
    """None for the whole benchmark."""
    variant: str = ""
    """What varies, where the run is one of an ablation's."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of the benchmark the run plans."""

    k: int
    tasks: int
    """Planned tasks."""
    tasks_total: int | None
    """Tasks there are; None where that is not known for a group."""


@dataclass(frozen=True, slots=True)
class Headline:
    """avg@k by one scorer's verdicts. Never to be shown without ``bounds`` where ``bounds`` is not None."""

    average: float | None
    se: float | None
    """Standard error over tasks, None for fewer than two tasks."""
    sampling_se: float | None
    bounds: tuple[float, float] | None
    """The average with everything missing wrong, and right; None when nothing is missing."""
    scored: int
    """Attempts that have such a verdict."""
    judged_by: str = ""
    """Which judge gave the verdicts and with whose prompt; empty where a rule did."""
    judge_official: bool = False
    """Whether that judge's prompt, model and sampling are the owner's."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a row was made with."""

    revision: str
    """Of the data, the prompt and the scoring."""
    scorers: tuple[str, ...]
    """Fingerprints of the scorers of the scored attempts, sorted."""
    versions: tuple[str, ...]
    """The versions of toleap that played its ended attempts, sorted."""
    surroundings: tuple[tuple[str, tuple[str, ...]], ...]
    """Component → the versions of it that its ended attempts were played with: vLLM, the sandbox, the tools' code."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What faults of ours did to the sample: an attempt that was retried has had a second chance to go well."""

    attempts: int
    """Ended attempts that had a fault before."""
    scored: int
    """Scored attempts that never had one: what the average below is over."""
    average: float | None
    se: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Run ``a`` minus run ``b`` on one benchmark."""

    benchmark: str
    a: str
    b: str
    paired: Paired
    adjusted_p: float | None
    """The sign-flip p after Holm's correction over all that is compared at once; None without shared tasks."""
    revisions_differ: bool
    """The two runs had other data, prompts or scoring: their difference is not one between models."""


@dataclass(frozen=True, slots=True)
class Row:
    """One run on one benchmark, or on one group of its tasks. Rates are fractions between 0 and 1."""

    subject: Subject
    extent: Extent
    headlines: tuple[Headline, ...]
    """By each scorer of the benchmark: the first is the row's, the others stand beside it."""
    pass_at: tuple[PassRate, ...]
    wilson: tuple[float, float] | None
    """95 % interval, for one attempt a task only."""
    counts: Counts
    behaviour: Behaviour
    provenance: Provenance
    flags: tuple[Flag, ...] = ()
    differs: tuple[str, ...] = ()
    """Scoring settings that differ from those of the first comparable run."""
    measures: tuple[Figure, ...] = ()
    """Measures beside the average, of whole benchmarks only."""
    calls: Calls | None = None
    """None where no attempt has ended."""
    helpers: Helpers | None = None
    """None where no auxiliary model was asked."""
    retried: Retried | None = None
    """None where no ended attempt had been retried after a fault of ours."""
    restarts: int = 0
    """How often attempts of this row began anew."""

    @property
    def headline(self) -> Headline:
        """The row's own."""
        return self.headlines[0]

    @property
    def whole(self) -> bool:
        """Whether it is about the whole benchmark, not about a group of its tasks."""
        return self.subject.group is None


@dataclass(frozen=True, slots=True)
class Note:
    """A line below the table: what it is about, how many attempts, and what to type."""

    kind: NoteKind
    benchmark: str
    run: str
    """Empty where the note is about several runs."""
    text: str
    count: int | None = None
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by benchmark: measured runs first, in the order given, then scripted ones; sub-rows follow their row."""

    rows: tuple[Row, ...]
    notes: tuple[Note, ...]
    missing: Missing
    variants: tuple[Comparison, ...] = ()
    """Each variant of an ablation minus its first one; ``a`` and ``b`` say what varies."""

    def sections(self) -> Iterator[tuple[str, str, list[Row]]]:
        """(benchmark, title, rows) for each benchmark, in order."""
        by_name: dict[str, list[Row]] = {}
        for row in self.rows:
            by_name.setdefault(row.subject.benchmark, []).append(row)
        for name, rows in by_name.items():
            yield name, rows[0].subject.title, rows

    def to_dict(self) -> dict[str, Any]:
        """The table in JSON's types; rates stay fractions and undefined ones are None."""
        return {
            "format": 1,
            "missing": self.missing,
            "complete": is_complete(self),
            "rows": [_flat(row) for row in self.rows],
            "notes": [_plain(note) for note in self.notes],
            **({"variants": [_plain(item) for item in self.variants]} if self.variants else {}),
        }


def is_complete(table: Table) -> bool:
    """Whether every planned attempt of every row is scored, and there is a row: what an exit code should say."""
    return bool(table.rows) and all(row.counts.complete for row in table.rows)


def _flat(row: Row) -> dict[str, Any]:
    """A row with the fields of its groups beside each other, and of its headlines the first one's."""
    plain: dict[str, Any] = _plain(row)
    first, *beside = plain.pop("headlines")
    groups = [plain.pop(name) for name in ("subject", "extent", "provenance")]
    return {key: value for group in (*groups, first, plain) for key, value in group.items()} | {"beside": beside}


def _plain(value: object) -> Any:
    """Dataclasses, mappings and tuples as JSON's objects and arrays."""
    if is_dataclass(value) and not isinstance(value, type):
        plain = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {**plain, "complete": value.complete} if isinstance(value, Counts) else plain
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value
