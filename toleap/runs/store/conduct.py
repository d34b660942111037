"""What the turns of an attempt hold, in figures: kept beside the attempt, so that a table need not unpack turns.

The figures are in a table of their own, made when a run is opened for writing: runs made before there was one have
none for the attempts that had ended.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import orjson

import toleap
from toleap.types import CallForm, Conduct, Key, SubCall, ToolCall, Turn

_COLUMNS = "benchmark, task, attempt, version, figures"


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
        made = [identity(call) for call in turn.calls if call.problem is None]
        seen.update(made)
        calls.append(len(made))
        new.append(len(seen) - before)
    forms = [call.form for turn in turns for call in turn.calls]
    asked = [call for turn in turns for call in turn.subcalls]
    return Conduct(
        calls=tuple(calls),
        new=tuple(new),
        mended=forms.count(CallForm.MENDED),
        malformed=forms.count(CallForm.MALFORMED),
        cut=forms.count(CallForm.CUT),
        hidden=forms.count(CallForm.HIDDEN),
        unknown=forms.count(CallForm.UNKNOWN),
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


def store_conduct(db: sqlite3.Connection, key: Key, turns: Conduct, version: str = toleap.__version__) -> None:
    """Keep the figures of an attempt that ends, and the version that ends it."""
    figures = orjson.dumps(asdict(turns)).decode()
    db.execute(f"INSERT OR REPLACE INTO conduct ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)", (*key, version, figures))


def stored_conduct(
    db: sqlite3.Connection, benchmark: str, damaged: Collection[tuple[object, ...]] = ()
) -> dict[tuple[str, int], tuple[str, Conduct]]:
    """(task, attempt) → the version that ended it, and its figures. Empty for a run made before there were any.

    Records of the ``damaged`` (benchmark, task, attempt) are left out.
    """
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'conduct'").fetchone():
        return {}
    rows = db.execute("SELECT task, attempt, version, figures FROM conduct WHERE benchmark = ?", (benchmark,))
    return {
        (task, attempt): (version, _conduct(orjson.loads(text)))
        for task, attempt, version, text in rows
        if (benchmark, task, attempt) not in damaged
    }


def _conduct(raw: Mapping[str, Any]) -> Conduct:
    return Conduct(**{**raw, "calls": tuple(raw["calls"]), "new": tuple(raw["new"])})
