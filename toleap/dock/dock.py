"""The dock: the tools of a run, found, loaded, probed, and called for every trajectory."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import functools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from toleap import folders
from toleap.dock.backend import Backend, ToolSpec
from toleap.dock.breaker import Breaker
from toleap.dock.in_process import InProcess
from toleap.dock.outside import OwnProcess
from toleap.dock.schema import Arguments
from toleap.errors import ToolFault, UsageError
from toleap.types import CallContext, ErrorClass, ToolCall, ToolResult

DEADLINE = 60.0
"""Seconds one call may take, where its tool names no other limit."""
_PROBE_SECONDS = 60.0
"""A tool may have to be started for it."""


@dataclass(slots=True)
class _Docked:
    spec: ToolSpec
    backend: Backend
    arguments: Arguments
    deadline: float
    breaker: Breaker
    good: tuple[dict[str, Any], CallContext] | None = None
    """A call that was answered, and can be made again to see whether the tool works."""


class Dock:
    """The tools of a run. Use it as an async context manager.

    A call passes, in this order: arguments brought into shape, checked against the schema, the deadline, the tool,
    its result read into one ``ToolResult``. What the model did wrong and what the world did not give are results;
    what is broken on our side is a ``ToolFault``; a call that is cancelled stays cancelled.

    A deadline that passes is the world's where the tool says that it depends on others (MCP's ``openWorldHint``, as
    ``fetch_url`` does), since a page that never ends is a fact about the page. A tool that says it does not depend on
    anybody has hung by our fault; so has every tool whose server, asked after the deadline, does not answer at all.

    Args:
        tools: names of tool folders, in the order in which they are shown to the model.
        trust: run the Python of tool folders that are not shipped.
        deadline: seconds one call may take, where its tool names no other limit.
        isolate: run tool folders that are not shipped in processes of their own; otherwise one that blocks, or exits,
            takes this process with it.
        told: gets a line when a tool is down for everybody, and when it works again.
        patience: for how many seconds such a tool is waited for.
    """

    def __init__(
        self,
        tools: Sequence[str],
        *,
        trust: bool,
        deadline: float = DEADLINE,
        isolate: bool = True,
        told: Callable[[str], None] = lambda _line: None,
        patience: float = 120.0,
    ) -> None:
        self._names = tuple(tools)
        self._trust = trust
        self._deadline = deadline
        self._isolate = isolate
        self._told = told
        self._patience = patience
        self._backends: list[Backend] = []
        self._tools: dict[str, _Docked] = {}
        self._aliases: dict[str, str] = {}
        """Names in other tool sets → those here. Used where no tool has that name."""

    async def __aenter__(self) -> Self:
        try:
            for name in self._names:
                await self._add(name, self._load(name))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    def schemas(self) -> list[dict[str, Any]]:
        """The tools in ChatCompletions form, in the order given. Equal bytes for equal tools."""
        return [
            {
                "type": "function",
                "function": {
                    "name": docked.spec.name,
                    "description": docked.spec.description,
                    "parameters": docked.spec.parameters,
                },
            }
            for docked in self._tools.values()
        ]

    def names(self) -> frozenset[str]:
        """The names that a call may have: the tools' own and those of other tool sets."""
        return frozenset(self._tools.keys() | self._aliases.keys())

    def purpose(self, call: ToolCall) -> str | None:
        """What the call's result is to be read for, empty where that is not said; None where it is not read."""
        docked = self._find(call.name)
        if docked is None or docked.spec.purpose is None:
            return None
        purpose = docked.arguments.normalised(call.arguments).get(docked.spec.purpose)
        return purpose if isinstance(purpose, str) else ""

    def keeps_state(self, name: str) -> bool:
        """Whether the calls of one trajectory to this tool build on each other, as an interpreter's do."""
        docked = self._find(name)
        return docked is not None and docked.spec.stateful

    async def call(self, call: ToolCall, context: CallContext) -> ToolResult:
        """Make one call. Waiting for a tool that is down is not in the result's milliseconds.

        Raises:
            ToolFault: our side failed; the attempt is owed.
            UsageError: the corpus or a setting in ``context.policy`` cannot be used.
        """
        if call.problem is not None:
            return ToolResult.of(call.problem, ErrorClass.CALL)
        docked = self._find(call.name)
        if docked is None:
            return ToolResult.of(self._unknown(call.name), ErrorClass.CALL)
        arguments = docked.arguments.normalised(call.arguments)
        problem = docked.arguments.problem(arguments)
        if problem is not None:
            return ToolResult.of(problem, ErrorClass.CALL)

        async def make() -> ToolResult:
            started = time.perf_counter()
            result = await self._within_deadline(docked, arguments, context)
            return replace(result, ms=(time.perf_counter() - started) * 1000)

        result = await docked.breaker.call(make, context.session)
        if result.error is None and docked.spec.repeatable and not docked.spec.stateful:
            docked.good = arguments, context
        return result

    async def release(self, context: CallContext) -> None:
        """A trajectory has ended: its sessions in stateful tools are dropped."""
        await asyncio.gather(*(backend.release(context.session) for backend in self._backends))

    async def _works(self, name: str) -> bool | None:
        """Whether a tool works for others: by its own probe, then by a call that was answered before."""
        docked = self._tools[name]
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await docked.backend.probe()
            if docked.good is None:
                return None
            await self._within_deadline(docked, *docked.good)
        except (ToolFault, UsageError, TimeoutError):
            return False
        return True

    async def _within_deadline(self, docked: _Docked, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        name = docked.spec.name
        try:
            async with asyncio.timeout(docked.deadline) as limit:
                result = await docked.backend.call(name, arguments, context)
        except TimeoutError as error:
            if not limit.expired():
                raise ToolFault(f"the tool {name} failed: a time limit of its own passed") from error
            if not await docked.backend.answers():
                raise ToolFault(f"the tool {name} hung for {docked.deadline:g} seconds and was ended") from error
            if not docked.spec.open_world:
                raise ToolFault(f"the tool {name} did not answer in {docked.deadline:g} seconds") from error
            text = f"{name} timed out after {docked.deadline:g} seconds."
            return ToolResult.of(text, ErrorClass.WORLD)
        return result if result.replica else replace(result, replica=name)

    def _find(self, name: str) -> _Docked | None:
        return self._tools.get(name) or self._tools.get(self._aliases.get(name, ""))

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name, self._tools, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"There is no tool {name[:80]!r}; the tools are: {', '.join(self._tools) or 'none'}.{hint}"

    def _load(self, name: str) -> Backend:
        folder = folders.find("tools", name)
        if not folder.shipped and not self._trust:
            raise UsageError(
                f"the tool {name!r} in {folder.path} is not a shipped one: its code runs only with --trust"
            )
        return OwnProcess(folder) if self._isolate and not folder.shipped else InProcess(folder)

    async def _add(self, folder: str, backend: Backend) -> None:
        self._backends.append(backend)
        try:
            await backend.probe()
        except UsageError as error:
            others = [name for name in self._names if name != folder]
            without = f"--set 'dock.tools={json.dumps(others)}'" if others else "other tools in dock.tools"
            raise UsageError(f"{folder} cannot work here: {error}; or do without it: {without}") from error
        for spec in await backend.tools():
            if spec.name in self._tools:
                raise UsageError(f"two tools are called {spec.name!r}; the second is in the folder {folder!r}")
            arguments = Arguments(spec.name, spec.parameters, spec.arguments)
            check = functools.partial(self._works, spec.name)
            breaker = Breaker(spec.name, check, told=self._told, patience=self._patience)
            for alias in spec.aliases:
                self._aliases.setdefault(alias, spec.name)
            self._tools[spec.name] = _Docked(
                spec, backend, arguments=arguments, deadline=spec.deadline or self._deadline, breaker=breaker
            )

    async def _close(self) -> None:
        backends, self._backends = self._backends, []
        self._tools.clear()
        self._aliases.clear()
        async with contextlib.AsyncExitStack() as stack:
            for backend in backends:
                stack.push_async_callback(backend.close)
