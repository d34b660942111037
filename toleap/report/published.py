"""Published accuracies, to be shown beside a table: other people's numbers, made by other harnesses."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from toleap.errors import UsageError
from toleap.folders import shipped_root

_COLUMNS = ("group", "model", "benchmark", "accuracy_pct", "source")


@dataclass(frozen=True, slots=True)
class Published:
    """One published number. ``accuracy`` is a fraction; it came without an error bar."""

    group: str
    model: str
    benchmark: str
    accuracy: float
    source: str


def published_for(benchmark: str) -> list[Published]:
    """What was published for a benchmark, in the file's order; empty where nothing was.

    Raises:
        UsageError: the file is there and cannot be read.
    """
    path = shipped_root() / "results" / "published.csv"
    return [row for row in read(path) if row.benchmark == benchmark] if path.is_file() else []


def read(path: Path) -> list[Published]:
    """Every row of a file of published numbers.

    Raises:
        UsageError: the file cannot be read, or a row lacks a column or has no percentage.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            return [_row(path, reader.line_num, fields) for fields in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as UTF-8 CSV: {error}") from error


def _row(path: Path, line: int, fields: dict[str, str | None]) -> Published:
    values = [fields.get(column) for column in _COLUMNS]
    if any(value is None for value in values):
        raise UsageError(f"{path}, line {line}: needs the columns {', '.join(_COLUMNS)}")
    group, model, benchmark, accuracy, source = (value or "" for value in values)
    try:
        percent = float(accuracy)
    except ValueError:
        percent = math.nan
    if not 0 <= percent <= 100:
        raise UsageError(f"{path}, line {line}: accuracy_pct {accuracy!r} is no percentage")
    return Published(group, model, benchmark=benchmark, accuracy=percent / 100, source=source)
