"""The program as a user runs it: a process of its own in a working folder, and scripted servers beside it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from toleap.agent.loop import request_id
from toleap.cli import main
from toleap.dock.sandbox import find_sandbox_environment
from toleap.dock.sandbox.probing import probe
from toleap.errors import Fault, UsageError
from toleap.store.database import about, connect
from toleap.store.reading import holds_run, read_trajectories, stored_state
from toleap.store.records import Answered, Kind, body_of
from toleap.types import Turn

PROGRAM = Path(sys.executable).with_name("toleap")
NO_CODE = ("--set", 'dock.tools=["search","fetch_url","read_file"]')
"""Leaves out the tool that needs a sandbox."""
_PATIENCE = 240.0


@functools.cache
def sandbox_problem() -> str | None:
    """Why no sandbox holds here; None where one does."""
    try:
        asyncio.run(probe())
    except (UsageError, Fault) as error:
        return str(error)
    return None


def need_sandbox() -> None:
    """Skip the test where the sandbox's probe fails, with its reason."""
    problem = sandbox_problem()
    if problem is not None:
        pytest.skip(f"no sandbox: {problem}")


def test_data(*parts: str) -> Path:
    """A file of the real data sets; skips where they are not here."""
    named = os.environ.get("TOLEAP_TESTDATA")
    if not named:
        pytest.skip("TOLEAP_TESTDATA is not set")
    return Path(named).joinpath(*parts)


test_data.__test__ = False  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Both streams, for messages of failed assertions."""
        return f"exit code {self.code}\n{self.out}\n{self.err}"


@dataclass(slots=True)
class Program:
    """``toleap`` in one working folder, with a cache of its own."""

    folder: Path
    home: Path
    more: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The variables that the program runs with."""
        kept = {name: value for name, value in os.environ.items() if name not in {"TOLEAP_PATH", "OPENAI_API_KEY"}}
        found = find_sandbox_environment()
        sandbox = {"TOLEAP_SANDBOX": str(found)} if found else {}
        return {**kept, **sandbox, "TOLEAP_HOME": str(self.home), "NO_COLOR": "1", **self.more}

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start the program without waiting for it."""
        return subprocess.Popen(
            [str(PROGRAM), *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def here(self, *arguments: str | Path) -> Done:
        """Run the program's entry point in this process: quicker where it only answers. Every exception escapes."""
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            patch.chdir(self.folder)
            for name in set(os.environ) - set(self.environment()):
                patch.delenv(name)
            for name, value in self.environment().items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", [str(PROGRAM), *map(str, arguments)])
            code = 0
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Done(code, out.getvalue(), err.getvalue())

    def __call__(self, *arguments: str | Path) -> Done:
        """Run the program to its end."""
        return finished(self.start(*arguments))


def finished(process: subprocess.Popen[str], patience: float = _PATIENCE) -> Done:
    """Wait for a program's end."""
    with stopped_at_exit(process):
        out, err = process.communicate(timeout=patience)
    return Done(process.returncode, out, err)


@contextlib.contextmanager
def stopped_at_exit(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """No process outlives its test."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def killed(process: subprocess.Popen[str]) -> None:
    """SIGKILL."""
    process.kill()
    process.communicate()


def wait_until(true: Callable[[], object], what: str) -> None:
    """Wait for something that must become true."""
    give_up = time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < give_up, f"in vain: {what}"
        time.sleep(0.01)


@dataclass(slots=True)
class Server:
    """A scripted server in a process of its own, which survives the program's death. A context manager."""

    log: Path
    policy: str = "oracle"
    options: Sequence[str] = ()
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        port_file = self.log.with_suffix(".port")
        port_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "toleap.serving.scripted", "--policy", self.policy, *self.options]
        command += ["--port", str(self.port), "--port-file", str(port_file), "--stats-file", str(self.log)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_until(port_file.exists, "the scripted server's port")
        self.port = int(port_file.read_text())
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def stats(self) -> dict[str, Any]:
        """What it was asked so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/stats", timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def asked(self, count: int) -> bool:
        """Whether it has been asked so often."""
        return int(self.stats()["requests"]) >= count


def query(database: Path, text: str) -> list[tuple[Any, ...]]:
    """Rows of a run's database, which another process may be writing."""
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(text).fetchall()


def standing(database: Path, *names: str) -> list[tuple[Any, ...]]:
    """What a run's file says of every planned attempt, task by task; nothing before the run began.

    Names are those of an ending's figures, or ``faults``, ``fault`` and ``quarantined``.
    """
    if not holds_run(database.parent):
        return []
    state = stored_state(database.parent)
    with contextlib.closing(connect(database, read_only=True)) as file:
        bodies = [(record.key, body_of(record, Answered)) for _, record in about(file, Kind.ENDED)]
    answered = {(key, body.digest): body for key, body in bodies}
    found = []
    for benchmark in state.benchmarks:
        for key in state.keys(benchmark):
            ended, faults = state.ended(key, state.origin(benchmark)), state.faults(key)
            figures: dict[str, Any] = {"ending": None, "answer": None, "turns": 0, "tool_calls": 0, "restarts": 0}
            if ended is not None:
                figures |= asdict(answered[key, ended.digest])
            figures |= key._asdict() | {"faults": faults.count, "fault": faults.reason or None}
            found.append(
                tuple((figures | {"quarantined": ended is None and faults.quarantined})[name] for name in names)
            )
    return found


def turns_in(database: Path, attempt: int | None = None) -> list[Turn]:
    """The turns of all attempts, or of those with this number."""
    trajectories = read_trajectories(database.parent)
    return [turn for key, _, turns in trajectories for turn in turns if attempt in (None, key.attempt)]


def durable_turns(folder: Path) -> set[str]:
    """The request ids of all turns that are stored in the one run below ``folder/results``; none before it began."""
    if not list((folder / "results").glob("*/run.db")):
        return set()
    database = database_in(folder)
    if not holds_run(database.parent):
        return set()
    stored = read_trajectories(database.parent)
    return {request_id(key, turn.index) for key, _, turns in stored for turn in turns}


def database_in(folder: Path) -> Path:
    """The one run's database in ``folder/results``."""
    (found,) = (folder / "results").glob("*/run.db")
    return found


def comparable(document: Mapping[str, Any]) -> dict[str, Any]:
    """A result document without the place it was written to."""
    return {key: value for key, value in document.items() if key != "folder"}


def row_of(document: Mapping[str, Any], benchmark: str = "atoll") -> dict[str, Any]:
    """The row of a whole benchmark."""
    (row,) = [row for row in document["rows"] if row["benchmark"] == benchmark and row["group"] is None]
    return dict(row)


def family(pid: int) -> list[int]:
    """All processes below one, at this moment."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ProcessLookupError):
            parent = int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def gone(pid: int) -> bool:
    """Whether a process has ended (one that nobody reaped has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def marked(mark: str) -> list[int]:
    """Every living process that inherited the mark in its environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


def command_of(pid: int) -> str:
    """A process's command line, empty where it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder: its size and when it was changed. What a refused command must not touch."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def copied(home: Path, target: Path) -> Path:
    """A copy of a prepared cache, for a test that adds to it."""
    shutil.copytree(home, target)
    return target


@functools.cache
def prepared_home(folder: Path) -> Path:
    """A cache in which the embedded benchmark is made and indexed: what a first run leaves behind."""
    (folder / "work").mkdir(parents=True)
    turns = folder / "work" / "turns.json"
    turns.write_text('[{"role": "assistant", "content": "Answer: nothing"}]')
    program = Program(folder / "work", folder / "home")
    done = program("run", "atoll", "--model", f"scripted:turns:{turns}", "--limit", "1", "--k", "1", *NO_CODE)
    assert done.code == 0, done.said
    return folder / "home"
