"""What the scripted server plays: fixed turns, a benchmark's own policy, or a recorded run.

A policy is a yardstick and a test bed, never a measurement. A benchmark's policies are the dictionary ``POLICIES`` in
its ``policies.py``: name → a function without arguments that makes a ``Policy``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import orjson

from toleap.errors import UsageError
from toleap.folder_code import check_trust, import_neighbour
from toleap.folders import find
from toleap.serving.replay import RecordedRun
from toleap.types import Message

_DEFAULT_BENCHMARK = "atoll"
_POLICIES_FILE = "policies.py"


class Policy(Protocol):
    """Plays the model. Called for many conversations at once, in any order: its reply follows from the messages."""

    def reply(self, messages: list[Message], tools: list[dict[str, Any]]) -> Message:
        """The next assistant message; ``tools`` is empty where none may be called. Arguments may be a dictionary."""


class FixedTurns:
    """The n-th assistant turn of every conversation gets the n-th message; the last one repeats."""

    def __init__(self, turns: Sequence[Message]) -> None:
        self._turns = list(turns)

    def reply(self, messages: list[Message], tools: list[dict[str, Any]]) -> Message:  # noqa: ARG002
        """The message for this turn."""
        done: int = sum(message.get("role") == "assistant" for message in messages)
        return self._turns[min(done, len(self._turns) - 1)]


def load_policy(spec: str, *, trust: bool = False, results: Path | None = None) -> Policy:
    """The policy that ``spec`` names.

    ``POLICY`` is a policy of the embedded benchmark (``oracle``, ``guesser``), ``BENCHMARK/POLICY`` one of another
    benchmark, ``turns:PATH`` a JSON list of assistant messages, and ``run:PATH`` (or ``run:NAME``, a folder of
    ``results``, by default ``results/`` in the working folder) a recorded run.

    Raises:
        UsageError: there is no such policy or file, or its Python may not run without ``trust``.
    """
    scheme, colon, rest = spec.partition(":")
    if colon and scheme == "turns":
        return FixedTurns(_read_turns(Path(rest)))
    if colon and scheme == "run":
        return RecordedRun.load(_run_folder(rest, results or Path.cwd() / "results"))
    if colon:
        raise UsageError(f"unknown policy {spec!r}: write POLICY, BENCHMARK/POLICY, turns:PATH or run:PATH")
    benchmark, slash, name = spec.rpartition("/")
    return _benchmark_policy(benchmark if slash else _DEFAULT_BENCHMARK, name, trust=trust)


def _benchmark_policy(benchmark: str, name: str, *, trust: bool) -> Policy:
    folder = find("benchmarks", benchmark)
    path = folder.path / _POLICIES_FILE
    if not path.is_file():
        raise UsageError(f"benchmark {benchmark} has no policies: there is no {path}")
    check_trust(folder, _POLICIES_FILE, trust=trust)
    policies = getattr(import_neighbour(folder.path, path.stem), "POLICIES", None)
    if not isinstance(policies, Mapping):
        raise UsageError(f"{path}: has no dictionary POLICIES")
    if name not in policies:
        raise UsageError(f"{path}: no policy {name!r}; there are: {', '.join(sorted(policies)) or 'none'}")
    return cast(Policy, policies[name]())


def _read_turns(path: Path) -> list[Message]:
    try:
        turns: Any = orjson.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path}: not JSON: {error}") from error
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, dict) for turn in turns):
        raise UsageError(f"{path}: must be a JSON list of assistant messages, at least one")
    return list(turns)


def _run_folder(named: str, results: Path) -> Path:
    path = Path(named).expanduser()
    if path.is_file():
        return path.parent
    return path if path.is_dir() else results / named
