"""A damaged database made whole again: what can still be read of it is kept, and everything else is owed again.

SQLite notices a page that is gone or torn only when something needs it. So the whole file is looked at when a run is
opened for writing; where it is not whole, every row that can be read moves into a new database, and the old one is
kept beside it.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toleap.errors import StoreFault, UsageError
from toleap.runs.store import codec, seals
from toleap.runs.store.conduct import conduct_of, store_conduct
from toleap.runs.store.lock import locked
from toleap.runs.store.writer import DATABASE, connect, is_damage
from toleap.types import Key

SCHEMA = Path(__file__).with_name("schema.sql")
_BESIDE = ("-wal", "-shm", "-journal")
_KEY = "benchmark, task, attempt"
_SAME = "t.benchmark = a.benchmark AND t.task = a.task AND t.attempt = a.attempt"


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a damaged database: what was wrong with it, and where it is kept as it was found."""

    problem: str
    kept: Path

    def __str__(self) -> str:
        return (
            f"{self.kept.parent}: the database was damaged ({self.problem}): what can be read of it is kept, "
            f"everything else is owed again; the damaged one is now {self.kept.name}"
        )


def mend(folder: Path) -> Salvaged | None:
    """Make a run's database whole, where it is not; returns what was done, None where nothing had to be.

    Raises:
        UsageError: another process is writing the run, or so little can be read that it cannot be continued; the
            database stays as it is.
        StoreFault: it is damaged, and there is no room for another.
    """
    path = folder / DATABASE
    if not path.is_file() or _problem(path) is None:
        return None
    with locked(folder):
        # What looked torn may have been another process's work, which ended meanwhile.
        problem = _problem(path)
        if problem is None:
            return None
        kept = _free(path)
        try:
            with _copied(path, kept):
                _rebuilt(kept, _whole(path))
            finish(path)
        except OSError as error:
            raise StoreFault(f"{path}: damaged ({problem}), and no copy can be written: {error.strerror}") from error
        except sqlite3.Error as error:
            raise StoreFault(f"{path}: damaged ({problem}), and no copy can be written: {error}") from error
        return Salvaged(problem, kept)


def finish(path: Path) -> None:
    """Put a salvaged database in the place of the damaged one, also where a process died before it did so."""
    whole = _whole(path)
    if not whole.exists():
        return
    for ending in _BESIDE:
        # SQLite would take the damaged one's log for this one's.
        path.with_name(path.name + ending).unlink(missing_ok=True)
    whole.replace(path)


def _whole(path: Path) -> Path:
    """Only a complete database gets this name."""
    return path.with_name(f"{path.name}.salvaged")


def _problem(path: Path) -> str | None:
    """What is wrong with the database's structure, or with a record of its plan."""
    try:
        with contextlib.closing(connect(path, read_only=True)) as database:
            found = str(database.execute("PRAGMA integrity_check(1)").fetchone()[0])
            lost = seals.damage(database).others if found == "ok" else ()
            found = f"the record of {lost[0]} is not what was written" if lost else found
    except sqlite3.DatabaseError as error:
        found = str(error) if is_damage(error) else "ok"
    return None if found == "ok" else " ".join(found.split())


def _free(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


@contextlib.contextmanager
def _copied(path: Path, kept: Path) -> Iterator[None]:
    """A copy of the database, with what belongs to it; gone again where nothing comes of it in the block."""
    copies = {path.with_name(path.name + ending): kept.with_name(kept.name + ending) for ending in ("", *_BESIDE)}
    with contextlib.ExitStack() as undo:
        for source, copy in copies.items():
            undo.callback(copy.unlink, missing_ok=True)
            if source.exists():
                shutil.copy2(source, copy)
        yield
        undo.pop_all()


def _rebuilt(damaged: Path, whole: Path) -> None:
    """Write what can be read of ``damaged`` to ``whole``."""
    with tempfile.TemporaryDirectory(dir=whole.parent, prefix=".salvage.") as place:
        making = Path(place) / whole.name
        with contextlib.closing(connect(making)) as new, contextlib.closing(sqlite3.connect(damaged)) as old:
            new.executescript(f"BEGIN; {SCHEMA.read_text()} COMMIT;")
            # Without this SQLite reads nothing at all of a file that is shorter than it should be.
            old.execute("PRAGMA writable_schema=ON")
            old.text_factory = _text
            new.execute("BEGIN")
            new.execute("DELETE FROM seals")
            for (table,) in new.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                _move(old, new, table)
            seals.drop_damaged(new)
            _refuse_unknown(new, whole.with_suffix(""))
            _settle(new)
            seals.seal_again(new)
            new.execute("COMMIT")
            new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        making.replace(whole)


def _refuse_unknown(new: sqlite3.Connection, path: Path) -> None:
    """Nothing can go on where it cannot be told whether it is the same run."""
    settings = new.execute("SELECT count(*) FROM meta WHERE key IN ('settings', 'fingerprint')").fetchone()[0]
    strangers = new.execute("SELECT 1 FROM attempts WHERE benchmark NOT IN (SELECT name FROM benchmarks)").fetchone()
    if settings < 2 or strangers:
        raise UsageError(
            f"{path}: damaged, and what was run cannot be read of it any more; nothing was deleted: move the folder "
            "away, or use another --run NAME"
        )


def _move(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    """Insert every row of a table that can be read: from its beginning, and from its end, up to what is damaged."""
    columns = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
    key = [row[1] for row in new.execute(f"PRAGMA table_info({table})") if row[5]] or ["rowid"]
    with contextlib.suppress(sqlite3.DatabaseError):
        there = {row[1] for row in old.execute(f"PRAGMA table_info({table})")}
        columns = [column for column in columns if column in there]
    names, places = ", ".join(columns), ", ".join("?" * len(columns))
    for direction in ("ASC", "DESC"):
        order = ", ".join(f"{column} {direction}" for column in key)
        for row in _readable(old, f"SELECT {names} FROM {table} NOT INDEXED ORDER BY {order}"):
            # A text that is no text any more cannot be stored, and is damaged.
            with contextlib.suppress(UnicodeEncodeError):
                new.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})", row)


def _readable(old: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    with contextlib.suppress(sqlite3.DatabaseError):
        yield from old.execute(query)


def _settle(new: sqlite3.Connection) -> None:
    """Attempts of which a part is missing are owed again, from the first turn that is; what builds on it goes."""
    if not new.execute("SELECT 1 FROM seals WHERE of = ''").fetchone():
        # Otherwise a turn without an attempt may be one whose key was damaged.
        new.execute(
            f"INSERT OR IGNORE INTO attempts ({_KEY}) SELECT {_KEY} FROM turns UNION SELECT {_KEY} FROM verdicts "
            f"UNION SELECT {_KEY} FROM conduct"
        )
    # Where a task stands and its columns come back with the plan.
    new.execute("INSERT OR IGNORE INTO tasks SELECT DISTINCT benchmark, task, 1000000000, '{}' FROM attempts")
    new.execute(
        "DELETE FROM turns AS t WHERE idx <> (SELECT count(*) FROM turns u WHERE u.benchmark = t.benchmark "
        "AND u.task = t.task AND u.attempt = t.attempt AND u.idx < t.idx)"
    )
    new.execute(
        "UPDATE attempts AS a SET ending = NULL, forced = 0, answer = NULL WHERE ending IS NOT NULL "
        f"AND turns <> (SELECT count(*) FROM turns t WHERE {_SAME})"
    )
    for table in ("verdicts", "conduct"):
        new.execute(
            f"DELETE FROM {table} AS t WHERE NOT EXISTS "
            f"(SELECT 1 FROM attempts a WHERE {_SAME} AND a.ending IS NOT NULL)"
        )
    without = new.execute(
        f"SELECT {_KEY}, version FROM attempts a WHERE ending IS NOT NULL "
        f"AND NOT EXISTS (SELECT 1 FROM conduct t WHERE {_SAME})"
    ).fetchall()
    for *key, version in without:
        _count_again(new, Key(*key), version)


def _count_again(new: sqlite3.Connection, key: Key, version: str | None) -> None:
    """The figures of an attempt's turns, which were lost."""
    where = "benchmark = ? AND task = ? AND attempt = ?"
    blobs = new.execute(f"SELECT blob FROM turns WHERE {where} ORDER BY idx", key)
    with contextlib.suppress(StoreFault):
        store_conduct(new, key, conduct_of([codec.unpack_turn(blob) for (blob,) in blobs]), version or "")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
