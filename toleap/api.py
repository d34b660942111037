"""toleap from Python: run benchmarks, read runs, compare them. ``docs/python.md`` shows how.

``run`` and ``arun`` do what ``toleap run`` does, without printing; what they raise is a ``ToleapError`` with the same
one line. A ``Result`` reads what is stored, of a run that goes on or of one that is over.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from toleap.errors import UsageError
from toleap.report import frames
from toleap.report.comparison import compare_runs
from toleap.report.tables import Table, build_table, is_complete
from toleap.report.values import Comparison
from toleap.runs.events import Events
from toleap.runs.plan import Request, make_plan
from toleap.store.reading import StoredAttempt, read_attempts
from toleap.store.reading import read_run as read_result
from toleap.types import Key, RunResult

if TYPE_CHECKING:
    import pandas as pd

_T = TypeVar("_T")


class Options(TypedDict, total=False):
    """What ``run`` can be told; all of it is optional."""

    model: str
    """A preset, a hub name, a folder, or ``scripted:POLICY``."""
    base_url: str
    """Of a running ChatCompletions server."""
    k: int
    """Attempts at each task, 8 where neither this nor the preset says otherwise."""
    limit: int
    """How many tasks of each benchmark, from its first on."""
    name: str
    """The run's name; without it the model's and the fingerprint of its settings."""
    results: str | Path
    """The folder of all runs: ``results`` in the working folder."""
    preset: str
    web: str
    """``corpus:PATH``."""
    settings: Mapping[str, Any]
    """Settings by their whole names, as ``--set`` takes them: ``{"agent.max_turns": 20}``."""
    retry_quarantined: bool
    events: Events
    """Who is told what happens while the run goes on."""


class Result:
    """What is stored of a run in ``folder``. It is read when it is first asked for; ``read_run`` reads anew."""

    def __init__(self, folder: Path, halted: str | None = None) -> None:
        self.folder = folder
        self.halted = halted
        """Why ``run`` stopped before everything was played, None where it did not."""

    @functools.cached_property
    def run(self) -> RunResult:
        """Settings, and every planned attempt of every benchmark."""
        return read_result(self.folder)

    @functools.cached_property
    def attempts(self) -> pd.DataFrame:
        """One row for every planned attempt; columns: ``toleap.report.frames.ATTEMPTS``."""
        return frames.frame(frames.ATTEMPTS, frames.attempts(self.run, self._stored))

    @functools.cached_property
    def turns(self) -> pd.DataFrame:
        """One row for every turn; columns: ``toleap.report.frames.TURNS``."""
        return frames.frame(frames.TURNS, frames.turns(self._stored))

    @functools.cached_property
    def calls(self) -> pd.DataFrame:
        """One row for every tool call; columns: ``toleap.report.frames.CALLS``."""
        return frames.frame(frames.CALLS, frames.calls(self._stored))

    @functools.cached_property
    def verdicts(self) -> pd.DataFrame:
        """One row for every scorer's verdict; columns: ``toleap.report.frames.VERDICTS``."""
        return frames.frame(frames.VERDICTS, frames.verdicts(self.run, self._stored))

    def trajectory(self, benchmark: str, task: str, attempt: int) -> StoredAttempt:
        """One attempt: its messages, turns, calls with their results, ending and verdicts.

        Raises:
            UsageError: it is not planned, or has not begun.
        """
        wanted = Key(benchmark, task, attempt)
        stored = next(read_attempts(self.folder, {wanted}), None)
        if stored is None:
            planned = any(row.key == wanted for part in self.run.benchmarks for row in part.rows)
            why = "it has not begun" if planned else "this run has no such attempt"
            raise UsageError(f"{self.folder}: {benchmark}/{task} attempt {attempt}: {why}")
        return stored

    def table(self) -> Table:
        """The result table; ``to_dict`` makes plain data of it."""
        return build_table([self.run])

    @property
    def complete(self) -> bool:
        """Whether every planned attempt is scored."""
        return is_complete(self.table())

    @functools.cached_property
    def _stored(self) -> list[StoredAttempt]:
        return list(read_attempts(self.folder))

    def __repr__(self) -> str:
        return f"<toleap run {self.folder.name!r} in {self.folder.parent}>"

    def _repr_markdown_(self) -> str:
        """The table, as notebooks show it."""
        from toleap.report.render import to_markdown

        return to_markdown(self.table())


async def arun(*benchmarks: str, **options: Unpack[Options]) -> Result:
    """Play the owed attempts of a run and score them; what an earlier start has played is kept.

    Raises:
        UsageError: something that was asked for cannot be; nothing is written.
        ServerFault: the model server did not start.
        StoreFault: the run's folder cannot be written.
    """
    from toleap.runs.run import Run

    events = options.get("events", Events())
    plan = await asyncio.to_thread(make_plan, request(benchmarks, options), events.told)
    async with Run(plan, events) as played:
        await played.play()
        await played.score()
        return Result(played.folder, played.halted)


def run(*benchmarks: str, **options: Unpack[Options]) -> Result:
    """The same, waited for; in a notebook too, where an event loop runs already."""
    return _waited_for(arun(*benchmarks, **options))


def read_run(folder: str | Path) -> Result:
    """The run in a folder, as it is stored now.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    result = Result(Path(folder))
    _ = result.run
    return result


def compare(a: Result | str | Path, b: Result | str | Path) -> tuple[Comparison, ...]:
    """Run ``a`` minus run ``b``, paired by task, on each benchmark that both played.

    Raises:
        UsageError: a folder holds no run.
    """
    first, second = (one if isinstance(one, Result) else read_run(one) for one in (a, b))
    return compare_runs(first.run, second.run)


def request(benchmarks: tuple[str, ...], options: Options) -> Request:
    """What the options ask for, as a plan is made from it."""
    layer = dict(options.get("settings", {}))
    layer |= {name: options[name] for name in ("model", "web") if name in options}
    layer |= {"operation.base_url": options["base_url"]} if "base_url" in options else {}
    return Request(
        names=benchmarks,
        k=options.get("k"),
        limit=options.get("limit"),
        run=options.get("name"),
        results=Path(options.get("results", "results")),
        preset=options.get("preset"),
        layer=layer,
        retry_quarantined=options.get("retry_quarantined", False),
    )


def _waited_for(work: Coroutine[Any, Any, _T]) -> _T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(asyncio.run, work).result()
