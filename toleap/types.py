"""The values that cross the boundaries between packages, all frozen.

Messages are plain ChatCompletions dictionaries (``{"role": …, "content": …}``); the history is the trajectory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from msgspec import Meta

Message = dict[str, Any]
"""One ChatCompletions message."""


class Key(NamedTuple):
    """The key of everything: one of the k independent tries at a task. ``attempt`` counts from 0."""

    benchmark: str
    task: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.benchmark}/{self.task}#{self.attempt}"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that belongs to a task: the name the agent uses for it and where it lies in our cache."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Task:
    """One question with its gold answer. The agent is given ``question`` and ``attachments`` only."""

    benchmark: str
    id: str
    question: str
    answer: str = field(repr=False)
    attachments: tuple[Attachment, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Columns of the data that the table may be broken down by, e.g. ``{"level": "2"}``."""


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """Settings of the tools for one run. The bounds are checked where a client sends them."""

    results: Annotated[int, Meta(ge=1)] = 10
    """Hits of a search, for each query."""
    page_chars: Annotated[int, Meta(ge=1)] = 20_000
    code_seconds: Annotated[int, Meta(ge=1, le=300)] = 30
    code_bytes: Annotated[int, Meta(ge=100, le=500_000)] = 20_000
    """Bytes of output of one call."""
    allow_hosts: tuple[str, ...] = ()
    """``host:port`` pairs that are exempt from the rules on ports and addresses."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """What every tool call carries. External servers get it in MCP's ``_meta``."""

    run: str
    benchmark: str
    task: str
    attempt: int
    corpus: str | None = None
    """Path of the corpus (JSONL of url, title, text) that ``search`` and ``fetch_url`` answer from."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Attachment name → path: all that ``read_file`` and ``execute_code`` may open."""
    policy: ToolSettings = ToolSettings()

    @property
    def session(self) -> str:
        """The name of the trajectory: stateful tools keep one session for each."""
        return f"{self.run}/{self.benchmark}/{self.task}#{self.attempt}"


class CallForm(StrEnum):
    """How a call was written, for counting."""

    PLAIN = "plain"
    MENDED = "mended"
    """Almost a call: the tolerant reading could tell what was meant."""
    MALFORMED = "malformed"
    """It could not be read."""
    CUT = "cut"
    """It stops too early."""
    HIDDEN = "hidden"
    """It stands inside the thoughts, where none is made."""
    UNKNOWN = "unknown"
    """It can be read, and names a tool that is not there."""
    LOST = "lost"
    """The server says that one was made, and none can be read."""
    SILENT = "silent"
    """No call: the reply holds thoughts only."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that a model asked for; ``problem`` says in one sentence why it cannot be made.

    Calls that ask for the same are equal, in whatever ``form`` they were written.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None
    form: CallForm = field(default=CallForm.PLAIN, compare=False)
    family: str = field(default="", compare=False)
    """The model family in whose markup it stood in the text; empty where it was written as the dialect asks."""


class ErrorClass(StrEnum):
    """Why a tool's result is not what the model hoped for."""

    CALL = "call"
    """The model's: unknown tool, arguments that do not fit the schema."""
    WORLD = "world"
    """The world's: a page is gone, nothing found, the code raised, the deadline of the code passed."""
    BLOCKED = "blocked"
    """Refused by our rules: a blocklist, an address that is not public, a file that is not the task's."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call gave. An infrastructure failure is never a ``ToolResult``: it raises ``ToolFault``."""

    parts: tuple[str, ...]
    """The texts that it consists of, one for each page that was asked for."""
    error: ErrorClass | None = None
    truncated: bool = False
    ms: float = 0.0
    attempts: int = 1
    replica: str = ""
    cached: bool = False
    reset: bool = False
    """What a stateful tool had kept for the trajectory is gone after this call, and the text says so."""

    @classmethod
    def of(cls, text: str, error: ErrorClass | None = None) -> Self:
        """A result of one part."""
        return cls((text,), error)

    @property
    def text(self) -> str:
        """The parts as a model is given them."""
        return "\n---\n".join(self.parts)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, as the server counted them."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0

    def __add__(self, other: Usage) -> Usage:
        """The tokens of both."""
        return Usage(self.prompt + other.prompt, self.completion + other.completion, self.cached + other.cached)


Role = Literal["model", "auxiliary"]
"""Who wrote: the model under test, or one that reads pages and writes summaries for it."""


@dataclass(frozen=True, slots=True)
class SubCall:
    """Work beside a turn's own model call: history cut short or a page read, mostly by an auxiliary model."""

    kind: Literal["discard", "summary", "read", "extract"]
    model: str = ""
    """The auxiliary model; empty where none was asked."""
    usage: Usage = Usage()
    seconds: float = 0.0
    ok: bool = True
    text: str = ""
    """What came of it; of a ``discard`` and a ``summary`` the message that stands for the turns left out."""


class Ending(StrEnum):
    """How an attempt ended, by the model's doing or by a limit. An infrastructure fault is no ending: owed."""

    ANSWERED = "answered"
    TURN_LIMIT = "turn_limit"
    TOOL_LIMIT = "tool_limit"
    TOKEN_LIMIT = "token_limit"
    CONTEXT_LIMIT = "context_limit"
    REPETITION = "repetition"
    NOOP_LIMIT = "noop_limit"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    TIME_LIMIT = "time_limit"


@dataclass(frozen=True, slots=True)
class Turn:
    """One model call, the tool calls it asked for, and what went back to the model.

    ``messages`` is exactly what the turn appended to the history: the assistant's message as it is sent back
    (always valid for the server), then one message per result. ``reply`` is what the model really said.
    """

    index: int
    reply: Message
    messages: tuple[Message, ...]
    calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResult, ...] = ()
    usage: Usage = Usage()
    finish_reason: str = ""
    seed: int | None = None
    seconds: float = 0.0
    limit: Ending | None = None
    """The limit after which this turn is the one forced answer."""
    subcalls: tuple[SubCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The turns of one attempt and how it ended. ``opening`` is the system and user messages it began with."""

    key: Key
    opening: tuple[Message, ...]
    turns: tuple[Turn, ...]
    ending: Ending
    answer: str | None
    """The final answer's text without thoughts, or None where there is none."""
    response: str = ""
    """The whole last message, for judges that read it."""
    forced: bool = False


VerdictStatus = Literal["correct", "wrong", "unscored"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the scorer says of one attempt, and which scorer said it."""

    status: VerdictStatus
    reason: str
    scorer: str
    """The scorer's fingerprint: its name and a hash of everything that can change its verdicts."""
    extracted: str | None = None
    raw: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ScoredBy:
    """Who gives verdicts: a scorer's fingerprint, and a judge's name for people and whether it is the owner's."""

    fingerprint: str
    label: str = ""
    """Empty for a rule, which its fingerprint names."""
    official: bool = False


@dataclass(frozen=True, slots=True)
class Conduct:
    """What the turns of an attempt hold, counted when it ended."""

    calls: tuple[int, ...] = ()
    """Calls that could be read, by turn."""
    new: tuple[int, ...] = ()
    """How many of these had not been made before in the attempt, by turn."""
    mended: int = 0
    """Calls that tolerant reading could repair; no bad calls."""
    malformed: int = 0
    cut: int = 0
    hidden: int = 0
    unknown: int = 0
    lost: int = 0
    silent: int = 0
    """Bad calls by their ``CallForm``; what is left of the bad ones could be read and did not fit the tool."""
    families: tuple[str, ...] = ()
    """The model families in whose markup calls were left in the text."""
    swallowed: bool = False
    """Whether a reply, the forced answer included, held thoughts only."""
    summaries: int = 0
    readings: int = 0
    """Pages, or parts of them, that an auxiliary model read."""
    unread: int = 0
    """Pages, or parts of them, that no auxiliary model could read: an extract stood in for the reading."""
    failed_asks: int = 0
    """Requests to auxiliary models of which nothing usable came back."""
    auxiliary_prompt: int = 0
    auxiliary_completion: int = 0
    """Tokens that auxiliary models read and wrote, failed requests included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How an attempt ended, and every figure of it that a table needs. ``origin`` is what it was played under."""

    origin: str
    digest: str
    """Of what there is to score: verdicts name it, so that none counts for another answer."""
    ending: Ending
    forced: bool
    turns: int
    tool_calls: int
    bad_calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    restarts: int
    versions: tuple[str, ...]
    """The versions of toleap that began and ended it."""
    conduct: Conduct
    ended: str
    surroundings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One planned attempt as a table sees it."""

    key: Key
    ended: Ended | None = None
    """None while it is owed."""
    verdicts: tuple[Verdict | None, ...] = ()
    """By each of the benchmark's scorers, the headline's first; None where there is none yet."""
    quarantined: bool = False
    fault: str | None = None
    """The last infrastructure failure, where the attempt is owed because of one."""
    faults: int = 0
    """Failures of ours so far: more than none and an ending mean that it was retried."""

    @property
    def ending(self) -> Ending | None:
        """How it ended; None while it is owed."""
        return None if self.ended is None else self.ended.ending

    @property
    def verdict(self) -> Verdict | None:
        """The headline's."""
        return self.verdicts[0] if self.verdicts else None


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """One benchmark's part of a run: the planned attempts, every one of them, in order."""

    name: str
    title: str
    tasks_total: int
    """Tasks the benchmark has; the run may plan fewer (``--limit``)."""
    k: int
    rows: tuple[AttemptRow, ...]
    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Task id → the columns of its data."""
    breakdown: tuple[str, ...] = ()
    """Columns to break the table down by."""
    revision: str = ""
    """Fingerprint of the data, the prompt and the scorer's settings."""
    scorers: tuple[ScoredBy, ...] = (ScoredBy(""),)
    """Whose verdicts the attempts have, the headline's first."""
    measures: tuple[str, ...] = ()
    """Names of the measures to show beside the average."""


@dataclass(frozen=True, slots=True)
class Varied:
    """A run's place in an ablation: the settings that are varied, with their values in this run."""

    first: str
    """The name of the run that the others are compared with."""
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunResult:
    """A whole run, as the store gives it to the report."""

    name: str
    model: str
    scripted: bool
    """The "model" is a scripted policy: a yardstick, not a measurement."""
    fingerprint: str
    settings: Mapping[str, Any]
    """The scoring settings, flat: ``{"sampling.temperature": 1.0, …}``. Tables flag rows that differ."""
    created: str
    benchmarks: tuple[BenchmarkResult, ...]
    varied: tuple[Varied, ...] = ()
    """The ablations that the run is part of."""
