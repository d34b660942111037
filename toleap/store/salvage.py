"""A torn database file made whole again: every record that can still be read is kept, everything else is owed again.

SQLite notices a page that is gone or torn only when something needs it. So the whole file is looked at when a run is
opened for writing; where it is not whole, every whole record that can be read moves into a new file, and the old one
is kept beside it.
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

from toleap.errors import StoreFault, UsageError
from toleap.store.database import DATABASE, connect, create, is_damage, readable
from toleap.store.lock import locked

_BESIDE = ("-wal", "-shm", "-journal")


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
    """What is wrong with the file's structure; a record that is not what was written is no problem of the file."""
    try:
        with contextlib.closing(connect(path, read_only=True)) as database:
            answer = str(database.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        answer = str(error) if is_damage(error) else "ok"
    return None if answer == "ok" else " ".join(answer.split())


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
    """Write every record that can be read of ``damaged`` to ``whole``, under its number."""
    with tempfile.TemporaryDirectory(dir=whole.parent, prefix=".salvage.") as place:
        making = Path(place) / whole.name
        with contextlib.closing(connect(making)) as new, contextlib.closing(sqlite3.connect(damaged)) as old:
            create(new)
            new.execute("BEGIN")
            for number, record in readable(old):
                new.execute("INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", (number, *record))
            if not new.execute("SELECT 1 FROM record").fetchone():
                raise UsageError(
                    f"{whole.with_suffix('')}: damaged, and nothing can be read of it any more; nothing was deleted: "
                    "move the folder away, or use another --run NAME"
                )
            new.execute("COMMIT")
            new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        making.replace(whole)
