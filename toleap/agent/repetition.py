"""When a model goes round in circles: within one reply, and over turns.

Both definitions ask for exact repetition, back to back, up to the very end. A model that repeats itself with any
difference is not held to be repeating: it may be trying something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

_Item = TypeVar("_Item")
LONGEST_PHRASE = 2_000
"""Characters: longer phrases than this are not looked for."""
SHORTEST_LOOP = 1_000
"""Characters: a ruler or a row of zeros may end a reply; a thousand characters of it are a loop."""


def ends_in_loop(text: str, times: int) -> bool:
    """Whether a text ends in one phrase said at least ``times`` times in a row, without any difference.

    The phrase has at most ``LONGEST_PHRASE`` characters, and the loop at least ``SHORTEST_LOOP``. Where the text was
    cut off does not matter: a loop that stops in the middle of its phrase has the same period.
    """
    tail = text[-max(times * LONGEST_PHRASE, SHORTEST_LOOP) :][::-1]
    # The failure function of Knuth, Morris and Pratt: the smallest period of every prefix, in linear time.
    border = [0] * (len(tail) + 1)
    matched = 0
    for length in range(2, len(tail) + 1):
        while matched and tail[matched] != tail[length - 1]:
            matched = border[matched]
        matched += tail[matched] == tail[length - 1]
        border[length] = matched
        period = length - matched
        if period <= LONGEST_PHRASE and length >= max(times * period, SHORTEST_LOOP):
            return True
    return False


def ends_in_cycle(items: Sequence[_Item], *, times: int, longest: int, same: Callable[[_Item, _Item], bool]) -> bool:
    """Whether the last items are the same ``n`` items ``times`` times in a row, for an ``n`` up to ``longest``.

    So A A A is a cycle of one item three times, A B A B A B one of two. ``same`` must be an equality.
    """
    return any(
        len(items) >= times * period
        and all(same(items[-place], items[-place - period]) for place in range(1, (times - 1) * period + 1))
        for period in range(1, longest + 1)
    )


def texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value, for example all that a reply says: content, thoughts, arguments."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
