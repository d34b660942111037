"""The first sheet of a workbook into rows. A workbook is a zip of XML, so it can be damaged in many ways."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any

from toleap.data.columns import Row
from toleap.errors import UsageError

_MAX_UNPACKED = 1 << 30
_MAX_ROWS = 1_048_576
"""Excel's own limit; a hostile file claims a row number so high that counting up to it never ends."""

_BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    SyntaxError,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    RuntimeError,
    AssertionError,
)
"""What zipfile and openpyxl raise for damaged input; XML parsers derive their errors from SyntaxError."""


def read_xlsx(data: bytes, name: str) -> list[Row]:
    """The rows below the first sheet's header; empty rows and columns without a header are left out.

    Raises:
        UsageError: it is no workbook, it is damaged, or it unpacks to more than 1 GiB.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        sheet = _first_sheet(data) if unpacked <= _MAX_UNPACKED else None
    except _BROKEN as error:
        raise UsageError(f"{name}: not a whole xlsx file ({type(error).__name__}); fetch it again") from error
    if sheet is None:
        raise UsageError(f"{name}: unpacks to {unpacked >> 20} MiB; the limit is {_MAX_UNPACKED >> 20}")
    return _rows(sheet, name)


def _first_sheet(data: bytes) -> list[tuple[int, tuple[Any, ...]]]:
    from openpyxl import load_workbook
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and extensions, which hold no data
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        try:
            sheet = book.worksheets[0]
            if isinstance(sheet, ReadOnlyWorksheet):
                sheet.reset_dimensions()
            return list(_filled(sheet.iter_rows(values_only=True)))
        finally:
            book.close()


def _filled(values: Iterable[tuple[Any, ...]]) -> Iterable[tuple[int, tuple[Any, ...]]]:
    for number, row in enumerate(values, 1):
        if number > _MAX_ROWS:
            raise ValueError("more rows than a sheet can have")
        if any(value is not None for value in row):
            yield number, row


def _rows(sheet: list[tuple[int, tuple[Any, ...]]], name: str) -> list[Row]:
    if not sheet:
        return []
    header = [None if value is None else str(value) for value in sheet[0][1]]
    named = [column for column in header if column]
    if len(set(named)) != len(named):
        twice = next(column for column in named if named.count(column) > 1)
        raise UsageError(f"{name}: column {twice!r} is there twice")
    return [Row(f"row {number}", _cells(header, values)) for number, values in sheet[1:]]


def _cells(header: list[str | None], values: tuple[Any, ...]) -> dict[str, Any]:
    padded = values + (None,) * (len(header) - len(values))
    return {column: value for column, value in zip(header, padded, strict=False) if column}
