"""What any process may read of a run while another one may be writing it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from toleap.errors import UsageError
from toleap.runs.store import results
from toleap.runs.store.writer import DATABASE, connect, is_damage
from toleap.types import Key, RunResult, VerdictStatus

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
            made = "SELECT count(*) FROM sqlite_master WHERE name IN ('meta', 'attempts')"
            return bool(database.execute(made).fetchone()[0] == 2)
    except (sqlite3.Error, ValueError):
        return True


def read_run(folder: Path) -> RunResult:
    """A run's result, read while another process may be writing it.

    Raises:
        UsageError: the folder holds no run, or its database cannot be read.
    """
    path = _begun(folder)
    try:
        with contextlib.closing(connect(path, read_only=True)) as database:
            return results.read(database, folder.name)
    except sqlite3.Error as error:
        raise _unreadable(path, error) from error
    except results.Damaged as lost:
        raise UsageError(f"{path}: the record of {lost} is not what was written{_ADVICE}") from lost
    except ValueError as error:
        raise UsageError(f"{path}: damaged: {error}{_ADVICE}") from error


def read_verdicts(folder: Path, benchmark: str) -> dict[str, dict[Key, VerdictStatus]]:
    """Every scorer's verdicts on a benchmark of a run: fingerprint → attempt → status.

    Raises:
        UsageError: the folder holds no run, or its database cannot be read.
    """
    path = _begun(folder)
    found: dict[str, dict[Key, VerdictStatus]] = {}
    try:
        with contextlib.closing(connect(path, read_only=True)) as database:
            rows = database.execute(
                "SELECT scorer, task, attempt, status FROM verdicts WHERE benchmark = ?", (benchmark,)
            )
            for scorer, task, attempt, status in rows:
                found.setdefault(scorer, {})[Key(benchmark, task, attempt)] = status
    except sqlite3.Error as error:
        raise _unreadable(path, error) from error
    return found


def _unreadable(path: Path, error: sqlite3.Error) -> UsageError:
    return UsageError(f"{path}: cannot be read: {error}{_ADVICE if is_damage(error) else ''}")


def _begun(folder: Path) -> Path:
    if not holds_run(folder):
        raise UsageError(f"{folder}: no run here (no {DATABASE}, or nothing in it yet)")
    return folder / DATABASE
