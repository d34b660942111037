"""What any process may read of a run while another one may be writing it."""

from __future__ import annotations

import contextlib
import gc
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toleap.errors import TornRecord, UsageError
from toleap.store.database import DATABASE, about, after, check_format, connect, is_damage, is_made
from toleap.store.records import Answered, Benchmark, Kind, Opened, Played, Spent, body_of
from toleap.store.state import FOLDED, RunState, fold, result_of
from toleap.types import (
    Ending,
    Key,
    Message,
    Role,
    RunResult,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
    Verdict,
)

_ADVICE = "; the toleap run command that made it keeps what is whole and plays the rest again"


def holds_run(folder: Path) -> bool:
    """Whether a run was begun here. A process killed before its first commit leaves a database that holds none.

    One that cannot be read counts as begun: whoever reads it says what is wrong with it.
    """
    path = folder / DATABASE
    # Only while it is being made, before it is in WAL mode, has the database a rollback journal.
    if not path.is_file() or path.with_name(f"{DATABASE}-journal").exists():
        return False
    try:
        with contextlib.closing(connect(path, read_only=True)) as database:
            if not is_made(database):
                return bool(database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
            return database.execute("SELECT 1 FROM record LIMIT 1").fetchone() is not None
    except (sqlite3.Error, ValueError):
        return True


def read_run(folder: Path) -> RunResult:
    """A run's result, read while another process may be writing it.

    Raises:
        UsageError: the folder holds no run, or its database cannot be read.
    """
    with _uncollected():
        return result_of(read_state(folder), folder.name)


def read_state(folder: Path) -> RunState:
    """How a run stands; raises what ``read_run`` does."""
    state = stored_state(folder)
    if state.problem:
        raise UsageError(f"{folder / DATABASE}: {state.problem}{_ADVICE}")
    return state


def stored_state(folder: Path) -> RunState:
    """How a run stands, whether or not it has a problem; raises what ``read_run`` does."""
    with _uncollected(), _reading(folder) as database:
        return fold(after(database, 0, FOLDED))


def read_trajectories(folder: Path) -> Iterator[tuple[Key, tuple[Message, ...], tuple[Turn, ...]]]:
    """The opening messages and the turns of every attempt that has begun, as far as they are whole.

    Raises:
        UsageError: the folder holds no run, or its database cannot be read.
    """
    with _reading(folder) as database:
        for key in sorted({record.key for _, record in about(database, Kind.OPENED)}):
            with contextlib.suppress(TornRecord):
                begun = trajectory(database, key)
                if begun is not None:
                    yield key, begun[0].messages, begun[1]


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """All that is stored of one attempt. ``ending`` None: it is owed, and the turns are those so far."""

    key: Key
    opening: tuple[Message, ...]
    """The system and user messages that it began with."""
    turns: tuple[Turn, ...]
    ending: Ending | None = None
    answer: str | None = None
    response: str = ""
    """The whole last message."""
    forced: bool = False
    """Whether the answer was asked for at a limit."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """Scorer's fingerprint → its verdict, the headline's first."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The history: the opening, and what each turn added to it."""
        return (*self.opening, *(message for turn in self.turns for message in turn.messages))

    @property
    def calls(self) -> tuple[tuple[int, ToolCall, ToolResult], ...]:
        """Every call with the turn it was made in and what came of it."""
        return tuple(
            (turn.index, call, result)
            for turn in self.turns
            for call, result in zip(turn.calls, turn.results, strict=False)
        )


def read_attempts(folder: Path, wanted: Collection[Key] | None = None) -> Iterator[StoredAttempt]:
    """Every attempt that has begun, or of those the ``wanted`` ones, with its verdicts.

    One of whose turns any is lost comes without turns.

    Raises:
        UsageError: the folder holds no run, or its database cannot be read.
    """
    with _reading(folder) as database:
        state = fold(after(database, 0, FOLDED))
        for name, part in state.benchmarks.items():
            for key in state.keys(name):
                if (wanted is None or key in wanted) and (stored := _attempt(database, state, part, key)) is not None:
                    yield stored


def _attempt(database: sqlite3.Connection, state: RunState, part: Benchmark, key: Key) -> StoredAttempt | None:
    origin = state.origin(key.benchmark)
    try:
        begun = trajectory(database, key, origin)
    except TornRecord:
        begun = None
    ended = state.ended(key, origin)
    if ended is None:
        return None if begun is None else StoredAttempt(key, begun[0].messages, begun[1])
    bodies = (body_of(record, Answered) for _, record in about(database, Kind.ENDED, *key))
    answered = next(body for body in bodies if (body.origin, body.digest) == (origin, ended.digest))
    verdicts = {by.fingerprint: state.verdict(key, ended, by.fingerprint) for by in part.scorers}
    return StoredAttempt(
        key,
        begun[0].messages if begun else (),
        turns=begun[1] if begun else (),
        ending=ended.ending,
        answer=answered.answer,
        response=answered.response,
        forced=ended.forced,
        verdicts={scorer: verdict for scorer, verdict in verdicts.items() if verdict is not None},
    )


def trajectory(
    database: sqlite3.Connection, key: Key, origin: str | None = None
) -> tuple[Opened, tuple[Turn, ...]] | None:
    """How an attempt began last (under ``origin``), and its turns since; None where it has not begun.

    Raises:
        TornRecord: a turn is missing.
    """
    begun = [body_of(record, Opened) for _, record in about(database, Kind.OPENED, *key)]
    opened = next((one for one in reversed(begun) if origin in (None, one.origin)), None)
    if opened is None:
        return None
    played = [body_of(record, Played) for _, record in about(database, Kind.TURN, *key)]
    turns: dict[int, Turn] = {}
    for one in played:
        if one.opening == opened.opening:
            turns.setdefault(one.turn.index, one.turn)
    if sorted(turns) != list(range(len(turns))):
        raise TornRecord(f"{key}: a turn is missing from the store")
    return opened, tuple(turns[index] for index in range(len(turns)))


def spent(database: sqlite3.Connection) -> dict[Role, Usage]:
    """What a run has cost so far, by role."""
    bodies = [body_of(record, Spent) for _, record in about(database, Kind.SPENT)]
    total: dict[Role, Usage] = {}
    for one in {body.name: body for body in bodies}.values():
        for role, usage in one.tokens.items():
            total[role] = total.get(role, Usage()) + usage
    return total


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for cycles: a hundred thousand attempts are millions of new objects, and none refers back."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """A run's database; all that is read in the block is of one moment, whatever a writer does meanwhile."""
    path = folder / DATABASE
    if not holds_run(folder):
        raise UsageError(f"{folder}: no run here (no {DATABASE}, or nothing in it yet)")
    try:
        with contextlib.closing(connect(path, read_only=True)) as database:
            check_format(database, path)
            database.execute("BEGIN")
            yield database
    except sqlite3.Error as error:
        raise UsageError(f"{path}: cannot be read: {error}{_ADVICE if is_damage(error) else ''}") from error
