"""A benchmark's own scorer: the function ``score`` of a Python file in its folder, with ``by = "python:scorer.py"``.

    def score(question: str, answer: str, gold: str, response: str) -> bool | tuple[bool, str]:

The four texts come in this order: the question, the final answer, the gold answer, the whole last message. The result
is whether the answer is correct, if wanted with the reason. Whatever else comes back, or is raised, is the scorer's
failure and never the model's: the verdict is unscored and says why. The file may import its neighbours
(``from .names import NAMES``). It runs in this process, on one answer at a time, with no limit on its time.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from toleap.errors import UsageError
from toleap.folders import Folder
from toleap.scoring.finding import Finding

CODE_VERSION = "1"
"""Raised with every change that can change a verdict; it is part of the scorer's fingerprint."""

PREFIX = "python:"
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class CustomRule:
    """The function of one ``scorer.py``, and the SHA-256 of the folder's Python that it may be made of."""

    path: Path
    digest: str
    function: Callable[[str, str, str, str], object]

    def find(self, question: str, answer: str, gold: str, response: str) -> Finding:
        """What the function says; unscored where it fails or says something else than it may."""
        try:
            result = self.function(question, answer, gold, response)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the scorer's own failure is never the model's
            return Finding("unscored", _short(f"{self.path.name} raised {_told(error)}"), answer)
        return self._finding(result, answer)

    def _finding(self, result: object, answer: str) -> Finding:
        match result:
            case bool(correct):
                reason = f"{self.path.name} says so"
            case (bool(correct), str(reason)):
                pass
            case _:
                shown = f"{self.path.name} returned {type(result).__name__}, not a bool or a (bool, reason)"
                return Finding("unscored", shown, answer)
        return Finding("correct" if correct else "wrong", _short(reason), answer)


def load_rule(script: str, folder: Folder | None, *, trust: bool, where: str) -> CustomRule:
    """The rule that ``python:SCRIPT`` names in this folder; its file is run once, here.

    Raises:
        UsageError: there is no such file, it may not run, it cannot be imported, or has no function ``score``.
    """
    path = _checked(script, folder, trust=trust, where=where)
    function = _imported(path).get("score")
    if not callable(function) or inspect.iscoroutinefunction(function) or not _takes_four(function):
        raise UsageError(f"{path}: has no function score(question, answer, gold, response)")
    return CustomRule(path, _digest(path.parent, script), function)


def _checked(script: str, folder: Folder | None, *, trust: bool, where: str) -> Path:
    if folder is None or Path(script).name != script or not script.endswith(".py"):
        raise UsageError(
            f"{where}: {PREFIX + script!r} is no Python file of a benchmark's folder: write {PREFIX}scorer.py"
        )
    path = folder.path / script
    if not path.is_file():
        raise UsageError(f"{where}: there is no {path}")
    if not (folder.shipped or trust):
        raise UsageError(f"{path} is Python that would run on this machine: read it, then add --trust")
    return path


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles what the file holds now: a cached one of the same second and size would be another scorer."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - protocol
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def _imported(path: Path) -> dict[str, Any]:
    """The names of the file, run as a package of its own, so that it finds its neighbours."""
    name = "toleap_scorer_" + re.sub(r"\W", "_", path.parent.name)
    for known in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        del sys.modules[known]
    loader = _Loader(name, str(path))
    spec = importlib.util.spec_from_file_location(
        name, path, loader=loader, submodule_search_locations=[str(path.parent)]
    )
    if spec is None:
        raise UsageError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UsageError(_short(f"{path}: cannot be imported: {_told(error)}")) from error
    return vars(module)


def _takes_four(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind("", "", "", "")
    except (TypeError, ValueError):
        return False
    return True


def _digest(folder: Path, script: str) -> str:
    """SHA-256 of the script and of every Python file that it could import from its folder."""
    digest = hashlib.sha256(script.encode())
    for path in sorted(folder.rglob("*.py")):
        if path.is_file():
            digest.update(f"\n{path.relative_to(folder).as_posix()}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _told(error: BaseException) -> str:
    """Type and message of an exception, also of one whose message cannot be made."""
    return traceback.format_exception_only(error)[-1]


def _short(text: str) -> str:
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
