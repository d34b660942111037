"""What the turns of an attempt hold, in figures: kept where it is said how it ended, so that no table reads turns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import orjson

from toleap.chat.signs import signs_of
from toleap.types import CallForm, Conduct, ErrorClass, SubCall, ToolCall, Turn


def conduct_of(turns: Sequence[Turn]) -> Conduct:
    """The figures of one attempt's turns.

    A call repeats an earlier one of the same attempt when it names the same tool with equal arguments: objects are
    compared without the order of their keys, numbers by value (1 is 1.0), everything else as it was written. Calls
    that could not be read are not compared with anything, and are not among ``calls``.
    """
    seen: set[bytes] = set()
    calls: list[int] = []
    new: list[int] = []
    for turn in turns:
        before = len(seen)
        identities = [identity(call) for call in turn.calls if call.problem is None]
        seen.update(identities)
        calls.append(len(identities))
        new.append(len(seen) - before)
    forms = [call.form for turn in turns for call in turn.calls]
    signs = {sign for turn in turns for sign in signs_of(turn)}
    asked = [call for turn in turns for call in turn.subcalls]
    return Conduct(
        calls=tuple(calls),
        new=tuple(new),
        mended=forms.count(CallForm.MENDED),
        malformed=forms.count(CallForm.MALFORMED),
        cut=forms.count(CallForm.CUT),
        hidden=forms.count(CallForm.HIDDEN),
        unknown=forms.count(CallForm.UNKNOWN),
        lost=forms.count(CallForm.LOST),
        silent=forms.count(CallForm.SILENT),
        families=tuple(sorted({sign.family for sign in signs if sign.family})),
        swallowed=any(sign.form is CallForm.SILENT for sign in signs),
        summaries=sum(call.kind == "summary" and call.ok for call in asked),
        readings=sum(call.kind == "read" and call.ok for call in asked),
        unread=sum(_unread(turn.subcalls) for turn in turns),
        failed_asks=sum(call.kind in {"summary", "read"} and not call.ok for call in asked),
        auxiliary_prompt=sum(call.usage.prompt for call in asked),
        auxiliary_completion=sum(call.usage.completion for call in asked),
    )


def identity(call: ToolCall) -> bytes:
    """What two calls have in common exactly when they ask for the same."""
    content = orjson.dumps([call.name, _canonical(call.arguments)], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=16).digest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    # Beyond 2**53 a float stands for several whole numbers.
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53 else value


def _unread(subcalls: Iterable[SubCall]) -> int:
    """Extracts that follow a failed reading at once: those that stand in for one, not those that were asked for."""
    return sum(
        after.kind == "extract" and before.kind == "read" and not before.ok for before, after in pairwise(subcalls)
    )


def bad_calls(turns: Sequence[Turn]) -> int:
    """How many calls were malformed, unknown or truncated: the model's format failures."""
    return sum(result.error is ErrorClass.CALL for turn in turns for result in turn.results)
