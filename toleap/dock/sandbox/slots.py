"""A user id for each sandbox that runs as root, distinct across all processes of the machine.

The kernel counts processes per user id: two sandboxes with one id would use up each other's limit. A slot is a
locked file; the lock goes with the process that holds it, so a killed process leaves nothing taken.
"""

from __future__ import annotations

import fcntl
import itertools
import os

from toleap.dock.sandbox import places
from toleap.errors import ToolFault

FIRST_UID = 61000
SLOTS = 1000
# Each process begins elsewhere and goes round: a user id rests before it is used again.
_next = itertools.count(os.getpid() * 64)


class Slot:
    """A taken slot; ``uid`` is nobody else's until ``free``."""

    def __init__(self, uid: int, lock: int) -> None:
        self.uid = uid
        self._lock: int | None = lock

    def free(self) -> None:
        """Give the slot back. May be called twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def take() -> Slot:
    """A free slot.

    Raises:
        ToolFault: all are taken.
        UsageError: the folder of the locks cannot be made.
    """
    folder = places.shared("slots")
    for _ in range(SLOTS):
        number = next(_next) % SLOTS
        descriptor = os.open(folder / f"{number:03d}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            return Slot(FIRST_UID + number, descriptor)
    raise ToolFault(f"all {SLOTS} sandbox slots of this machine are taken")
