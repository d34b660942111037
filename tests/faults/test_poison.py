"""One task, or one attempt, that always makes us fail: set aside alone, shown, and never a number's silent hole."""

from __future__ import annotations

import json

from tests.cli.program import Program, database_in, row_of, standing
from tests.faults.small import ANSWER, COMMAND, make_benchmark, playing, question
from toleap.agent.loop import call_seed
from toleap.types import Key

TRIES = ("--set", "operation.patience=0", "--set", "operation.fault_limit=2")


def resetting(text: str) -> tuple[str, str]:
    """The connection breaks for every conversation that holds this text."""
    return "--faults", json.dumps({"kind": "reset", "every": 1, "match": text})


def test_a_poison_task_is_set_aside_with_its_reason_and_a_retry_gives_it_all_its_tries(program: Program) -> None:
    make_benchmark(program.folder, ["Ostby", "Ostby", "Varde", "Ostby"])
    command = (*COMMAND, "--k", "2", *TRIES)
    with playing(program, [ANSWER], *resetting(question(1))) as server:
        first = program.here(*command, "--base-url", server.url)
        failed = server.stats()["failed"]
        again = program.here(*command, "--base-url", server.url)
        assert server.stats()["failed"] == failed
        retried = program.here(*command, "--base-url", server.url, "--retry-quarantined")
        assert server.stats()["failed"] == 2 * failed
        assert set(server.stats()["by_id"].values()) == {1}
    row = row_of(first.json, "mine")
    assert first.code == 1 and not first.json["halted"], first.said
    assert row["counts"] == {
        "planned": 8, "scored": 6, "unscored": 0, "owed": 2, "quarantined": 2, "complete": False,
    }  # fmt: skip
    assert (row["average"], row["bounds"]) == (2 / 3, [0.5, 0.75])
    (note,) = [note for note in first.json["notes"] if note["kind"] == "quarantined"]
    assert note["count"] == 2 and "--retry-quarantined" in note["fix"] and server.url in note["text"]
    assert again.code == 1 and " 0 to run now" in again.err
    assert retried.code == 1 and row_of(retried.json, "mine")["counts"] == row["counts"]
    stored = standing(database_in(program.folder), "task", "faults", "quarantined")
    assert [one for one in stored if one[1]] == [("t1", 2, True)] * 2
    with playing(program, [ANSWER]) as healthy:
        mended = program.here(*command, "--base-url", healthy.url, "--retry-quarantined")
        assert len(healthy.stats()["by_id"]) == 8  # six before, in the same log, and the two that were missing
    assert mended.code == 0, mended.said
    assert row_of(mended.json, "mine")["average"] == 0.75


def test_one_of_eight_attempts_missing_leaves_pass_at_8_undefined_and_avg_at_8_in_bounds(program: Program) -> None:
    make_benchmark(program.folder, ["Ostby", "Varde"])
    seed = call_seed(0, Key("mine", "t0", 5), 0)
    with playing(program, [ANSWER], *resetting(f'"max_tokens":500,"seed":{seed}')) as server:
        done = program.here(
            *COMMAND, "--k", "8", *TRIES, "--set", "sampling.max_tokens=500", "--base-url", server.url
        )
        plain = program.here("table", "--format", "md")
    row = row_of(done.json, "mine")
    assert done.code == 1 and (row["counts"]["scored"], row["counts"]["owed"]) == (15, 1), done.said
    rates = {rate["k"]: rate["value"] for rate in row["pass_at"]}
    assert rates[8] is None and rates[1] == 0.5 and rates[4] == 0.5
    assert (row["average"], row["bounds"]) == (0.5, [7 / 16, 0.5])
    assert "50.0 ± 50.0 [43.8, 50.0] incomplete" in " ".join(plain.out.split())


def test_missing_attempts_are_wrong_only_where_that_is_asked_for(program: Program) -> None:
    make_benchmark(program.folder, ["Ostby", "Ostby"])
    with playing(program, [ANSWER], *resetting(question(1))) as server:
        done = program.here(*COMMAND, "--k", "2", *TRIES, "--base-url", server.url, "--missing", "wrong")
    row = row_of(done.json, "mine")
    assert done.code == 1 and row["average"] == 0.5
    assert row["counts"]["owed"] == 2 and not row["counts"]["complete"]
    assert any("missing as wrong" in json.dumps(flag) for flag in row["flags"])
