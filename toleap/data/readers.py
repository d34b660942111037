"""Bytes of a data file into rows: csv, tsv, json, jsonl, xlsx, parquet. Only UsageError comes out of bad bytes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from itertools import dropwhile
from pathlib import Path
from typing import Any

from toleap.data.columns import Row
from toleap.data.parquet import read_parquet
from toleap.data.xlsx import read_xlsx
from toleap.errors import UsageError

MAX_BYTES = 2 << 30
_MAX_CELL = 2**31 - 1

Reader = Callable[[bytes, str], list[Row]]


def format_of(path: Path) -> str:
    """The format a file's suffix stands for.

    Raises:
        UsageError: it is none of ours.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in READERS:
        raise UsageError(f"{path}: cannot read {suffix or 'a file without suffix'}; known: {', '.join(READERS)}")
    return suffix


def read_bytes(path: Path) -> bytes:
    """The whole file.

    Raises:
        UsageError: it is missing, unreadable, empty or larger than 2 GiB.
    """
    try:
        if not path.is_file():
            raise UsageError(f"{path}: no such file")
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path}: larger than 2 GiB")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r}: cannot be read: {error}") from error
    if not data:
        raise UsageError(f"{path}: the file is empty")
    return data


def sha256_of(path: Path) -> str:
    """The hex digest of a file, read in pieces.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def parse(data: bytes, kind: str, name: str) -> list[Row]:
    """The rows of a file's bytes; ``name`` is what errors call it.

    Raises:
        UsageError: the bytes are not a whole file of that format, or there is no row in it.
    """
    rows = READERS[kind](data, name)
    if not rows:
        raise UsageError(f"{name}: there are no rows in it")
    return rows


def _text(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: not UTF-8 (byte {error.start}); convert it, e.g. with iconv") from error
    if "\x00" in text:
        raise UsageError(f"{name}: contains NUL bytes: damaged, or not a text file")
    return text


def _read_jsonl(data: bytes, name: str) -> list[Row]:
    lines = ((number, line) for number, line in enumerate(_text(data, name).split("\n"), 1) if line.strip())
    return [_object(_json(line, f"{name}, line {number}"), name, f"line {number}") for number, line in lines]


def _read_json(data: bytes, name: str) -> list[Row]:
    items = _json(_text(data, name), name)
    if not isinstance(items, list):
        raise UsageError(f"{name}: expected a list of objects; one object per line is called .jsonl")
    return [_object(item, name, f"item {number}") for number, item in enumerate(items, 1)]


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise UsageError(f"{where}: nested too deeply") from error
    except ValueError as error:
        raise UsageError(f"{where}: not JSON: {error}") from error


def _object(item: Any, name: str, place: str) -> Row:
    if not isinstance(item, dict):
        raise UsageError(f"{name}, {place}: expected an object, found {type(item).__name__}")
    return Row(place, item)


def _read_csv(data: bytes, name: str, delimiter: str = ",") -> list[Row]:
    text = _text(data, name)
    limit = csv.field_size_limit(_MAX_CELL)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        return _table(dropwhile(lambda numbered: not numbered[1], _numbered(reader)), name)
    except csv.Error as error:
        raise UsageError(f"{name}, line {reader.line_num}: {error}") from error
    finally:
        csv.field_size_limit(limit)


def _read_tsv(data: bytes, name: str) -> list[Row]:
    return _read_csv(data, name, delimiter="\t")


def _numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it starts on: a quoted cell may span several."""
    start = 1
    for record in reader:
        yield start, record
        start = reader.line_num + 1


def _table(records: Iterator[tuple[int, list[str]]], name: str) -> list[Row]:
    _, names = next(records, (1, []))
    header = [name or f"Unnamed: {number}" for number, name in enumerate(names)]  # as pandas calls them
    twice = {column for column in header if header.count(column) > 1}
    if twice:
        raise UsageError(f"{name}: column {sorted(twice)[0]!r} is there twice")
    rows = []
    for line, record in records:
        if not record:
            continue
        if len(record) != len(header):
            raise UsageError(f"{name}, line {line}: {len(record)} cells, but the header has {len(header)}")
        rows.append(Row(f"line {line}", dict(zip(header, record, strict=True))))
    return rows


READERS: dict[str, Reader] = {
    "csv": _read_csv,
    "tsv": _read_tsv,
    "json": _read_json,
    "jsonl": _read_jsonl,
    "xlsx": read_xlsx,
    "parquet": read_parquet,
}
