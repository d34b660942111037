"""Gold answers beside what a run did: taken from the benchmark's data, and shown only where that is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from toleap.benchmark import load_played
from toleap.errors import UsageError
from toleap.types import BenchmarkResult, Key, RunResult, Task, Verdict

_WITHHELD = "its owners ask that answers are not spread; --gold shows it"


@dataclass(frozen=True, slots=True)
class Gold:
    """What a task asks and its gold answer, as far as they are here and may be seen."""

    question: str | None
    answer: str | None
    missing: str | None
    """Why there is no gold answer."""
    open: bool
    """Whether what scorers said may be seen: a reason mostly repeats the gold answer."""

    def reason(self, verdict: Verdict | None) -> str | None:
        """Why a scorer decided so, where that may be seen."""
        return verdict.reason if verdict is not None and self.open else None

    def words(self, verdict: Verdict | None) -> str | None:
        """What the judge wrote, as far as it is stored and may be seen."""
        return verdict.raw if verdict is not None and self.open else None


class GoldBook:
    """The gold answers of a run's benchmarks; each benchmark's data is read when it is first asked for.

    Args:
        trust: let Python of benchmark folders that are not shipped run.
        show: also show answers whose owners ask that they are not spread.
    """

    def __init__(self, run: RunResult, *, trust: bool, show: bool) -> None:
        self._run, self._trust, self._show = run, trust, show
        self._read: dict[str, tuple[Mapping[str, Task], str | None, bool]] = {}

    def of(self, key: Key) -> Gold:
        """What is known of an attempt's task."""
        if key.benchmark not in self._read:
            part = next(part for part in self._run.benchmarks if part.name == key.benchmark)
            self._read[key.benchmark] = self._tasks(part)
        tasks, problem, may = self._read[key.benchmark]
        task = tasks.get(key.task)
        if task is None:
            return Gold(None, None, problem or "the data has no such task any more", may)
        return Gold(task.question, task.answer if may else None, None if may else _WITHHELD, may)

    def _tasks(self, part: BenchmarkResult) -> tuple[Mapping[str, Task], str | None, bool]:
        may = self._show
        try:
            benchmark = load_played(self._run, part, trust=self._trust)
            may = may or benchmark.publish
            benchmark.check_played(part.revision, self._run.name)
            return {task.id: task for task in benchmark.tasks()}, None, may
        except UsageError as error:
            return {}, str(error), may
