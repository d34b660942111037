"""One run, and all that belongs to it: tools, store, model server, judges.

``async with Run(plan, events) as run`` checks the plan against what is there and writes it down; ``play`` plays what
is owed, ``score`` waits for the verdicts, and ``result`` is what the records say of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Self

from toleap.agent.auxiliary import Auxiliary
from toleap.agent.loop import Player
from toleap.agent.page_reader import PageReader
from toleap.agent.prompts import prompt
from toleap.chat.client import Asking, Chat, Patience
from toleap.chat.dialects import dialect_for
from toleap.chat.signs import Watch
from toleap.config import fingerprint
from toleap.dock.dock import Dock
from toleap.errors import StoreFault
from toleap.runs.beginning import check_same, write_plan
from toleap.runs.connections import connected
from toleap.runs.evaluation import Evaluation
from toleap.runs.events import Events
from toleap.runs.interrupts import INTERRUPTED, Interrupts
from toleap.runs.plan import Plan, identity, run_name
from toleap.runs.scheduler import Scheduler, room_for
from toleap.runs.servers import KeptServer, Served, started
from toleap.runs.spending import ROLES, Meter, cap_of
from toleap.runs.surroundings import surroundings
from toleap.runs.verdict_queue import VerdictQueue
from toleap.store.salvage import mend
from toleap.store.store import Owed, Store
from toleap.types import Key, RunResult, ToolSettings, Usage


class Run:
    """A plan that is being carried out.

    Args:
        plan: what to do.
        events: who is told what happens.
        server: lends the model server, so that the next run can have it too; without it the run has one of its own.
        interrupts: tells a cancellation by Ctrl-C, after which the run ends in good order, from any other.
    """

    def __init__(
        self,
        plan: Plan,
        events: Events | None = None,
        *,
        server: KeptServer | None = None,
        interrupts: Interrupts | None = None,
    ) -> None:
        self.plan = plan
        self.name = ""
        self.folder = plan.results
        self.owed = 0
        """How many attempts were owed when the run began."""
        self.halted: str | None = None
        """Why it stopped before everything was played, None where it did not."""
        self._events = events or Events()
        self._server = server
        self._interrupts = interrupts or Interrupts(None)
        self._open = AsyncExitStack()
        self._cap = cap_of(plan.operation)
        self._planned = {item.benchmark.name: item for item in plan.benchmarks}
        self._scheduler: Scheduler | None = None

    async def __aenter__(self) -> Self:
        """Check the run against its folder, write its plan down, and find what is owed.

        Raises:
            UsageError: the tools cannot work here, or the run was made with other settings. Nothing was written.
        """
        try:
            await self._begin()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def play(self) -> None:
        """Play what is owed until all of it has ended or is set aside, or something stops the run (``halted``).

        Raises:
            ServerFault: the model server did not start.
            StoreFault: the store cannot be written.
        """
        self.halted = self._cap.reached(self._meter) if self._owed else None
        if not self._owed or self.halted:
            return
        try:
            await self._play()
        except asyncio.CancelledError:
            if not self._interrupts.settle():
                raise
            self.halted = INTERRUPTED
        finally:
            with contextlib.suppress(StoreFault):  # a store that cannot be written has stopped the run already
                await self._store.spend(self._meter.take())

    async def score(self) -> None:
        """Wait for the verdicts on all that has ended; a run that was interrupted is scored when it goes on.

        Raises:
            StoreFault: a verdict could not be stored.
        """
        if self.halted == INTERRUPTED:
            self._verdicts.stop()
        elif self._verdicts.pending:
            self._events.told(f"judging: {self._verdicts.pending} answers")
        try:
            await self._verdicts.finish()
        except asyncio.CancelledError:
            # Only what is durable counts from here on, so the result can be shown as it is.
            if not self._interrupts.settle():
                raise
            self.halted = INTERRUPTED

    def stop(self, reason: str) -> None:
        """Stop playing at once: what is in flight stays owed at its last durable turn."""
        if self._scheduler is not None:
            self._scheduler.stop(reason)

    @property
    def result(self) -> RunResult:
        """What the records say of the run now."""
        return self._store.result()

    @property
    def in_flight(self) -> int:
        """How many attempts are being played."""
        return self._scheduler.in_flight if self._scheduler else 0

    @property
    def spent(self) -> str:
        """What is spent of the run's cap; empty where there is none."""
        return self._cap.shown(self._meter)

    @property
    def capped(self) -> str:
        """What is spent of the cap, and how far attempts in flight can go beyond it."""
        if self._cap.reached(self._meter):
            return f"{self.spent}: nothing more is begun"
        at_once = min(self.plan.operation.max_in_flight, self.owed)
        beyond = self._cap.most_beyond(self.plan.most_each, at_once)
        return f"{self.spent}; then the attempts in flight ({at_once}) end, with up to {beyond} more"

    async def _begin(self) -> None:
        plan, told = self.plan, self._events.told
        settings, operation = plan.config.dock, plan.operation
        dock = Dock(
            settings.tools, trust=operation.trust, deadline=settings.deadline, told=told, patience=operation.patience
        )
        self._dock = await self._open.enter_async_context(dock)
        identified = identity(plan, self._dock.schemas())
        self.name = run_name(plan, fingerprint(identified))
        self.folder = plan.results / self.name
        if salvaged := mend(self.folder):
            told(f"warning: {salvaged}")
        check_same(self.folder, identified, plan)
        self._store = self._open.enter_context(Store(self.folder))
        await write_plan(self._store, plan, identified)
        self._store.surroundings = surroundings(plan, settings.tools)
        for key in self._store.state.lost():
            told(f"{key}: its stored record is damaged, so it is owed again")
        if plan.retry_quarantined:
            await self._store.forgive(item.key for item in self._to_play())
        self._owed = self._to_play()
        self.owed = len(self._owed)
        self._meter = Meter(dict.fromkeys(ROLES, Usage()) | self._store.spent())
        self._events.planned(self)
        self._open.push_async_callback(plan.judges.aclose)
        self._verdicts = VerdictQueue(self._store, self._events.judged)
        for item in plan.benchmarks:
            self._verdicts.submit_missing(item.benchmark.name, item.scorers, item.tasks)

    def _to_play(self) -> list[Owed]:
        """What the run has to play now: a smaller extent than before leaves out the rest."""
        owed = self._store.owed(self._planned, with_quarantined=self.plan.retry_quarantined)
        return [
            item
            for item in owed
            if item.key.attempt < self.plan.k and item.key.task in self._planned[item.key.benchmark].tasks
        ]

    async def _play(self) -> None:
        operation, told = self.plan.operation, self._events.told
        async with (
            self._endpoint() as served,
            self._chat(served) as chat,
            connected(self.plan, served, self._meter.counter("auxiliary")) as auxiliary,
        ):
            self._scheduler = Scheduler(
                self._evaluation(chat, auxiliary).play,
                self._note_fault,
                room_for(min(operation.max_in_flight, self.owed), told),
                operation.fault_limit,
                closed=lambda: self._cap.reached(self._meter),
            )
            self._events.playing()
            try:
                async with _watching(served, self._scheduler, told):
                    with self._interrupts.stopping(self._scheduler.stop):
                        await self._scheduler.run(self._owed)
            finally:
                self._events.played()
            self.halted = self._scheduler.halted

    async def _note_fault(self, key: Key, reason: str, quarantine: bool) -> None:
        await self._store.spend(self._meter.take())
        await self._store.fault(key, reason, quarantine=quarantine)
        self._events.failed(key, reason, quarantine)

    def _endpoint(self) -> AbstractAsyncContextManager[Served]:
        lent = self._server.lent if self._server else started
        return lent(self.plan, self._events.told)

    def _chat(self, served: Served) -> Chat:
        model, operation = self.plan.model, self.plan.operation
        key = os.environ.get(operation.api_key_env) if model.base_url else None
        return Chat(
            served.base_url,
            model.label,
            patience=Patience(operation.patience, operation.call_seconds, operation.stalled_seconds),
            asking=Asking(key, self.plan.config.sampling.fields, operation.stream),
            counted=self._meter.counter("model"),
            ready=served.ready,
        )

    def _evaluation(self, chat: Chat, auxiliary: Auxiliary | None) -> Evaluation:
        config, schemas = self.plan.config, self._dock.schemas()
        dialect = dialect_for(config.agent.dialect)
        tools = dialect.request_tools(schemas)
        pages = (config.reader, self._dock.purpose, config.dock.page_chars, auxiliary)
        reader = None if config.reader.mode == "none" else PageReader(*pages)
        forced, names = prompt("forced"), self._dock.names()
        player = Player(
            chat,
            dialect,
            sampling=config.sampling,
            agent=config.agent,
            tools=tools,
            forced_prompt=forced,
            auxiliary=auxiliary,
            reader=reader,
            names=names,
        )
        page_chars = config.dock.page_chars if reader is None else config.reader.page_chars
        return Evaluation(
            run=self.name,
            benchmarks=self._planned,
            player=player,
            dock=self._dock,
            store=self._store,
            events=self._events,
            system=dialect.system(prompt(config.agent.prompt), schemas),
            policy=ToolSettings(config.dock.results, page_chars),
            verdicts=self._verdicts,
            meter=self._meter,
            watch=Watch(self._events.told),
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
