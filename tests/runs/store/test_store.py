"""The store: what is written is on the disk, one writer at a time, and nothing corrupted is taken for a turn."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toleap.errors import StoreFault, TornRecord, UsageError
from toleap.runs.store import codec
from toleap.runs.store.reading import read_run
from toleap.runs.store.store import Owed, Planned, Store
from toleap.runs.store.writer import Writer
from toleap.types import Ending, ErrorClass, Key, Task, ToolCall, ToolResult, Trajectory, Turn, Usage, Verdict

TASKS = tuple(Task("b", f"t{n}", "question", "gold", metadata={"level": str(n % 2)}) for n in range(3))
PLANNED = Planned("b", "Bench", 9, "rev", "gaia-1", ("level",), TASKS)
OPENING = ({"role": "user", "content": "q"},)
TURN = Turn(
    index=0,
    reply={"role": "assistant", "content": None},
    messages=({"role": "assistant", "content": ""}, {"role": "tool", "content": "r", "tool_call_id": "c"}),
    calls=(ToolCall("c", "search", {"query": ["x"]}), ToolCall("", "", problem="bad")),
    results=(ToolResult("r", ErrorClass.WORLD, truncated=True, ms=1.5), ToolResult("bad", ErrorClass.CALL)),
    usage=Usage(10, 5, 2),
    finish_reason="stop",
    seed=7,
    seconds=0.5,
)


def trajectory(key, answer="gold"):
    return Trajectory(key, OPENING, (TURN,), Ending.ANSWERED, answer, "whole")


async def test_everything_comes_back_and_gold_answers_stay_out(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path / "run") as store:
        await store.set_meta({"model": "m", "settings": {"a": 1}})
        await store.plan(PLANNED, 2)
        await store.begin(key, OPENING)
        await store.put_turn(key, TURN)
        assert store.trajectory_so_far(key) == (OPENING, (TURN,))
        await store.end(trajectory(key), Verdict("correct", "equal", "gaia-1", "gold answer given"))
        row = store.result().benchmarks[0].rows[0]
    assert (row.ending, row.verdict.status, row.tool_calls, row.bad_calls) == (Ending.ANSWERED, "correct", 2, 1)
    result = read_run(tmp_path / "run")
    assert result.settings == {"a": 1}
    assert len(result.benchmarks[0].rows) == 6
    assert result.benchmarks[0].metadata["t1"] == {"level": "1"}
    assert b"question" not in (tmp_path / "run" / "run.db").read_bytes()


async def test_owed_is_attempt_by_attempt_and_an_extent_only_grows(tmp_path):
    with Store(tmp_path) as store:
        await store.plan(PLANNED, 2)
        assert [(owed.key.attempt, owed.key.task) for owed in store.owed(["b"])] == [
            (0, "t0"), (0, "t1"), (0, "t2"), (1, "t0"), (1, "t1"), (1, "t2"),
        ]  # fmt: skip
        await store.end(trajectory(Key("b", "t0", 0)), None)
        await store.plan(PLANNED, 4)
        await store.plan(PLANNED, 1)
        assert len(store.owed(["b"])) == 11
        assert store.owed(["b"])[0] == Owed(Key("b", "t1", 0), 0)
        assert store.result().benchmarks[0].k == 4


async def test_faults_are_counted_and_quarantine_sets_an_attempt_aside(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await store.plan(PLANNED, 1)
        await store.fault(key, "down", quarantine=False)
        assert store.owed(["b"])[0] == Owed(key, 1)
        await store.fault(key, "down again", quarantine=True)
        assert key not in [owed.key for owed in store.owed(["b"])]
        assert key in [owed.key for owed in store.owed(["b"], with_quarantined=True)]
        row = store.result().benchmarks[0].rows[0]
        assert (row.ending, row.quarantined, row.fault) == (None, True, "down again")
        await store.end(trajectory(key), None)
        row = store.result().benchmarks[0].rows[0]
        assert (row.ending, row.quarantined, row.fault) == (Ending.ANSWERED, False, None)


async def test_forgiven_a_quarantined_attempt_has_all_its_tries_again_and_no_other_has(tmp_path):
    aside, owed, done = (Key("b", f"t{n}", 0) for n in range(3))
    with Store(tmp_path) as store:
        await store.plan(PLANNED, 1)
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
        await store.plan(PLANNED, 1)
        await store.begin(key, OPENING)
        await store.put_turn(key, TURN)
        await store.end(trajectory(key, None), None)
        assert store.without_verdict("b", "gaia-1") == [(key, None, "")]
        await store.put_verdict(key, Verdict("wrong", "no answer", "gaia-1"))
        assert store.without_verdict("b", "gaia-1") == []
        assert store.without_verdict("b", "gaia-2") != []


async def test_beginning_anew_drops_the_old_turns(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await store.plan(PLANNED, 1)
        await store.begin(key, OPENING)
        await store.put_turn(key, TURN)
        await store.begin(key, OPENING)
        assert store.trajectory_so_far(key) == (OPENING, ())


async def test_the_same_turn_is_never_stored_twice(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await store.plan(PLANNED, 1)
        await store.begin(key, OPENING)
        await store.put_turn(key, TURN)
        with pytest.raises(StoreFault, match="UNIQUE"):
            await store.put_turn(key, TURN)


async def test_a_write_that_cannot_be_made_fails_alone(tmp_path):
    with Store(tmp_path) as store:
        await store.plan(PLANNED, 1)
        before = store.begin(Key("b", "t0", 0), OPENING)
        bad = store.put_turn(Key("b", "t0", 0), replace(TURN, reply={"content": {1, 2}}))
        after = store.begin(Key("b", "t1", 0), OPENING)
        done = await asyncio.wait_for(asyncio.gather(before, bad, after, return_exceptions=True), 20)
        assert [type(item) for item in done] == [type(None), TypeError, type(None)]
        assert store.trajectory_so_far(Key("b", "t0", 0)) == (OPENING, ())
        assert store.trajectory_so_far(Key("b", "t1", 0)) == (OPENING, ())
        await store.put_turn(Key("b", "t0", 0), TURN)


async def test_a_writer_that_cannot_begin_fails_every_write(tmp_path):
    def refuse(_database):
        raise sqlite3.OperationalError("too many open files")

    writer = Writer(tmp_path / "run.db", refuse)
    for _ in range(2):
        with pytest.raises(StoreFault, match="too many open files"):
            await asyncio.wait_for(writer.write(lambda _database: None), 20)
    writer.close()


async def test_a_database_that_cannot_be_read_is_no_torn_record(tmp_path, monkeypatch):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await store.plan(PLANNED, 1)
        await store.begin(key, OPENING)
        await store.put_turn(key, TURN)
        store._reader.close()
        with pytest.raises(StoreFault, match="cannot be read") as caught:
            store.trajectory_so_far(key)
        assert not isinstance(caught.value, TornRecord)


async def test_damaged_figures_are_owed_and_the_run_can_be_shown_at_once(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await store.plan(PLANNED, 1)
        await store.begin(key, OPENING)
        await store.put_turn(key, TURN)
        await store.end(trajectory(key), Verdict("correct", "r", "gaia-1"))
        await store.fault(Key("b", "t1", 0), "down", quarantine=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "run.db")) as database:
        database.execute("UPDATE conduct SET figures = replace(figures, '0', '1')")
        database.execute("UPDATE attempts SET faults = 7 WHERE task = 't1'")
        database.commit()
    with Store(tmp_path) as store:
        assert await store.heal() == [key, Key("b", "t1", 0)]
        rows = {row.key.task: row for row in store.result().benchmarks[0].rows}
        assert (rows["t0"].ending, rows["t0"].verdict) == (None, None)
        assert (rows["t1"].faults, rows["t1"].quarantined) == (0, False)


async def test_many_writers_share_commits_in_order(tmp_path):
    tasks = tuple(Task("b", f"t{n}", "q", "g") for n in range(300))
    with Store(tmp_path) as store:
        await store.plan(Planned("b", "B", 300, "r", "s", (), tasks), 1)

        async def one(n):
            key = Key("b", f"t{n}", 0)
            await store.begin(key, OPENING)
            await store.put_turn(key, TURN)
            assert store.trajectory_so_far(key) == (OPENING, (TURN,))

        await asyncio.gather(*(one(n) for n in range(300)))


async def test_a_second_writer_is_refused_and_readers_are_not(tmp_path):
    with Store(tmp_path / "run") as store:
        await store.plan(PLANNED, 1)
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


async def test_a_corrupted_turn_is_a_fault_of_ours(tmp_path):
    key = Key("b", "t0", 0)
    with Store(tmp_path) as store:
        await store.plan(PLANNED, 1)
        await store.begin(key, OPENING)
        await store.put_turn(key, TURN)
        with sqlite3.connect(tmp_path / "run.db") as other:
            (blob,) = other.execute("SELECT blob FROM turns").fetchone()
            torn = bytearray(blob)
            torn[len(torn) // 2] ^= 0xFF
            other.execute("UPDATE turns SET blob = ?", (bytes(torn),))
        with pytest.raises(StoreFault):
            store.trajectory_so_far(key)


@given(blob=st.binary(max_size=300))
def test_any_bytes_are_a_turn_or_a_fault(blob):
    with pytest.raises(StoreFault):
        codec.unpack_turn(blob)


@settings(max_examples=400)
@given(data=st.data())
def test_flipped_bits_of_a_turn_or_an_opening_are_a_fault(data):
    pack, unpack, value = data.draw(
        st.sampled_from(
            [(codec.pack_turn, codec.unpack_turn, TURN), (codec.pack_messages, codec.unpack_messages, OPENING)]
        )
    )
    blob = bytearray(pack(value))
    assert unpack(bytes(blob)) == value
    first = data.draw(st.sampled_from([8 * 9 + 2, *range(8 * len(blob))]))
    for place in {first, *data.draw(st.lists(st.integers(0, 8 * len(blob) - 1), max_size=3))}:
        blob[place // 8] ^= 1 << place % 8
    with pytest.raises(StoreFault):
        unpack(bytes(blob))


def test_every_single_bit_of_an_earlier_record_is_a_fault_or_changes_nothing():
    frame = codec.pack_turn(TURN)[5:]
    assert codec.unpack_turn(frame) == TURN
    for place in range(8 * len(frame)):
        blob = bytearray(frame)
        blob[place // 8] ^= 1 << place % 8
        with contextlib.suppress(StoreFault):
            assert codec.unpack_turn(bytes(blob)) == TURN


_CHILD = """
import asyncio, sys
from pathlib import Path
from toleap.runs.store.store import Planned, Store
from toleap.types import Key, Task, Turn
async def main():
    with Store(Path(sys.argv[1])) as store:
        tasks = tuple(Task("b", f"t{n}", "q", "g") for n in range(8))
        await store.plan(Planned("b", "B", 8, "r", "s", (), tasks), 1)
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
        [sys.executable, "-c", _CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True, bufsize=1
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
