"""The file that a run's records are in: one table of SQLite, only ever appended to."""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from toleap.errors import UsageError
from toleap.store.records import FORMAT, Kind, Record

DATABASE = "run.db"

_SCHEMA = f"""
BEGIN;
CREATE TABLE IF NOT EXISTS record (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, benchmark TEXT NOT NULL, task TEXT NOT NULL, attempt INTEGER NOT NULL,
    body BLOB NOT NULL, seal BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS record_of ON record (kind, benchmark, task, attempt);
PRAGMA user_version = {FORMAT};
COMMIT;
"""
_COLUMNS = "kind, benchmark, task, attempt, body, seal"
_TEXT = functools.partial(str, encoding="utf-8", errors="replace")
"""A text of which a bit was flipped is another text, for its seal to tell, and no reason to read nothing at all."""

Row = tuple[int, Record]
"""A record and its number: a later one was written later."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in WAL mode with ``synchronous=FULL``; transactions are begun explicitly."""
    if read_only:
        # In a folder that cannot be written SQLite makes no index of the log, and without a log nobody is writing.
        sealed = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
        options = "mode=ro&immutable=1" if sealed else "mode=ro"
        database = sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, timeout=30)
    else:
        database = sqlite3.connect(path, timeout=30)
    database.isolation_level = None
    database.text_factory = _TEXT
    if not read_only:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
    return database


def create(database: sqlite3.Connection) -> None:
    """Make the table where there is none, in one transaction."""
    database.executescript(_SCHEMA)


def check_format(database: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that holds something else than records of this format.

    Raises:
        UsageError: it does.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    empty = not database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    if version != FORMAT and not (version == 0 and empty):
        raise UsageError(
            f"{path}: its format is {version}, this toleap reads and writes {FORMAT}: use the version that made it, "
            "or another --run NAME"
        )


def is_made(database: sqlite3.Connection) -> bool:
    """Whether the table is there."""
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = 'record'").fetchone() is not None


def insert(database: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Append records, within a transaction."""
    database.executemany(f"INSERT INTO record ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", records)


def about(database: sqlite3.Connection, kind: Kind, *key: object) -> Iterator[Row]:
    """The whole records of one kind about a benchmark, a task or an attempt, in the order they were written."""
    where = " AND ".join(f"{column} = ?" for column in ("benchmark", "task", "attempt")[: len(key)])
    query = f"SELECT seq, {_COLUMNS} FROM record WHERE kind = ? {'AND ' + where if where else ''} ORDER BY seq"
    for seq, *row in database.execute(query, (kind.value, *key)):
        record = Record._make(row)
        if record.is_whole:
            yield seq, record


def after(database: sqlite3.Connection, seq: int, kinds: Iterable[Kind]) -> Iterator[Row]:
    """All records of some kinds that were written after number ``seq``, whole or not.

    They are those of one moment, whatever is written meanwhile: what a caller has read up to the largest number that
    it got, it has read whole.
    """
    (newest,) = database.execute("SELECT coalesce(max(seq), 0) FROM record").fetchone()
    for kind in kinds:
        # By the index: the turns between them are many times as large.
        rows = database.execute(
            f"SELECT seq, {_COLUMNS} FROM record INDEXED BY record_of WHERE kind = ? AND seq > ? AND seq <= ?",
            (kind.value, seq, newest),
        )
        for row in rows:
            yield row[0], Record._make(row[1:])


def readable(database: sqlite3.Connection) -> Iterator[Row]:
    """Every whole record of a torn file that can be read: from its beginning and from its end up to what is torn.

    Those in the middle may come twice.
    """
    # Without this SQLite reads nothing at all of a file that is shorter than it should be.
    database.execute("PRAGMA writable_schema=ON")
    database.text_factory = _TEXT
    for direction in ("ASC", "DESC"):
        with contextlib.suppress(sqlite3.DatabaseError):
            query = f"SELECT seq, {_COLUMNS} FROM record NOT INDEXED ORDER BY seq {direction}"
            for seq, *row in database.execute(query):
                record = Record._make(row)
                if record.is_whole:
                    yield seq, record


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the database itself is not what SQLite had written, unlike one that only cannot be opened now."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
