"""What a judged verdict keeps in ``Verdict.raw``: the judge's words and what was read from them, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from toleap.types import Verdict


@dataclass(frozen=True, slots=True)
class Record:
    """One judging. ``output`` is the judge's last output, whole; ``asked`` how often it was asked."""

    output: str
    asked: int
    structured: bool
    attempted: bool | None = None
    confidence: int | None = None

    def dump(self) -> str:
        """As JSON, for ``Verdict.raw``."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)


def read(verdict: Verdict) -> Record | None:
    """The record of a verdict; None where no judge was asked or ``raw`` is something else."""
    try:
        fields: Any = json.loads(verdict.raw or "")
        return Record(**fields)
    except (ValueError, TypeError, RecursionError):
        return None


def confidence_of(verdict: Verdict) -> int | None:
    """The candidate's confidence, 0 to 100, where the judge reported one."""
    record = read(verdict)
    return record.confidence if record else None


def was_attempted(verdict: Verdict) -> bool:
    """False where the judge said *not attempted*, and where there was no answer to judge."""
    record = read(verdict)
    if record is not None and record.attempted is not None:
        return record.attempted
    return verdict.extracted is not None
