"""A benchmark: a folder that says where its tasks come from, how they are asked and how they are scored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from toleap.data.images import is_picture
from toleap.data.prompt import prompt_path, render, used_names
from toleap.data.readers import read_bytes, sha256_of
from toleap.data.selection import EVERYTHING, Taken, read_ids
from toleap.data.sources import Located, Readiness, Source, resolve_options, source_of
from toleap.data.spec import FILE, Data, Score, Spec, read_spec
from toleap.data.tasks import read_tasks
from toleap.errors import UsageError
from toleap.folders import Folder, find
from toleap.types import BenchmarkResult, RunResult, Task

__all__ = ["Benchmark", "Readiness", "load_benchmark"]


@dataclass(frozen=True)
class Benchmark:
    """One benchmark. Nothing is read but its toml until it is asked for."""

    name: str
    folder: Path
    spec: Spec = field(repr=False)
    source: Source = field(repr=False)

    @property
    def title(self) -> str:
        """The name for tables."""
        return self.spec.title or self.name

    @property
    def language(self) -> str:
        """The language of its questions: an ISO 639 code, ``mul`` for several."""
        return self.spec.language

    @property
    def reference(self) -> str | None:
        """The scripted policy that solves it, where there is one."""
        return self.spec.reference

    @property
    def score(self) -> Score:
        """How answers are scored."""
        return self.spec.score

    @property
    def publish(self) -> bool:
        """Whether its owners let answers be shown openly."""
        return self.spec.data.publish

    @property
    def breakdown(self) -> tuple[str, ...]:
        """The metadata that its table is broken down by."""
        return self.spec.report.breakdown

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that its table shows beside the average."""
        return self.spec.report.measures

    @property
    def needs_sight(self) -> bool:
        """Whether some task comes with a picture, so that a model without sight cannot be measured fairly.

        Raises:
            UsageError: as ``tasks``.
        """
        return any(is_picture(file.path) for task in self.tasks() for file in task.attachments)

    @property
    def text_only(self) -> str | None:
        """The benchmark that takes its place for a model which sees no images, where there is one."""
        return self.spec.text_only

    @property
    def options(self) -> Mapping[str, Any]:
        """The options its Python source is called with."""
        return self.source.options

    @property
    def corpus(self) -> Path | None:
        """The pages the benchmark brings with it, or None.

        Raises:
            UsageError: it names a corpus that is not there.
        """
        if self.spec.web.corpus is None:
            return None
        path = self.source.base() / self.spec.web.corpus
        if not path.is_file():
            raise UsageError(f"{path}: no such file; benchmark.toml of {self.name} names it as web.corpus")
        return path

    @cached_property
    def prompt(self) -> str:
        """The text of its prompt template."""
        path = prompt_path(self.folder)
        try:
            return read_bytes(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: not UTF-8 (byte {error.start})") from error

    @cached_property
    def revision(self) -> str:
        """Fingerprint (16 hex digits) of all that can change a number here: tasks, files, pages, prompt, scoring.

        The tasks count as they were read, so the same tasks have the same revision in every file format.
        """
        digest = hashlib.sha256()
        for task in self._tasks:
            files = [[file.name, sha256_of(file.path)] for file in task.attachments]
            parts = [task.id, task.question, task.answer, files, dict(task.metadata)]
            digest.update(json.dumps(parts, sort_keys=True).encode() + b"\n")
        corpus = self.corpus
        rest = [
            self.prompt,
            self.language,
            self.score.headline,
            dict(self.options),
            corpus and sha256_of(corpus),
        ]
        digest.update(json.dumps(rest, sort_keys=True).encode())
        return digest.hexdigest()[:16]

    def check_played(self, revision: str, run: str) -> None:
        """Whether this is what a run of this name played; a run's revision may say more behind a dash.

        Raises:
            UsageError: its data, prompt or scoring is another now.
        """
        played = revision.partition("-")[0]
        if self.revision != played:
            raise UsageError(
                f"{self.name} is not what run {run} played ({played}, now {self.revision}): "
                "its data, prompt or scoring changed"
            )

    def tasks(self) -> tuple[Task, ...]:
        """Every task, in the order of the data; read once.

        Raises:
            UsageError: the data is not there, is not what it should be, or would need ``--trust``.
        """
        return self._tasks

    def ready(self) -> Readiness:
        """Whether the tasks can be read, and if not the command to type. Reads no data and runs no code."""
        return self.source.ready()

    def render_prompt(self, task: Task) -> str:
        """The user's message for one task, made from its question and the names of its files only.

        Raises:
            UsageError: the template is wrong; names its file and line.
        """
        names = [file.name for file in task.attachments]
        values = {"question": task.question, "files": names, "language": self.language}
        return render(self.prompt, prompt_path(self.folder), values)

    def check(self, tasks: Sequence[Task]) -> list[str]:
        """What is odd about the folder, for people; its prompt is tried on all these tasks before any is played.

        Raises:
            UsageError: the prompt cannot be rendered for one of them; names file and line.
        """
        path, odd = prompt_path(self.folder), []
        questions, prompts = {task.question for task in tasks}, {self.render_prompt(task) for task in tasks}
        # Only real questions are tried: a prompt may cut or rewrite them in ways that no invented one would stand.
        alike = len(prompts) == 1 and len(questions) > 1
        if alike or "question" not in used_names(self.prompt, path):
            odd.append(f"{path}: the prompt never shows {{{{ question }}}}")
        columns = {column for task in tasks for column, value in task.metadata.items() if value not in {"", None, ()}}
        for entry in self.breakdown:
            missing = [name for name in ([entry] if entry in columns else entry.split("*")) if name not in columns]
            if missing and tasks:
                odd.append(f"{self.folder / FILE}: report.breakdown: no task has a value of {', '.join(missing)}")
        return odd

    @cached_property
    def _tasks(self) -> tuple[Task, ...]:
        located = self.source.data_file()
        contents = [self._checked(path, located) for path in located.file.paths]
        return read_tasks(
            self.name,
            located.file,
            contents=contents,
            data=self.spec.data,
            breakdown=self.breakdown,
            taken=self._taken(located),
        )

    def _checked(self, path: Path, located: Located) -> bytes:
        content, digest = read_bytes(path), located.digests.get(path)
        if digest is not None and hashlib.sha256(content).hexdigest() != digest:
            owner = self.source.parent.folder.name if located.shared and self.source.parent else self.name
            raise UsageError(f"{path} is damaged; type: toleap data import {owner} PATH")
        return content

    def _taken(self, located: Located) -> Taken:
        parent, select = self.source.parent, self.spec.data.select
        if not located.shared or parent is None:
            return EVERYTHING
        ids = read_ids(located.ids, select, ()) if located.ids and select else None
        return Taken(parent.data.rows, ids)


def load_benchmark(name: str, *, trust: bool = False, options: Mapping[str, Any] | None = None) -> Benchmark:
    """The benchmark called ``name``, found in the working folder, ``$TOLEAP_PATH`` or what is shipped.

    Args:
        trust: let Python of folders that are not shipped run.
        options: values for ``[data.options]``, e.g. ``{"tasks": 300, "split": "train"}``.

    Raises:
        UsageError: there is none, its ``benchmark.toml`` is wrong, or an option is unknown.
    """
    folder = find("benchmarks", name)
    spec = read_spec(folder.path)
    parent = _parent(folder, spec.data, trust=trust)
    data = spec.data if parent is None else _inherited(parent.data, spec.data)
    resolved = resolve_options(data.options, options or {}, name)
    source = source_of(folder, data, resolved, trust=trust, parent=parent)
    return Benchmark(name, folder.path, spec.model_copy(update={"data": data}), source)


def load_played(run: RunResult, part: BenchmarkResult, *, trust: bool) -> Benchmark:
    """A run's benchmark, with the options it was played with; raises what ``load_benchmark`` does."""
    prefix = f"benchmark.{part.name}."
    options = {key.removeprefix(prefix): value for key, value in run.settings.items() if key.startswith(prefix)}
    return load_benchmark(part.name, trust=trust, options=options)


def _parent(folder: Folder, data: Data, *, trust: bool) -> Source | None:
    if data.base is None:
        return None
    base = find("benchmarks", data.base)
    inherited = read_spec(base.path).data
    source = source_of(base, inherited, {}, trust=trust)
    if inherited.base is not None or not source.importable:
        raise UsageError(f"{folder.path / FILE}: data.base: {data.base} has no data of its own that is imported")
    return source


def _inherited(base: Data, own: Data) -> Data:
    """The base's section with the keys that are set in this one; ``rows`` and ``sha256`` are each one's own."""
    kept = base.model_copy(update={"rows": None, "sha256": None, "expect": {}})
    return kept.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})
