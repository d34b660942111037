"""One run's database: what is planned, every turn, every ending and every verdict.

``results/<run>/run.db`` is SQLite in WAL mode with ``synchronous=FULL``. One process may write a run (a lock file
says so); any number may read it while it runs.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

import toleap
from toleap.errors import StoreFault, TornRecord, UsageError
from toleap.runs import spending
from toleap.runs.store import codec, healing, results, seals
from toleap.runs.store.conduct import conduct_of, store_conduct
from toleap.runs.store.lock import locked
from toleap.runs.store.salvage import SCHEMA, finish
from toleap.runs.store.writer import DATABASE, Writer, connect, is_damage
from toleap.types import ErrorClass, Key, Message, RunResult, Task, Trajectory, Turn, Verdict

_log = logging.getLogger(__name__)
_KEY = "benchmark = ? AND task = ? AND attempt = ?"


class Authority(NamedTuple):
    """Who gives verdicts: a scorer's fingerprint, and a judge's name for people and whether it is the owner's."""

    scorer: str
    label: str = ""
    official: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """What the store needs to know of a benchmark to plan its attempts."""

    name: str
    title: str
    tasks_total: int
    revision: str
    scorer: str
    breakdown: tuple[str, ...]
    tasks: Sequence[Task]
    judged_by: str = ""
    judge_official: bool = False
    measures: tuple[str, ...] = ()
    second: Authority | None = None
    """Who gives second verdicts from now on; None leaves it at whoever did."""


@dataclass(frozen=True, slots=True)
class Owed:
    """An attempt that has to run (again): how often it failed by a fault of ours so far."""

    key: Key
    faults: int


class Store:
    """The writing side of one run. Use as a context manager: it holds the run's lock."""

    def __init__(self, folder: Path) -> None:
        self._lock = locked(folder)
        self.folder = folder
        self._path = folder / DATABASE
        finish(self._path)
        try:
            self._reader = connect(self._path)
            # All tables at once, so that a process killed here leaves none of them or all.
            self._reader.executescript(f"BEGIN; {SCHEMA.read_text()} COMMIT;")
            _add_restarts(self._reader)
        except sqlite3.Error as error:
            self._lock.close()
            if is_damage(error):
                raise UsageError(f"{self._path}: not a readable results database: {error}") from error
            raise StoreFault(f"{self._path}: cannot be opened: {error}") from error
        self._writer = Writer(self._path, seals.seal_writes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self._reader.close()
        self._lock.close()

    def meta(self, key: str) -> Any:
        """A stored fact about the run (None where there is none)."""
        row = self._row("SELECT value FROM meta WHERE key = ?", (key,))
        return orjson.loads(row[0]) if row else None

    async def set_meta(self, facts: Mapping[str, Any]) -> None:
        """Store facts about the run: model, fingerprint, settings."""
        rows = [(key, orjson.dumps(value).decode()) for key, value in facts.items()]
        await self._writer.write(lambda db: db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows))

    def revision(self, benchmark: str) -> str | None:
        """The stored revision of a benchmark's data, prompt and scoring; None where it is not in the run yet."""
        row = self._row("SELECT revision FROM benchmarks WHERE name = ?", (benchmark,))
        return str(row[0]) if row else None

    def scorer(self, benchmark: str) -> Authority | None:
        """Whose verdicts count now; None where the benchmark is not in the run yet."""
        row = self._row(
            "SELECT b.scorer, b.judged_by, r.judge_official FROM benchmarks b "
            "LEFT JOIN reports r ON r.benchmark = b.name WHERE b.name = ?",
            (benchmark,),
        )
        return Authority(str(row[0]), str(row[1]), bool(row[2])) if row else None

    async def set_scorer(self, benchmark: str, by: Authority) -> None:
        """From now on this scorer's verdicts count. Those of others are kept beside them."""

        def operation(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE benchmarks SET scorer = ?, judged_by = ? WHERE name = ?", (by.scorer, by.label, benchmark)
            )
            _set_report(db, benchmark, judge_official=by.official)

        await self._writer.write(operation)

    def second(self, benchmark: str) -> Authority | None:
        """Who gives second verdicts; None where nobody does."""
        row = self._row("SELECT second, second_by FROM reports WHERE benchmark = ?", (benchmark,))
        return Authority(str(row[0]), str(row[1])) if row and row[0] else None

    async def set_second(self, benchmark: str, by: Authority) -> None:
        """From now on this scorer's verdicts stand beside the headline's."""
        await self._writer.write(lambda db: _set_report(db, benchmark, second=by.scorer, second_by=by.label))

    async def set_measures(self, benchmark: str, names: Sequence[str]) -> None:
        """From now on these measures stand beside the average: they are made of the verdicts when they are read."""
        shown = orjson.dumps(list(names)).decode()
        await self._writer.write(lambda db: _set_report(db, benchmark, measures=shown))

    async def plan(self, benchmark: Planned, k: int) -> None:
        """Plan k attempts at each of the tasks. What is planned already stays: an extent only grows."""
        name = benchmark.name
        tasks = [
            (name, task.id, order, orjson.dumps(dict(task.metadata), default=str).decode())
            for order, task in enumerate(benchmark.tasks)
        ]

        def operation(db: sqlite3.Connection) -> None:
            (order,) = db.execute("SELECT count(*) FROM benchmarks").fetchone()
            db.execute(
                "INSERT INTO benchmarks VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "title = excluded.title, tasks_total = excluded.tasks_total, scorer = excluded.scorer, "
                "breakdown = excluded.breakdown, judged_by = excluded.judged_by",
                (
                    name, benchmark.title, benchmark.tasks_total, benchmark.revision, benchmark.scorer,
                    orjson.dumps(benchmark.breakdown).decode(), order, benchmark.judged_by,
                ),
            )  # fmt: skip
            shown: dict[str, str | bool] = {
                "measures": orjson.dumps(benchmark.measures).decode(),
                "judge_official": benchmark.judge_official,
            }
            if benchmark.second is not None:
                shown |= {"second": benchmark.second.scorer, "second_by": benchmark.second.label}
            _set_report(db, name, **shown)
            db.executemany("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?)", tasks)
            db.executemany(
                "INSERT OR IGNORE INTO attempts (benchmark, task, attempt) VALUES (?, ?, ?)",
                [(name, task, attempt) for (_, task, _, _) in tasks for attempt in range(k)],
            )

        await self._writer.write(operation)

    def owed(self, benchmarks: Iterable[str], *, with_quarantined: bool = False) -> list[Owed]:
        """The attempts that have not ended, attempt by attempt: a partial run is already a fair avg@1."""
        wanted = list(benchmarks)
        rows = self._rows(
            "SELECT a.benchmark, a.task, a.attempt, a.faults FROM attempts a "
            "JOIN tasks t USING (benchmark, task) JOIN benchmarks b ON b.name = a.benchmark "
            f"WHERE a.ending IS NULL AND (a.quarantined = 0 OR ?) AND a.benchmark IN ({','.join('?' * len(wanted))}) "
            "ORDER BY a.attempt, b.ord, t.ord",
            (with_quarantined, *wanted),
        )
        return [Owed(Key(*row[:3]), row[3]) for row in rows]

    def trajectory_so_far(self, key: Key) -> tuple[tuple[Message, ...], tuple[Turn, ...]] | None:
        """The opening messages and the durable turns of an attempt; None where it has not begun.

        Raises:
            TornRecord: a record is torn or corrupted.
            StoreFault: the database cannot be read.
        """
        row = self._row(f"SELECT opening FROM attempts WHERE {_KEY}", key)
        if row is None or row[0] is None:
            return None
        blobs = self._rows(f"SELECT idx, blob FROM turns WHERE {_KEY} ORDER BY idx", key)
        if [idx for idx, _ in blobs] != list(range(len(blobs))):
            raise TornRecord(f"{key}: a turn is missing from the store")
        return codec.unpack_messages(row[0]), tuple(codec.unpack_turn(blob) for _, blob in blobs)

    async def begin(self, key: Key, opening: Sequence[Message], *, restart: bool = False) -> None:
        """Start an attempt anew: its opening messages, and no turns. ``restart`` counts that turns were given up."""
        blob = codec.pack_messages(opening)

        def operation(db: sqlite3.Connection) -> None:
            db.execute(f"DELETE FROM turns WHERE {_KEY}", key)
            db.execute(
                f"UPDATE attempts SET opening = ?, version = ?, restarts = restarts + ? WHERE {_KEY}",
                (blob, toleap.__version__, restart, *key),
            )

        await self._writer.write(operation)

    async def put_turn(self, key: Key, turn: Turn, spent: spending.Spent | None = None) -> None:
        """Make a turn durable before the next one starts, and with it what was ``spent`` on it and elsewhere."""

        def operation(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?)", (*key, turn.index, codec.pack_turn(turn)))
            spending.add(db, spent or {})

        await self._writer.write(operation)

    async def spend(self, spent: spending.Spent) -> None:
        """Store what was spent."""
        if spent:
            await self._writer.write(lambda db: spending.add(db, spent))

    async def spent(self) -> spending.Spent:
        """What the run has cost so far. One begun before that was stored is added up from its turns, once."""
        if not spending.stored(self._reader):
            await self.spend(spending.of_turns(row[0] for row in self._reader.execute("SELECT blob FROM turns")))
        return spending.stored(self._reader)

    async def end(self, trajectory: Trajectory, verdict: Verdict | None) -> None:
        """Store how an attempt ended, and its verdict where there is one at once, in one transaction."""
        key, turns = trajectory.key, trajectory.turns
        values = (
            trajectory.ending.value, trajectory.forced, trajectory.answer, len(turns),
            sum(len(turn.calls) for turn in turns), bad_calls(turns),
            sum(turn.usage.prompt for turn in turns), sum(turn.usage.completion for turn in turns),
            sum(turn.seconds for turn in turns), _now(),
        )  # fmt: skip
        conduct = conduct_of(turns)

        def operation(db: sqlite3.Connection) -> None:
            db.execute(
                "UPDATE attempts SET ending = ?, forced = ?, answer = ?, turns = ?, tool_calls = ?, bad_calls = ?, "
                f"prompt_tokens = ?, completion_tokens = ?, seconds = ?, ended = ?, quarantined = 0 WHERE {_KEY}",
                (*values, *key),
            )
            store_conduct(db, key, conduct)
            if verdict is not None:
                _insert_verdict(db, key, verdict)

        await self._writer.write(operation)

    async def fault(self, key: Key, reason: str, *, quarantine: bool) -> None:
        """Note a failure of ours: the attempt stays owed, or is set aside after too many."""
        await self._writer.write(
            lambda db: db.execute(
                f"UPDATE attempts SET faults = faults + 1, fault = ?, quarantined = ? WHERE {_KEY}",
                (reason[:2_000], quarantine, *key),
            )
        )

    async def forgive(self, keys: Sequence[Key]) -> None:
        """Forget the faults of quarantined attempts: they get all their tries again, once they are played."""
        await self._writer.write(
            lambda db: db.executemany(f"UPDATE attempts SET faults = 0 WHERE {_KEY} AND quarantined = 1", keys)
        )

    async def put_verdict(self, key: Key, verdict: Verdict) -> None:
        """Store a verdict; a scorer's earlier verdict on the same attempt is replaced."""
        await self._writer.write(lambda db: _insert_verdict(db, key, verdict))

    def without_verdict(self, benchmark: str, scorer: str) -> list[tuple[Key, str | None, str]]:
        """Ended attempts on which this scorer has given no verdict, or could not: key, answer, whole last message."""
        rows = self._rows(
            "SELECT a.benchmark, a.task, a.attempt, a.answer FROM attempts a WHERE a.benchmark = ? "
            "AND a.ending IS NOT NULL AND NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.benchmark = a.benchmark "
            "AND v.task = a.task AND v.attempt = a.attempt AND v.scorer = ? AND v.status <> 'unscored')",
            (benchmark, scorer),
        )
        found = []
        for *key, answer in rows:
            try:
                found.append((Key(*key), answer, healing.last_message(self._reader, Key(*key))))
            except TornRecord as torn:
                _log.warning("%s is not scored: %s; the next run plays it again", Key(*key), torn)
        return found

    async def heal(self) -> list[Key]:
        """Make damaged records owed again; returns the attempts that are to be played again."""
        with self._reading():
            return await healing.heal(self._reader, self._writer)

    def result(self) -> RunResult:
        """The whole run as a report needs it."""
        with self._reading():
            return results.read(self._reader, self.folder.name)

    def _rows(self, text: str, parameters: Sequence[object] = ()) -> list[Any]:
        with self._reading():
            return self._reader.execute(text, parameters).fetchall()

    def _row(self, text: str, parameters: Sequence[object] = ()) -> Any:
        return next(iter(self._rows(text, parameters)), None)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, results.Damaged) as error:
            raise StoreFault(f"{self._path}: cannot be read: {error}") from error


def bad_calls(turns: Sequence[Turn]) -> int:
    """How many calls were malformed, unknown or truncated: the model's format failures."""
    return sum(result.error is ErrorClass.CALL for turn in turns for result in turn.results)


def _set_report(db: sqlite3.Connection, benchmark: str, **columns: str | bool) -> None:
    """Set some columns of a benchmark's row in ``reports``; the others stay."""
    db.execute("INSERT OR IGNORE INTO reports (benchmark) VALUES (?)", (benchmark,))
    changes = ", ".join(f"{column} = ?" for column in columns)
    db.execute(f"UPDATE reports SET {changes} WHERE benchmark = ?", (*columns.values(), benchmark))


def _insert_verdict(db: sqlite3.Connection, key: Key, verdict: Verdict) -> None:
    db.execute(
        "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*key, verdict.scorer, verdict.status, verdict.reason, verdict.extracted, verdict.raw, _now()),
    )


def _add_restarts(db: sqlite3.Connection) -> None:
    """Runs made before restarts were counted lack the column."""
    if "restarts" not in {row[1] for row in db.execute("PRAGMA table_info(attempts)")}:
        db.execute("ALTER TABLE attempts ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
