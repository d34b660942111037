"""``benchmark.toml`` as a typed, frozen value. An unknown key is refused; the error names the nearest one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from toleap.errors import UsageError
from toleap.toml import read_toml

FILE = "benchmark.toml"

Text = Annotated[str, StringConstraints(min_length=1)]
Option = Annotated[bool, Strict()] | Annotated[int, Strict()] | Annotated[float, Strict()] | str
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Columns = Text | tuple[Text, ...]
"""A column, or several names for the same one: the first that the data has is taken. Dots reach into nested ones."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Decrypt(_Section):
    """How some columns are encrypted. ``key`` is the column that holds each row's own canary."""

    scheme: Literal["xor", "sha256-xor"]
    key: Text
    columns: Annotated[tuple[Text, ...], Field(min_length=1)]


class Fields(_Section):
    """The columns that make a task, by default AgentToLeaP's; ``id`` and ``file`` may be absent where not set.

    ``image`` holds a picture as a data URI, or nothing.
    """

    id: Columns = "task_id"
    question: Columns = "Question"
    answer: Columns = "Final answer"
    file: Columns = "file_name"
    image: Columns | None = None


class Select(_Section):
    """A published list of ids: only these tasks of the ``base`` are taken.

    ``sha256`` is that of the sorted ids, one a line without a last line break. ``column`` is where a table has them.
    """

    sha256: Digest
    url: Text | None = None
    column: Text = "task_id"


class Data(_Section):
    """Where the tasks come from."""

    source: str = ""
    """``csv:PATH`` (tsv, json, jsonl, xlsx, parquet; PATH may be ``cache:NAME`` or a URL), ``hub:OWNER/NAME``,
    ``python:source.py``."""
    base: Text | None = None
    """Another benchmark whose data this one takes, and whose keys of this section it has where it sets none."""
    revision: str = ""
    """The commit of the hub's repository; without it the newest is taken and its commit is recorded."""
    config: str = ""
    split: str = ""
    files: str = ""
    """The folder of the hub's repository that the attachments are in."""
    gated: Annotated[bool, Strict()] = False
    """The hub asks to accept terms first."""
    licence: str = ""
    publish: Annotated[bool, Strict()] = True
    """Whether its owners let answers be shown openly; where not, nothing shows them unless it is asked to."""
    rows: Annotated[int, Strict(), Field(gt=0)] | None = None
    """How many tasks there must be, after ``where`` and ``select``."""
    sha256: Digest | None = None
    where: Mapping[str, str] = {}
    """Only rows with these values in these columns are taken."""
    select: Select | None = None
    decrypt: Decrypt | None = None
    fields: Fields = Fields()
    metadata: Mapping[str, Columns] = {}
    """Further columns a task keeps, by the name they get."""
    defaults: Mapping[str, str] = {}
    """What an empty cell of a metadata column means."""
    lists: Mapping[str, Text] = {}
    """Metadata that holds several values, and what stands between them."""
    expect: Mapping[str, Mapping[str, Annotated[int, Strict()]]] = {}
    """How many tasks have each value of a metadata column."""
    options: Mapping[str, Option] = {}


class Web(_Section):
    """The pages the benchmark brings with it: JSONL of url, title, text, relative to the data's folder."""

    corpus: Text | None = None


class Score(_Section):
    """How an answer is scored, and whether a judge sees the final answer or the whole last message.

    ``rubric`` names what the judge goes by.
    """

    by: Text = "gaia"
    judge_sees: Literal["answer", "response"] = "answer"
    rubric: Text | None = None
    also: Literal["judge"] | None = None
    """Who gives a second verdict beside a rule's, where a judge is configured; the headline stays the rule's."""

    @model_validator(mode="after")
    def _second_is_another(self) -> Self:
        if self.by == self.also:
            raise PydanticCustomError("also", "also names whom by names already: leave it out")
        return self

    @property
    def headline(self) -> dict[str, str]:
        """The settings that can change the headline's verdicts."""
        unset = {"also": None, "rubric": None, "judge_sees": "answer"} if self.also else {}
        return self.model_copy(update=unset).model_dump(exclude_none=True)


class Report(_Section):
    """What a table says beside the average."""

    breakdown: tuple[Text, ...] = ()
    """The columns that it is broken down by: names from ``[data.metadata]`` or columns of the data, two with ``*``
    between them crossed."""
    measures: tuple[Text, ...] = ()
    """Measures made of the verdicts: names from ``toleap.scoring.measures.MEASURES``."""


class Spec(_Section):
    """The whole of ``benchmark.toml``; every key has a default, so a folder may do without the file."""

    title: str = ""
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] = "en"
    reference: str | None = None
    model: Text | None = None
    """The model that is run where the user names none."""
    text_only: Text | None = None
    """The benchmark that takes its place for a model which sees no images."""
    data: Data = Data()
    web: Web = Web()
    score: Score = Score()
    report: Report = Report()


def read_spec(folder: Path) -> Spec:
    """The folder's ``benchmark.toml`` (defaults where there is none).

    Raises:
        UsageError: the file is not TOML, or a key is unknown or has a wrong value.
    """
    path = folder / FILE
    document = read_toml(path) if path.exists() else {}
    try:
        return Spec.model_validate(document)
    except ValidationError as error:
        raise UsageError(f"{path}: {_first_mistake(error, document)}") from error


def _first_mistake(error: ValidationError, document: dict[str, Any]) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    names = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        known = _keys_below(names[:-1])
        near = difflib.get_close_matches(names[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
        return f"unknown key {'.'.join(names)}: {hint}"
    key = names if first["type"] == "missing" else _written(names, document)
    return f"{'.'.join(key)}: {first['msg'].replace('valid tuple', 'valid list')}"


def _written(names: list[str], document: Any) -> list[str]:
    """The part of pydantic's location that stands in the document: the rest are branches of unions."""
    kept: list[str] = []
    for name in names:
        if not isinstance(document, dict) or name not in document:
            break
        kept.append(name)
        document = document[name]
    return kept


def _keys_below(names: list[str]) -> list[str]:
    model: Any = Spec
    for name in names:
        model = _section_of(model.model_fields[name].annotation)
    return list(model.model_fields)


def _section_of(annotation: Any) -> type[_Section]:
    """The section that a field holds, also where it is optional."""
    choices = (annotation, *getattr(annotation, "__args__", ()))
    return next(choice for choice in choices if isinstance(choice, type) and issubclass(choice, _Section))
