"""A task's files, found by the names in the data and never outside the benchmark's files folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from toleap.data.columns import Row, as_text, cell, is_one_line
from toleap.errors import UsageError
from toleap.types import Attachment


def files_folder(data_file: Path) -> Path:
    """Where the attachments of a data file lie: ``files/`` beside it, or else the file's own folder."""
    beside = data_file.parent / "files"
    return beside if beside.is_dir() else data_file.parent


def attachments_of(row: Row, column: str, data_file: Path, root: Path) -> tuple[Attachment, ...]:
    """The files a row names: one name, a list of names, or nothing.

    Raises:
        UsageError: a name leads out of ``root``, is missing there, or is the data file, which holds the answers.
    """
    where = f"{data_file}, {row.place}, column {column}"
    value = cell(row, column)
    names = [as_text(name, where).strip() for name in (value if isinstance(value, list) else [value])]
    return tuple(Attachment(name, _inside(root, name, data_file, where)) for name in dict.fromkeys(names) if name)


def check_name(name: str, where: str, root: Path) -> None:
    """Refuse a name that could lead out of the folder ``root``.

    Raises:
        UsageError: it is absolute, has ``..`` or a backslash in it, or is no single line.
    """
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or "\\" in name or not is_one_line(name):
        raise UsageError(f"{where}: {name!r} is not a plain name of a file in {root}")


def _inside(root: Path, name: str, data_file: Path, where: str) -> Path:
    check_name(name, where, root)
    try:
        path = (root / name).resolve(strict=True)
        exists = path.is_file()
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{where}: no file {name!r} in {root}") from error
    if not path.is_relative_to(root.resolve()):
        raise UsageError(f"{where}: {name!r} is a link that leads out of {root}")
    if not exists or path == data_file.resolve():
        raise UsageError(f"{where}: {name!r} cannot be attached: it is a folder or the data itself")
    return path
