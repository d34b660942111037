"""Which rows of a data file are a benchmark's: all, those with some values, or those on a published list of ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toleap.data import cache
from toleap.data.columns import Row, as_text, cell, has
from toleap.data.readers import format_of, parse, read_bytes
from toleap.data.spec import Data, Select
from toleap.errors import UsageError

IDS = "ids.json"


@dataclass(frozen=True, slots=True)
class Taken:
    """What is taken from a base's file: its ``rows`` rows are checked first, then those with these ids are kept."""

    rows: int | None = None
    ids: frozenset[str] | None = None


EVERYTHING = Taken()


def kept(rows: Sequence[Row], data: Data, taken: Taken, id_column: str | None, path: Path) -> list[Row]:
    """The rows with the values of ``data.where`` and the ids that are taken, in the file's order.

    Raises:
        UsageError: the file has another number of rows than the base has tasks, or lacks some of the ids.
    """
    if taken.rows is not None and len(rows) != taken.rows:
        raise UsageError(f"{path}: found {len(rows)} rows, expected {taken.rows}: not the file this benchmark needs")
    matching = [row for row in rows if _matches(row, data.where, path)]
    if taken.ids is None:
        return matching
    if id_column is None:
        raise UsageError(f"{path}: no column of ids to select tasks by")
    names = [as_text(cell(row, id_column), f"{path}, {row.place}") for row in matching]
    missing = taken.ids.difference(names)
    if missing:
        raise UsageError(
            f"{path}: {len(missing)} of the {len(taken.ids)} selected ids are not in it: another version"
        )
    return [row for name, row in zip(names, matching, strict=True) if name in taken.ids]


def read_ids(path: Path, select: Select, answers: Iterable[str]) -> frozenset[str] | None:
    """The ids in a file: a JSON list (or ``{"ids": […]}``) of texts or objects, or any table.

    None where it has one of the columns ``answers``, or no ids: then it is no list of ids, but perhaps the data.

    Raises:
        UsageError: the file cannot be read, or is another list than the published one.
    """
    content, kind = read_bytes(path), format_of(path)
    items = _json_items(content) if kind == "json" else None
    rows = parse(content, kind, str(path)) if items is None else _rows(items, select.column)
    if any(has(row, name) for row in rows for name in answers) or not any(has(row, select.column) for row in rows):
        return None
    return checked_ids(rows, select, path)


def checked_ids(rows: Iterable[Row], select: Select, path: Path | str) -> frozenset[str]:
    """The ids of some rows, which must be the published ones.

    Raises:
        UsageError: they are not.
    """
    ids = sorted(as_text(cell(row, select.column), f"{path}, {row.place}, column {select.column}") for row in rows)
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    if digest != select.sha256:
        raise UsageError(f"{path}: {len(ids)} ids whose sha256 is {digest[:12]}…, expected {select.sha256[:12]}…")
    return frozenset(ids)


def write_ids(folder: Path, ids: Iterable[str]) -> Path:
    """Keep the ids, and nothing else of where they came from."""
    path = folder / IDS
    with cache.writing(path) as temporary:
        temporary.write_text(json.dumps(sorted(ids), indent=1) + "\n", encoding="utf-8")
    return path


def _json_items(content: bytes) -> list[Any] | None:
    """The list in a JSON document, if it is one of ids; every other mistake is the reader's to name."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if isinstance(document, dict):
        document = document.get("ids")
    return document if isinstance(document, list) and document else None


def _rows(items: Iterable[Any], column: str) -> list[Row]:
    cells = (item if isinstance(item, dict) else {column: item} for item in items)
    return [Row(f"item {number}", each) for number, each in enumerate(cells, 1)]


def _matches(row: Row, where: Mapping[str, str], path: Path) -> bool:
    return all(as_text(cell(row, column), f"{path}, {row.place}") == value for column, value in where.items())
