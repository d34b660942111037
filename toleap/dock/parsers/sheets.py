"""Workbooks: every sheet with its rows where they stand, formulas without a value, comments, colours and charts."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

from toleap.dock.parsers.parsed import Package, Parsed, joined, under_usual_names

_MOST_FOR_COLOURS = 8 * 2**20
"""Bytes: of a larger workbook only values are read, since styles take a hundred times the memory."""
_BLANKS_SHOWN = 3
_MOST_RANGES = 200


def xlsx(data: bytes, limit: int) -> Parsed:
    """Each sheet under ``## Sheet: NAME``, its rows as CSV. Of a formula the value that was saved with it."""
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    data = under_usual_names(data, "xl/workbook.xml")
    package = Package(data)
    large = sum(member.file_size for member in package.archive.infolist()) > _MOST_FOR_COLOURS
    try:
        values = openpyxl.load_workbook(io.BytesIO(data), read_only=large, data_only=True)
        formulas = None if large else openpyxl.load_workbook(io.BytesIO(data), read_only=False, data_only=False)
        charts = sorted(name for name in package.archive.namelist() if name.startswith("xl/charts/chart"))
        return joined(
            (*_book(values, formulas), *package.charts(charts)) if not large else _book(values, None), limit
        )
    except InvalidFileException as error:
        raise ValueError("it is no workbook") from error


def xls(data: bytes, limit: int) -> Parsed:
    """The same of a workbook of old."""
    import xlrd  # type: ignore[import-untyped]

    try:
        book = xlrd.open_workbook(file_contents=data, logfile=io.StringIO())
        return joined(_old_book(book, xlrd), limit)
    except xlrd.XLRDError as error:
        raise ValueError(str(error)) from error


def _book(values: Any, formulas: Any) -> Iterator[str]:
    for sheet in values.worksheets:
        yield f"## Sheet: {sheet.title}{'' if sheet.sheet_state == 'visible' else ' (hidden)'}"
        if formulas is None:
            yield "[a large workbook: formulas without a value, comments, colours and charts are not shown]"
            # The declared size may be a lie of a million columns.
            sheet.reset_dimensions()
            yield from _lines(
                enumerate(([_shown(value) for value in row] for row in sheet.iter_rows(values_only=True)), 1)
            )
            continue
        written = formulas[sheet.title]
        yield from _lines((number, _row(cells, written)) for number, cells in _rows_of(sheet))
        yield from _colours(written, formulas)


def _rows_of(sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    """The rows that hold anything, with their numbers: a workbook may claim a million columns."""
    rows: dict[int, list[Any]] = defaultdict(list)
    for (row, _), cell in sorted(sheet._cells.items()):
        rows[row].append(cell)
    yield from rows.items()


def _row(cells: list[Any], written: Any) -> list[str]:
    texts: list[str] = []
    for cell in cells:
        if cell.column > 16_384:
            break
        texts += [""] * (cell.column - 1 - len(texts))
        source = written.cell(cell.row, cell.column)
        text = _shown(cell.value)
        if cell.value is None and source.data_type == "f":
            text = f"{getattr(source.value, 'text', source.value)} [not calculated]"
        if source.comment is not None:
            text += f" [comment: {' '.join(source.comment.text.split())}]"
        texts.append(text)
    return texts


def _lines(rows: Iterable[tuple[int, list[str]]]) -> Iterator[str]:
    """Rows as CSV. Line n is row n: empty rows are empty lines, or said where there are many of them."""
    last = 0
    for number, cells in rows:
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        missing = number - last - 1
        if missing > _BLANKS_SHOWN:
            yield f"[rows {last + 1} to {number - 1} are empty]"
        else:
            yield from ("" for _ in range(missing))
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(cells)
        yield line.getvalue()
        last = number


def _colours(sheet: Any, book: Any) -> Iterator[str]:
    """Which cells have which fill."""
    from openpyxl.utils import get_column_letter

    filled: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for (row, column), cell in sorted(sheet._cells.items()):
        if cell.has_style and cell.fill.fill_type == "solid" and (name := _colour(cell.fill.fgColor, book)):
            filled[name].append((row, column))
    for name, places in filled.items():
        ranges: list[list[int]] = []
        for row, column in places:
            if ranges and ranges[-1][0] == row and ranges[-1][2] == column - 1:
                ranges[-1][2] = column
            else:
                ranges.append([row, column, column])
        named = [f"{get_column_letter(a)}{row}" + (f":{get_column_letter(b)}{row}" if b > a else "")
                 for row, a, b in ranges[:_MOST_RANGES]]  # fmt: skip
        more = f" and {len(ranges) - _MOST_RANGES} more" if len(ranges) > _MOST_RANGES else ""
        yield f"[cells filled {name}: {', '.join(named)}{more}]"


_THEME = ("lt1", "dk1", "lt2", "dk2", *(f"accent{n}" for n in range(1, 7)), "hlink", "folHlink")


def _colour(colour: Any, book: Any) -> str:
    """A colour as ``#RRGGBB``, by its theme or index where it is given so; empty where it is none."""
    from openpyxl.styles.colors import COLOR_INDEX

    match colour.type:
        case "rgb":
            value = str(colour.rgb)
        case "indexed":
            value = COLOR_INDEX[colour.indexed] if colour.indexed < len(COLOR_INDEX) else ""
        case "theme":
            value = _of_theme(colour.theme, book)
        case _:
            return ""
    tint = f" tint {colour.tint:+.2f}" if colour.tint else ""
    return f"#{value[-6:].upper()}{tint}" if value else f"theme {colour.theme}{tint}"


def _of_theme(place: int, book: Any) -> str:
    if not book.loaded_theme or place >= len(_THEME):
        return ""
    from lxml import etree  # type: ignore[import-untyped]

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    root = etree.fromstring(book.loaded_theme, parser)
    for element in root.iter(f"{{http://schemas.openxmlformats.org/drawingml/2006/main}}{_THEME[place]}"):
        for child in element:
            return str(child.get("lastClr") or child.get("val") or "")
    return ""


def _old_book(book: Any, xlrd: Any) -> Iterator[str]:
    for sheet in book.sheets():
        yield f"## Sheet: {sheet.name}{'' if sheet.visibility == 0 else ' (hidden)'}"
        rows = ([_old_cell(cell, book, xlrd) for cell in sheet.row(number)] for number in range(sheet.nrows))
        yield from _lines(enumerate(rows, 1))


def _old_cell(cell: Any, book: Any, xlrd: Any) -> str:
    if cell.ctype == xlrd.XL_CELL_DATE:
        return _shown(xlrd.xldate_as_datetime(cell.value, book.datemode))
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return str(bool(cell.value))
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, "#ERROR"))
    return _shown(cell.value)


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case _:
            return str(value)
