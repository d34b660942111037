"""Parquet into rows. Reading it needs pyarrow, which comes with the extra ``hub``."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from toleap.data.columns import Row
from toleap.errors import UsageError

if TYPE_CHECKING:
    import pyarrow

INSTALL = "pip install 'toleap[hub]'"

_MAX_ROWS = 1_048_576
_MAX_UNPACKED = 4 << 30


def read_parquet(data: bytes, name: str) -> list[Row]:
    """The rows of a table. Columns of raw bytes (pictures for a viewer) are left out: a task is made of text.

    Raises:
        UsageError: pyarrow is missing, the file is damaged, or it has more than a million rows or 4 GiB in it.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(f"{name}: reading parquet needs pyarrow; type: {INSTALL}") from error
    # pyarrow derives its errors from these built-in ones
    broken = (pyarrow.ArrowException, ValueError, TypeError, KeyError, OSError, NotImplementedError, OverflowError)
    try:
        with pyarrow.parquet.ParquetFile(io.BytesIO(data)) as file:
            unpacked = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
            if file.metadata.num_rows > _MAX_ROWS or unpacked > _MAX_UNPACKED:
                raise UsageError(f"{name}: more than {_MAX_ROWS} rows or {_MAX_UNPACKED >> 30} GiB in it")
            columns = [field.name for field in file.schema_arrow if not _holds_bytes(field.type)]
            table = file.read(columns=columns)
        return [Row(f"row {number}", cells) for number, cells in enumerate(_cells(table), 1)]
    except broken as error:
        raise UsageError(f"{name}: not a whole parquet file ({type(error).__name__}); fetch it again") from error


def _cells(table: pyarrow.Table) -> list[dict[str, Any]]:
    return list(table.to_pylist())


def _holds_bytes(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))
