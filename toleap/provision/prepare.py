"""Fetching the data of a benchmark from where it is published, and checking again what is in the cache."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from toleap.benchmark import Benchmark, load_benchmark
from toleap.data.attachments import check_name, files_folder
from toleap.data.columns import as_text, cell
from toleap.data.download import download
from toleap.data.manifest import Manifest, data_folder, read_manifest
from toleap.data.readers import format_of, parse, read_bytes
from toleap.data.selection import checked_ids, write_ids
from toleap.data.sources import Source, file_name
from toleap.data.spec import Select
from toleap.data.tasks import DataFile
from toleap.errors import UsageError
from toleap.folders import find_all
from toleap.provision.hub import HubData, fetch_files, find_files
from toleap.provision.imports import keep
from toleap.provision.storing import intact

_STAGING = "fetching"
_MAX_IDS = 64 << 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """A benchmark whose tasks can be read; ``fetched`` says whether something had to be fetched or made."""

    name: str
    rows: int
    fetched: bool
    where: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What reading a benchmark's data again found."""

    name: str
    ok: bool
    rows: int | None
    attachments: int | None
    sha256: str
    source: str
    problem: str


def prepare(name: str, *, again: bool = False, trust: bool = False) -> Prepared:
    """Make the benchmark's tasks readable: fetch the official files at the pinned revision, or make the tasks.

    What is here already and whole is left alone, unless ``again``.

    Raises:
        UsageError: it cannot be fetched (no network, terms not accepted, an extra is missing), is not what the
            benchmark needs, or has to be imported.
    """
    benchmark = load_benchmark(name, trust=trust)
    source = benchmark.source
    fetched = False
    if source.parent is not None and not _here(source):
        fetched = prepare(source.parent.folder.name, again=again, trust=trust).fetched
        fetched |= _prepare_ids(benchmark, again=again)
    elif source.fetched and (again or not _here(source)):
        _fetch(benchmark)
        fetched = True
    elif source.python:
        fetched = not Path(benchmark.ready().where).is_dir()
    return Prepared(name, len(benchmark.tasks()), fetched, benchmark.ready().where)


def verify(names: Iterable[str] | None = None, *, trust: bool = False) -> list[Verified]:
    """Read the data again and check it whole: digests, rows, columns, every encrypted cell, attachments.

    Without names, every benchmark that is ready or cannot even be looked at.
    """
    chosen = [name for name in find_all("benchmarks") if _is_due(name, trust=trust)] if names is None else names
    return [_verify(name, trust=trust) for name in chosen]


def _is_due(name: str, *, trust: bool) -> bool:
    try:
        return load_benchmark(name, trust=trust).ready().ready
    except UsageError:
        return True


def _verify(name: str, *, trust: bool) -> Verified:
    manifest: Manifest | None = None
    try:
        benchmark = load_benchmark(name, trust=trust)
        state = benchmark.ready()
        if not state:
            raise UsageError(f"{state.missing}; type: {state.command}")
        owner = _owner(benchmark.source)
        manifest = read_manifest(owner) if benchmark.source.importable else None
        if manifest is not None and not intact(owner, manifest):
            raise UsageError(f"{data_folder(owner) / manifest.folder} is damaged; type: {_repair(benchmark, owner)}")
        tasks = benchmark.tasks()
    except UsageError as error:
        digest, source = (manifest.sha256, manifest.source) if manifest else ("", "")
        return Verified(name, False, rows=None, attachments=None, sha256=digest, source=source, problem=str(error))
    files = sum(len(task.attachments) for task in tasks)
    digest, origin = (manifest.sha256, manifest.source) if manifest else ("", "")
    return Verified(
        name,
        True,
        rows=len(tasks),
        attachments=files,
        sha256=digest,
        source=origin or ("imported" if manifest else state.where),
        problem="",
    )


def _owner(source: Source) -> str:
    """Whose manifest counts: the benchmark's own, or that of the base it takes its tasks from."""
    own = source.folder.name
    return source.parent.folder.name if source.parent and read_manifest(own) is None else own


def _repair(benchmark: Benchmark, owner: str) -> str:
    return f"toleap data prepare --again {owner}" if benchmark.source.fetched else f"toleap data import {owner} PATH"


def _here(source: Source) -> bool:
    """Whether whole data is in the cache, imported by hand or fetched at the revision that is asked for."""
    manifest = read_manifest(source.folder.name)
    if manifest is None:
        return source.parent is None and source.ready().ready
    published = source.url or f"hub:{source.place}@{source.data.revision}"
    same = not manifest.source or manifest.source.startswith(published)
    return same and intact(source.folder.name, manifest)


def _fetch(benchmark: Benchmark) -> None:
    staging = data_folder(benchmark.name) / _STAGING
    staging.mkdir(parents=True, exist_ok=True)
    source = benchmark.source
    if source.url is not None:
        path = staging / file_name(source.url)
        otherwise = f"fetch it elsewhere, then type: toleap data import {benchmark.name} PATH"
        download(source.url, path, source.data.sha256, otherwise)
        keep(benchmark, DataFile(path, source.kind, files_folder(path)), source.url)
    else:
        _fetch_hub(benchmark, staging)
    shutil.rmtree(staging, ignore_errors=True)


def _fetch_hub(benchmark: Benchmark, staging: Path) -> None:
    data, repo = benchmark.spec.data, benchmark.source.place
    wanted = HubData(
        benchmark.name, repo, config=data.config, split=data.split, revision=data.revision, gated=data.gated
    )
    files = find_files(wanted, staging / "datasets")
    first, *more = fetch_files(wanted, files.commit, files.paths, staging)
    file = DataFile(first, format_of(first), first.parent, tuple(more))
    if data.files:
        names = _attachment_names(benchmark, file)
        fetch_files(wanted, files.commit, [f"{data.files}/{name}" for name in names], staging)
        file = DataFile(first, file.format, staging / data.files, file.more)
    parts = [f"config {data.config}"] * bool(data.config) + [f"split {data.split}"]
    keep(benchmark, file, ", ".join([f"hub:{repo}@{files.commit}", *parts]))


def _attachment_names(benchmark: Benchmark, file: DataFile) -> list[str]:
    column = benchmark.spec.data.fields.file
    names = (column,) if isinstance(column, str) else column
    rows = [row for path in file.paths for row in parse(read_bytes(path), file.format, str(path))]
    attached: dict[str, None] = {}
    for row in rows:
        where = f"{file.path}, {row.place}"
        for name in filter(None, (as_text(cell(row, column), where).strip() for column in names)):
            check_name(name, where, file.files)
            attached[name] = None
    return list(attached)


def _prepare_ids(benchmark: Benchmark, *, again: bool) -> bool:
    select, source = benchmark.spec.data.select, benchmark.source
    if select is None or (source.ids_file.is_file() and not again):
        return False
    if select.url is None:
        raise UsageError(f"{source.ready().missing}; type: {source.ready().command}")
    _fetch_ids(benchmark.name, select, select.url)
    return True


def _fetch_ids(name: str, select: Select, url: str) -> None:
    """Of the published file only the ids are kept: it may hold questions and answers."""
    staging = data_folder(name) / _STAGING
    staging.mkdir(parents=True, exist_ok=True)
    path = staging / file_name(url)
    try:
        otherwise = f"fetch it elsewhere, then type: toleap data import {name} IDS.json"
        download(url, path, sha256=None, otherwise=otherwise, limit=_MAX_IDS)
        rows = parse(read_bytes(path), format_of(path), url)
        write_ids(data_folder(name), checked_ids(rows, select, url))
    finally:
        shutil.rmtree(staging, ignore_errors=True)
