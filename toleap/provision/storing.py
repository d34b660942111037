"""Keeping a data set in the cache: the published bytes and the attachments in one folder, named by their digest."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from toleap.data.manifest import Manifest, data_folder, images_folder, making, write_manifest
from toleap.data.readers import sha256_of
from toleap.data.tasks import DataFile
from toleap.errors import UsageError
from toleap.types import Task

_PREFIX = "imported-"


def store(name: str, file: DataFile, contents: Sequence[bytes], tasks: Sequence[Task], source: str = "") -> Manifest:
    """Copy the parts of a checked data file and its tasks' attachments, and make them the ones that count.

    Args:
        contents: the bytes of each part, as they were checked.
        source: where they were fetched from.

    Raises:
        UsageError: two parts have the same name, or the disk is full.
    """
    names = [path.name for path in file.paths]
    if len(set(names)) != len(names):
        raise UsageError(f"{file.path}: two parts of the data have the same name")
    try:
        return _store(
            name,
            dict(zip(names, contents, strict=True)),
            files=_attachments(name, tasks),
            rows=len(tasks),
            source=source,
        )
    except OSError as error:
        raise UsageError(f"cannot copy {file.path} into {data_folder(name)}: {error.strerror}") from error


def intact(name: str, manifest: Manifest) -> bool:
    """Whether every stored file, attachments included, still has the bytes it came with."""
    folder = data_folder(name) / manifest.folder
    parts = {manifest.file: manifest.sha256, **manifest.more}
    files = sorted(path for path in (folder / "files").rglob("*") if path.is_file())
    stored = {path.relative_to(folder).as_posix(): path for path in files}
    if not all((folder / part).is_file() and sha256_of(folder / part) == digest for part, digest in parts.items()):
        return False
    return len(stored) == manifest.attachments and manifest.folder == _PREFIX + _digest_of(parts, stored)


def _store(name: str, parts: Mapping[str, bytes], files: Mapping[str, Path], rows: int, source: str) -> Manifest:
    digests = {part: hashlib.sha256(content).hexdigest() for part, content in parts.items()}
    first, *more = parts
    manifest = Manifest(
        folder=_PREFIX + _digest_of(digests, files),
        file=first,
        sha256=digests[first],
        more={part: digests[part] for part in more},
        rows=rows,
        attachments=len(files),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        source=source,
    )
    target = data_folder(name) / manifest.folder
    if target.is_dir() and not intact(name, manifest):
        shutil.rmtree(target)
    if not target.is_dir():
        with making(target) as folder:
            _fill(folder, parts, files)
    write_manifest(name, manifest)
    return manifest


def _fill(folder: Path, parts: Mapping[str, bytes], files: Mapping[str, Path]) -> None:
    for part, content in parts.items():
        (folder / part).write_bytes(content)
    for inside, original in files.items():
        (folder / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original, folder / inside)


def _attachments(name: str, tasks: Iterable[Task]) -> dict[str, Path]:
    """The files beside the data; pictures from inside its rows are made from it again."""
    inside = images_folder(name).resolve()
    attached = [file for task in tasks for file in task.attachments if not file.path.resolve().is_relative_to(inside)]
    return {f"files/{file.name}": file.path for file in attached}


def _digest_of(parts: Mapping[str, str], files: Mapping[str, Path]) -> str:
    first, *more = parts.values()
    digest = hashlib.sha256(first.encode())
    for part in more:
        digest.update(f"\n{part}".encode())
    for name, path in sorted(files.items()):
        digest.update(f"\n{name}\n{sha256_of(path)}".encode())
    return digest.hexdigest()[:16]
