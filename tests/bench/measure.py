"""Running one program in a process of its own, and what it cost: CPU and memory as the kernel counted them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LATENCY_MS = 50
_HERE = Path(__file__).parent


class CaseFailed(Exception):
    """A measured program failed: what it cost means nothing."""


@dataclass(frozen=True)
class Cost:
    """What one process cost: seconds of wall time, seconds of CPU (user and system), peak resident MB (2**20)."""

    wall: float
    cpu: float
    peak: float
    output: str = field(default="", repr=False)


@dataclass
class Server:
    """A scripted server in a process of its own; ``cost`` and ``stats`` are empty until it has ended."""

    url: str
    cost: Cost | None = None
    stats: dict[str, Any] = field(default_factory=dict)


def run(command: Sequence[str], folder: Path, *, ok: Sequence[int] = (0,)) -> Cost:
    """Run a command in ``folder`` and wait for its end.

    Raises:
        CaseFailed: its exit code is not one of ``ok``.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        cost = _end(process, started)
        out.seek(0)
        err.seek(0)
        if process.returncode not in ok:
            said = err.read().decode("utf-8", "replace")[-2_000:]
            raise CaseFailed(f"{' '.join(command)}\nexit code {process.returncode}\n{said}")
        return Cost(cost.wall, cost.cpu, cost.peak, out.read().decode("utf-8", "replace"))


def python(script: str, *arguments: str) -> list[str]:
    """The command that runs a script beside this file."""
    return [sys.executable, str(_HERE / script), *arguments]


@contextlib.contextmanager
def serving(turns: Path, folder: Path) -> Iterator[Server]:
    """A scripted server that answers every request after ``LATENCY_MS``."""
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "toleap.serving.scripted", "--policy", f"turns:{turns}"]
    command += ["--latency-ms", str(LATENCY_MS), "--port-file", str(port_file)]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder)
    try:
        server = Server(f"http://127.0.0.1:{_port(port_file, process)}/v1")
        yield server
        with urllib.request.urlopen(server.url.removesuffix("/v1") + "/stats", timeout=30) as answer:
            server.stats = json.load(answer)
    finally:
        process.send_signal(signal.SIGTERM)
        cost = _end(process, started)
    server.cost = cost


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    give_up = time.monotonic() + 60
    while not file.exists():
        if process.poll() is not None or time.monotonic() > give_up:
            raise CaseFailed("the scripted server did not start")
        time.sleep(0.02)
    return int(file.read_text())


def _end(process: subprocess.Popen[bytes], started: float) -> Cost:
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)
