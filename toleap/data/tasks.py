"""Rows into tasks: columns found, cells decrypted, ids made, and everything checked."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toleap.data.attachments import attachments_of
from toleap.data.columns import Row, as_label, as_text, cell, columns_of, has, is_one_line
from toleap.data.decrypt import decrypt
from toleap.data.images import image_attachment
from toleap.data.manifest import images_folder
from toleap.data.readers import parse
from toleap.data.selection import EVERYTHING, Taken, kept
from toleap.data.spec import Columns, Data, Decrypt
from toleap.errors import UsageError
from toleap.types import Task

_MAX_ID = 200
_AGENTTOLEAP = ("jsonl", "json")
"""The formats of its files: another one that lacks a benchmark's columns is a wrong file, even with these four."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file: where it is, its format, and the folder of its attachments. ``more`` are its further parts."""

    path: Path
    format: str
    files: Path
    more: tuple[Path, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every part, in order."""
        return (self.path, *self.more)


@dataclass(frozen=True, slots=True)
class _Layout:
    """The column that each part of a task is in, in this very file."""

    question: str
    answer: str
    id: str | None
    file: str | None
    metadata: Mapping[str, str]
    decrypt: Decrypt | None
    image: str | None = None
    own: bool = True
    """The columns are those that the benchmark names, not AgentToLeaP's."""


def read_tasks(
    name: str,
    file: DataFile,
    contents: Sequence[bytes],
    data: Data,
    breakdown: Sequence[str],
    taken: Taken = EVERYTHING,
) -> tuple[Task, ...]:
    """Every task of a data file, in its order. AgentToLeaP's JSONL is taken for any benchmark.

    Args:
        name: the benchmark's name.
        contents: the bytes of each of the file's parts.
        breakdown: columns that must be in the metadata.
        taken: what is taken from a base's file.

    Raises:
        UsageError: anything is not as ``data`` says it is; names the file and the row or column.
    """
    rows = [row for path, content in zip(file.paths, contents, strict=True) for row in _parse(file, path, content)]
    layout = _layout(rows, data, breakdown, file)
    if layout.own:
        _check_digest(file.path, contents[0], data.sha256)
    chosen = kept(rows, data if layout.own else Data(), taken=taken, id_column=layout.id, path=file.path)
    if data.rows is not None and len(chosen) != data.rows:
        raise UsageError(
            f"{file.path}: found {len(chosen)} rows, expected {data.rows}: not the file this benchmark needs"
        )
    tasks = tuple(
        _task(name, row, layout=layout, file=file, data=data) for row in _decrypted(chosen, layout.decrypt, file.path)
    )
    _check_ids(tasks, chosen, file.path)
    if layout.own:
        _check_counts(tasks, data.expect, file.path)
    return tasks


def _parse(file: DataFile, path: Path, content: bytes) -> list[Row]:
    rows = parse(content, file.format, str(path))
    return [replace(row, place=f"{path.name}, {row.place}") for row in rows] if file.more else rows


def _check_digest(path: Path, content: bytes, expected: str | None) -> None:
    actual = hashlib.sha256(content).hexdigest()
    if expected is not None and actual != expected:
        raise UsageError(f"{path}: its sha256 is {actual[:12]}…, expected {expected[:12]}…: another file or version")


def _check_counts(tasks: Sequence[Task], expect: Mapping[str, Mapping[str, int]], path: Path) -> None:
    for key, counts in expect.items():
        actual = Counter(value for task in tasks for value in _values(task.metadata.get(key, "")))
        if actual != Counter(counts):
            there = ", ".join(f"{value} {count}" for value, count in sorted(actual.items())[:20])
            raise UsageError(f"{path}: {key} is {there}; expected {', '.join(f'{v} {n}' for v, n in counts.items())}")


def _values(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _layout(rows: Sequence[Row], data: Data, breakdown: Sequence[str], file: DataFile) -> _Layout:
    """Where everything is: as the benchmark says, or as in AgentToLeaP's files."""
    own, missing = _find_columns(rows, data, breakdown)
    if not missing:
        return own
    simple, absent = _find_columns(rows, Data(), ())
    if not absent and file.format in _AGENTTOLEAP:
        return replace(simple, own=False)
    there = ", ".join(columns_of(rows)[:40])
    raise UsageError(f"{file.path}: missing column {', '.join(missing)}; the columns are: {there}")


def _find_columns(rows: Sequence[Row], data: Data, breakdown: Sequence[str]) -> tuple[_Layout, list[str]]:
    wanted = data.fields
    crossed = [[entry] if entry in data.metadata else entry.split("*") for entry in breakdown]
    metadata = {column: column for columns in crossed for column in columns} | dict(data.metadata)
    required = {"question": wanted.question, "answer": wanted.answer}
    required |= {key: getattr(wanted, key) for key in ("id", "file") if key in wanted.model_fields_set}
    required |= {f"metadata {key}": columns for key, columns in metadata.items()}
    required |= {f"where {column}": column for column in data.where}
    if wanted.image is not None:
        required["image"] = wanted.image
    if data.decrypt:
        required |= {f"decrypt {column}": column for column in (data.decrypt.key, *data.decrypt.columns)}
    resolved = {key: _first_there(rows, columns) for key, columns in required.items()}
    missing = [_names(required[key]) for key, column in resolved.items() if column is None]
    layout = _Layout(
        question=resolved["question"] or "",
        answer=resolved["answer"] or "",
        id=_first_there(rows, wanted.id),
        file=_first_there(rows, wanted.file),
        metadata={key: resolved[f"metadata {key}"] or "" for key in metadata},
        decrypt=data.decrypt,
        image=resolved.get("image"),
    )
    return layout, list(dict.fromkeys(missing))


def _first_there(rows: Sequence[Row], columns: Columns) -> str | None:
    names = (columns,) if isinstance(columns, str) else columns
    return next((name for name in names if any(has(row, name) for row in rows)), None)


def _names(columns: Columns) -> str:
    return columns if isinstance(columns, str) else " or ".join(columns)


def _decrypted(rows: Iterable[Row], how: Decrypt | None, path: Path) -> Iterable[Row]:
    return rows if how is None else (_decrypted_row(row, how, path) for row in rows)


def _decrypted_row(row: Row, how: Decrypt, path: Path) -> Row:
    plain: dict[str, Any] = dict(row.cells)
    canary = as_text(cell(row, how.key), f"{path}, {row.place}, column {how.key}")
    for column in how.columns:
        where = f"{path}, {row.place}, column {column}"
        try:
            plain[column] = decrypt(as_text(cell(row, column), where), canary, how.scheme)
        except ValueError as error:
            raise UsageError(f"{where}: cannot be decrypted: {error}") from error
    return replace(row, cells=plain)


def _task(name: str, row: Row, layout: _Layout, file: DataFile, data: Data) -> Task:
    question = _filled(row, layout.question, file.path)
    attached = attachments_of(row, layout.file, file.path, file.files) if layout.file else ()
    metadata = {
        key: _label(row, key, column=column, data=data, path=file.path) for key, column in layout.metadata.items()
    }
    if layout.image is not None:
        where = f"{file.path}, {row.place}, column {layout.image}"
        picture = as_text(cell(row, layout.image), where)
        attached += (image_attachment(picture, where, images_folder(name)),) if picture else ()
        metadata["image"] = "yes" if picture else "no"
    return Task(
        benchmark=name,
        id=_id(row, layout.id, question, file.path),
        question=question,
        answer=_gold(row, layout.answer, file.path),
        attachments=attached,
        metadata=metadata,
    )


def _label(row: Row, key: str, column: str, data: Data, path: Path) -> str | tuple[str, ...]:
    where = f"{path}, {row.place}, column {column}"
    return as_label(cell(row, column), where, data.lists.get(key)) or data.defaults.get(key, "")


def _gold(row: Row, column: str, path: Path) -> str:
    """The gold answer. NaN is what libraries write for an empty cell: no answer equals it."""
    text = _filled(row, column, path)
    if text.lower() == "nan":
        raise UsageError(f"{path}, {row.place}: column {column} is NaN, which stands for an empty cell")
    return text


def _filled(row: Row, column: str, path: Path) -> str:
    text = as_text(cell(row, column), f"{path}, {row.place}, column {column}").strip()
    if not text:
        raise UsageError(f"{path}, {row.place}: column {column} is empty")
    return text


def _id(row: Row, column: str | None, question: str, path: Path) -> str:
    """The row's own id, or the first 12 hex digits of the question's SHA-256."""
    if column is None:
        return hashlib.sha256(question.encode("utf-8")).hexdigest()[:12]
    text = _filled(row, column, path)
    if len(text) > _MAX_ID or not is_one_line(text):
        raise UsageError(f"{path}, {row.place}: the id must be one line of at most {_MAX_ID} characters")
    return text


def _check_ids(tasks: Sequence[Task], rows: Sequence[Row], path: Path) -> None:
    places: dict[str, str] = {}
    for task, row in zip(tasks, rows, strict=True):
        first = places.setdefault(task.id, row.place)
        if first != row.place:
            raise UsageError(f"{path}: {first} and {row.place} have the same id {task.id!r}")
