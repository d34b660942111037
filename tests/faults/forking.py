"""The program, run many times from one process that has imported it: a run costs tenths of a second, not two.

Every line of standard input is a JSON object (``arguments``, ``folder``, ``environment``); a fork of this process
runs the program so, and a line with its exit status (negative: killed by that signal) comes back. Output goes to
``stdout`` and ``stderr`` in the folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.program import Done, Program


@dataclass(frozen=True, slots=True)
class Forks:
    """Runs the program in forks of one process."""

    process: subprocess.Popen[str]

    def run(self, folder: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Done:
        """Run the program in ``folder`` to its end, with these variables on top."""
        order = {"folder": str(folder), "arguments": list(arguments), "environment": dict(environment or {})}
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        status = int(self.process.stdout.readline())
        return Done(status, (folder / "stdout").read_text(), (folder / "stderr").read_text())


@contextmanager
def forks(program: Program, environment: Mapping[str, str]) -> Iterator[Forks]:
    """A process that runs the program in forks of itself, all with ``environment``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.forking"],
        env={**program.environment(), "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Forks(process)
    finally:
        process.kill()
        process.communicate()


def _child(order: Mapping[str, Any]) -> None:
    from toleap.cli import main

    os.chdir(order["folder"])
    os.environ.update(order["environment"])
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["toleap", *order["arguments"]]
    main()


def _serve() -> None:
    import toleap.commands.run
    import toleap.runs.run  # noqa: F401 - imported before the forks

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                _child(json.loads(line))
            except SystemExit as ended:
                sys.stdout.flush()
                os._exit(int(ended.code or 0))
            sys.stdout.flush()
            os._exit(0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
