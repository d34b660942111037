"""A table of rows as a file gave them: where each row stands in its file, and its cells by column."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any

from toleap.errors import UsageError


@dataclass(frozen=True, slots=True)
class Row:
    """``place`` is what a person looks for in the file: "line 7", "row 7" or "item 7"."""

    place: str
    cells: Mapping[str, Any] = field(repr=False)


def has(row: Row, column: str) -> bool:
    """Whether the row has this column; dots reach into nested objects."""
    return _descend(row.cells, column) is not _ABSENT


def cell(row: Row, column: str) -> Any:
    """The cell's value, or None where the row does not have it."""
    value = _descend(row.cells, column)
    return None if value is _ABSENT else value


def columns_of(rows: Iterable[Row]) -> list[str]:
    """Every column that some row has, nested ones with their dots, in order of appearance."""
    columns: dict[str, None] = {}
    for row in rows:
        for name, value in row.cells.items():
            if isinstance(value, Mapping):
                columns.update(dict.fromkeys(f"{name}.{inner}" for inner in value))
            else:
                columns[name] = None
    return list(columns)


def as_text(value: Any, where: str) -> str:
    """A cell as text: whole floats lose their ``.0`` (spreadsheets keep numbers as floats), None is empty.

    Raises:
        UsageError: the value is an object or a list, or text that cannot be stored as UTF-8; names ``where``.
    """
    match value:
        case None:
            return ""
        case str():
            return _checked(value, where)
        case bool() | int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case date() | time():
            return value.isoformat()
        case _:
            raise UsageError(f"{where}: expected text, found {_kind(value)}")


def as_label(value: Any, where: str, separator: str | None = None) -> str | tuple[str, ...]:
    """Like ``as_text``; a list, or text with a separator in it, gives all its values.

    Raises:
        UsageError: as ``as_text``.
    """
    if isinstance(value, list | tuple):
        return tuple(filter(None, (as_text(element, where).strip() for element in value)))
    text = as_text(value, where)
    if separator is None:
        return text
    return tuple(filter(None, (part.strip() for part in text.split(separator))))


def is_one_line(text: str) -> bool:
    """Whether a name is free of control characters and line breaks of any kind."""
    return not any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in text)


def _checked(text: str, where: str) -> str:
    if "\x00" in text:
        raise UsageError(f"{where}: contains a NUL character")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise UsageError(f"{where}: contains half of a surrogate pair, which is not a character")
    return text


def _kind(value: Any) -> str:
    kinds = {"dict": "an object", "list": "a list"}
    name = type(value).__name__
    return kinds.get(name, f"a {name}")


_ABSENT = object()


def _descend(cells: Mapping[str, Any], column: str) -> Any:
    if column in cells:
        return cells[column]
    head, dot, rest = column.partition(".")
    inner = cells.get(head)
    return _descend(inner, rest) if dot and isinstance(inner, Mapping) else _ABSENT
