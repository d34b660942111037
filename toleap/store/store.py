"""The writing side of a run: it appends records, and reads them as what is to be done.

``results/<run>/run.db`` is SQLite in WAL mode with ``synchronous=FULL``. One process may write a run (a lock file
says so); any number may read it while it runs.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from toleap.errors import StoreFault, UsageError
from toleap.store import records
from toleap.store.conduct import bad_calls, conduct_of
from toleap.store.database import DATABASE, about, after, check_format, connect, create, insert, is_damage
from toleap.store.lock import locked
from toleap.store.reading import spent, trajectory
from toleap.store.records import (
    Answered,
    Benchmark,
    Kind,
    Opened,
    Planned,
    Played,
    Run,
    body_of,
    digest_of,
    same,
)
from toleap.store.salvage import finish
from toleap.store.state import FOLDED, RunState, fold, result_of
from toleap.store.writer import Writer
from toleap.types import Key, Message, Role, RunResult, ScoredBy, Trajectory, Turn, Usage, Verdict
from toleap.version import __version__

Said = tuple[Key, object]
"""What a record is about, and its body."""


@dataclass(frozen=True, slots=True)
class Owed:
    """An attempt that has to run (again): how often it failed by a fault of ours so far."""

    key: Key
    faults: int


@dataclass(frozen=True, slots=True)
class Unjudged:
    """An ended attempt that waits for a verdict: what there is to score, and its ``digest``, which verdicts name."""

    key: Key
    digest: str
    answer: str | None
    response: str
    """The whole last message."""


class Store:
    """The writing side of one run. Use as a context manager: it holds the run's lock.

    Raises:
        UsageError: another process is writing the run, or the database is none that can be read.
        StoreFault: it cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = locked(folder)
        self.folder = folder
        self._path = folder / DATABASE
        self._state = RunState()
        self._opened: dict[Key, Opened] = {}
        self.surroundings: Mapping[str, str] = {}
        """What attempts are played with from now on."""
        try:
            finish(self._path)
            self._reader = connect(self._path)
            check_format(self._reader, self._path)
            create(self._reader)
        except UsageError:
            self._lock.close()
            raise
        except sqlite3.Error as error:
            self._lock.close()
            if is_damage(error):
                raise UsageError(f"{self._path}: not a readable results database: {error}") from error
            raise StoreFault(f"{self._path}: cannot be opened: {error}") from error
        self._writer = Writer(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        self._reader.close()
        self._lock.close()

    @property
    def state(self) -> RunState:
        """How the run stands after everything that is durable now."""
        with self._reading():
            return fold(after(self._reader, self._state.last, FOLDED), self._state)

    def result(self) -> RunResult:
        """The whole run as a report needs it.

        Raises:
            StoreFault: what it was is not known any more.
        """
        state = self.state
        if state.problem:
            raise StoreFault(f"{self._path}: {state.problem}")
        return result_of(state, self.folder.name)

    async def put_plan(
        self, run: Run, benchmarks: Mapping[str, Benchmark], tasks: Mapping[str, Mapping[str, Planned]]
    ) -> None:
        """Write down what of a plan is not there yet, all at once. What is planned already stays.

        Args:
            tasks: benchmark → task → how it is planned.
        """
        state = self.state
        planned = [
            (Key(benchmark, task, 0), one)
            for benchmark, wanted in tasks.items()
            for before in [state.planned(benchmark)]
            for task, one in wanted.items()
            if task not in before or not same(before[task], replace(one, k=max(one.k, before[task].k)))
        ]
        parts: list[Said] = [
            (Key(name, "", 0), part)
            for name, part in benchmarks.items()
            if state.problem or not same(state.benchmarks.get(name), part)
        ]
        # Last, since what comes before the newest settings is no problem any more.
        settings: list[Said] = [(Key("", "", 0), run)] if state.problem or not same(state.run, run) else []
        if bodies := [*parts, *planned, *settings]:
            await self._append(*bodies)

    async def put_scorers(self, benchmark: str, scorers: Sequence[ScoredBy], measures: Sequence[str]) -> None:
        """From now on these scorers' verdicts count, the headline's first, and these measures stand beside them.

        Verdicts of others are kept.
        """
        part = replace(self.state.benchmarks[benchmark], scorers=tuple(scorers), measures=tuple(measures))
        if not same(part, self.state.benchmarks[benchmark]):
            await self._append((Key(benchmark, "", 0), part))

    def owed(self, benchmarks: Iterable[str], *, with_quarantined: bool = False) -> list[Owed]:
        """The attempts that have not ended, attempt by attempt: a partial run is already a fair avg@1."""
        state, wanted = self.state, set(benchmarks)
        owed = []
        for benchmark in state.benchmarks:
            origin = state.origin(benchmark)
            for key in state.keys(benchmark) if benchmark in wanted else ():
                faults = state.faults(key)
                if state.ended(key, origin) is None and (with_quarantined or not faults.quarantined):
                    owed.append(Owed(key, faults.count))
        return sorted(owed, key=lambda item: item.key.attempt)

    def trajectory_so_far(self, key: Key) -> tuple[tuple[Message, ...], tuple[Turn, ...]] | None:
        """The opening messages and the durable turns of an attempt; None where it has not begun.

        Raises:
            TornRecord: a record is torn or corrupted.
            StoreFault: the database cannot be read.
        """
        with self._reading():
            begun = trajectory(self._reader, key, self.state.origin(key.benchmark))
        if begun is None:
            return None
        self._opened[key] = begun[0]
        return begun[0].messages, begun[1]

    async def begin(self, key: Key, messages: Sequence[Message], *, restart: bool = False) -> None:
        """Start an attempt anew: its opening messages, and no turns. ``restart`` counts that turns were given up."""
        with self._reading():
            before = [body_of(record, Opened) for _, record in about(self._reader, Kind.OPENED, *key)]
        restarts = max((one.restarts for one in before), default=0) + restart
        origin = self.state.origin(key.benchmark)
        version, around = __version__, dict(self.surroundings)
        opened = Opened(
            records.name(), origin, version=version, restarts=restarts, messages=tuple(messages), surroundings=around
        )
        await self._append((key, opened))
        self._opened[key] = opened

    async def put_turn(self, key: Key, turn: Turn, tokens: Mapping[Role, Usage] | None = None) -> None:
        """Make a turn durable before the next one starts, and with it what was spent on it and elsewhere."""
        await self._append((key, Played(self._opened[key].opening, turn)), *_spent(tokens))

    async def spend(self, tokens: Mapping[Role, Usage]) -> None:
        """Store what was spent, by role."""
        if tokens:
            await self._append(*_spent(tokens))

    def spent(self) -> dict[Role, Usage]:
        """What the run has cost so far, by role."""
        with self._reading():
            return spent(self._reader)

    async def end(self, played: Trajectory) -> Unjudged:
        """Store how an attempt ended; returns what there is to score."""
        key, turns, opened = played.key, played.turns, self._opened[played.key]
        digest = digest_of(opened.opening, played.ending, played.answer, played.response)
        ended = Answered(
            origin=opened.origin,
            digest=digest,
            ending=played.ending,
            forced=played.forced,
            answer=played.answer,
            response=played.response,
            turns=len(turns),
            tool_calls=sum(len(turn.calls) for turn in turns),
            bad_calls=bad_calls(turns),
            prompt_tokens=sum(turn.usage.prompt for turn in turns),
            completion_tokens=sum(turn.usage.completion for turn in turns),
            seconds=sum(turn.seconds for turn in turns),
            restarts=opened.restarts,
            versions=tuple(dict.fromkeys((opened.version, __version__))),
            conduct=conduct_of(turns),
            ended=records.now(),
            surroundings=_both(opened.surroundings, self.surroundings),
        )
        await self._append((key, ended))
        return Unjudged(key, digest, played.answer, played.response)

    async def fault(self, key: Key, reason: str, *, quarantine: bool) -> None:
        """Note a failure of ours: the attempt stays owed, or is set aside after too many."""
        await self._append((key, records.Fault(records.name(), reason[:2_000], quarantine)))

    async def forgive(self, keys: Iterable[Key]) -> None:
        """Forget the faults of quarantined attempts: they get all their tries again, once they are played."""
        state = self.state
        aside = [key for key in keys if state.faults(key).quarantined]
        if aside:
            await self._append(*((key, records.Forgiven(tuple(state.failures[key]))) for key in aside))

    async def put_verdict(self, on: Unjudged, verdict: Verdict) -> None:
        """Store a verdict; a scorer's earlier one on the same answer counts no longer. The same one is kept once."""
        # What an earlier start has stored was read when this one looked for what is missing.
        earlier = self._state.verdicts.get((on.key, on.digest, verdict.scorer))
        if earlier is not None and earlier[1] == verdict:
            return
        await self._append((on.key, records.Given(on.digest, verdict, records.now())))

    def without_verdict(self, benchmark: str, scorer: str) -> list[Unjudged]:
        """Ended attempts on which this scorer has given no verdict, or could not."""
        state, origin = self.state, self.state.origin(benchmark)
        waiting = []
        for key in state.keys(benchmark):
            ended = state.ended(key, origin)
            verdict = None if ended is None else state.verdict(key, ended, scorer)
            if ended is not None and (verdict is None or verdict.status == "unscored"):
                waiting.append(self._unjudged(key, ended.digest))
        return waiting

    def _unjudged(self, key: Key, digest: str) -> Unjudged:
        with self._reading():
            for _, record in about(self._reader, Kind.ENDED, *key):
                ended = body_of(record, Answered)
                if ended.digest == digest:
                    return Unjudged(key, digest, ended.answer, ended.response)
        raise StoreFault(f"{self._path}: the record of how {key} ended is gone")

    async def _append(self, *bodies: Said) -> None:
        """Append records, all of them or none."""
        await self._writer.write(lambda db: insert(db, [records.sealed(key, body) for key, body in bodies]))

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreFault(f"{self._path}: cannot be read: {error}") from error


def _both(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """The surroundings of an attempt that may have begun under others than it ended."""
    both = {name: (before.get(name, "none"), now.get(name, "none")) for name in (*before, *now)}
    return {name: first if first == last else f"{first}, then {last}" for name, (first, last) in both.items()}


def _spent(tokens: Mapping[Role, Usage] | None) -> list[Said]:
    return [(Key("", "", 0), records.Spent(records.name(), tokens))] if tokens else []
