"""A judge: a rubric, a prompt and a model that together turn an answer into a verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from toleap.chat.answer import without_thoughts
from toleap.config import JudgeSettings
from toleap.data.prompt import render
from toleap.errors import JudgeError, UsageError
from toleap.scoring.judge import official
from toleap.scoring.judge.candidate import bare, quoted
from toleap.scoring.judge.endpoint import Endpoint, Unreadable
from toleap.scoring.judge.parse import PARSER_VERSION, Parsed
from toleap.scoring.judge.record import Record
from toleap.scoring.judge.rubrics import Rubric, Sampling, Sees, rubric_called
from toleap.scoring.scorers import NO_ANSWER, fingerprint
from toleap.scoring.secret import without
from toleap.types import Task, Verdict

CODE_VERSION = "1"
"""Raised with every change here that can change a verdict; it is part of the judge's fingerprint."""

NOT_ATTEMPTED = "not attempted"
"""How the reason of a wrong verdict begins where the judge says that the candidate declined."""

Kind = Literal["official", "toleap", "own"]


class Prompt(Protocol):
    """A judge's prompt. ``verified``: known to be the owner's, byte by byte."""

    @property
    def kind(self) -> Kind:
        """Whose wording it is; ``own`` is a benchmark folder's."""

    @property
    def sha256(self) -> str:
        """Of the prompt before anything is put in."""

    @property
    def verified(self) -> bool:
        """Whether it is the owner's pinned prompt."""

    def fill(self, task: Task, text: str) -> str:
        """The prompt for one answer."""


@dataclass(frozen=True, slots=True)
class TemplatePrompt:
    """A jinja template that asks for ``question``, ``gold`` and ``candidate``, rendered in a sandbox."""

    kind: Kind
    text: str
    path: Path
    verified: bool = False

    @property
    def sha256(self) -> str:
        """Of the template."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def fill(self, task: Task, text: str) -> str:
        """The filled template; the candidate's text stands between markers."""
        candidate = quoted(text, task.benchmark, task.id, task.answer)
        return render(self.text, self.path, {"question": task.question, "gold": task.answer, "candidate": candidate})


@dataclass(frozen=True, slots=True)
class OwnersPrompt:
    """An owner's prompt, filled as its owner does."""

    prompt: official.OfficialPrompt
    kind: Kind = "official"

    @property
    def sha256(self) -> str:
        """Of the owner's text."""
        return self.prompt.sha256

    @property
    def verified(self) -> bool:
        """Whether the file is the pinned one."""
        return self.prompt.verified

    def fill(self, task: Task, text: str) -> str:
        """The filled prompt; only lines of the candidate that look like a verdict are changed."""
        return self.prompt.fill(task.question, task.answer, bare(text))


class Judge:
    """Turns answers into verdicts; an async context manager that closes its own endpoint. See ``make_judge``."""

    def __init__(
        self,
        rubric: Rubric,
        prompt: Prompt,
        sees: Sees,
        settings: JudgeSettings,
        endpoint: Endpoint,
        *,
        owns_endpoint: bool,
    ) -> None:
        self._rubric = rubric
        self._prompt = prompt
        self._sampling = _sampling(rubric, settings)
        self._sees = sees
        self._attempts = settings.attempts
        self._endpoint = endpoint
        self._owns_endpoint = owns_endpoint
        self.fingerprint: str = fingerprint(f"judge-{rubric.name}", CODE_VERSION, self._identity(settings.max_tokens))
        """``judge-<rubric>-<12 hex digits>``: changes with everything that can change a verdict."""

    @property
    def official(self) -> bool:
        """Whether all is the owner's: the pinned prompt, the judge model (where one is named) and the sampling."""
        model = self._rubric.model
        same_model = model is None or self._endpoint.model == model
        return self._prompt.verified and same_model and self._sampling == self._rubric.sampling

    @property
    def label(self) -> str:
        """For tables: the judge model, whose prompt, and what differs from the owner's judge."""
        unverified = self._prompt.kind == "official" and not self._prompt.verified
        notes = [f"{self._prompt.kind} prompt{', unverified' if unverified else ''}"]
        if self._rubric.model is not None and self._rubric.model != self._endpoint.model:
            notes.append(f"official judge: {self._rubric.model}")
        if self._sampling != self._rubric.sampling:
            notes.append("sampling differs")
        return f"{self._endpoint.model} ({'; '.join(notes)})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections, unless the endpoint is shared."""
        if self._owns_endpoint:
            await self._endpoint.close()

    async def score(self, task: Task, answer: str | None, response: str) -> Verdict:
        """The verdict on one attempt: where the judge fails it is ``unscored`` with the reason; nothing is raised.

        Without an answer it is wrong, and nobody is asked.
        """
        if answer is None or not answer.strip():
            return Verdict("wrong", NO_ANSWER, self.fingerprint)
        visible = without_thoughts(response).strip() or answer
        settled = self._rubric.settled
        if settled is not None and settled(answer, visible, task.answer):
            return Verdict("correct", "equals the gold answer, no judge asked", self.fingerprint, extracted=answer)
        try:
            prompt = self._prompt.fill(task, visible if self._sees == "response" else answer)
        except UsageError as error:
            return Verdict("unscored", without(str(error), task.answer), self.fingerprint, extracted=answer)
        verdict = await self._asked(prompt, answer)
        if verdict.status != "unscored":
            return verdict
        return replace(verdict, reason=without(verdict.reason, task.answer))

    async def _asked(self, prompt: str, answer: str) -> Verdict:
        """Ask until an output can be read, each time with another seed."""
        record, reason = None, ""
        for number in range(self._attempts):
            if number:
                await self._endpoint.rest(number)
            sampling = self._sampling if number == 0 else self._reseeded(number)
            try:
                output = await self._endpoint.ask(prompt, sampling, self._rubric.schema, self._rubric.name)
            except Unreadable as error:
                reason = str(error)
                continue
            except JudgeError as error:
                reason = str(error)
                break
            record = Record(output.text, number + 1, output.structured)
            try:
                return self._verdict(self._rubric.parse(output.text), record, answer)
            except JudgeError as error:
                reason = f"the judge was not understood: {error}"
                if output.cut:
                    # The same limit would cut it off again.
                    reason = f"the judge's output was cut off at judge.max_tokens: {error}"
                    break
        return Verdict(
            "unscored", reason, scorer=self.fingerprint, extracted=answer, raw=record.dump() if record else None
        )

    def _verdict(self, parsed: Parsed, record: Record, answer: str) -> Verdict:
        kept = replace(record, attempted=parsed.attempted, confidence=parsed.confidence)
        why = parsed.reason or f"the judge says {'correct' if parsed.correct else 'wrong'}"
        reason = why if parsed.attempted else f"{NOT_ATTEMPTED}: {why}" if parsed.reason else NOT_ATTEMPTED
        status: Literal["correct", "wrong"] = "correct" if parsed.correct else "wrong"
        return Verdict(status, reason, scorer=self.fingerprint, extracted=parsed.extracted or answer, raw=kept.dump())

    def _reseeded(self, number: int) -> Sampling:
        return replace(self._sampling, seed=(self._sampling.seed or 0) + number)

    def _identity(self, max_tokens: int) -> Mapping[str, object]:
        return {
            "parser": PARSER_VERSION,
            "model": self._endpoint.model,
            "prompt": self._prompt.sha256,
            "sampling": asdict(self._sampling),
            "max_tokens": max_tokens,
            "sees": self._sees,
        }


def make_judge(
    rubric: str,
    settings: JudgeSettings,
    *,
    sees: Sees,
    template: str | None = None,
    endpoint: Endpoint | None = None,
) -> Judge:
    """The judge of a rubric. No connection is made before it is first asked.

    Args:
        rubric: one of ``RUBRICS``; it decides how the judge's output is read.
        sees: whether the judge is shown the final answer or the whole last message.
        template: a benchmark's own ``judge.jinja``, which wins over every other wording.
        endpoint: a server shared with other judges, made from the same settings; the judge does not close it.

    Raises:
        UsageError: the rubric is unknown, no model or server is named, the official prompt is not in the cache, or
            the template is wrong.
    """
    chosen = rubric_called(rubric)
    prompt = _prompt(chosen, settings, template)
    server = endpoint if endpoint is not None else Endpoint(settings)
    return Judge(chosen, prompt, sees=sees, settings=settings, endpoint=server, owns_endpoint=endpoint is None)


def _sampling(rubric: Rubric, settings: JudgeSettings) -> Sampling:
    """The owner's, but for what the settings name."""
    owner = rubric.sampling
    return Sampling(
        owner.temperature if settings.temperature is None else settings.temperature,
        owner.top_p if settings.top_p is None else settings.top_p,
        owner.seed if settings.seed is None else settings.seed,
    )


def _prompt(rubric: Rubric, settings: JudgeSettings, template: str | None) -> Prompt:
    if template is not None:
        return _checked(TemplatePrompt("own", template, Path("judge.jinja")))
    if settings.prompt == "official":
        return OwnersPrompt(official.load(rubric.name))
    return TemplatePrompt("toleap", rubric.path.read_text(encoding="utf-8"), rubric.path)


def _checked(prompt: TemplatePrompt) -> TemplatePrompt:
    """The template, tried on a task.

    Raises:
        UsageError: it cannot be filled, or shows the judge no gold answer or no candidate.
    """
    filled = prompt.fill(Task("benchmark", "task", "a-question", "a-gold-answer"), "a-candidate")
    for name, sign in (("gold", "a-gold-answer"), ("candidate", "| a-candidate")):
        if sign not in filled:
            raise UsageError(f"{prompt.path}: the judge is never shown {{{{ {name} }}}}")
    return prompt
