"""One run from its plan to its result: tools, store, model server, scheduler, scores."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from toleap.agent.auxiliary import Auxiliary
from toleap.agent.loop import Player
from toleap.agent.prompts import prompt
from toleap.agent.signs import Watch
from toleap.chat.client import Chat
from toleap.chat.dialects import dialect_for
from toleap.config import fingerprint
from toleap.dock.dock import TOOL_NAMES, Dock
from toleap.errors import StoreFault
from toleap.runs.announcing import Announcement, announcement
from toleap.runs.auxiliary import connected, page_reader
from toleap.runs.beginning import check_same, write_plan
from toleap.runs.descriptors import room_for
from toleap.runs.evaluation import Evaluation
from toleap.runs.interrupts import INTERRUPTED, Interrupts, catching
from toleap.runs.judging import Judging
from toleap.runs.plan import Plan, PlannedBenchmark, identity, run_name
from toleap.runs.progress import Progress, shown
from toleap.runs.scheduler import Scheduler
from toleap.runs.servers import KeptServer, Served, started
from toleap.runs.spending import ROLES, Meter, cap_of
from toleap.runs.store.salvage import mend
from toleap.runs.store.store import Owed, Store
from toleap.runs.surroundings import surroundings
from toleap.types import Key, RunResult, Usage


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run. ``halted`` says why it stopped before everything was played, None where it did not."""

    result: RunResult
    folder: Path
    halted: str | None


async def execute(
    plan: Plan,
    console: Console,
    announce: Callable[[Announcement], None],
    *,
    retry_quarantined: bool = False,
    kept: KeptServer | None = None,
) -> Outcome:
    """Run a plan to its end, or until it is interrupted; on the server that is ``kept``, or on one of its own.

    Raises:
        UsageError: the tools cannot work here, or the run was made with other settings. Nothing was written.
        ServerFault: the model server did not start.
        KeyboardInterrupt: it was interrupted before it was announced.
    """
    with catching() as interrupts:
        try:
            return await _execute(plan, console, announce, interrupts, kept, retry_quarantined=retry_quarantined)
        except asyncio.CancelledError:
            if interrupts.settle():
                raise KeyboardInterrupt from None
            raise


async def _execute(
    plan: Plan,
    console: Console,
    announce: Callable[[Announcement], None],
    interrupts: Interrupts,
    kept: KeptServer | None,
    *,
    retry_quarantined: bool,
) -> Outcome:
    async with _dock(plan, console) as dock:
        settings = identity(plan, dock.schemas())
        name = run_name(plan, fingerprint(settings))
        folder = plan.results / name
        if salvaged := mend(folder):
            console.print(f"warning: {salvaged}", markup=False)
        check_same(folder, settings, plan)
        with Store(folder) as store:
            await write_plan(store, plan, settings)
            store.surroundings = surroundings(plan, plan.config.dock.tools)
            for key in store.state.lost():
                console.print(f"{key}: its stored record is damaged, so it is owed again", markup=False)
            planned = {item.benchmark.name: item for item in plan.benchmarks}
            owed = _owed(plan, store, planned, with_quarantined=retry_quarantined)
            if retry_quarantined:
                await store.forgive(item.key for item in owed)
                owed = _owed(plan, store, planned, with_quarantined=True)
            meter = Meter(dict.fromkeys(ROLES, Usage()) | store.spent())
            announce(announcement(plan, name, folder, len(owed), meter))
            try:
                async with _judging(plan, store, console) as judging:
                    playing = _Playing(plan, name, planned, store, dock, judging, console, interrupts, meter, kept)
                    halted = await playing.play(owed) if owed else None
                    if halted == INTERRUPTED:
                        judging.stop()
            except asyncio.CancelledError:
                # Only what is durable counts from here on, so the result can be shown as it is.
                if not interrupts.settle():
                    raise
                halted = INTERRUPTED
            return Outcome(store.result(), folder, halted)


def _dock(plan: Plan, console: Console) -> Dock:
    settings, operation = plan.config.dock, plan.operation

    def told(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    return Dock(
        settings.tools, trust=operation.trust, deadline=settings.deadline, told=told, patience=operation.patience
    )


def _owed(plan: Plan, store: Store, planned: Mapping[str, PlannedBenchmark], *, with_quarantined: bool) -> list[Owed]:
    """What the run has to play now: a smaller extent than before leaves out the rest."""
    return [
        item
        for item in store.owed(planned, with_quarantined=with_quarantined)
        if item.key.attempt < plan.k and item.key.task in planned[item.key.benchmark].tasks
    ]


@contextlib.asynccontextmanager
async def _judging(plan: Plan, store: Store, console: Console) -> AsyncIterator[Judging]:
    """Scores what earlier starts left without a verdict, and waits at the end for every verdict asked for."""
    judging = Judging(store)
    async with contextlib.aclosing(plan.judges):
        for item in plan.benchmarks:
            judging.submit_missing(item.benchmark.name, item.scorers, item.tasks)
        yield judging
        if judging.pending:
            console.print(f"judging: {judging.pending} answers", highlight=False)
        await judging.finish()


@dataclass(slots=True)
class _Playing:
    """The part of a run that needs a model server."""

    plan: Plan
    name: str
    planned: Mapping[str, PlannedBenchmark]
    store: Store
    dock: Dock
    judging: Judging
    console: Console
    interrupts: Interrupts
    meter: Meter
    kept: KeptServer | None

    async def play(self, owed: list[Owed]) -> str | None:
        """Play what is owed; returns why it stopped early, or None."""
        operation, cap = self.plan.operation, cap_of(self.plan.operation)
        if full := cap.reached(self.meter):
            return full
        progress = Progress(planned=len(owed), spent=lambda: cap.shown(self.meter))
        self.judging.told = progress.judged
        try:
            async with (
                self._endpoint() as served,
                self._chat(served) as chat,
                connected(self.plan, served, self.meter.counter("auxiliary")) as auxiliary,
            ):
                evaluation = self._evaluation(chat, auxiliary, progress)
                at_once = room_for(min(operation.max_in_flight, len(owed)), self._log)
                scheduler = Scheduler(
                    evaluation.play,
                    self._note_fault,
                    progress,
                    at_once,
                    operation.fault_limit,
                    closed=lambda: cap.reached(self.meter),
                )
                progress.started = time.monotonic()
                async with shown(progress, self.console), _watching(served, scheduler, self._log):
                    with self.interrupts.stopping(scheduler.stop):
                        await scheduler.run(owed)
                return scheduler.halted
        except asyncio.CancelledError:
            if not self.interrupts.settle():
                raise
            return INTERRUPTED
        finally:
            with contextlib.suppress(StoreFault):  # a store that cannot be written has stopped the run already
                await self.store.spend(self.meter.take())

    async def _note_fault(self, key: Key, reason: str, quarantine: bool) -> None:
        await self.store.spend(self.meter.take())
        await self.store.fault(key, reason, quarantine=quarantine)

    def _endpoint(self) -> AbstractAsyncContextManager[Served]:
        lent = self.kept.lent if self.kept else started
        return lent(self.plan, self._log)

    def _log(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False)

    def _chat(self, served: Served) -> Chat:
        model, operation = self.plan.model, self.plan.operation
        return Chat(
            served.base_url,
            model.label,
            api_key=os.environ.get(operation.api_key_env) if model.base_url else None,
            call_seconds=operation.call_seconds,
            stalled_seconds=operation.stalled_seconds,
            patience=operation.patience,
            counted=self.meter.counter("model"),
            fields=self.plan.config.sampling.fields,
            stream=operation.stream,
            ready=served.ready,
        )

    def _evaluation(self, chat: Chat, auxiliary: Auxiliary | None, progress: Progress) -> Evaluation:
        config, schemas = self.plan.config, self.dock.schemas()
        dialect = dialect_for(config.agent.dialect)
        tools = dialect.request_tools(schemas)
        reader = page_reader(config, schemas, auxiliary)
        forced, names = prompt("forced"), _callable(schemas)
        player = Player(chat, dialect, config.sampling, config.agent, tools, forced, auxiliary, reader, names)
        page_chars = config.dock.page_chars if reader is None else config.reader.page_chars
        return Evaluation(
            run=self.name,
            benchmarks=self.planned,
            player=player,
            dock=self.dock,
            store=self.store,
            progress=progress,
            system=dialect.system(prompt(config.agent.prompt), schemas),
            policy={"results": config.dock.results, "page_chars": page_chars},
            judging=self.judging,
            meter=self.meter,
            watch=Watch(self._log),
            shows_pictures=self.plan.shows_pictures,
        )


@contextlib.asynccontextmanager
async def _watching(served: Served, scheduler: Scheduler, log: Callable[[str], None]) -> AsyncIterator[None]:
    """A server of ours that dies is started again; one that dies again and again stops the run: what is in flight
    stays owed."""

    async def watch() -> None:
        scheduler.stop(str(await served.keep(log)))

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _callable(schemas: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The names that a call may have: the tools' own and those of other tool sets."""
    own = {schema["function"]["name"] for schema in schemas}
    return frozenset(own | {name for name, ours in TOOL_NAMES.items() if ours in own})
