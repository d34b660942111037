"""Ctrl-C and TERM: the first stops in good order, the second at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

INTERRUPTED = "interrupted; the same command continues where it stopped"


@dataclass(slots=True)
class Interrupts:
    """The first Ctrl-C (or TERM) stops in good order, the second at once.

    In good order: by what ``stopping`` was given while its block runs, else by cancelling the task, whose owner
    then calls ``settle``.
    """

    task: asyncio.Task[object] | None
    seen: bool = False
    stop: Callable[[str], None] | None = None

    def __call__(self) -> None:
        if self.seen:
            os._exit(130)
        self.seen = True
        if self.stop is not None:
            self.stop(INTERRUPTED)
        elif self.task is not None:
            self.task.cancel()

    @contextlib.contextmanager
    def stopping(self, stop: Callable[[str], None]) -> Iterator[None]:
        """While the block runs, an interrupt calls ``stop`` with the reason instead of cancelling the task."""
        self.stop = stop
        if self.seen:
            stop(INTERRUPTED)
        try:
            yield
        finally:
            self.stop = None

    def settle(self) -> bool:
        """Whether it was an interrupt that cancelled the task; then the task can go on and end in good order."""
        if self.seen and self.task is not None:
            self.task.uncancel()
        return self.seen


@contextlib.contextmanager
def catching() -> Iterator[Interrupts]:
    """Handle Ctrl-C and TERM while the block runs, within an event loop.

    Raises:
        KeyboardInterrupt: an interrupt cancelled the block, and nothing in it had settled that.
    """
    handler = Interrupts(asyncio.current_task())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handler)
    try:
        yield handler
    except asyncio.CancelledError:
        if handler.settle():
            raise KeyboardInterrupt from None
        raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
