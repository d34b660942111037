"""``toleap show``."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console, RenderableType

from toleap.commands.command import argument, as_json, option, results, trust
from toleap.commands.output import print_json, print_screen
from toleap.commands.stored import run_folder
from toleap.errors import UsageError
from toleap.report.gold import GoldBook
from toleap.report.inspection import (
    Inspected,
    attempt_document,
    inspected,
    run_document,
    standing,
    task_document,
    tasks_of,
)
from toleap.report.screens import attempt_screen, run_screen, task_screen
from toleap.store.reading import read_attempts, read_run
from toleap.types import AttemptRow, BenchmarkResult, RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """Show a run's settings and grid of attempts; a task's attempts side by side; one attempt turn by turn.

    TASK is a task's id, BENCHMARK/ID, or the beginning of either; ATTEMPT counts from 0. What is long is cut short,
    thoughts are one line. On a terminal the output is paged.

    \b
    Examples:
      toleap show my-run
      toleap show my-run t-0007
      toleap show my-run gaia/c61d22de 0 --full
    """

    run_name: str = argument(metavar="RUN")
    task: str | None = argument(metavar="[TASK]", required=False)
    attempt: int | None = argument(metavar="[ATTEMPT]", required=False, type=click.IntRange(min=0))
    full: bool = option("--full", is_flag=True, help="Cut nothing short, and show thoughts and every setting.")
    gold: bool = option(
        "--gold", is_flag=True, help="Also show gold answers whose owners ask that they are not spread."
    )
    trust: bool = trust()
    results: Path = results()
    as_json: bool = as_json()

    def __call__(self) -> int:
        """Print it; returns 0 where everything that is shown is scored, else 1.

        Raises:
            UsageError: there is no such run, task or attempt.
        """
        folder = run_folder(self.run_name, self.results)
        run = read_run(folder)
        if self.task is None:
            planned = [row for part in run.benchmarks for row in part.rows]
            self._print(run_document(run), lambda: run_screen(run, full=self.full))
            return _code(planned)
        part, rows = _task(run, self.task)
        if self.attempt is not None:
            rows = [row for row in rows if row.key.attempt == self.attempt] or _no_attempt(rows, self.attempt)
        attempts = list(_inspected(folder, part, rows, GoldBook(run, trust=self.trust, show=self.gold)))
        if self.attempt is not None:
            (one,) = attempts
            self._print(attempt_document(one), lambda: attempt_screen(one, full=self.full))
        else:
            self._print(task_document(rows[0].key, attempts), lambda: task_screen(attempts, full=self.full))
        return _code(rows)

    def _print(self, document: object, screen: Callable[[], RenderableType]) -> None:
        if self.as_json:
            print_json(document)
        else:
            _page(screen())


def _page(screen: RenderableType) -> None:
    """Print it; on a terminal through the user's pager, which ends by itself where one page is enough."""
    console = Console()
    if not console.is_terminal:
        print_screen(screen, 120)
        return
    os.environ.setdefault("LESS", "-FRX")
    with console.capture() as captured:
        console.print(screen)
    click.echo_via_pager(captured.get().rstrip("\n"))


def _code(rows: list[AttemptRow]) -> int:
    return 0 if all(standing(row) in {"correct", "wrong"} for row in rows) else 1


def _inspected(folder: Path, part: BenchmarkResult, rows: list[AttemptRow], book: GoldBook) -> Iterator[Inspected]:
    stored = {one.key: one for one in read_attempts(folder, {row.key for row in rows})}
    for row in rows:
        yield inspected(part, row, stored.get(row.key), book.of(row.key))


def _task(run: RunResult, wanted: str) -> tuple[BenchmarkResult, list[AttemptRow]]:
    """A task of the run by its id, or the beginning of it, or the same behind its benchmark's name."""
    known = {(part.name, task): (part, rows) for part in run.benchmarks for task, rows in tasks_of(part).items()}
    exact = [name for name in known if wanted in {name[1], "/".join(name)}]
    matches = exact or [name for name in known if name[1].startswith(wanted) or "/".join(name).startswith(wanted)]
    if len(matches) == 1:
        return known[matches[0]]
    listed = ["/".join(name) for name in matches[:5]]
    if matches:
        more = f" and {len(matches) - 5} more" if matches[5:] else ""
        raise UsageError(f"run {run.name} has several tasks {wanted!r}: {', '.join(listed)}{more}")
    near = difflib.get_close_matches(wanted, [text for name in known for text in (name[1], "/".join(name))], n=1)
    raise UsageError(
        f"run {run.name} has no task {wanted!r}: "
        + (f"did you mean {near[0]}?" if near else f"type: toleap show {run.name}")
    )


def _no_attempt(rows: list[AttemptRow], wanted: int) -> list[AttemptRow]:
    last = max(row.key.attempt for row in rows)
    raise UsageError(f"{rows[0].key.benchmark}/{rows[0].key.task} has no attempt {wanted}: there are 0 to {last}")
