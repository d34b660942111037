"""The program is killed or interrupted in the middle of a run: nothing durable is lost or asked for twice."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.program import (
    NO_CODE,
    Done,
    Program,
    Server,
    command_of,
    comparable,
    database_in,
    durable_turns,
    family,
    finished,
    gone,
    killed,
    marked,
    need_sandbox,
    query,
    row_of,
    stopped_at_exit,
    wait_until,
)

SLOW = ("--latency-ms", "25")


def uninterrupted(program: Program, command: Sequence[str]) -> Done:
    (program.folder / "whole").mkdir()
    done = Program(program.folder / "whole", program.home).here(*command)
    assert done.code == 0, done.said
    return done


def test_killed_again_and_again_a_run_ends_with_the_same_table_and_repeats_no_durable_turn(program: Program) -> None:
    need_sandbox()
    with Server(program.folder / "asked", options=SLOW) as server:
        command = (
            "run",
            "atoll",
            "--base-url",
            server.url,
            "--limit",
            "6",
            "--k",
            "4",
            "--max-in-flight",
            "8",
            "--json",
        )
        durable: dict[str, int] = {}
        for asked in (1, 40, 80):
            process = program.start(*command)
            with stopped_at_exit(process):
                wait_until(lambda count=asked: server.asked(count), f"{asked} requests")
                killed(process)
            counts = server.stats()["by_id"]
            durable.update({turn: counts[turn] for turn in durable_turns(program.folder)})
        done = program(*command)
        last = server.stats()["by_id"]
        whole = uninterrupted(program, command)
    assert done.code == 0, done.said
    assert comparable(done.json) == comparable(whole.json)
    assert row_of(done.json)["average"] == 1.0
    assert len(durable) > 40
    assert {turn: last[turn] for turn in durable} == durable
    assert set(last) == durable_turns(program.folder)


def test_no_process_of_a_killed_run_survives_and_the_same_command_completes_it(program: Program) -> None:
    need_sandbox()
    command = (
        "run",
        "atoll",
        "--model",
        "scripted:oracle",
        "--limit",
        "30",
        "--k",
        "2",
        "--max-in-flight",
        "8",
        "--json",
    )
    process = program.start(*command)
    with stopped_at_exit(process):
        wait_until(lambda: len(durable_turns(program.folder)) > 90, "so many turns that some attempts ended")
        family_of_it = family(process.pid)
        killed(process)
    assert len(family_of_it) >= 2
    wait_until(lambda: not [pid for pid in family_of_it if not gone(pid)], "the end of every process of the run")
    before = len(durable_turns(program.folder))
    done = program(*command)
    assert done.code == 0, done.said
    assert row_of(done.json)["average"] == 1.0
    assert before < len(durable_turns(program.folder))
    assert "60 attempts" in done.err and "60 to run now" not in done.err


def test_interrupted_once_a_run_stops_in_good_order_and_can_be_continued(program: Program) -> None:
    with Server(program.folder / "asked", options=SLOW) as server:
        command = (
            "run",
            "atoll",
            "--base-url",
            server.url,
            "--limit",
            "4",
            "--k",
            "4",
            "--max-in-flight",
            "4",
            "--json",
        )
        process = program.start(*command, *NO_CODE)
        with stopped_at_exit(process):
            wait_until(lambda: server.asked(20), "20 requests")
            process.send_signal(signal.SIGINT)
            stopped = finished(process)
        counts = server.stats()["by_id"]
        durable = durable_turns(program.folder)
        done = program(*command, *NO_CODE)
        last = server.stats()["by_id"]
        whole = uninterrupted(program, (*command, *NO_CODE))
    assert stopped.code == 1
    assert stopped.json["halted"] and not stopped.json["complete"]
    counted = row_of(stopped.json)["counts"]
    assert counted["planned"] == 16 == counted["scored"] + counted["owed"] and counted["owed"] > 0
    assert "Traceback" not in stopped.err
    assert comparable(done.json) == comparable(whole.json)
    assert durable and {turn: last[turn] for turn in durable} == {turn: counts[turn] for turn in durable}


def test_terminated_a_run_stops_in_good_order_too(program: Program) -> None:
    with Server(program.folder / "asked", options=SLOW) as server:
        process = program.start("run", "atoll", "--base-url", server.url, "--limit", "4", "--k", "4",
                                "--max-in-flight", "2", "--json", *NO_CODE)  # fmt: skip
        with stopped_at_exit(process):
            wait_until(lambda: server.asked(8), "8 requests")
            process.send_signal(signal.SIGTERM)
            stopped = finished(process)
    assert stopped.code == 1 and stopped.json["halted"]
    assert query(database_in(program.folder), "PRAGMA integrity_check") == [("ok",)]


def test_interrupted_twice_the_program_is_gone_at_once_and_its_server_too(program: Program) -> None:
    process = program.start("run", "atoll", "--model", "scripted:oracle", "--limit", "60", "--k", "8", *NO_CODE)
    with stopped_at_exit(process):
        wait_until(lambda: len(durable_turns(program.folder)) > 4, "some turns")
        servers = [pid for pid in family(process.pid) if "toleap.serving.scripted" in command_of(pid)]
        supervisor = min(servers)
        os.kill(supervisor, signal.SIGSTOP)  # the server's end now takes as long as we like
        try:
            process.send_signal(signal.SIGINT)
            while " done · " not in process.stderr.readline():
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            os.kill(supervisor, signal.SIGCONT)
        wait_until(lambda: not [pid for pid in servers if not gone(pid)], "the end of its server")
    assert query(database_in(program.folder), "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_interrupted_while_the_model_server_starts(program: Program, tmp_path: Path, processes: int) -> None:
    turns = tmp_path / "turns.json"
    turns.write_text('[{"role": "assistant", "content": "Answer: 1"}]')
    mark = uuid.uuid4().hex
    marked_program = Program(program.folder, program.home, {"TOLEAP_TEST_MARK": mark})
    process = marked_program.start(
        "run", "atoll", "--model", f"scripted:turns:{turns}", "--limit", "1", "--k", "1", *NO_CODE
    )
    with stopped_at_exit(process):
        while "to run now" not in process.stderr.readline():
            assert process.poll() is None
        wait_until(lambda: len(marked(mark)) >= processes, "so many processes")
        process.send_signal(signal.SIGINT)
        done = finished(process)
    assert done.code in {0, 1} and "Traceback" not in done.err
    wait_until(lambda: not marked(mark), "the end of its server")


def test_interrupted_while_the_reference_plays_the_model_is_not_asked_at_all(program: Program) -> None:
    with Server(program.folder / "asked") as server:
        process = program.start("run", "atoll", "--base-url", server.url, "--reference", "--json", *NO_CODE)
        with stopped_at_exit(process):
            wait_until(lambda: len(durable_turns(program.folder)) > 4, "some turns of the reference")
            process.send_signal(signal.SIGINT)
            stopped = finished(process)
        assert server.stats()["requests"] == 0
    assert stopped.code == 1 and stopped.json["halted"]
