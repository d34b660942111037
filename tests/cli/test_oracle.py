"""The embedded benchmark from the command to the table, with the policy that knows how to solve it."""

from __future__ import annotations

import json
import signal

import pytest

from tests.cli.program import (
    Program,
    Server,
    family,
    gone,
    need_sandbox,
    row_of,
    stopped_at_exit,
)


def check_perfect(document: dict, tasks: int = 60, k: int = 8) -> None:
    row = row_of(document)
    assert document["complete"] and document["halted"] is None
    assert row["counts"] == {
        "planned": tasks * k, "scored": tasks * k, "unscored": 0, "owed": 0, "quarantined": 0, "complete": True,
    }  # fmt: skip
    assert (row["average"], row["k"], row["tasks"], row["tasks_total"]) == (1.0, k, tasks, 60)
    assert {rate["k"]: rate["value"] for rate in row["pass_at"]} == dict.fromkeys((1, 2, 4, 8), 1.0)
    assert row["behaviour"]["endings"] == {"answered": tasks * k}


@pytest.mark.slow
def test_the_oracle_solves_every_task_in_every_attempt(program: Program) -> None:
    need_sandbox()
    done = program("run", "atoll", "--model", "scripted:oracle", "--json")
    assert done.code == 0, done.said
    check_perfect(done.json)
    assert row_of(done.json)["flags"] == ["scripted"]
    assert "480 attempts, 480 to run now" in done.err


@pytest.mark.slow
def test_the_oracle_behind_a_served_endpoint_solves_every_task_too(program: Program) -> None:
    need_sandbox()
    server = program.start("serve", "--scripted", "oracle", "--port", "0", "--json")
    with stopped_at_exit(server):
        said = ""
        while not said.rstrip().endswith("}"):
            line = server.stdout.readline()
            assert line, server.communicate()
            said += line
        endpoint = json.loads(said)
        children = family(server.pid)
        done = program("run", "atoll", "--base-url", endpoint["base_url"], "--json")
        assert done.code == 0, done.said
        check_perfect(done.json)
        assert row_of(done.json)["model"] == endpoint["model"]
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
    assert children and [pid for pid in children if not gone(pid)] == []


def test_the_same_command_again_runs_nothing_and_says_the_same(program: Program) -> None:
    need_sandbox()
    command = ("run", "atoll", "--model", "scripted:oracle", "--limit", "3", "--k", "2", "--json")
    first, second = program(*command), program(*command)
    assert (first.code, second.code) == (0, 0), second.said
    assert first.json == second.json
    assert "6 to run now" in first.err and "0 to run now" in second.err
    assert not [path for path in program.folder.iterdir() if path.name != "results"]
    assert json.loads(next(program.folder.glob("results/*/table.json")).read_text())["rows"] == first.json["rows"]


def test_more_attempts_or_tasks_add_to_a_run_and_only_the_new_ones_are_played(program: Program) -> None:
    with Server(program.folder / "asked") as server:
        command = ("run", "atoll", "--base-url", server.url, "--json", "--limit", "2")
        need_sandbox()
        first = program(*command, "--k", "8")
        before = server.stats()["by_id"]
        more = program(*command, "--k", "16")
        after = server.stats()["by_id"]
        tasks = program(*command, "--k", "16", "--limit", "3")
        last = server.stats()["by_id"]
    assert (first.code, more.code, tasks.code) == (0, 0, 0), more.said
    assert (row_of(more.json)["k"], row_of(tasks.json)["tasks"]) == (16, 3)
    assert {name: after[name] for name in before} == before
    assert {name.split("-")[1] for name in set(after) - set(before)} == {str(attempt) for attempt in range(8, 16)}
    assert {name: last[name] for name in after} == after and len(last) > len(after)
    assert set(last.values()) == {1}


def test_one_attempt_at_a_time_and_many_at_once_give_the_same_table(program: Program) -> None:
    need_sandbox()
    command = ("run", "atoll", "--model", "scripted:oracle", "--limit", "3", "--k", "2", "--json")
    one = program(*command, "--max-in-flight", "1", "--results", "one")
    many = program(*command, "--max-in-flight", "64", "--results", "many")
    assert (one.code, many.code) == (0, 0), one.said
    assert {**one.json, "folder": ""} == {**many.json, "folder": ""}


def test_the_reference_is_a_row_beside_the_models(program: Program) -> None:
    need_sandbox()
    with Server(program.folder / "asked", policy="guesser") as server:
        done = program(
            "run", "atoll", "--base-url", server.url, "--reference", "--limit", "3", "--k", "2", "--json"
        )  # fmt: skip
    assert done.code == 0, done.said
    rows = [row for row in done.json["rows"] if row["group"] is None]
    assert [row["scripted"] for row in rows] == [False, True]
    assert rows[1]["average"] == 1.0 > rows[0]["average"]


def test_progress_goes_to_stderr_and_the_table_to_stdout(program: Program) -> None:
    done = program("run", "atoll", "--model", "scripted:guesser", "--limit", "2", "--k", "1", "--set",
                   'dock.tools=["search"]')  # fmt: skip
    assert done.code == 0, done.said
    assert "2/2 done" in done.err and "2/2 done" not in done.out
    assert "scripted:guesser" in done.out and "unscored" in done.out


def test_a_closed_pipe_ends_the_program_quietly(program: Program) -> None:
    process = program.start("list", "benchmarks")
    process.stdout.close()
    with stopped_at_exit(process):
        process.wait(60)
        assert "Traceback" not in process.stderr.read()
