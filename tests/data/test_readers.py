"""Every format, and every way in which a file can be broken: only UsageError comes out."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from toleap.data.readers import READERS, format_of, parse, read_bytes
from toleap.errors import UsageError


def workbook(*rows: list[object]) -> bytes:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


WORKBOOK = workbook(["q", "a"], ["one", 1], ["two", 2.5])
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
names = st.lists(cells.filter(str.strip), min_size=1, max_size=4, unique=True)


@given(data=st.binary(max_size=400), kind=st.sampled_from(sorted(READERS)))
def test_arbitrary_bytes(data: bytes, kind: str) -> None:
    try:
        assert parse(data, kind, "f")
    except UsageError as error:
        assert str(error).startswith("f")
        assert "\n" not in str(error)


@given(text=st.text('[]{}":,\\\n\t u0001\ufeff', max_size=60), kind=st.sampled_from(["json", "jsonl", "csv", "tsv"]))
def test_arbitrary_text_that_looks_right(text: str, kind: str) -> None:
    try:
        parse(text.encode(), kind, "f")
    except UsageError as error:
        assert str(error).startswith("f")


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_damaged_workbooks(data: st.DataObject) -> None:
    """Bytes changed inside the XML itself, not only in the zip around it."""
    source = zipfile.ZipFile(io.BytesIO(WORKBOOK))
    victim = data.draw(st.sampled_from(source.namelist()))
    damaged = io.BytesIO()
    with zipfile.ZipFile(damaged, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == victim:
                at = data.draw(st.integers(0, len(content)))
                length = data.draw(st.integers(0, 40))
                content = content[:at] + data.draw(st.binary(max_size=8)) + content[at + length :]
            target.writestr(name, content)
    try:
        parse(damaged.getvalue(), "xlsx", "f")
    except UsageError as error:
        assert str(error).startswith("f")


@given(st.integers(0, len(WORKBOOK) - 1))
@settings(max_examples=40, deadline=None)
def test_truncated_workbook(length: int) -> None:
    with pytest.raises(UsageError, match="f: not a whole xlsx file"):
        parse(WORKBOOK[:length], "xlsx", "f")


@given(header=names, rows=st.lists(st.lists(cells, min_size=4, max_size=4), min_size=1, max_size=4))
def test_csv_and_jsonl_give_back_what_was_written(header: list[str], rows: list[list[str]]) -> None:
    expected = [dict(zip(header, row, strict=False)) for row in rows]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in expected)
    assert [dict(row.cells) for row in parse(lines.encode(), "jsonl", "f")] == expected
    assert [dict(row.cells) for row in parse(json.dumps(expected).encode(), "json", "f")] == expected
    for kind, delimiter in (("csv", ","), ("tsv", "\t")):
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerows([header, *(row[: len(header)] for row in rows)])
        assert [dict(row.cells) for row in parse(text.getvalue().encode(), kind, "f")] == expected


def test_xlsx_keeps_numbers_and_skips_empty_rows() -> None:
    rows = parse(workbook(["q", None, "a"], [None, None, None], ["one", "x", 1], ["two"]), "xlsx", "f")
    assert [(row.place, dict(row.cells)) for row in rows] == [
        ("row 3", {"q": "one", "a": 1}),
        ("row 4", {"q": "two", "a": None}),
    ]


def test_places_are_those_a_person_finds() -> None:
    text = 'q,a\n"two\nlines",1\n\nx,2\n'
    assert [row.place for row in parse(text.encode(), "csv", "f")] == ["line 2", "line 5"]
    assert [row.place for row in parse(b'\n{"q": 1}\n\n{"q": 2}\n', "jsonl", "f")] == ["line 2", "line 4"]
    assert [row.place for row in parse(b'[{"q": 1}, {"q": 2}]', "json", "f")] == ["item 1", "item 2"]


def test_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert parse("\ufeffq,a\nä,1\n".encode(), "csv", "f")[0].cells == {"q": "ä", "a": "1"}
    assert parse('\ufeff{"q": 1}'.encode(), "jsonl", "f")[0].cells == {"q": 1}


def test_huge_cell() -> None:
    cell = "x" * 300_000
    limit = csv.field_size_limit()
    assert parse(f"q,a\n{cell},1\n".encode(), "csv", "f")[0].cells["q"] == cell
    assert csv.field_size_limit() == limit


def test_hostile_row_number_ends() -> None:
    source = zipfile.ZipFile(io.BytesIO(WORKBOOK))
    hostile = io.BytesIO()
    with zipfile.ZipFile(hostile, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b'<row r="3"', b'<row r="99999999999"'))
    with pytest.raises(UsageError, match="not a whole xlsx"):
        parse(hostile.getvalue(), "xlsx", "f")


@pytest.mark.parametrize(
    ("data", "kind", "says"),
    [
        ("q,a\nä,1\n".encode("utf-16"), "csv", "f: not UTF-8"),
        ("q,a\nä,1\n".encode("latin-1"), "csv", "f: not UTF-8 \\(byte 4\\)"),
        (b"q,a\nx\x00y,1\n", "csv", "f: contains NUL bytes"),
        (b"q,a\nx,1,2\n", "csv", "f, line 2: 3 cells, but the header has 2"),
        (b'q,a\n"x,1\n', "csv", "f, line 2: unexpected end of data"),
        (b"q,q\nx,1\n", "csv", "f: column 'q' is there twice"),
        (b"q,a\n", "csv", "f: there are no rows"),
        (b"\n\n", "jsonl", "f: there are no rows"),
        (b'{"q": 1}\n[1]\n', "jsonl", "f, line 2: expected an object, found list"),
        (b'{"q": 1}\n{"q"\n', "jsonl", "f, line 2: not JSON"),
        (b'{"q": 1}\n{"q": 2}\n', "json", "f: not JSON: Extra data"),
        (b'{"q": 1}', "json", "expected a list of objects"),
        (b"[1]", "json", "f, item 1: expected an object, found int"),
        (b"[" * 200_000, "json", "f: nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", "json", "f: not JSON"),
        (workbook(["q", "q"], [1, 2]), "xlsx", "f: column 'q' is there twice"),
        (workbook([]), "xlsx", "f: there are no rows"),
        (b"PK\x03\x04 not really", "xlsx", "f: not a whole xlsx file"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, kind: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(data, kind, "f")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(UsageError, match=r"empty.csv: the file is empty"):
        read_bytes(tmp_path / "empty.csv")
    with pytest.raises(UsageError, match=r"gone.csv: no such file"):
        read_bytes(tmp_path / "gone.csv")
    with pytest.raises(UsageError, match="no such file"):
        read_bytes(tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_bytes(tmp_path / ("n" * 300))


def test_format_is_chosen_by_suffix(tmp_path: Path) -> None:
    assert format_of(Path("A.XLSX")) == "xlsx"
    with pytest.raises(UsageError, match=r"x.orc: cannot read orc; known: csv, tsv, json, jsonl, xlsx, parquet"):
        format_of(Path("x.orc"))
    with pytest.raises(UsageError, match="a file without suffix"):
        format_of(Path("x"))
