"""Runs that a command is given by name or by path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toleap.errors import UsageError
from toleap.store.database import DATABASE
from toleap.store.reading import holds_run


def run_folders(names: Sequence[str], results: Path) -> list[Path]:
    """The folders of these runs; without names, of every run in ``results``.

    Raises:
        UsageError: there is no run of a name, or none at all.
    """
    if names:
        return [run_folder(name, results) for name in names]
    folders = sorted(path.parent for path in results.glob(f"*/{DATABASE}") if holds_run(path.parent))
    if not folders:
        raise UsageError(f"no runs in {results}/: start one with toleap run, or name the folder with --results")
    return folders


def run_folder(name: str, results: Path) -> Path:
    """The folder of a run, by its name in ``results`` or by its path.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    for path in (results / name, Path(name)):
        if (path / DATABASE).is_file():
            return path
    known = ", ".join(sorted(path.parent.name for path in results.glob(f"*/{DATABASE}"))) or "none"
    raise UsageError(f"no run {name!r} in {results}/: there are {known}")
