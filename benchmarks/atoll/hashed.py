"""A small random generator made of SHA-256 alone, so that a seed gives the same world on every machine and Python."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
_SPAN = 1 << 64


class Draw:
    """A stream of draws named by its key: the same key gives the same stream, another key an unrelated one."""

    def __init__(self, *key: object) -> None:
        self._key = "\x1f".join(str(part) for part in key).encode("utf-8")
        self._count = 0

    def below(self, limit: int) -> int:
        """An integer from 0 to ``limit`` - 1, each equally likely: a draw past the last whole multiple is redone."""
        usable = _SPAN - _SPAN % limit
        while True:
            digest = hashlib.sha256(self._key + self._count.to_bytes(8, "big")).digest()
            self._count += 1
            word = int.from_bytes(digest[:8], "big")
            if word < usable:
                return word % limit

    def between(self, low: int, high: int) -> int:
        """An integer from ``low`` to ``high``, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in ``percent`` of a hundred draws."""
        return self.below(100) < percent

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """``count`` different positions of ``items``, in drawn order."""
        rest = list(items)
        return [rest.pop(self.below(len(rest))) for _ in range(count)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All the items in drawn order."""
        return self.sample(items, len(items))
