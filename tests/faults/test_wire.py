"""Everything that can go wrong between the program and a model server, once each: no row costs a right answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.cli.program import (
    NO_CODE,
    Done,
    Program,
    Server,
    comparable,
    database_in,
    durable_turns,
    finished,
    row_of,
    standing,
    stopped_at_exit,
    wait_until,
)
from toleap.benchmark import load_benchmark

EXTENT = ("--limit", "2", "--k", "2", "--max-in-flight", "4", "--json", *NO_CODE)
"""Two tasks that the oracle solves without running code."""
SLOW = ("--latency-ms", "25")


@pytest.fixture(scope="module")
def undisturbed(home: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The table of the same run when nothing goes wrong."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with Server(folder / "asked") as server:
        done = Program(folder, home).here("run", "atoll", "--base-url", server.url, *EXTENT)
    assert done.code == 0 and row_of(done.json)["average"] == 1.0, done.said
    return comparable(done.json)


def failing(program: Program, faults: Mapping[str, Any], *options: str) -> Server:
    return Server(program.folder / "asked", options=("--faults", json.dumps(faults), *options))


def run(program: Program, server: Server, *more: str) -> Done:
    return program.here("run", "atoll", "--base-url", server.url, *EXTENT, *more)


def setting(**settings: object) -> list[str]:
    return [part for name, value in settings.items() for part in ("--set", f"operation.{name}={value}")]


def faults_noted(program: Program) -> tuple[int, int]:
    stored = standing(database_in(program.folder), "faults", "quarantined")
    return sum(faults for faults, _ in stored), sum(quarantined for _, quarantined in stored)


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({"kind": "cut", "every": 3}, id="reset mid-body"),
        pytest.param({"kind": "half", "every": 3}, id="half a body"),
        pytest.param({"kind": "html", "every": 3}, id="a body that is no JSON"),
        pytest.param({"kind": "empty", "every": 3}, id="empty choices"),
        pytest.param({"status": 500, "after": 4, "first": 9}, id="a burst of 500"),
    ],
)
def test_a_server_that_answers_nonsense_now_and_then_costs_nothing(
    program: Program, undisturbed: dict[str, Any], faults: dict[str, Any]
) -> None:
    with failing(program, faults) as server:
        done = run(program, server)
        asked = server.stats()
    assert done.code == 0, done.said
    assert comparable(done.json) == undisturbed
    assert asked["failed"] > 3 and asked["peak_alive"] == 1
    assert faults_noted(program) == (0, 0)


def test_429_with_retry_after_is_heeded_and_not_scored(program: Program, undisturbed: dict[str, Any]) -> None:
    with failing(program, {"status": 429, "retry_after": 0.6, "every": 4}) as server:
        done = run(program, server)
        asked = server.stats()
    assert done.code == 0, done.said
    assert comparable(done.json) == undisturbed
    assert asked["failed"] >= 4 and asked["too_early"] == 0 and asked["repeated"] == 0
    assert faults_noted(program) == (0, 0)


@pytest.mark.parametrize("metrics", [(), ("--metrics",)], ids=["without metrics", "with metrics"])
def test_accepted_then_silent_is_given_up_before_it_is_asked_again(
    program: Program, undisturbed: dict[str, Any], metrics: tuple[str, ...]
) -> None:
    with failing(program, {"kind": "silent", "first": 4}, *metrics) as server:
        done = run(program, server, *setting(call_seconds=2, stalled_seconds=0.5))
        asked = server.stats()
    assert done.code == 0, done.said
    assert comparable(done.json) == undisturbed
    assert asked["hung_up"] >= asked["failed"] == 4
    assert asked["peak_alive"] == 1, "one copy of a turn at a time"
    assert faults_noted(program) == (0, 0)


def test_a_slow_server_that_gets_on_is_not_cut_off(program: Program, undisturbed: dict[str, Any]) -> None:
    slow = Server(program.folder / "asked", options=("--latency-ms", "700", "--metrics"))
    with slow as server:
        done = run(program, server, *setting(call_seconds=0.3, stalled_seconds=2, patience=0))
        asked = server.stats()
    assert done.code == 0, done.said
    assert comparable(done.json) == undisturbed
    assert (asked["hung_up"], asked["repeated"]) == (0, 0)
    assert asked["requests"] == len(asked["by_id"])


def test_a_server_down_for_a_while_is_waited_for(program: Program, undisturbed: dict[str, Any]) -> None:
    server = Server(program.folder / "asked", options=SLOW)
    with server:
        process = program.start("run", "atoll", "--base-url", server.url, *EXTENT)
        with stopped_at_exit(process):
            wait_until(lambda: server.asked(6), "6 requests")
            server.__exit__()
            before = durable_turns(program.folder)
            assert process.stderr is not None
            while "waiting for up to" not in process.stderr.readline():
                assert process.poll() is None
            with Server(server.log, port=server.port) as again:
                done = finished(process)
                asked = again.stats()["by_id"]
    assert done.code == 0, done.said
    assert comparable(done.json) == undisturbed
    assert {turn: asked[turn] for turn in before} == dict.fromkeys(before, 1)
    assert faults_noted(program) == (0, 0)


@pytest.mark.parametrize(
    ("faults", "settings"),
    [
        pytest.param({"status": 502}, {}, id="a gateway without a server"),
        pytest.param({"status": 500}, {}, id="500 for everybody"),
        pytest.param({"kind": "reset"}, {}, id="resets for everybody"),
        pytest.param({"kind": "html"}, {}, id="nonsense for everybody"),
        pytest.param({"kind": "silent"}, {"call_seconds": 0.5}, id="silence for everybody"),
    ],
)
def test_an_outage_longer_than_the_patience_halts_the_run_and_is_held_against_no_attempt(
    program: Program, undisturbed: dict[str, Any], faults: dict[str, Any], settings: dict[str, float]
) -> None:
    patient = setting(patience=0.4, **settings)
    with failing(program, {**faults, "after": 5, "every": 1}) as server:
        halted = run(program, server, *patient)
    assert halted.code == 1 and halted.json["halted"], halted.said
    counts = row_of(halted.json)["counts"]
    assert counts["owed"] > 0 and counts["scored"] + counts["owed"] == counts["planned"] == 4
    assert [note["count"] for note in halted.json["notes"] if note["kind"] == "owed"] == [counts["owed"]]
    assert faults_noted(program) == (0, 0)
    with Server(server.log, port=server.port):
        done = run(program, server, *patient)
    assert done.code == 0, done.said
    assert comparable(done.json) == undisturbed


@pytest.mark.parametrize("status", [401, 404], ids=["the key is refused", "no such model any more"])
def test_a_refusal_of_everybody_halts_at_once_with_one_line(program: Program, status: int) -> None:
    with failing(program, {"status": status, "after": 5, "every": 1}) as server:
        halted = program("run", "atoll", "--base-url", server.url, *EXTENT)
        asked = server.stats()
    assert halted.code == 1, halted.said
    assert len([line for line in halted.err.splitlines() if f"HTTP {status}" in line]) == 1
    assert f"HTTP {status}" in halted.json["halted"] and "Traceback" not in halted.err
    assert 1 <= asked["failed"] <= 4, "once each for what was in flight"
    assert row_of(halted.json)["counts"]["owed"] > 0
    assert faults_noted(program) == (0, 0)


def test_a_conversation_that_breaks_the_server_is_set_aside_alone(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLEAP_HOME", str(program.home))
    poison = load_benchmark("atoll").tasks()[1].question
    with failing(program, {"status": 500, "every": 1, "match": poison}) as server:
        done = run(program, server, *setting(patience=0, fault_limit=2))
        failed = server.stats()["failed"]
    assert done.code == 1, done.said
    row = row_of(done.json)
    assert row["counts"] == {
        "planned": 4, "scored": 2, "unscored": 0, "owed": 2, "quarantined": 2, "complete": False,
    }  # fmt: skip
    assert row["average"] == 1.0 and not done.json["halted"]
    assert faults_noted(program) == (4, 2) and failed == 4


def test_400_because_the_prompt_is_too_long_is_a_context_limit_and_no_fault(program: Program) -> None:
    with Server(program.folder / "asked", options=("--context", "2500")) as server:
        done = run(program, server)
        asked = server.stats()
    assert done.code == 0, done.said
    behaviour = row_of(done.json)["behaviour"]
    assert behaviour["endings"] == {"answered": 2, "context_limit": 2} and behaviour["forced"] == 2
    assert row_of(done.json)["counts"]["complete"] and asked["repeated"] == 0
    assert faults_noted(program) == (0, 0)


def test_a_null_content_is_the_models_reply(program: Program) -> None:
    with failing(program, {"kind": "null", "first": 1}) as server:
        done = run(program, server)
        asked = server.stats()
    assert done.code == 0, done.said
    row = row_of(done.json)
    assert row["behaviour"]["endings"] == {"answered": 3, "no_answer": 1}
    assert (row["average"], row["counts"]["scored"]) == (0.75, 4)
    assert asked["requests"] == len(asked["by_id"]), "no reply of the model is drawn again"


def test_a_call_that_was_cut_off_by_the_token_limit_is_counted_and_not_made(program: Program) -> None:
    with failing(program, {"kind": "length", "first": 4}) as server:
        done = run(program, server)
        asked = server.stats()
    assert done.code == 0, done.said
    row = row_of(done.json)
    cut = 4 / (4 * row["behaviour"]["tool_calls"])
    assert row["behaviour"]["bad_call_rate"] == pytest.approx(cut), "the first call of each attempt, and no other"
    assert row["counts"]["scored"] == 4 and row["counts"]["complete"]
    assert asked["requests"] == len(asked["by_id"])
    assert faults_noted(program) == (0, 0)
