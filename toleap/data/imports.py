"""Data sets that cannot be shipped: checked whole, then copied into the cache as they were published."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from toleap.benchmark import Benchmark, load
from toleap.data.attachments import files_folder
from toleap.data.manifest import Manifest, data_folder, making, write_manifest
from toleap.data.readers import format_of, read_bytes, sha256_of
from toleap.data.tasks import DataFile, read_tasks
from toleap.errors import UsageError
from toleap.folders import find_all
from toleap.types import Task


@dataclass(frozen=True, slots=True)
class Imported:
    """What ``toleap data import`` did."""

    name: str
    path: Path
    rows: int
    attachments: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DataStatus:
    """One benchmark's data as ``toleap data status`` shows it."""

    name: str
    title: str
    ready: bool
    rows: int | None
    """Tasks, or None where they are not here or not made yet."""
    where: str
    revision: str
    problem: str
    command: str
    """What to type to make it ready."""


def import_data(name: str, path: Path, *, trust: bool = False) -> Imported:
    """Take a published file, or AgentToLeaP's JSONL, into the cache; attachments lie beside it or in ``files/``.

    Everything is checked first (columns, every encrypted cell, rows, ids, attachments); on an error nothing
    is written. The copy has the file's own bytes: what is encrypted stays encrypted.

    Raises:
        UsageError: the benchmark's data is not imported, the file is not what it needs, or the disk is full.
    """
    benchmark = load(name, trust=trust)
    if not benchmark.source.importable:
        raise UsageError(f"{name} imports nothing: its data is {benchmark.source.kind}:{benchmark.source.place}")
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name the data file in it")
    content = read_bytes(path)
    file = DataFile(path, format_of(path), files_folder(path))
    tasks = read_tasks(name, file, content, benchmark.spec.data, benchmark.breakdown)
    try:
        return _store(name, path, content, tasks)
    except OSError as error:
        raise UsageError(f"cannot copy {path} into {data_folder(name)}: {error.strerror}") from error


def status(names: Iterable[str] | None = None, *, trust: bool = False) -> list[DataStatus]:
    """The state of these benchmarks' data (all of them by default). Generated data is not made for this."""
    return [_status(name, trust=trust) for name in (find_all("benchmarks") if names is None else names)]


def _store(name: str, path: Path, content: bytes, tasks: Sequence[Task]) -> Imported:
    digest = hashlib.sha256(content).hexdigest()
    files = {f"files/{file.name}": file.path for task in tasks for file in task.attachments}
    whole = _digest_of(digest, files)
    target = data_folder(name) / f"imported-{whole}"
    if target.is_dir() and not _intact(target, path.name, whole, files):
        shutil.rmtree(target)
    if not target.is_dir():
        with making(target) as folder:
            (folder / path.name).write_bytes(content)
            for inside, original in files.items():
                (folder / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(original, folder / inside)
    date = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = Manifest(
        folder=target.name, file=path.name, sha256=digest, rows=len(tasks), attachments=len(files), date=date
    )
    write_manifest(name, manifest)
    return Imported(name, target / path.name, len(tasks), len(files), digest)


def _digest_of(data: str, files: Mapping[str, Path]) -> str:
    digest = hashlib.sha256(data.encode())
    for name, path in sorted(files.items()):
        digest.update(f"\n{name}\n{sha256_of(path)}".encode())
    return digest.hexdigest()[:16]


def _intact(folder: Path, name: str, whole: str, files: Iterable[str]) -> bool:
    """Whether an earlier copy still is what it was made from."""
    stored = {inside: folder / inside for inside in files}
    if not all(path.is_file() for path in (folder / name, *stored.values())):
        return False
    return _digest_of(sha256_of(folder / name), stored) == whole


def _status(name: str, *, trust: bool) -> DataStatus:
    try:
        benchmark = load(name, trust=trust)
        state = benchmark.ready()
    except UsageError as error:
        return DataStatus(name, name, False, None, "", "", str(error), "")
    if not state:
        return DataStatus(name, benchmark.title, False, None, "", "", state.missing, state.command)
    return _read_status(benchmark, state.where)


def _read_status(benchmark: Benchmark, where: str) -> DataStatus:
    if benchmark.source.python and not Path(where).is_dir():
        return DataStatus(benchmark.name, benchmark.title, True, None, where, "", "", "")
    try:
        rows, revision = len(benchmark.tasks()), benchmark.revision
    except UsageError as error:
        return DataStatus(benchmark.name, benchmark.title, False, None, "", "", str(error), "")
    return DataStatus(benchmark.name, benchmark.title, True, rows, where, revision, "", "")
