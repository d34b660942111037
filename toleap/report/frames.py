"""What is stored of a run as pandas DataFrames: one row an attempt, a turn, a call or a verdict.

The columns are named and typed here, so that an empty frame has them too; ``docs/python.md`` says what they mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from toleap.chat.dialects.parts import content_of
from toleap.store.reading import StoredAttempt
from toleap.types import Key, RunResult

if TYPE_CHECKING:
    import pandas as pd

_TEXT, _COUNT, _NUMBER, _FLAG = "string", "Int64", "Float64", "boolean"
_KEY = {"benchmark": _TEXT, "task": _TEXT, "attempt": _COUNT}
ATTEMPTS: Mapping[str, str] = {
    **_KEY, "ending": _TEXT, "forced": _FLAG, "answer": _TEXT, "verdict": _TEXT, "correct": _FLAG, "reason": _TEXT,
    "turns": _COUNT, "tool_calls": _COUNT, "bad_calls": _COUNT, "completion_tokens": _COUNT, "seconds": _NUMBER,
    "faults": _COUNT, "restarts": _COUNT, "quarantined": _FLAG, "fault": _TEXT,
}  # fmt: skip
TURNS: Mapping[str, str] = {
    **_KEY, "turn": _COUNT, "text": _TEXT, "calls": _COUNT, "finish_reason": _TEXT, "prompt_tokens": _COUNT,
    "completion_tokens": _COUNT, "cached_tokens": _COUNT, "seconds": _NUMBER, "seed": _COUNT, "limit": _TEXT,
}  # fmt: skip
CALLS: Mapping[str, str] = {
    **_KEY, "turn": _COUNT, "call": _COUNT, "tool": _TEXT, "arguments": _TEXT, "form": _TEXT, "problem": _TEXT,
    "error": _TEXT, "result": _TEXT, "truncated": _FLAG, "seconds": _NUMBER,
}  # fmt: skip
VERDICTS: Mapping[str, str] = {
    **_KEY, "scorer": _TEXT, "headline": _FLAG, "status": _TEXT, "reason": _TEXT, "extracted": _TEXT, "judge": _TEXT,
}  # fmt: skip


def frame(columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows under the columns, each of its type; what a row lacks is missing."""
    import pandas as pd

    table = pd.DataFrame.from_records(list(rows), columns=list(columns))
    return table.astype(dict(columns))


def attempts(run: RunResult, stored: Iterable[StoredAttempt]) -> Iterator[dict[str, Any]]:
    """A row for every planned attempt, whether or not it has ended."""
    answers = {attempt.key: attempt.answer for attempt in stored}
    for part in run.benchmarks:
        for row in part.rows:
            status = row.verdict.status if row.verdict else None
            yield {
                **_named(row.key),
                "ending": row.ending and row.ending.value,
                "forced": row.ended and row.ended.forced,
                "answer": answers.get(row.key),
                "verdict": status,
                "correct": None if status in (None, "unscored") else status == "correct",
                "reason": row.verdict and row.verdict.reason,
                **{name: row.ended and getattr(row.ended, name) for name in _FIGURES},
                "restarts": row.ended.restarts if row.ended else 0,
                **{name: getattr(row, name) for name in ("faults", "quarantined", "fault")},
            }


_FIGURES = ("turns", "tool_calls", "bad_calls", "completion_tokens", "seconds")


def turns(stored: Iterable[StoredAttempt]) -> Iterator[dict[str, Any]]:
    """A row for every turn."""
    for attempt in stored:
        for turn in attempt.turns:
            yield {
                **_named(attempt.key),
                "turn": turn.index,
                "text": content_of(turn.reply),
                "calls": len(turn.calls),
                "finish_reason": turn.finish_reason,
                "prompt_tokens": turn.usage.prompt,
                "completion_tokens": turn.usage.completion,
                "cached_tokens": turn.usage.cached,
                "seconds": turn.seconds,
                "seed": turn.seed,
                "limit": turn.limit and turn.limit.value,
            }


def calls(stored: Iterable[StoredAttempt]) -> Iterator[dict[str, Any]]:
    """A row for every call that a model asked for, the bad ones too."""
    for attempt in stored:
        for turn in attempt.turns:
            for place, (call, result) in enumerate(zip(turn.calls, turn.results, strict=False)):
                yield {
                    **_named(attempt.key),
                    "turn": turn.index,
                    "call": place,
                    "tool": call.name,
                    "arguments": json.dumps(call.arguments, ensure_ascii=False, default=str),
                    "form": call.form.value,
                    "problem": call.problem,
                    "error": result.error and result.error.value,
                    "result": result.text,
                    "truncated": result.truncated,
                    "seconds": result.ms / 1000,
                }


def verdicts(run: RunResult, stored: Iterable[StoredAttempt]) -> Iterator[dict[str, Any]]:
    """A row for every scorer's verdict on an attempt, the headline's first."""
    headline = {row.key: row.verdict.scorer for part in run.benchmarks for row in part.rows if row.verdict}
    for attempt in stored:
        for scorer, verdict in attempt.verdicts.items():
            yield {
                **_named(attempt.key),
                "scorer": scorer,
                "headline": headline.get(attempt.key) == scorer,
                "status": verdict.status,
                "reason": verdict.reason,
                "extracted": verdict.extracted,
                "judge": verdict.raw,
            }


def _named(key: Key) -> dict[str, Any]:
    return dict(zip(_KEY, key, strict=True))
