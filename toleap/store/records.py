"""What a run is: a stream of records, each of them whole or not there.

A record says one thing about a run, a benchmark, a task or an attempt, and is never changed. Its body is JSON
(compressed where that pays), its seal a checksum over kind, key and body: a record of which a bit was flipped is
no record. ``state`` folds records into what they say together.
"""

from __future__ import annotations

import datetime
import hashlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import msgspec
import orjson
import zstandard

from toleap.errors import TornRecord
from toleap.types import Ended, Key, Message, Role, ScoredBy, Turn, Usage, Varied, Verdict

FORMAT = 2
"""The version of all that follows; it stands in the file, and a file of another version is refused."""

_T = TypeVar("_T")
_COMPRESSED_FROM = 512
_LARGEST = 256 * 2**20
_local = threading.local()


class Kind(StrEnum):
    """What a record is about. The comment says which body it has."""

    RUN = "run"
    BENCHMARK = "benchmark"
    PLANNED = "planned"
    OPENED = "opened"
    TURN = "turn"
    FAULT = "fault"
    FORGIVEN = "forgiven"
    ENDED = "ended"
    VERDICT = "verdict"
    SPENT = "spent"


class Record(NamedTuple):
    """One record as it is stored. A record about a run or a benchmark has no task, one about a task attempt 0.

    Read from a damaged file its fields may be of any type: then it is not whole.
    """

    kind: str
    benchmark: str
    task: str
    attempt: int
    body: bytes
    seal: bytes

    @property
    def key(self) -> Key:
        """What the record is about."""
        return Key(self.benchmark, self.task, self.attempt)

    @property
    def is_whole(self) -> bool:
        """Whether it is what was written."""
        kind, benchmark, task, attempt, body, seal = self
        return type(body) is bytes and seal == _seal(kind, benchmark, task, attempt, body)


@dataclass(frozen=True, slots=True)
class Run:
    """The run's settings. The newest record counts."""

    model: str
    scripted: bool
    fingerprint: str
    created: str
    settings: Mapping[str, Any]
    varied: tuple[Varied, ...] = ()


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark of the run: what a table says of it, and whose verdicts count. The newest record counts."""

    place: int
    """Where it stands in the run's table."""
    title: str
    tasks_total: int
    revision: str
    breakdown: tuple[str, ...]
    scorers: tuple[ScoredBy, ...]
    """The headline's first."""
    measures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """A task of the run: attempts 0 … k - 1 at it are owed until they end. An extent only grows."""

    place: int
    k: int
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Opened:
    """An attempt begins, or begins anew: turns that name another ``opening`` are not part of it."""

    opening: str
    origin: str
    version: str
    restarts: int
    """How often turns of this attempt were given up."""
    messages: tuple[Message, ...]
    surroundings: Mapping[str, str] = field(default_factory=dict)
    """Component → version of what it began with: vLLM, the sandbox, the tools' code."""


@dataclass(frozen=True, slots=True)
class Played:
    """A durable turn of the attempt that began with ``opening``."""

    opening: str
    turn: Turn


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure of ours; after too many the attempt is set aside. The name tells copies from other faults."""

    name: str
    reason: str
    quarantine: bool


@dataclass(frozen=True, slots=True)
class Forgiven:
    """Faults that count no longer: the attempt has all its tries again."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Ended):
    """The same with what is scored: the answer and the whole last message."""

    answer: str | None
    response: str


@dataclass(frozen=True, slots=True)
class Given:
    """One scorer's verdict on what has this ``digest``. The newest of a scorer counts."""

    digest: str
    verdict: Verdict
    judged: str


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens that were spent, by role. The name tells copies from other spending."""

    name: str
    tokens: Mapping[Role, Usage] = field(default_factory=dict)


_KINDS: Mapping[type, Kind] = {
    Run: Kind.RUN,
    Benchmark: Kind.BENCHMARK,
    Planned: Kind.PLANNED,
    Opened: Kind.OPENED,
    Played: Kind.TURN,
    Fault: Kind.FAULT,
    Forgiven: Kind.FORGIVEN,
    Answered: Kind.ENDED,
    Given: Kind.VERDICT,
    Spent: Kind.SPENT,
}


def sealed(key: Key, body: object) -> Record:
    """The record that says ``body`` of what ``key`` names.

    Raises:
        TypeError: the body holds something that is no JSON.
    """
    kind, content = _KINDS[type(body)], orjson.dumps(body)
    if len(content) >= _COMPRESSED_FROM:
        content = _compressor().compress(content)
    return Record(kind, *key, content, _seal(kind, *key, content))


def body_of(record: Record, kind: type[_T]) -> _T:
    """What a record says, which was found whole.

    Raises:
        TornRecord: it is of another shape, or claims to be larger than any can be.
    """
    try:
        return msgspec.json.decode(_plain(record.body), type=kind)
    except (msgspec.MsgspecError, zstandard.ZstdError, UnicodeDecodeError, RecursionError) as error:
        raise TornRecord(f"a stored {record.kind} record of {record.key} is corrupted: {error}") from error


def same(one: object, other: object) -> bool:
    """Whether two bodies say the same, once they are written."""
    first, second = (orjson.dumps(body, option=orjson.OPT_SORT_KEYS) for body in (one, other))
    return first == second


def name() -> str:
    """A name that nothing else has."""
    return secrets.token_hex(8)


def digest_of(*parts: object) -> str:
    """A short name of some content, the same wherever the content is."""
    return hashlib.blake2b(orjson.dumps(parts), digest_size=12).hexdigest()


def now() -> str:
    """The present moment as records state it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _plain(body: bytes) -> bytes:
    if not body.startswith(zstandard.FRAME_HEADER):
        return body
    if zstandard.frame_content_size(body) > _LARGEST:
        raise TornRecord("a stored record is corrupted: it claims to be larger than any can be")
    return _decompressor().decompress(body, max_output_size=_LARGEST)


def _seal(kind: str, benchmark: str, task: str, attempt: int, body: bytes) -> bytes:
    head = f"{kind}\x1f{benchmark}\x1f{task}\x1f{attempt}\x1e"
    return hashlib.blake2b(head.encode("utf-8", "surrogatepass") + body, digest_size=8).digest()


def _compressor() -> zstandard.ZstdCompressor:
    """One for each thread: it may not be shared."""
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=3)
    compressor: zstandard.ZstdCompressor = _local.compressor
    return compressor


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    decompressor: zstandard.ZstdDecompressor = _local.decompressor
    return decompressor
