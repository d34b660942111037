"""The rubrics: what each benchmark's owner asks of a judge, and how the judge's output is read.

The templates beside this file are our own wording of each rubric: the same inputs, the same output format.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from toleap.errors import UsageError
from toleap.scoring.exact import is_equal
from toleap.scoring.judge.grades import parse_sealqa, parse_webwalkerqa
from toleap.scoring.judge.parse import (
    Parsed,
    parse_browsecomp,
    parse_browsecomp_zh,
    parse_frames,
    parse_general,
    parse_hle,
    parse_xbench,
)

Sees = Literal["answer", "response"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the owner draws the judge's tokens. None: the parameter is not sent."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Rubric:
    """One rubric. ``model`` is the owner's judge, None where the owner leaves the choice open."""

    name: str
    parse: Callable[[str], Parsed]
    sampling: Sampling = Sampling()
    model: str | None = None
    schema: Mapping[str, Any] | None = None
    settled: Callable[[str, str, str], bool] | None = None
    """Whether (answer, response, gold) are plainly equal, so that the owner's code asks no judge."""

    @property
    def path(self) -> Path:
        """The template in our own wording."""
        return Path(__file__).with_name(f"{self.name}.jinja")


def rubric_called(name: str) -> Rubric:
    """The rubric of this name.

    Raises:
        UsageError: there is none; names the nearest.
    """
    if name in RUBRICS:
        return RUBRICS[name]
    near = difflib.get_close_matches(name, RUBRICS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(RUBRICS)}"
    raise UsageError(f"score.rubric: unknown rubric {name!r}: {hint}")


def _object_schema(**fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


_TEXT = {"type": "string"}
_HLE_SCHEMA = _object_schema(
    extracted_final_answer=_TEXT,
    reasoning=_TEXT,
    correct={"type": "string", "enum": ["yes", "no"]},
    confidence={"type": "integer"},
)
_GENERAL_SCHEMA = _object_schema(reasoning=_TEXT, verdict={"type": "string", "enum": ["correct", "incorrect"]})

_FINAL_LINE = re.compile(r"最终答案[\s*_`]{0,8}[:：](.*)")


def _xbench_settled(answer: str, response: str, gold: str) -> bool:
    """The final answer, or what follows the first 最终答案 of the response, equals the gold one once normalised."""
    line = _FINAL_LINE.search(response)
    return is_equal(answer, gold) or (line is not None and is_equal(line[1].strip(" *`"), gold))


RUBRICS: Mapping[str, Rubric] = {
    rubric.name: rubric
    for rubric in (
        Rubric("hle", parse_hle, model="o3-mini-2025-01-31", schema=_HLE_SCHEMA),
        Rubric("browsecomp", parse_browsecomp),
        Rubric("browsecomp_zh", parse_browsecomp_zh, Sampling(0.6, 0.95), "gpt-4o"),
        Rubric("xbench", parse_xbench, model="gemini-2.0-flash", settled=_xbench_settled),
        Rubric("frames", parse_frames),
        Rubric("webwalkerqa", parse_webwalkerqa, Sampling(0.0, seed=42), "gpt-4"),
        Rubric("sealqa", parse_sealqa, model="gpt-4o-mini-2024-07-18"),
        Rubric("general", parse_general, schema=_GENERAL_SCHEMA),
    )
}
