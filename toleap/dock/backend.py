"""What the dock asks of one tool server, wherever it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from toleap.types import CallContext, ToolResult


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool as its server declares it.

    ``deadline`` is the seconds one call may take, None for the dock's default. ``open_world`` says that its time
    depends on others (a web site): then a deadline that passes is the world's doing, otherwise it is a fault of ours.
    ``repeatable``: a call that was lost with its server can be made again.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    deadline: float | None = None
    open_world: bool = True
    stateful: bool = False
    repeatable: bool = False
    purpose: str | None = None
    """The argument that says what its results are read for; None where they are handed back as they are."""
    aliases: tuple[str, ...] = ()
    """Its names in other tool sets, for models that were trained with them."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Names of arguments in other tool sets → its own."""


class Backend(Protocol):
    """One tool server: in this process or in one of its own."""

    async def tools(self) -> Sequence[ToolSpec]:
        """The tools it serves."""
        ...

    async def probe(self) -> None:
        """Return if it can work, raise ``ToolFault`` or ``UsageError`` if not."""
        ...

    async def call(self, name: str, arguments: Mapping[str, Any], context: CallContext) -> ToolResult:
        """One call with arguments that fit the schema.

        Raises:
            ToolFault: the server failed; the attempt is owed.
            UsageError: a setting in the context cannot be used.
        """
        ...

    async def answers(self) -> bool:
        """After a call's deadline has passed: whether the server itself still works. One that hung is replaced."""
        ...

    async def release(self, session: str) -> None:
        """Forget what is kept for this trajectory."""
        ...

    async def close(self) -> None:
        """End what it started."""
        ...
