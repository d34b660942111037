"""Data sets that cannot be shipped: checked whole, then copied into the cache as they were published."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from toleap.benchmark import Benchmark, load_benchmark
from toleap.data.attachments import files_folder
from toleap.data.corpus import open_corpus
from toleap.data.manifest import FILE, data_folder
from toleap.data.readers import format_of, read_bytes
from toleap.data.selection import read_ids, write_ids
from toleap.data.tasks import DataFile, read_tasks
from toleap.errors import UsageError
from toleap.folders import find_all
from toleap.provision.storing import store


@dataclass(frozen=True, slots=True)
class Imported:
    """What ``toleap data import`` or ``prepare`` put into the cache."""

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
    terms: str = ""
    """The page where terms must be accepted first, with an account whose token is in HF_TOKEN."""
    licence: str = ""


def import_data(name: str, path: Path, more: Sequence[Path] = (), *, trust: bool = False) -> Imported:
    """Take a published file, or AgentToLeaP's JSONL, into the cache; attachments lie beside it or in ``files/``.

    Everything is checked first (columns, every encrypted cell, rows, ids, attachments); on an error nothing
    is written. The copy has the file's own bytes: what is encrypted stays encrypted. A benchmark that selects
    tasks of another by their ids takes the list of ids as well.

    Args:
        more: further parts of the same table, in order.

    Raises:
        UsageError: the benchmark's data is not imported, the file is not what it needs, or the disk is full.
    """
    benchmark = load_benchmark(name, trust=trust)
    if not benchmark.source.importable:
        raise UsageError(f"{name} imports nothing: its data is {benchmark.source.kind}:{benchmark.source.place}")
    for part in (path, *more):
        if part.is_dir():
            raise UsageError(f"{part} is a folder: name the data file in it")
    ids = _import_ids(benchmark, path) if not more else None
    if ids is not None:
        return ids
    if len({format_of(part) for part in (path, *more)}) > 1:
        raise UsageError(f"{path}: the parts of the data have different formats")
    return keep(benchmark, DataFile(path, format_of(path), files_folder(path), tuple(more)))


def keep(benchmark: Benchmark, file: DataFile, source: str = "") -> Imported:
    """Check a data file and take it into the cache; ``source`` says where it was fetched from.

    Raises:
        UsageError: it is not what the benchmark needs, or the disk is full.
    """
    contents = [read_bytes(part) for part in file.paths]
    tasks = read_tasks(
        benchmark.name, file, contents=contents, data=benchmark.spec.data, breakdown=benchmark.breakdown
    )
    manifest = store(benchmark.name, file, contents=contents, tasks=tasks, source=source)
    path = data_folder(benchmark.name) / manifest.folder / manifest.file
    return Imported(
        benchmark.name, path, rows=manifest.rows, attachments=manifest.attachments, sha256=manifest.sha256
    )


def status(names: Iterable[str] | None = None, *, trust: bool = False) -> list[DataStatus]:
    """The state of these benchmarks' data (all of them by default). Generated data is not made for this."""
    return [_status(name, trust=trust) for name in (find_all("benchmarks") if names is None else names)]


def _import_ids(benchmark: Benchmark, path: Path) -> Imported | None:
    """Take a list of ids; a former import of whole data no longer counts then."""
    data = benchmark.spec.data
    if data.select is None:
        return None
    answer = data.fields.answer
    ids = read_ids(path, data.select, ["Final answer", *([answer] if isinstance(answer, str) else answer)])
    if ids is None:
        return None
    try:
        kept = write_ids(data_folder(benchmark.name), ids)
        (data_folder(benchmark.name) / FILE).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write into {data_folder(benchmark.name)}: {error.strerror}") from error
    return Imported(
        benchmark.name, kept, rows=len(ids), attachments=0, sha256=hashlib.sha256(kept.read_bytes()).hexdigest()
    )


def _status(name: str, *, trust: bool) -> DataStatus:
    try:
        benchmark = load_benchmark(name, trust=trust)
        state = benchmark.ready()
    except UsageError as error:
        return DataStatus(name, name, ready=False, rows=None, where="", revision="", problem=str(error), command="")
    licence = benchmark.spec.data.licence
    if not state:
        terms = (benchmark.source.parent or benchmark.source).terms
        return DataStatus(
            name,
            benchmark.title,
            ready=False,
            rows=None,
            where="",
            revision="",
            problem=state.missing,
            command=state.command,
            terms=terms,
            licence=licence,
        )
    return _read_status(benchmark, state.where, licence)


def _read_status(benchmark: Benchmark, where: str, licence: str) -> DataStatus:
    name, title = benchmark.name, benchmark.title
    if benchmark.source.python and not Path(where).is_dir():
        return DataStatus(
            name, title, ready=True, rows=None, where=where, revision="", problem="", command="", licence=licence
        )
    try:
        rows, revision = len(benchmark.tasks()), benchmark.revision
        if benchmark.corpus is not None:
            open_corpus(benchmark.corpus)
    except UsageError as error:
        return DataStatus(
            name,
            title,
            ready=False,
            rows=None,
            where="",
            revision="",
            problem=str(error),
            command="",
            licence=licence,
        )
    return DataStatus(
        name, title, ready=True, rows=rows, where=where, revision=revision, problem="", command="", licence=licence
    )
