"""The disk and the process fail at every point where something becomes durable."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import NO_CODE, Program, Server, comparable, durable_turns, row_of
from tests.faults.forking import Forks, forks

KINDS = ("SHIM_KILL_BEFORE", "SHIM_KILL_AFTER")


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The preloaded library that makes syncs fail or kill; skips where there is no C compiler."""
    built = tmp_path_factory.getbasetemp() / "shim.so"
    source = Path(__file__).with_name("shim.c")
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", built, source, "-ldl"], check=True)
    except FileNotFoundError:
        pytest.skip("no C compiler (cc)")
    return built


@pytest.fixture
def forked(program: Program, shim: Path) -> Iterator[Forks]:
    with forks(program, {"LD_PRELOAD": str(shim), "SHIM_SYNC_OF": "run.db"}) as made:
        yield made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "asked") as started:
        yield started


def command(server: Server) -> list[str]:
    return ["run", "atoll", "--base-url", server.url, "--limit", "2", "--k", "2", "--json", *NO_CODE]


@pytest.mark.timeout(400)
def test_killed_at_every_durable_write_a_run_ends_with_the_same_table(
    program: Program, forked: Forks, server: Server
) -> None:
    whole = forked.run(_fresh(program, "whole"), command(server))
    assert (whole.code, row_of(whole.json)["average"]) == (0, 1.0), whole.said
    for kind in KINDS:
        number = 0
        while True:
            number += 1
            folder = _fresh(program, f"{kind}-{number}")
            if forked.run(folder, command(server), {kind: str(number)}).code != -signal.SIGKILL:
                break
            asked = server.stats()["by_id"]
            # With a rollback journal beside it the database is not even made, and nobody else may look into it.
            durable = set() if list(folder.glob("results/*/run.db-journal")) else durable_turns(folder)
            done = forked.run(folder, command(server))
            assert done.code == 0, f"{kind} {number}: {done.said}"
            assert comparable(done.json) == comparable(whole.json)
            now = server.stats()["by_id"]
            assert {turn: now[turn] for turn in durable} == {turn: asked[turn] for turn in durable}
        # begun, planned, and at least one write for every turn and every ending of four attempts in turn
        assert number > 12


def test_syncs_that_fail_halt_the_run_and_nothing_is_counted_that_is_not_durable(
    program: Program, forked: Forks, server: Server
) -> None:
    for number in (1, 2, 5, 9):
        folder = _fresh(program, f"eio-{number}")
        failed = forked.run(folder, command(server), {"SHIM_EIO_FROM": str(number)})
        assert failed.code in {1, 2} and "Traceback" not in failed.err, failed.said
        assert "run.db" in failed.err and "disk I/O error" in failed.err
        if failed.out:
            counts = row_of(failed.json)["counts"]
            assert counts["planned"] == counts["scored"] + counts["unscored"] + counts["owed"]
            assert counts["owed"] > 0
        done = forked.run(folder, command(server))
        assert (done.code, row_of(done.json)["average"]) == (0, 1.0), done.said


def test_a_full_disk_halts_the_run_and_with_room_the_same_command_completes_it(
    program: Program, forked: Forks, server: Server, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", place], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    folder = _fresh(program, "full")
    more = ["--limit", "12", "--k", "4"]
    whole = forked.run(_fresh(program, "whole"), command(server) + more)
    try:
        more += ["--results", str(place)]
        full = forked.run(folder, command(server) + more)
        assert full.code == 1 and "Traceback" not in full.err, full.said
        assert "full" in full.err
        subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
        done = forked.run(folder, command(server) + more)
        assert (done.code, comparable(done.json)) == (0, comparable(whole.json)), done.said
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_a_disk_that_is_full_from_the_start_is_said_in_one_line(
    program: Program, forked: Forks, server: Server, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    folder = _fresh(program, "full")
    try:
        for taken in (64, 60, 56, 48, 32, 16):
            (place / "filler").write_bytes(b"")
            with contextlib.suppress(OSError):
                (place / "filler").write_bytes(bytes(taken * 1024))
            full = forked.run(folder, [*command(server), "--results", str(place)])
            assert full.code in {1, 2} and "Traceback" not in full.err, full.said
            assert "not a readable" not in full.err, "the database is not to blame"
            assert "full" in full.err or "No space left" in full.err or "I/O error" in full.err, full.said
        (place / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
        done = forked.run(folder, [*command(server), "--results", str(place)])
        assert (done.code, row_of(done.json)["average"]) == (0, 1.0), done.said
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_exports_that_cannot_be_written_are_said_after_the_table_and_come_with_the_next_start(
    program: Program, forked: Forks, server: Server
) -> None:
    folder = _fresh(program, "exports")
    whole = forked.run(folder, command(server))
    (run,) = (folder / "results").iterdir()
    asked = server.stats()["requests"]
    for name in ("table.md", "table.json"):
        (run / name).unlink()
        (run / name).mkdir()
        failed = forked.run(folder, command(server))
        assert (failed.code, comparable(failed.json)) == (1, comparable(whole.json)), failed.said
        assert f"{name}: cannot be written" in failed.err and "Traceback" not in failed.err
        (run / name).rmdir()
        assert forked.run(folder, command(server)).code == 0
        assert (run / name).stat().st_size > 0
    assert server.stats()["requests"] == asked
    assert not list(run.glob(".table*")), "nothing half written is left"


def test_a_wall_clock_that_jumps_changes_nothing(program: Program, forked: Forks, server: Server) -> None:
    whole = forked.run(_fresh(program, "whole"), command(server))
    jumping = forked.run(_fresh(program, "jumping"), command(server), {"SHIM_CLOCK": "86400"})
    assert jumping.code == 0, jumping.said
    assert comparable(jumping.json) == comparable(whole.json)


def _fresh(program: Program, name: str) -> Path:
    folder = program.folder / name
    folder.mkdir()
    return folder
