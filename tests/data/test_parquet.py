"""Parquet: rows, nested columns and lists; what is damaged, and what happens without pyarrow."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toleap.data.readers import parse
from toleap.errors import UsageError

pyarrow = pytest.importorskip("pyarrow")


def written(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow.parquet as parquet

    buffer = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


ROWS: list[dict[str, Any]] = [
    {"q": "谁?", "n": 1, "info": {"type": "x"}, "tags": ["a", "b"]},
    {"q": "b", "n": None, "info": {"type": "y"}, "tags": []},
]
WHOLE = written(ROWS)


def test_rows() -> None:
    rows = parse(WHOLE, "parquet", "f")
    assert [dict(row.cells) for row in rows] == ROWS
    assert [row.place for row in rows] == ["row 1", "row 2"]


def test_columns_of_bytes_are_left_out() -> None:
    rows = parse(written([{"q": "a", "raw": b"\x89PNG", "preview": {"bytes": b"x", "path": "p"}}]), "parquet", "f")
    assert dict(rows[0].cells) == {"q": "a"}


def test_no_rows() -> None:
    with pytest.raises(UsageError, match="f: there are no rows in it"):
        parse(empty(), "parquet", "f")


def empty() -> bytes:
    import pyarrow.parquet as parquet

    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table({"q": pyarrow.array([], pyarrow.string())}), buffer)
    return buffer.getvalue()


@given(data=st.binary(max_size=200) | st.integers(0, len(WHOLE) - 1).map(lambda n: WHOLE[:n]))
def test_damaged(data: bytes) -> None:
    with pytest.raises(UsageError, match="f: not a whole parquet file"):
        parse(data, "parquet", "f")


@settings(max_examples=200)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255))
def test_a_changed_byte_is_an_error_or_rows(at: int, byte: int) -> None:
    try:
        assert isinstance(parse(WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :], "parquet", "f"), list)
    except UsageError as error:
        assert str(error).startswith("f: ")


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"f: reading parquet needs pyarrow; type: pip install 'toleap\[hub\]'"):
        parse(WHOLE, "parquet", "f")
