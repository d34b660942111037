"""Where a benchmark's data is: in its folder, fetched or imported into the cache, or made by its own Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from toleap.data import generated
from toleap.data.attachments import files_folder
from toleap.data.manifest import Manifest, data_folder, read_manifest
from toleap.data.readers import READERS, format_of
from toleap.data.selection import IDS
from toleap.data.spec import FILE, Data
from toleap.data.tasks import DataFile
from toleap.errors import UsageError
from toleap.folder_code import check_trust
from toleap.folders import Folder

_CACHE = "cache:"
_URL = ("https://", "http://")
_KINDS = (*READERS, "hub", "python")


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the tasks can be read now; if not, what is missing and the command to type."""

    ready: bool
    missing: str = ""
    command: str = ""
    where: str = ""
    """Where the data is: a path, or what will make it."""

    def __bool__(self) -> bool:
        return self.ready


@dataclass(frozen=True, slots=True)
class Located:
    """The file to read, and the digest that each of its parts must have if it was fetched or imported."""

    file: DataFile
    digests: Mapping[Path, str] = field(default_factory=dict)
    ids: Path | None = None
    """The list of ids that are taken from it."""
    shared: bool = False
    """It is the base's file, not the benchmark's own."""


@dataclass(frozen=True, slots=True)
class Source:
    """One ``[data] source``, with everything that decides where it leads."""

    folder: Folder
    kind: str
    place: str
    data: Data
    options: Mapping[str, Any]
    trust: bool
    parent: Source | None = None
    """The source of the base, whose file is read unless this benchmark has one of its own."""

    @property
    def url(self) -> str | None:
        """The address the file is published at, where that is not the hub."""
        return self.place if self.place.startswith(_URL) and self.kind in READERS else None

    @property
    def fetched(self) -> bool:
        """The data can be fetched from where it is published."""
        return self.kind == "hub" or self.url is not None

    @property
    def importable(self) -> bool:
        """The data comes from elsewhere and is kept in the cache."""
        return self.fetched or self.place.startswith(_CACHE)

    @property
    def python(self) -> bool:
        """The data is made by the folder's own code."""
        return self.kind == "python"

    @property
    def terms(self) -> str:
        """The page where terms must be accepted first, or nothing."""
        return f"https://huggingface.co/datasets/{self.place}" if self.data.gated and self.kind == "hub" else ""

    def described(self) -> str:
        """The source with all that identifies what is fetched, e.g. ``hub:OWNER/NAME, config all, split test``."""
        parts = [("config", self.data.config), ("split", self.data.split), ("revision", self.data.revision[:12])]
        return ", ".join([f"{self.kind}:{self.place}", *(f"{name} {value}" for name, value in parts if value)])

    def ready(self) -> Readiness:
        """What can be said without reading or making the data.

        Raises:
            UsageError: the manifest of an import is damaged.
        """
        if self.python:
            return self._python_ready()
        manifest = self._manifest()
        path = self._path(manifest)
        if path.is_file():
            return Readiness(True, where=str(path))
        name = self.folder.name
        if self.parent is not None:
            return self._shared_ready(self.parent)
        if self.fetched:
            missing = f"the data of {name} is not here ({self.described()})"
            return Readiness(False, missing, self._to_fetch(self))
        if self.importable:
            missing = f"the data of {name} is not here ({self.kind}:{self.place})"
            return Readiness(False, missing, f"toleap data import {name} PATH")
        return Readiness(False, f"there is no {path}", f"put the file there, or change [data] source in {FILE}")

    def data_file(self) -> Located:
        """The file to read, made first where Python makes it.

        Raises:
            UsageError: it is not ready; says what to type.
        """
        if self.python:
            built = generated.build(self.folder, self.place, self.options, trust=self.trust)
            return Located(DataFile(built / generated.TASKS, "jsonl", built / "files"))
        state = self.ready()
        if not state:
            raise UsageError(f"{state.missing}; type: {state.command}")
        manifest = self._manifest()
        path = self._path(manifest)
        if self.parent is not None and not path.is_file():
            located = self.parent.data_file()
            return Located(located.file, located.digests, self.ids_file if self.data.select else None, shared=True)
        kind = format_of(path) if self.importable else self.kind
        more = {path.parent / name: digest for name, digest in manifest.more.items()} if manifest else {}
        digests = {path: manifest.sha256, **more} if manifest else {}
        return Located(DataFile(path, kind, files_folder(path), tuple(more)), digests)

    @property
    def ids_file(self) -> Path:
        """Where the list of ids lies once it was fetched or imported."""
        return data_folder(self.folder.name) / IDS

    def base(self) -> Path:
        """The data's folder: what ``[web] corpus`` is relative to."""
        if self.importable:
            return data_folder(self.folder.name)
        return self.data_file().file.path.parent if self.python else self._path(None).parent

    def _python_ready(self) -> Readiness:
        try:
            check_trust(self.folder, self.place, trust=self.trust)
        except UsageError as error:
            return Readiness(False, str(error), "--trust")
        built = generated.built_folder(self.folder, self.place, self.options)
        return Readiness(True, where=str(built) if built.is_dir() else f"{self.place}, made on first use")

    def _to_fetch(self, owner: Source) -> str:
        """What to type where the data of ``owner`` (this one or its base) can be fetched, or imported."""
        first = f"accept the terms at {owner.terms}, set HF_TOKEN, " if owner.terms else ""
        return f"{first}toleap data prepare {self.folder.name} (or toleap data import {owner.folder.name} PATH)"

    def _shared_ready(self, parent: Source) -> Readiness:
        state = parent.ready()
        if not state:
            missing = f"{self.folder.name} takes its tasks from another: {state.missing}"
            return Readiness(False, missing, self._to_fetch(parent) if parent.fetched else state.command)
        if self.data.select is None or self.ids_file.is_file():
            return state
        verb = "prepare" if self.data.select.url else "import"
        path = "" if self.data.select.url else " IDS.json"
        missing = f"the list of the tasks that {self.folder.name} takes is not here"
        return Readiness(False, missing, f"toleap data {verb} {self.folder.name}{path}")

    def _manifest(self) -> Manifest | None:
        return read_manifest(self.folder.name) if self.importable else None

    def _path(self, manifest: Manifest | None) -> Path:
        if manifest is not None:
            return data_folder(self.folder.name) / manifest.folder / manifest.file
        if self.importable:
            return data_folder(self.folder.name) / file_name(self.place.removeprefix(_CACHE))
        return self.folder.path / self.place


def file_name(place: str) -> str:
    """What the file at this place is called: the last part of a URL's path, any other place as it is."""
    return PurePosixPath(urlsplit(place).path).name if place.startswith(_URL) else place


def source_of(
    folder: Folder, data: Data, options: Mapping[str, Any], *, trust: bool, parent: Source | None = None
) -> Source:
    """The source a benchmark names; a folder without one is read from ``<name>.jsonl``.

    Raises:
        UsageError: the source is not ``KIND:PLACE`` with a known kind, or there is neither source nor file.
    """
    text = data.source or f"jsonl:{folder.name}.jsonl"
    kind, _, place = text.partition(":")
    toml = folder.path / FILE
    if kind not in _KINDS or not place:
        raise UsageError(f"{toml}: data.source: {text!r} is not KIND:PLACE with one of {', '.join(_KINDS)}")
    if not data.source and not (folder.path / place).is_file():
        raise UsageError(f"{folder.path}: no benchmark: neither {FILE} with a [data] source nor {place} in it")
    if data.options and kind != "python":
        raise UsageError(f"{toml}: data.options: only a python: source has options")
    source = Source(folder, kind, place=place, data=data, options=options, trust=trust, parent=parent)
    if source.url and data.sha256 is None:
        raise UsageError(f"{toml}: data.sha256: a source with a URL needs the digest of the file")
    if data.select and parent is None:
        raise UsageError(f"{toml}: data.select: only tasks of a base are selected by their ids")
    return source


def resolve_options(declared: Mapping[str, Any], given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The declared options with the given ones in their place; text is turned into the declared type.

    Raises:
        UsageError: an option is unknown, or its value is of another type.
    """
    unknown = sorted(set(given) - set(declared))
    if unknown:
        known = f"its options are: {', '.join(declared)}" if declared else "it has none"
        raise UsageError(f"benchmark {name} has no option {unknown[0]!r}: {known}")
    return dict(declared) | {
        key: _like(value, declared[key], f"{name}: option {key}") for key, value in given.items()
    }


def _like(value: Any, example: Any, where: str) -> Any:
    wanted = type(example)
    if isinstance(value, wanted) and isinstance(value, bool) == (wanted is bool):
        return value
    if wanted in (float, str) and isinstance(value, int | float) and not isinstance(value, bool):
        return wanted(value)
    try:
        if isinstance(value, str):
            return {"true": True, "false": False}[value.lower()] if wanted is bool else wanted(value)
    except (KeyError, ValueError):
        pass
    raise UsageError(f"{where}: {value!r} is not {wanted.__name__}, e.g. {example!r}")
