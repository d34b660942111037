"""Checksums of the rows that numbers are made of, so that a damaged one is found and never counted.

SQLite checks no row. While a run is written, triggers of the writing connection keep a CRC-32 of each row of the
tables below in the table ``seals``; whoever reads compares. Turns and opening messages carry checksums of their own
(``codec``). Rows that were written before there were seals have none, and are taken as they are; where seals were
kept from the beginning, a row without one is another row whose key was damaged.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

_KEYS: Mapping[str, tuple[str, ...]] = {
    "meta": ("key",),
    "benchmarks": ("name",),
    "reports": ("benchmark",),
    "tasks": ("benchmark", "task"),
    "attempts": ("benchmark", "task", "attempt"),
    "conduct": ("benchmark", "task", "attempt"),
    "verdicts": ("benchmark", "task", "attempt", "scorer"),
}
_WITH_THEIR_OWN = {"opening"}
"""Columns whose values carry a checksum."""

_Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Damage:
    """The rows that are not what was written, by their keys; those that are gone are among them."""

    attempts: frozenset[_Row] = frozenset()
    verdicts: frozenset[_Row] = frozenset()
    others: tuple[str, ...] = ()
    """What is damaged of the plan, and rows that nobody wrote so: nothing else means anything with these."""

    def __bool__(self) -> bool:
        return bool(self.attempts or self.verdicts or self.others)


def seal_writes(database: sqlite3.Connection) -> None:
    """From now on every row that this connection writes gets its seal, in the same transaction."""
    database.create_function("toleap_seal", -1, _seal, deterministic=True)
    for table, key in _KEYS.items():
        columns = _columns(database, table)
        new = ", ".join(f"NEW.{column}" for column in columns)
        values = f"'{table}', {_name(key, 'NEW')}, toleap_seal('{','.join(columns)}', {new})"
        # Not INSERT OR REPLACE: in a trigger the outer statement's way with conflicts holds.
        sealed = f"{_drop(table, key, 'NEW')}; INSERT INTO seals VALUES ({values})"
        for event, does in (("INSERT", sealed), ("UPDATE", sealed), ("DELETE", _drop(table, key, "OLD"))):
            database.execute(
                f"CREATE TEMP TRIGGER seal_{event.lower()}_{table} AFTER {event} ON main.{table} BEGIN {does}; END"
            )


def damage(database: sqlite3.Connection) -> Damage:
    """What of the database is not as it was written."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'seals'").fetchone():
        return Damage()
    tables = {table: _compared(database, table) for table in _KEYS if _columns(database, table)}
    found = {table: compared.broken for table, compared in tables.items()}
    # The figures of an attempt are made when it ends: with them damaged it has to end again.
    attempts = found.pop("attempts", frozenset()) | found.pop("conduct", frozenset())
    verdicts = found.pop("verdicts", frozenset())
    plan = [(table, key) for table, keys in found.items() for key in keys]
    plan += [(table, key) for table, compared in tables.items() for key in compared.strays]
    others = (f"{table} {' '.join(map(str, key))}" for table, key in sorted(plan, key=str))
    return Damage(attempts, verdicts, tuple(others))


def seal_again(database: sqlite3.Connection) -> None:
    """Make the seals of all rows anew, as they are now."""
    database.execute("DELETE FROM seals WHERE of <> ''")
    for table, key in _KEYS.items():
        columns = _columns(database, table)
        places = [columns.index(column) for column in key]
        names = ",".join(columns)
        for row in database.execute(f"SELECT {names} FROM {table}").fetchall():
            made = (table, _joined(tuple(row[place] for place in places)), _seal(names, *row))
            database.execute("INSERT INTO seals VALUES (?, ?, ?)", made)


def drop_damaged(database: sqlite3.Connection) -> None:
    """Delete the rows that are not what was written; an attempt's row stays, and is owed, if its key is its own."""
    for table, key in _KEYS.items():
        where = " AND ".join(f"{column} = ?" for column in key)
        compared = _compared(database, table)
        for stray in compared.strays:
            database.execute(f"DELETE FROM {table} WHERE {where}", stray)
        for found in compared.broken:
            if table == "attempts":
                database.execute(
                    "UPDATE attempts SET ending = NULL, forced = 0, answer = NULL, faults = 0, fault = NULL, "
                    f"quarantined = 0 WHERE {where}",
                    found,
                )
            else:
                database.execute(f"DELETE FROM {table} WHERE {where}", found)


def forget(database: sqlite3.Connection, table: str, key: _Row) -> None:
    """Drop the seal of a row that is gone."""
    database.execute("DELETE FROM seals WHERE of = ? AND key = ?", (table, _joined(key)))


@dataclass(frozen=True, slots=True)
class _Compared:
    """Keys of a table: of rows that are gone or are not what was written, and of rows that were not written so."""

    broken: frozenset[_Row]
    strays: frozenset[_Row]


def _compared(database: sqlite3.Connection, table: str) -> _Compared:
    columns = _columns(database, table)
    seals = dict(database.execute("SELECT key, seal FROM seals WHERE of = ?", (table,)))
    all_sealed = database.execute("SELECT 1 FROM seals WHERE of = ''").fetchone() is not None
    names = ",".join(columns)
    places = [columns.index(column) for column in _KEYS[table]]
    seen: set[str] = set()
    broken: set[_Row] = set()
    strays: set[_Row] = set()
    for row in database.execute(f"SELECT {names} FROM {table}"):
        key = tuple(row[place] for place in places)
        name = _joined(key)
        if name in seen or (all_sealed and name not in seals):
            strays.add(key)
        elif name in seals and seals[name] != _seal(names, *row):
            broken.add(key)
        seen.add(name)
    broken.update(_parted(name) for name in seals if name not in seen)
    return _Compared(frozenset(broken), frozenset(strays))


def _parted(name: str) -> _Row:
    """A key as it was before it was joined. Attempts are numbered: the third part of a key that has one."""
    texts = str(name).split(_BETWEEN)
    return tuple(int(text) if place == 2 and text.isdecimal() else text for place, text in enumerate(texts))


_BETWEEN = "\x1f"


def _joined(key: _Row) -> str:
    return _BETWEEN.join(map(str, key))


def _drop(table: str, key: tuple[str, ...], row: str) -> str:
    return f"DELETE FROM seals WHERE of = '{table}' AND key = {_name(key, row)}"


def _name(key: tuple[str, ...], row: str) -> str:
    return " || char(31) || ".join(f"{row}.{column}" for column in key)


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    names = [str(row[1]) for row in database.execute(f"PRAGMA main.table_info({table})")]
    return [name for name in names if name not in _WITH_THEIR_OWN]


def _seal(names: str, *values: object) -> int:
    """The checksum of a row. What is empty does not count: a column that is added later changes no seal."""
    held = [(name, value) for name, value in zip(names.split(","), values, strict=True) if value]
    return zlib.crc32(repr(held).encode("utf-8", "surrogatepass"))
