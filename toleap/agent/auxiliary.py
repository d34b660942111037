"""The models beside the one under test: asked for summaries and for readings of pages, one after the other.

Whatever they do is recorded as sub-calls, the failures too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from toleap.chat.answer import without_thoughts
from toleap.chat.client import Chat, serialise
from toleap.config import Reader
from toleap.errors import ContextOverflow, ServerFault
from toleap.types import SubCall, Usage

_BYTES_PER_TOKEN = 2.5
"""Few, so that a prompt fits before a tokenizer has seen it: English has about four, Chinese in UTF-8 three."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing asked of the auxiliary models. Each is asked in turn, until ``usable`` makes something of a reply."""

    kind: Literal["summary", "read"]
    prompt: str
    usable: Callable[[str], str | None]
    seed: int
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking. ``text`` None: no model gave anything usable, and these are the reasons."""

    text: str | None
    calls: tuple[SubCall, ...]
    fault: ServerFault | None = None
    """Why it has to be asked again: a server failed."""
    overflow: bool = False
    """A model found the prompt too long."""


@dataclass(frozen=True, slots=True)
class Auxiliary:
    """Chats with the auxiliary models, in the order in which they are tried; ``slots`` bounds requests at once."""

    chats: Sequence[Chat]
    settings: Reader
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(64))

    @property
    def prompt_bytes(self) -> int:
        """How long a prompt may be to fit into the auxiliary window together with its answer."""
        room = max(self.settings.context - self.settings.max_tokens, self.settings.context // 4)
        return int(room * _BYTES_PER_TOKEN)

    async def ask(self, wanted: Wanted) -> Asked:
        """Ask one model after the other; what each one did is among the calls. Never raises for a failed model."""
        calls: list[SubCall] = []
        fault: ServerFault | None = None
        overflow = False
        for place, chat in enumerate(self.chats):
            started = time.perf_counter()
            usage, text, reason = Usage(), None, "nothing usable came back"
            try:
                async with self.slots:
                    reply = await chat.ask(
                        [serialise({"role": "user", "content": wanted.prompt})],
                        self._parameters(wanted, place),
                        request_id=wanted.request_id,
                    )
                content = reply.message.get("content")
                spoken = without_thoughts(content) if isinstance(content, str) else ""
                usage, text = reply.usage, wanted.usable(spoken)
            except ContextOverflow as error:
                overflow, reason = True, f"the prompt is too long: {str(error)[:300]}"
            except ServerFault as error:
                fault, reason = error, str(error)[:500]
            seconds = time.perf_counter() - started
            calls.append(
                SubCall(
                    wanted.kind, chat.model, usage=usage, seconds=seconds, ok=text is not None, text=text or reason
                )
            )
            if text is not None:
                return Asked(text, tuple(calls))
        return Asked(None, tuple(calls), fault, overflow)

    def _parameters(self, wanted: Wanted, place: int) -> dict[str, object]:
        return {
            "temperature": self.settings.temperature,
            "max_tokens": self.settings.max_tokens,
            "seed": (wanted.seed + place) & 0x7FFF_FFFF,
        }
