"""The model server fails while a run goes on: nothing is counted wrong for it, and what is missing is owed."""

from __future__ import annotations

import os
import signal
from typing import Any

from tests.cli.program import (
    NO_CODE,
    Program,
    Server,
    command_of,
    comparable,
    durable_turns,
    family,
    finished,
    gone,
    row_of,
    standing,
    stopped_at_exit,
    wait_until,
)

EXTENT = ("--limit", "2", "--k", "2", "--max-in-flight", "4", "--json", *NO_CODE)
"""Two tasks that the oracle solves without running code."""


def test_a_server_that_fails_for_a_while_costs_nothing(program: Program) -> None:
    broken = Server(program.folder / "broken", options=("--faults", '{"every": 1, "status": 500}'))
    with broken:
        process = program.start("run", "atoll", "--base-url", broken.url, *EXTENT)
        with stopped_at_exit(process):
            wait_until(lambda: broken.stats()["failed"] >= 6, "6 failures")
            broken.__exit__()
            with Server(program.folder / "healthy", port=broken.port) as healthy:
                done = finished(process)
                asked = healthy.stats()["by_id"]
    assert done.code == 0, done.said
    assert row_of(done.json)["average"] == 1.0
    assert set(asked.values()) == {1}


def test_every_third_request_fails_or_is_cut_off_and_nothing_is_lost(program: Program) -> None:
    tables = []
    for name, status in (("errors", 500), ("resets", 0)):
        faults = f'{{"every": 3, "status": {status}, "retry_after": 0.05}}'
        with Server(program.folder / f"asked-{name}", options=("--faults", faults)) as server:
            done = program("run", "atoll", "--base-url", server.url, "--results", name, *EXTENT)
            assert server.stats()["failed"] > 3
        assert done.code == 0, done.said
        tables.append(comparable(done.json))
        database = program.folder / name / tables[0]["rows"][0]["run"] / "run.db"
        assert set(standing(database, "faults", "quarantined")) == {(0, False)}
    assert tables[0] == tables[1]
    assert row_of(tables[0])["average"] == 1.0


def test_a_server_that_is_gone_for_good_halts_the_run_and_what_is_missing_is_owed(program: Program) -> None:
    server = Server(program.folder / "asked", options=("--latency-ms", "25"))
    with server:
        command = ("run", "atoll", "--base-url", server.url, *EXTENT, "--set", "operation.patience=0.5")
        process = program.start(*command)
        with stopped_at_exit(process):
            wait_until(lambda: server.asked(8), "8 requests")
            server.__exit__()
            halted = finished(process)
    assert halted.code == 1, halted.said
    row = row_of(halted.json)
    assert halted.json["halted"] and "stopped:" in halted.err
    assert row["counts"]["owed"] > 0 and row["counts"]["unscored"] == 0 and row["counts"]["quarantined"] == 0
    assert row["average"] in {None, 1.0}
    assert [note["count"] for note in halted.json["notes"] if note["kind"] == "owed"] == [row["counts"]["owed"]]
    with Server(program.folder / "asked", port=server.port):
        done = program(*command)
    assert done.code == 0, done.said
    assert row_of(done.json)["average"] == 1.0


def serving(process: Any) -> set[int]:
    """The scripted server's processes below the program."""
    return {pid for pid in family(process.pid) if "toleap.serving.scripted" in command_of(pid) and not gone(pid)}


def test_a_server_of_ours_that_dies_is_started_again_and_nothing_is_held_against_anybody(program: Program) -> None:
    command = ("run", "atoll", "--model", "scripted:oracle", "--limit", "2", "--k", "64", "--json", *NO_CODE,
               "--set", "operation.patience=1")  # fmt: skip
    process = program.start(*command)
    with stopped_at_exit(process):
        wait_until(lambda: len(durable_turns(program.folder)) > 4, "some turns")
        os.kill(max(serving(process)), signal.SIGKILL)
        done = finished(process)
    assert done.code == 0, done.said
    assert "the model server died, and is started again" in done.err and "status" in done.err
    row = row_of(done.json)
    assert (row["counts"]["scored"], row["average"], row["retried"]) == (128, 1.0, None)


def test_a_server_of_ours_that_dies_again_and_again_halts_the_run(program: Program) -> None:
    command = ("run", "atoll", "--model", "scripted:oracle", "--limit", "60", "--k", "32", "--json", *NO_CODE)
    process = program.start(*command)
    with stopped_at_exit(process):
        wait_until(lambda: len(durable_turns(program.folder)) > 4, "some turns")
        for _ in range(3):
            wait_until(lambda: serving(process) or process.poll() is not None, "a server")
            killed = serving(process)
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda dead=killed: not serving(process) & dead, "its end")
        halted = finished(process)
    assert halted.code == 1, halted.said
    assert "died 3 times" in halted.json["halted"] or "did not start again" in halted.json["halted"]
    counts = row_of(halted.json)["counts"]
    assert counts["owed"] > 0 and counts["quarantined"] == 0


def test_attempts_that_fail_again_and_again_are_set_aside_shown_and_run_on_request(program: Program) -> None:
    poison = '{"every": 1, "status": 500, "match": "\\"system\\""}'  # other conversations get through
    broken = Server(program.folder / "broken", options=("--faults", poison))
    command = ("run", "atoll", "--limit", "1", "--k", "2", "--json", *NO_CODE,
               "--set", "operation.patience=0", "--set", "operation.fault_limit=2")  # fmt: skip
    with broken:
        first = program(*command, "--base-url", broken.url)
        failed = broken.stats()["failed"]
        again = program.here(*command, "--base-url", broken.url)
        assert broken.stats()["failed"] == failed == 4
    assert first.code == 1, first.said
    assert row_of(first.json)["counts"] == {
        "planned": 2, "scored": 0, "unscored": 0, "owed": 2, "quarantined": 2, "complete": False,
    }  # fmt: skip
    assert again.code == 1 and "0 to run now" in again.err
    noted = next(note for note in first.json["notes"] if note["kind"] == "quarantined")
    assert noted["count"] == 2 and "--retry-quarantined" in noted["fix"]
    with Server(program.folder / "healthy") as healthy:
        retried = program.here(*command, "--base-url", healthy.url, "--retry-quarantined")
    assert retried.code == 0, retried.said
    assert row_of(retried.json)["average"] == 1.0
