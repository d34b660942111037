"""Scorers: from an answer to a verdict that says who gave it."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from toleap.errors import UsageError
from toleap.folders import Folder
from toleap.scoring import choice, custom, exact, gaia, numeric
from toleap.scoring.finding import Finding
from toleap.types import Task, Verdict

NO_ANSWER = "no answer"
"""The reason of every verdict on an attempt that gave no answer: wrong, whoever scores."""
NO_JUDGE = "no judge configured: the answer needs one to be scored"


class Scorer(Protocol):
    """Whatever turns answers into verdicts: a rule, a judge, or nobody."""

    @property
    def fingerprint(self) -> str:
        """The scorer's name and a hash of everything that can change its verdicts."""

    @property
    def label(self) -> str:
        """A judge's name for people; empty for a rule."""

    @property
    def official(self) -> bool:
        """Whether the verdicts are those of the benchmark's owner's judge."""

    async def score(self, task: Task, answer: str | None, response: str) -> Verdict:
        """The verdict on one attempt; ``response`` is the whole last message, for scorers that read it.

        A scorer that cannot tell gives an unscored verdict with the reason; nothing is raised. One that asks
        somebody bounds its own concurrency.
        """


@dataclass(frozen=True, slots=True)
class RuleScorer:
    """Scores by a function of the answer and the gold answer."""

    fingerprint: str
    rule: Callable[[str, str], bool]
    label: str = ""
    official: bool = False

    async def score(self, task: Task, answer: str | None, response: str) -> Verdict:  # noqa: ARG002 - protocol
        """Correct or wrong, never unscored."""
        if answer is None or not answer.strip():
            return Verdict("wrong", NO_ANSWER, self.fingerprint)
        if self.rule(answer, task.answer):
            return Verdict("correct", "equals the gold answer", self.fingerprint, extracted=answer)
        return Verdict("wrong", "differs from the gold answer", self.fingerprint, extracted=answer)


@dataclass(frozen=True, slots=True)
class FindingScorer:
    """Scores by a function that also says why, and may say that it cannot."""

    fingerprint: str
    find: Callable[[Task, str, str], Finding]
    """From the task, the answer and the whole last message."""
    label: str = ""
    official: bool = False

    async def score(self, task: Task, answer: str | None, response: str) -> Verdict:
        """What the function finds; an attempt without any answer is wrong whatever it would find."""
        if answer is None or not answer.strip():
            return Verdict("wrong", NO_ANSWER, self.fingerprint)
        finding = self.find(task, answer, response)
        return Verdict(finding.status, finding.reason, self.fingerprint, extracted=finding.extracted)


@dataclass(frozen=True, slots=True)
class NoJudge:
    """Stands where a judge is needed and none is configured: answers wait, unscored, and are never wrong."""

    fingerprint: str
    label: str = ""
    official: bool = False

    async def score(self, task: Task, answer: str | None, response: str) -> Verdict:  # noqa: ARG002 - protocol
        """Unscored, also without an answer: a row of which only the empty answers counted would say nothing."""
        return Verdict("unscored", NO_JUDGE, self.fingerprint, extracted=answer)


def fingerprint(name: str, version: str, settings: Mapping[str, object] | None = None) -> str:
    """``name-<12 hex digits>``: the digits change with the code's version and with any setting."""
    text = json.dumps([name, version, settings or {}], sort_keys=True, ensure_ascii=True)
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _gaia() -> Scorer:
    return RuleScorer(fingerprint("gaia", gaia.CODE_VERSION), gaia.is_correct)


def _exact() -> Scorer:
    return RuleScorer(fingerprint("exact", exact.CODE_VERSION), exact.is_equal)


def _judge() -> Scorer:
    return NoJudge(fingerprint("judge", "absent"))


def _choice() -> Scorer:
    name = fingerprint("choice", choice.CODE_VERSION)
    return FindingScorer(name, lambda task, answer, _response: choice.compare(answer, task.answer))


def _numeric(tolerance: str | None, where: str) -> Scorer:
    allowed = Decimal(0) if tolerance is None else numeric.read_tolerance(tolerance, where)
    name = fingerprint("numeric", numeric.CODE_VERSION, {"tolerance": str(allowed)})
    return FindingScorer(name, lambda task, answer, _response: numeric.compare(answer, task.answer, allowed))


def _custom(script: str, folder: Folder | None, where: str, *, trust: bool) -> Scorer:
    rule = custom.load_rule(script, folder, trust=trust, where=where)
    name = fingerprint("python", custom.CODE_VERSION, {"digest": rule.digest})
    return FindingScorer(name, lambda task, answer, response: rule.find(task.question, answer, task.answer, response))


_SCORERS: Mapping[str, Callable[[], Scorer]] = {"gaia": _gaia, "exact": _exact, "judge": _judge, "choice": _choice}
_NAMES = (*_SCORERS, "numeric", f"{custom.PREFIX}scorer.py")


def scorer_for(by: str, *, where: str = "score.by", folder: Folder | None = None, trust: bool = False) -> Scorer:
    """The scorer called ``by``.

    Args:
        by: ``gaia``, ``exact``, ``numeric``, ``numeric:TOLERANCE``, ``choice``, ``judge``, or ``python:FILE``.
        where: names the setting in an error.
        folder: the benchmark's folder, where ``python:FILE`` is.
        trust: let Python of a folder that is not shipped run.

    Raises:
        UsageError: there is no scorer of this name, its tolerance is none, or its Python may not or cannot run.
    """
    if by in _SCORERS:
        return _SCORERS[by]()
    kind, colon, rest = by.partition(":")
    if kind == "numeric":
        return _numeric(rest if colon else None, where)
    if by.startswith(custom.PREFIX):
        return _custom(rest, folder, where, trust=trust)
    near = difflib.get_close_matches(by, _NAMES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(_NAMES)}"
    raise UsageError(f"{where}: unknown scorer {by!r}: {hint}")
