"""Where a benchmark's data is: in its folder, imported into the cache, or made by its own Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toleap.data import generated
from toleap.data.attachments import files_folder
from toleap.data.manifest import Manifest, data_folder, read_manifest
from toleap.data.readers import READERS, format_of
from toleap.data.spec import FILE, Data
from toleap.data.tasks import DataFile
from toleap.errors import UsageError
from toleap.folders import Folder

_CACHE = "cache:"
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
class Source:
    """One ``[data] source``, with everything that decides where it leads."""

    folder: Folder
    kind: str
    place: str
    split: str
    options: Mapping[str, Any]
    trust: bool

    @property
    def importable(self) -> bool:
        """The data comes from elsewhere and is kept in the cache."""
        return self.kind == "hub" or self.place.startswith(_CACHE)

    @property
    def python(self) -> bool:
        """The data is made by the folder's own code."""
        return self.kind == "python"

    def ready(self) -> Readiness:
        """What can be said without reading or making the data.

        Raises:
            UsageError: the manifest of an import is damaged.
        """
        if self.python:
            return self._python_ready()
        manifest = read_manifest(self.folder.name) if self.importable else None
        path = self._path(manifest)
        if path.is_file():
            return Readiness(True, where=str(path))
        if self.importable:
            split = f", split {self.split}" if self.split else ""
            missing = f"the data of {self.folder.name} is not here ({self.kind}:{self.place}{split})"
            return Readiness(False, missing, f"toleap data import {self.folder.name} PATH")
        return Readiness(False, f"there is no {path}", f"put the file there, or change [data] source in {FILE}")

    def data_file(self) -> tuple[DataFile, str | None]:
        """The file to read, made first where Python makes it, and the digest it must have if it was imported.

        Raises:
            UsageError: it is not ready; says what to type.
        """
        if self.python:
            built = generated.build(self.folder, self.place, self.options, trust=self.trust)
            return DataFile(built / generated.TASKS, "jsonl", built / "files"), None
        state = self.ready()
        if not state:
            raise UsageError(f"{state.missing}; type: {state.command}")
        manifest = read_manifest(self.folder.name) if self.importable else None
        path = self._path(manifest)
        kind = format_of(path) if self.importable else self.kind
        return DataFile(path, kind, files_folder(path)), manifest.sha256 if manifest else None

    def base(self) -> Path:
        """The data's folder: what ``[web] corpus`` is relative to."""
        if self.importable:
            return data_folder(self.folder.name)
        return self.data_file()[0].path.parent if self.python else self._path(None).parent

    def _python_ready(self) -> Readiness:
        try:
            generated.check_trust(self.folder, self.place, trust=self.trust)
        except UsageError as error:
            return Readiness(False, str(error), "--trust")
        built = generated.built_folder(self.folder, self.place, self.options)
        return Readiness(True, where=str(built) if built.is_dir() else f"{self.place}, made on first use")

    def _path(self, manifest: Manifest | None) -> Path:
        if manifest is not None:
            return data_folder(self.folder.name) / manifest.folder / manifest.file
        if self.importable:
            return data_folder(self.folder.name) / self.place.removeprefix(_CACHE)
        return self.folder.path / self.place


def source_of(folder: Folder, data: Data, options: Mapping[str, Any], *, trust: bool) -> Source:
    """The source a benchmark names; a folder without one is read from ``<name>.jsonl``.

    Raises:
        UsageError: the source is not ``KIND:PLACE`` with a known kind, or there is neither source nor file.
    """
    text = data.source or f"jsonl:{folder.name}.jsonl"
    kind, _, place = text.partition(":")
    if kind not in _KINDS or not place:
        raise UsageError(
            f"{folder.path / FILE}: data.source: {text!r} is not KIND:PLACE with one of {', '.join(_KINDS)}"
        )
    if not data.source and not (folder.path / place).is_file():
        raise UsageError(f"{folder.path}: no benchmark: neither {FILE} with a [data] source nor {place} in it")
    if data.options and kind != "python":
        raise UsageError(f"{folder.path / FILE}: data.options: only a python: source has options")
    return Source(folder, kind, place, data.split, options, trust)


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
