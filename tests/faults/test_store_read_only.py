"""A results folder that cannot be written: what is in it is shown, and nothing is run into it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import NO_CODE, Program, database_in


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Nothing below ``place``, a mount point where the tests run as root, can be written in the block."""
    if os.geteuid() == 0:
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        yield
        return
    folders = [place, *(path for path in place.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


@pytest.fixture
def place(program: Program) -> Iterator[Path]:
    """The folder of the results."""
    folder = program.folder / "results"
    folder.mkdir()
    if os.geteuid() != 0:
        yield folder
        return
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_run_in_a_folder_that_cannot_be_written_is_shown_and_none_is_started_there(
    program: Program, place: Path
) -> None:
    (program.folder / "turns.json").write_text(json.dumps([{"role": "assistant", "content": "Answer: 1"}]))
    command = ("run", "atoll", "--model", "scripted:turns:turns.json", "--limit", "1", "--k", "1", *NO_CODE)
    assert program(*command).code == 0
    table = program.here("table", "--json")
    for beside in ("run.db-wal", "run.db-shm"):
        database_in(program.folder).with_name(beside).unlink(missing_ok=True)
    with read_only(place):
        shown = program.here("table", "--json")
        again = program(*command)
        other = program(*command, "--run", "other")
    assert (shown.code, shown.json) == (0, table.json), shown.said
    for refused in (again, other):
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1), refused.said
        assert "cannot be written" in refused.err and "--results" in refused.err
