"""What is done about damaged records of a run: they are owed again, and everything else stays."""

from __future__ import annotations

import sqlite3

from toleap.chat.dialects.text import content_of
from toleap.errors import TornRecord
from toleap.runs.store import codec, seals
from toleap.runs.store.writer import Writer
from toleap.types import Key

_KEY = "benchmark = ? AND task = ? AND attempt = ?"


async def heal(database: sqlite3.Connection, writer: Writer) -> list[Key]:
    """Make damaged records owed again; returns the attempts that are to be played again.

    A damaged verdict is dropped, so that it is given again. An attempt that waits for its verdict while its last
    message cannot be read counts as damaged too. Where its turns are whole, it ends again without another call.
    """
    lost = seals.damage(database)
    damaged = {Key(str(benchmark), str(task), int(str(n))) for benchmark, task, n in lost.attempts}
    attempts = sorted(damaged.union(_unreadable(database)))

    def operation(db: sqlite3.Connection) -> None:
        for key in lost.verdicts:
            db.execute(f"DELETE FROM verdicts WHERE {_KEY} AND scorer = ?", key)
            seals.forget(db, "verdicts", key)
        for attempt in attempts:
            seals.forget(db, "attempts", attempt)
            seals.forget(db, "conduct", attempt)
            for table in ("verdicts", "conduct"):
                db.execute(f"DELETE FROM {table} WHERE {_KEY}", attempt)
            db.execute(
                "UPDATE attempts SET ending = NULL, forced = 0, answer = NULL, faults = 0, fault = NULL, "
                f"quarantined = 0 WHERE {_KEY}",
                attempt,
            )

    if attempts or lost.verdicts:
        await writer.write(operation)
    return attempts


def last_message(database: sqlite3.Connection, key: Key) -> str:
    """The text of an attempt's last turn, empty where it has none.

    Raises:
        TornRecord: the record is torn or corrupted.
    """
    row = database.execute(f"SELECT blob FROM turns WHERE {_KEY} ORDER BY idx DESC LIMIT 1", key).fetchone()
    return content_of(codec.unpack_turn(row[0]).reply) if row else ""


def _unreadable(database: sqlite3.Connection) -> list[Key]:
    """Ended attempts that wait for a verdict, and whose last message cannot be read."""
    rows = database.execute(
        "SELECT a.benchmark, a.task, a.attempt FROM attempts a WHERE a.ending IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM verdicts v WHERE v.benchmark = a.benchmark AND v.task = a.task AND v.attempt = a.attempt "
        "AND v.status <> 'unscored')"
    ).fetchall()
    found = []
    for row in rows:
        try:
            last_message(database, Key(*row))
        except TornRecord:
            found.append(Key(*row))
    return found
