"""The one thread that writes a run's database, and commits for everybody who is waiting at once.

A disk flush takes milliseconds, so whatever arrives while one commit is being flushed shares the next one: a write
waits for at most two flushes, and thousands of turns a second become durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toleap.errors import StoreFault
from toleap.store.database import connect

Operation = Callable[[sqlite3.Connection], object]
"""Runs in the writer's thread, inside a transaction."""

_MOST_IN_ONE_COMMIT = 512


@dataclass(frozen=True, slots=True)
class _Write:
    operation: Operation
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]


class Writer:
    """Applies operations to one SQLite database in order; ``write`` returns when its operation is on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._failed: StoreFault | None = None
        self._thread = threading.Thread(target=self._run, name="toleap-store", daemon=True)
        self._thread.start()

    async def write(self, operation: Operation) -> None:
        """Apply ``operation`` durably.

        Raises:
            StoreFault: the database cannot be written; every later write fails too.
            Exception: what ``operation`` raised, where that is no error of the database; others are not touched.
        """
        if self._failed is not None:
            raise self._failed
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.put(_Write(operation, loop, done))
        await asyncio.shield(done)

    def close(self) -> None:
        """Finish what is waiting and stop."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        with contextlib.ExitStack() as closing:
            try:
                database = closing.enter_context(contextlib.closing(connect(self._path)))
            except sqlite3.Error as error:
                self._failed = StoreFault(f"{self._path}: cannot write: {error}")
            more = True
            while more:
                batch, more = self._gather()
                if self._failed is None:
                    batch = self._commit(database, batch)
                _tell(batch, self._failed)

    def _gather(self) -> tuple[list[_Write], bool]:
        batch: list[_Write] = []
        item = self._waiting.get()
        while True:
            if item is None:
                return batch, False
            batch.append(item)
            if len(batch) >= _MOST_IN_ONE_COMMIT:
                return batch, True
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return batch, True

    def _commit(self, database: sqlite3.Connection, batch: list[_Write]) -> list[_Write]:
        """Commit the batch; returns it without those that could not be applied, who have been told."""
        while batch and self._failed is None:
            broken = self._apply(database, batch)
            if broken is None:
                break
            _tell([broken.write], broken.error)
            batch = [item for item in batch if item is not broken.write]
        return batch

    def _apply(self, database: sqlite3.Connection, batch: list[_Write]) -> _Broken | None:
        """Apply and commit the batch; returns the operation that cannot be applied, for which nothing was."""
        try:
            with database:
                database.execute("BEGIN IMMEDIATE")
                for item in batch:
                    try:
                        item.operation(database)
                    except sqlite3.Error:
                        raise
                    except Exception as bug:
                        raise _Broken(item, bug) from bug
        except sqlite3.Error as error:
            self._failed = StoreFault(f"{self._path}: cannot write: {error}")
        except _Broken as broken:
            return broken
        return None


class _Broken(Exception):
    """One operation of a batch raised something that is no error of the database."""

    def __init__(self, write: _Write, error: Exception) -> None:
        super().__init__(str(error))
        self.write = write
        self.error = error


def _tell(batch: list[_Write], error: Exception | None) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for item in batch:
        by_loop.setdefault(item.loop, []).append(item.done)
    for loop, futures in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, futures, error)


def _settle(futures: list[asyncio.Future[None]], error: Exception | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
