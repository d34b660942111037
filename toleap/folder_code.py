"""Python of a benchmark's folder: whether it may run, and importing it.

A script is imported as a package of its own, named after the folder, so that it finds its neighbours
(``from .facts import X``).
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import re
import sys
import threading
import traceback
from pathlib import Path
from types import CodeType, ModuleType
from typing import Literal

from toleap.errors import UsageError
from toleap.folders import Folder

_LONGEST_MESSAGE = 300
_importing = threading.RLock()


def check_trust(folder: Folder, script: str, *, trust: bool) -> Path:
    """The path of a script that may run: shipped ones do, others only where the user said ``--trust``.

    Raises:
        UsageError: there is no such file in the folder, or it may not run.
    """
    path = folder.path / script
    if not path.is_file() or Path(script).name != script:
        raise UsageError(f"{folder.path}: no {script} in it, which its benchmark.toml names")
    if not (folder.shipped or trust):
        raise UsageError(f"{path} is Python that would run on this machine: read it, then add --trust")
    return path


def import_script(path: Path, kind: Literal["benchmark", "scorer"]) -> ModuleType:
    """Run a script as a new package, in the place of one that was imported before under the same name.

    Raises:
        UsageError: it cannot be imported, whatever it raises.
    """
    with _importing:
        return _run(path, _package(path.parent, kind))


def import_neighbour(folder: Path, module: str) -> ModuleType:
    """Import ``module`` of a benchmark's folder as a submodule of the package that its ``source.py`` is.

    The package is empty where there is no ``source.py``. What is loaded already is not run again.

    Raises:
        UsageError: the module, or ``source.py``, cannot be imported.
    """
    package = _package(folder, "benchmark")
    with _importing:
        if str(folder) not in getattr(sys.modules.get(package), "__path__", []):
            _load_package(folder, package)
        try:
            return importlib.import_module(f"{package}.{module}")
        except (Exception, SystemExit) as error:
            raise UsageError(short(f"{folder / module}.py: cannot be imported: {told(error)}")) from error


def digest(folder: Path, seed: str) -> str:
    """SHA-256 of ``seed`` and of every Python file below the folder: all that its scripts could be made of."""
    hasher = hashlib.sha256(seed.encode())
    for path in sorted(folder.rglob("*.py")):
        if path.is_file():
            hasher.update(f"\n{path.relative_to(folder).as_posix()}\n".encode())
            hasher.update(hashlib.sha256(path.read_bytes()).digest())
    return hasher.hexdigest()


def told(error: BaseException) -> str:
    """Type and message of an exception, also of one whose message cannot be made."""
    return traceback.format_exception_only(error)[-1]


def short(text: str) -> str:
    """The text as one line that can be printed and stored, cut where it is very long."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles what the file holds now: a cached one of the same second and size would be other code."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - protocol
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def _package(folder: Path, kind: str) -> str:
    return f"toleap_{kind}_" + re.sub(r"\W", "_", folder.name)


def _load_package(folder: Path, package: str) -> None:
    source = folder / "source.py"
    if source.is_file():
        _run(source, package)
        return
    _forget(package)
    sys.modules[package] = ModuleType(package)
    sys.modules[package].__path__ = [str(folder)]


def _run(path: Path, package: str) -> ModuleType:
    _forget(package)
    loader = _Loader(package, str(path))
    spec = importlib.util.spec_from_file_location(
        package, path, loader=loader, submodule_search_locations=[str(path.parent)]
    )
    if spec is None:
        raise UsageError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[package] = module
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        _forget(package)
        raise UsageError(short(f"{path}: cannot be imported: {told(error)}")) from error
    return module


def _forget(package: str) -> None:
    for known in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[known]
