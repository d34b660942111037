"""Signs that a server is set up so that calls or answers are lost: what a turn shows, and what mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from toleap.chat.answer import without_thoughts
from toleap.chat.dialects.families import BY_NAME
from toleap.chat.dialects.listed import only_thoughts
from toleap.chat.dialects.parts import content_of
from toleap.types import CallForm, Turn

_TOLD_AFTER = 3


class Sign(NamedTuple):
    """What stands out in a turn: calls in the markup of a ``family``, a call that is lost, nothing but thoughts."""

    form: CallForm
    family: str = ""

    def text(self) -> str:
        """What is said of attempts or replies that show it."""
        if self.form is CallForm.LOST:
            return "ended as a call, as the server says, and none could be read"
        if self.form is CallForm.SILENT:
            return "held thoughts only: a reasoning parser of the server's may have swallowed calls and answers"
        return f"hold calls in the markup of {self.family}, which the server left in the text"

    def fix(self) -> str:
        """Which setting mends it."""
        if self.form is CallForm.LOST:
            return "check the server's --tool-call-parser, or read calls from the text: --set agent.dialect=hermes"
        if self.form is CallForm.SILENT:
            return "check the server's --reasoning-parser (reasoning_parser in profiles.toml), or serve without one"
        family = BY_NAME.get(self.family)
        served = f"serve with --tool-call-parser {family.parser}" if family and family.parser else ""
        read = f"--set agent.dialect={family.dialect}" if family and family.dialect else ""
        return " or ".join(filter(None, (served, read))) or "--set agent.dialect=hermes"


def signs_of(turn: Turn) -> Iterator[Sign]:
    """The signs in one turn, each once."""
    yield from {Sign(CallForm.MALFORMED, call.family) for call in turn.calls if call.family}
    if any(call.form is CallForm.LOST for call in turn.calls):
        yield Sign(CallForm.LOST)
    spoken = without_thoughts(content_of(turn.reply))
    silent = not turn.results and turn.finish_reason != "length" and only_thoughts(turn.reply, spoken)
    if silent or any(call.form is CallForm.SILENT for call in turn.calls):
        yield Sign(CallForm.SILENT)


@dataclass(slots=True)
class Watch:
    """Says at once, and once, what the first few turns of a run that show a sign have in common."""

    tell: Callable[[str], None]
    _seen: Counter[Sign] = field(default_factory=Counter)

    def turn(self, turn: Turn) -> None:
        """Look at a turn of any attempt."""
        for sign in signs_of(turn):
            self._seen[sign] += 1
            if self._seen[sign] == _TOLD_AFTER:
                self.tell(f"warning: {_TOLD_AFTER} replies {sign.text()} → {sign.fix()}")
