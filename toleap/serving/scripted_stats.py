"""What the scripted server was asked, counted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

_TOKENS_A_SECOND = 50.0
"""How fast the counters of ``metrics`` move while a request is being played."""


@dataclass(slots=True)
class Stats:
    """What was asked. ``by_id`` counts the requests that were played, by their ``X-Request-Id``.

    A copy of a request is alive until it is answered or its client has hung up; ``peak_alive`` is the most copies of
    one id that were alive at once. ``too_early`` counts the requests that came before the end of the time for which
    an earlier one of the same id was told to wait.
    """

    requests: int = 0
    failed: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    hung_up: int = 0
    peak_alive: int = 0
    too_early: int = 0
    by_id: Counter[str] = field(default_factory=Counter)
    _alive: Counter[str] = field(default_factory=Counter)
    _not_before: dict[str, float] = field(default_factory=dict)
    _playing: dict[int, float] = field(default_factory=dict)
    _played_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """All counts, and how many ids were played more than once."""
        return {
            "requests": self.requests,
            "failed": self.failed,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
            "hung_up": self.hung_up,
            "peak_alive": self.peak_alive,
            "too_early": self.too_early,
            "repeated": sum(count > 1 for count in self.by_id.values()),
            "by_id": dict(self.by_id),
        }

    @contextlib.asynccontextmanager
    async def alive(self, request_id: str | None) -> AsyncIterator[None]:
        """The block handles one request; it is cancelled when the client hangs up."""
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        name = request_id or ""
        self.too_early += time.monotonic() < self._not_before.pop(name, 0.0)
        self._alive[name] += 1
        try:
            if self._alive[name] > 1 and name:
                # An earlier copy whose client hung up before this one was sent is no longer alive, but a server
                # that was busy meanwhile has yet to notice.
                for _ in range(5):
                    await asyncio.sleep(0)
            self.peak_alive = max(self.peak_alive, self._alive[name]) if name else self.peak_alive
            yield
        except asyncio.CancelledError:
            self.hung_up += 1
            raise
        finally:
            self._alive[name] -= 1
            self.in_flight -= 1

    def told_to_wait(self, request_id: str | None, seconds: float) -> None:
        """The client of this request was told to come back after so many seconds."""
        self._not_before[request_id or ""] = time.monotonic() + seconds

    @contextlib.contextmanager
    def playing(self, number: int) -> Iterator[None]:
        """The block plays a request: the counters of ``metrics`` move."""
        self._playing[number] = time.monotonic()
        try:
            yield
        finally:
            self._played_seconds += time.monotonic() - self._playing.pop(number)

    def metrics(self) -> str:
        """The counters as vLLM gives them: requests that nobody plays are not among them."""
        now = time.monotonic()
        seconds = self._played_seconds + sum(now - began for began in self._playing.values())
        return (
            f'vllm:num_requests_running{{engine="0",model_name="scripted"}} {float(len(self._playing))}\n'
            f'vllm:num_requests_waiting{{engine="0",model_name="scripted"}} 0.0\n'
            f'vllm:generation_tokens_total{{engine="0",model_name="scripted"}} {seconds * _TOKENS_A_SECOND}\n'
        )
