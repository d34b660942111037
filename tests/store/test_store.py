"""The store: what is written is on the disk, one writer at a time, and nothing corrupted is taken for a turn."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.store.building import RULE, changed, end, plan
from toleap.errors import StoreFault, TornRecord, UsageError
from toleap.store.reading import read_run, read_trajectories
from toleap.store.records import FORMAT
from toleap.store.store import Owed, Store
from toleap.store.writer import Writer
from toleap.types import (
    Ending,
    ErrorClass,
    Key,
    ScoredBy,
    Task,
    ToolCall,
    ToolResult,
    Trajectory,
    Turn,
    Usage,
    Verdict,
)

TASKS = tuple(Task("b", f"t{n}", "question", "gold", metadata={"level": str(n % 2)}) for n in range(3))
OPENING = ({"role": "user", "content": "q"},)
TURN = Turn(
    index=0,
    reply={"role": "assistant", "content": None},
    messages=({"role": "assistant", "content": ""}, {"role": "tool", "content": "r", "tool_call_id": "c"}),
    calls=(ToolCall("c", "search", {"query": ["x"]}), ToolCall("", "", problem="bad")),
    results=(ToolResult(("r", "s"), ErrorClass.WORLD, truncated=True, ms=1.5), ToolResult.of("bad", ErrorClass.CALL)),
    usage=Usage(10, 5, 2),
    finish_reason="stop",
    seed=7,
    seconds=0.5,
)
CORRECT = Verdict("correct", "equal", RULE.fingerprint, "gold answer given")


def trajectory(key, answer="gold"):
    return Trajectory(key, OPENING, (TURN,), Ending.ANSWERED, answer, "whole")


async def test_everything_comes_back_and_gold_answers_stay_out(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path / "run") as store:
        await plan(store, TASKS, 2, settings={"a": 1})
        await store.begin(key, OPENING)
        await store.put_turn(key, TURN)
        assert store.trajectory_so_far(key) == (OPENING, (TURN,))
        await end(store, trajectory(key), CORRECT)
        row = store.result().benchmarks[0].rows[0]
    ended = row.ended
    assert (ended.ending, row.verdict.status, ended.tool_calls, ended.bad_calls) == (Ending.ANSWERED, "correct", 2, 1)
    result = read_run(tmp_path / "run")
    assert result.settings == {"a": 1}
    assert len(result.benchmarks[0].rows) == 6
    assert result.benchmarks[0].metadata["t1"] == {"level": "1"}
    assert list(read_trajectories(tmp_path / "run")) == [(key, OPENING, (TURN,))]
    assert b"question" not in (tmp_path / "run" / "run.db").read_bytes()


async def test_owed_is_attempt_by_attempt_and_an_extent_only_grows(tmp_path):
    with Store(tmp_path) as store:
        await plan(store, TASKS, 2)
        assert [(owed.key.attempt, owed.key.task) for owed in store.owed(["b"])] == [
            (0, "t0"), (0, "t1"), (0, "t2"), (1, "t0"), (1, "t1"), (1, "t2"),
        ]  # fmt: skip
        await end(store, trajectory(Key("b", "t0", 0)))
        await plan(store, TASKS, 4)
        await plan(store, TASKS[:1], 1)
        assert len(store.owed(["b"])) == 11
        assert store.owed(["b"])[0] == Owed(Key("b", "t1", 0), 0)
        assert store.result().benchmarks[0].k == 4


async def test_the_same_plan_again_writes_nothing(tmp_path):
    with Store(tmp_path) as store:
        await plan(store, TASKS, 2)
        last = store.state.last
        await plan(store, TASKS, 2)
        assert store.state.last == last == 5, "the settings, the benchmark and three tasks"


async def test_faults_are_counted_and_quarantine_sets_an_attempt_aside(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await plan(store, TASKS, 1)
        await store.fault(key, "down", quarantine=False)
        assert store.owed(["b"])[0] == Owed(key, 1)
        await store.fault(key, "down again", quarantine=True)
        assert key not in [owed.key for owed in store.owed(["b"])]
        assert key in [owed.key for owed in store.owed(["b"], with_quarantined=True)]
        row = store.result().benchmarks[0].rows[0]
        assert (row.ending, row.quarantined, row.fault) == (None, True, "down again")
        await end(store, trajectory(key))
        row = store.result().benchmarks[0].rows[0]
        assert (row.ending, row.quarantined, row.fault) == (Ending.ANSWERED, False, None)


async def test_forgiven_a_quarantined_attempt_has_all_its_tries_again_and_no_other_has(tmp_path):
    aside, owed, done = (Key("b", f"t{n}", 0) for n in range(3))
    with Store(tmp_path) as store:
        await plan(store, TASKS, 1)
        await store.fault(owed, "down", quarantine=False)
        await store.fault(aside, "down", quarantine=True)
        await store.forgive([aside, owed, done])
        assert store.owed(["b"]) == [Owed(owed, 1), Owed(done, 0)]
        assert Owed(aside, 0) in store.owed(["b"], with_quarantined=True)
        await store.fault(aside, "down again", quarantine=False)
        assert store.owed(["b"])[0] == Owed(aside, 1)


async def test_an_ended_attempt_without_this_scorers_verdict_is_found(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await plan(store, TASKS, 1)
        await end(store, trajectory(key, None))
        (waiting,) = store.without_verdict("b", "gaia-1")
        assert (waiting.key, waiting.answer, waiting.response) == (key, None, "whole")
        await store.put_verdict(waiting, Verdict("unscored", "the judge is down", "gaia-1"))
        assert store.without_verdict("b", "gaia-1") == [waiting]
        await store.put_verdict(waiting, Verdict("wrong", "no answer", "gaia-1"))
        assert store.without_verdict("b", "gaia-1") == []
        assert store.without_verdict("b", "gaia-2") == [waiting]


async def test_beginning_anew_drops_the_old_turns(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await plan(store, TASKS, 1)
        await store.begin(key, OPENING)
        await store.put_turn(key, TURN)
        await store.begin(key, OPENING)
        assert store.trajectory_so_far(key) == (OPENING, ())


async def test_a_turn_that_is_there_twice_is_one(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await plan(store, TASKS, 1)
        await store.begin(key, OPENING)
        await store.put_turn(key, TURN)
        await store.put_turn(key, replace(TURN, seconds=9.0))
        assert store.trajectory_so_far(key) == (OPENING, (TURN,))


async def test_a_write_that_cannot_be_made_fails_alone(tmp_path):
    with Store(tmp_path) as store:
        await plan(store, TASKS, 1)
        await store.begin(Key("b", "t0", 0), OPENING)
        before = store.begin(Key("b", "t2", 0), OPENING)
        bad = store.put_turn(Key("b", "t0", 0), replace(TURN, reply={"content": {1, 2}}))
        after = store.begin(Key("b", "t1", 0), OPENING)
        done = await asyncio.wait_for(asyncio.gather(before, bad, after, return_exceptions=True), 20)
        assert [type(item) for item in done] == [type(None), TypeError, type(None)]
        assert all(store.trajectory_so_far(Key("b", f"t{n}", 0)) == (OPENING, ()) for n in range(3))
        await store.put_turn(Key("b", "t0", 0), TURN)


async def test_a_writer_that_cannot_begin_fails_every_write(tmp_path, monkeypatch):
    def refuse(_path):
        raise sqlite3.OperationalError("too many open files")

    monkeypatch.setattr("toleap.store.writer.connect", refuse)
    writer = Writer(tmp_path / "run.db")
    for _ in range(2):
        with pytest.raises(StoreFault, match="too many open files"):
            await asyncio.wait_for(writer.write(lambda _database: None), 20)
    writer.close()


async def test_a_database_that_cannot_be_read_is_no_torn_record(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await plan(store, TASKS, 1)
        await store.begin(key, OPENING)
        await store.put_turn(key, TURN)
        store._reader.close()
        with pytest.raises(StoreFault, match="cannot be read") as caught:
            store.trajectory_so_far(key)
        assert not isinstance(caught.value, TornRecord)


async def test_a_damaged_ending_is_owed_and_ends_again_from_its_turns_with_the_verdict_it_had(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await plan(store, TASKS, 1)
        await store.begin(key, OPENING)
        await store.put_turn(key, TURN)
        await end(store, trajectory(key), CORRECT)
    assert changed(tmp_path, "UPDATE record SET body = flip(body) WHERE kind = 'ended'") == 1
    with Store(tmp_path) as store:
        assert store.state.lost() == [key]
        row = store.result().benchmarks[0].rows[0]
        assert (row.ending, row.verdict) == (None, None)
        assert "damaged" in row.fault
        assert store.trajectory_so_far(key) == (OPENING, (TURN,))
        await end(store, trajectory(key))
        assert store.state.lost() == []
        assert store.result().benchmarks[0].rows[0].verdict == CORRECT


async def test_a_verdict_never_counts_for_another_answer(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await plan(store, TASKS, 1)
        await end(store, trajectory(key), CORRECT)
    assert changed(tmp_path, "DELETE FROM record WHERE kind = 'ended'") == 1
    with Store(tmp_path) as store:
        await end(store, trajectory(key, "another"))
        row = store.result().benchmarks[0].rows[0]
        assert (row.ending, row.verdict) == (Ending.ANSWERED, None)


async def test_other_scorers_verdicts_are_kept_beside_and_a_later_one_can_become_the_headline(tmp_path):
    key, judged = Key("b", "t0", 0), Verdict("wrong", "no", "judge-1", raw="words")
    with Store(tmp_path) as store:
        await plan(store, TASKS, 1, scorers=(RULE, ScoredBy("judge-1", "gpt (toleap prompt)")))
        await end(store, trajectory(key), CORRECT, judged)
        part = store.result().benchmarks[0]
        assert (part.scorers[1].label, part.rows[0].verdicts) == ("gpt (toleap prompt)", (CORRECT, judged))
        await store.put_scorers("b", [ScoredBy("judge-1", "gpt", official=True)], ("attempted",))
        part = store.result().benchmarks[0]
        assert (part.scorers, part.measures) == ((ScoredBy("judge-1", "gpt", official=True),), ("attempted",))
        assert part.rows[0].verdicts == (judged,)


async def test_many_writers_share_commits_in_order(tmp_path):
    tasks = tuple(Task("b", f"t{n}", "q", "g") for n in range(300))
    with Store(tmp_path) as store:
        await plan(store, tasks, 1)

        async def one(n):
            key = Key("b", f"t{n}", 0)
            await store.begin(key, OPENING)
            await store.put_turn(key, TURN)
            assert store.trajectory_so_far(key) == (OPENING, (TURN,))

        await asyncio.gather(*(one(n) for n in range(300)))


async def test_a_second_writer_is_refused_and_readers_are_not(tmp_path):
    with Store(tmp_path / "run") as store:
        await plan(store, TASKS, 1)
        with pytest.raises(UsageError, match="another process is writing"):
            Store(tmp_path / "run")
        assert len(read_run(tmp_path / "run").benchmarks[0].rows) == 3
    with Store(tmp_path / "run"):
        pass


def test_no_run_and_no_database_are_the_users_mistakes(tmp_path):
    with pytest.raises(UsageError, match="no run here"):
        read_run(tmp_path)
    (tmp_path / "run.db").write_bytes(b"not a database" * 999)
    with pytest.raises(UsageError, match="cannot be read"):
        read_run(tmp_path)
    with pytest.raises(UsageError, match="not a readable results database"):
        Store(tmp_path)


@pytest.mark.parametrize("statements", [f"PRAGMA user_version = {FORMAT + 1}", "CREATE TABLE attempts (ending)"])
async def test_another_format_is_refused_in_one_line_and_left_alone(tmp_path, statements):
    with sqlite3.connect(tmp_path / "run.db") as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE record (seq)")
        other.execute("INSERT INTO record VALUES (1)")
        other.execute(statements)
    other.close()
    before = (tmp_path / "run.db").read_bytes()
    for opened in (read_run, Store):
        with pytest.raises(
            UsageError, match=rf"run\.db: its format is \d, this toleap reads and writes {FORMAT}"
        ) as caught:
            opened(tmp_path)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "run.db").read_bytes() == before


async def test_a_turn_that_is_lost_in_the_middle_is_a_fault_of_ours_and_the_last_one_is_played_again(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await plan(store, TASKS, 1)
        await store.begin(key, OPENING)
        for index in range(3):
            await store.put_turn(key, replace(TURN, index=index))
        last = "SELECT max(seq) FROM record WHERE kind = 'turn'"
        assert changed(tmp_path, f"UPDATE record SET body = flip(body) WHERE seq = ({last})") == 1
        assert len(store.trajectory_so_far(key)[1]) == 2
        await store.put_turn(key, replace(TURN, index=2))
        assert len(store.trajectory_so_far(key)[1]) == 3
        assert changed(tmp_path, f"UPDATE record SET body = flip(body) WHERE seq = ({last}) - 2") == 1
        with pytest.raises(TornRecord, match="a turn is missing"):
            store.trajectory_so_far(key)


_CHILD = """
import asyncio, sys
from pathlib import Path
from tests.store.building import plan
from toleap.store.store import Store
from toleap.types import Key, Task, Turn
async def main():
    with Store(Path(sys.argv[1])) as store:
        await plan(store, tuple(Task("b", f"t{n}", "q", "g") for n in range(8)), 1)
        async def one(n):
            key = Key("b", f"t{n}", 0)
            await store.begin(key, ({"role": "user", "content": "q"},))
            for turn in range(10_000):
                await store.put_turn(key, Turn(turn, {"content": "x" * 500}, ({"role": "assistant"},)))
                print(n, turn, flush=True)
        await asyncio.gather(*(one(n) for n in range(8)))
asyncio.run(main())
"""


async def test_what_was_reported_durable_survives_a_sigkill(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    durable = {}
    for line in child.stdout:
        task, turn = map(int, line.split())
        durable[task] = turn
        if sum(durable.values()) > 200:
            break
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with Store(tmp_path) as store:
        for task, turn in durable.items():
            _, turns = store.trajectory_so_far(Key("b", f"t{task}", 0))
            assert len(turns) > turn


async def test_a_verdict_that_says_the_same_at_every_start_is_stored_once(tmp_path):
    key, waiting = Key("b", "t0", 0), Verdict("unscored", "no judge", "judge-0")
    for verdict in (waiting, waiting, waiting, CORRECT, CORRECT):
        with Store(tmp_path) as store:
            await plan(store, TASKS, 1)
            if store.owed(["b"]) and key in [owed.key for owed in store.owed(["b"])]:
                await end(store, trajectory(key), verdict)
                continue
            missing = store.without_verdict("b", verdict.scorer)
            for item in missing:
                await store.put_verdict(item, verdict)
    with sqlite3.connect(tmp_path / "run.db") as database:
        ((count,),) = database.execute("SELECT count(*) FROM record WHERE kind = 'verdict'").fetchall()
    assert count == 2
