"""A benchmark's own scorer: the function ``score`` of a Python file in its folder, with ``by = "python:scorer.py"``.

    def score(question: str, answer: str, gold: str, response: str) -> bool | tuple[bool, str]:

The four texts come in this order: the question, the final answer, the gold answer, the whole last message. The result
is whether the answer is correct, if wanted with the reason. Whatever else comes back, or is raised, is the scorer's
failure and never the model's: the verdict is unscored and says why. The file may import its neighbours
(``from .names import NAMES``). It runs in this process, on one answer at a time, with no limit on its time.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toleap.errors import UsageError
from toleap.folder_code import check_trust, digest, import_script, short, told
from toleap.folders import Folder
from toleap.scoring.finding import Finding
from toleap.scoring.secret import without

CODE_VERSION = "1"
"""Raised with every change that can change a verdict; it is part of the scorer's fingerprint."""

PREFIX = "python:"


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
            reason = f"{self.path.name} raised {told(error)}"
            return Finding("unscored", short(without(reason, gold)), answer)
        return self._finding(result, answer)

    def _finding(self, result: object, answer: str) -> Finding:
        match result:
            case bool(correct):
                reason = f"{self.path.name} says so"
            case (bool(correct), str(reason)):
                pass
            case _:
                problem = f"{self.path.name} returned {type(result).__name__}, not a bool or a (bool, reason)"
                return Finding("unscored", problem, answer)
        return Finding("correct" if correct else "wrong", short(reason), answer)


def load_rule(script: str, folder: Folder | None, *, trust: bool, where: str) -> CustomRule:
    """The rule that ``python:SCRIPT`` names in this folder; its file is run once, here.

    Raises:
        UsageError: there is no such file, it may not run, it cannot be imported, or has no function ``score``.
    """
    path = _checked(script, folder, trust=trust, where=where)
    function = getattr(import_script(path, "scorer"), "score", None)
    if not callable(function) or inspect.iscoroutinefunction(function) or not _takes_four(function):
        raise UsageError(f"{path}: has no function score(question, answer, gold, response)")
    return CustomRule(path, digest(path.parent, script), function)


def _checked(script: str, folder: Folder | None, *, trust: bool, where: str) -> Path:
    if folder is None or Path(script).name != script or not script.endswith(".py"):
        raise UsageError(
            f"{where}: {PREFIX + script!r} is no Python file of a benchmark's folder: write {PREFIX}scorer.py"
        )
    if not (folder.path / script).is_file():
        raise UsageError(f"{where}: there is no {folder.path / script}")
    return check_trust(folder, script, trust=trust)


def _takes_four(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind("", "", "", "")
    except (TypeError, ValueError):
        return False
    return True
