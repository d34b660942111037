"""A request that came to nothing, and how long to wait before it is made again."""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Mapping

_LONGEST_PAUSE = 15.0
_MOST_ASKED_FOR = 3_600.0


class Failed(Exception):
    """One request failed.

    ``passing``: it may succeed later, after ``retry_after`` seconds. ``everybody``: no conversation gets through, not
    only this one, so none is to blame; where it is False, this is not known. ``status`` is what the server answered,
    0 where it did not.
    """

    def __init__(
        self,
        reason: str,
        *,
        passing: bool = True,
        retry_after: float = 0.0,
        everybody: bool = False,
        status: int = 0,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.passing = passing
        self.retry_after = retry_after
        self.everybody = everybody
        self.status = status


class Waiting:
    """One call's waiting for a server: from its first failure on, and with growing pauses."""

    def __init__(self, patience: float) -> None:
        self.since = self.before_last = self._last = time.monotonic()
        """``before_last``: when the failure before the last one was, or the first one."""
        self.failures = 0
        self._pause = 0.125
        self._longest = min(_LONGEST_PAUSE, max(patience / 4, 0.25))

    def failed(self, retry_after: float) -> float:
        """The pause before the next try: twice the one before, up to a bound, or what the server asked for."""
        self.failures += 1
        self._last, self.before_last = time.monotonic(), self._last
        self._pause = min(self._pause * 2, self._longest)
        return max(self._pause, retry_after)


def seconds_until(headers: Mapping[str, str]) -> float:
    """How long a server asks to be left alone, in seconds, at most an hour; 0 where it does not say.

    ``retry-after-ms`` is more exact than ``Retry-After``, which is a number of seconds or an HTTP date.
    """
    named = {name.lower(): value for name, value in headers.items()}
    try:
        exact = float(named.get("retry-after-ms", "")) / 1_000
    except ValueError:
        exact = 0.0
    return min(exact, _MOST_ASKED_FOR) if exact > 0 else seconds_of(named.get("retry-after"))


def seconds_of(retry_after: str | None) -> float:
    """``Retry-After`` in seconds: a number or an HTTP date, at most an hour; 0 where it says nothing."""
    try:
        asked = float(retry_after or 0)
    except ValueError:
        asked = _until(str(retry_after))
    return min(max(asked, 0.0), _MOST_ASKED_FOR) if not math.isnan(asked) else 0.0


def _until(date: str) -> float:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
