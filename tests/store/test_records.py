"""Records and what they say together: whatever is lost, damaged, repeated or out of order, no number is made up."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.building import RULE, part
from tests.store.test_store import OPENING, TURN
from toleap.errors import TornRecord
from toleap.report.tables import build_table
from toleap.store.database import Row, after, connect, create, insert
from toleap.store.records import (
    Answered,
    Fault,
    Forgiven,
    Given,
    Kind,
    Opened,
    Planned,
    Played,
    Record,
    Run,
    Spent,
    body_of,
    sealed,
)
from toleap.store.state import FOLDED, RunState, fold, result_of
from toleap.types import Conduct, Ending, Key, ScoredBy, Usage, Verdict

RUN = Run("m", False, "f", "2026", {"a": 1})
BESIDE = ScoredBy("judge-1", "gpt")
K = 2
STATES = ("correct", "wrong", "unscored", None)
"""The verdict of an attempt; None where it has none."""


def ended(answer: str, origin: str = "f/rev") -> Answered:
    return Answered(
        origin=origin, digest=f"of {answer}", ending=Ending.ANSWERED, forced=False, turns=1, tool_calls=2,
        bad_calls=0, prompt_tokens=9, completion_tokens=8, seconds=1.5, restarts=0, versions=("1",),
        conduct=Conduct((2,), (1,)), ended="2026", answer=answer, response="whole",
    )  # fmt: skip


@cache
def stream() -> tuple[Record, ...]:
    """A run with attempts of every standing: scored, unscored, unjudged, owed, quarantined, retried, begun anew."""
    tasks = [f"t{n}" for n in range(5)]
    said: list[tuple[Key, object]] = [
        (Key("", "", 0), RUN),
        (Key("b", "", 0), part(scorers=(RULE, BESIDE), breakdown=("level",))),
        *((Key("b", task, 0), Planned(n, K, {"level": n % 2})) for n, task in enumerate(tasks)),
    ]
    for number, (task, attempt) in enumerate(product(tasks, range(K))):
        key = Key("b", task, attempt)
        said.append((key, Opened(f"o{number}", "f/rev", "1", 0, OPENING)))
        said.append((key, Played(f"o{number}", TURN)))
        if number in {3, 7}:
            said.append((key, Fault(f"x{number}", "down", number == 7)))
        if number in {7, 8}:
            continue
        said.append((key, ended(f"a{number}")))
        for scorer in (RULE, BESIDE):
            status = STATES[number % 4]
            if status is not None:
                verdict = Verdict(status, "because", scorer.fingerprint)  # type: ignore[arg-type]
                said.append((key, Given(f"of a{number}", verdict, "2026")))
    said.append((Key("b", "t3", 1), Forgiven(("x7",))))
    said.append((Key("", "", 0), Spent("s", {"model": Usage(1, 2)})))
    return tuple(sealed(key, body) for key, body in said)


def numbered(records: Sequence[Record]) -> list[Row]:
    return list(enumerate(records, start=1))


def counts(state: RunState) -> tuple[int, int, int, int]:
    (row, *_) = build_table([result_of(state, "r")]).rows
    return row.counts.planned, row.counts.scored, row.counts.unscored, row.counts.owed


def test_a_whole_stream_says_how_every_attempt_stands() -> None:
    state = fold(numbered(stream()))
    assert state.problem is None and not state.damaged
    assert counts(state) == (10, 5, 3, 2)
    rows = {(row.key.task, row.key.attempt): row for row in result_of(state, "r").benchmarks[0].rows}
    assert rows["t3", 1].quarantined and rows["t3", 1].fault == "down"
    assert (rows["t1", 1].faults, rows["t0", 0].faults) == (1, 0)
    assert rows["t0", 0].ended.conduct == Conduct((2,), (1,))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_dropped_damaged_doubled_and_shuffled_records_never_make_a_number(data: st.DataObject) -> None:
    whole = fold(numbered(stream()))
    before = {row.key: row for row in result_of(whole, "r").benchmarks[0].rows}
    records = list(stream())
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, len(records) - 1))
        match data.draw(st.sampled_from(["drop", "damage", "double", "move", "join"])):
            case "drop":
                del records[place]
            case "damage":
                records[place] = data.draw(st.sampled_from(list(damaged(records[place]))))
            case "double":
                records.insert(data.draw(st.integers(0, len(records))), records[place])
            case "move":
                records.insert(data.draw(st.integers(0, len(records) - 1)), records.pop(place))
            case "join":
                records += stream()
        records = records or list(stream())
    state = fold(numbered(records))
    rows = [row for one in result_of(state, "r").benchmarks for row in one.rows]
    for row in rows:
        was = before.get(row.key)
        if was is None or row.ending is None:
            assert row.verdicts == ()
            continue
        assert was.ending is not None, "what was owed is never ended"
        assert all(now in (None, then) for now, then in zip(row.verdicts, was.verdicts, strict=True))
        figures = {"faults": 0, "verdicts": ()}
        assert replace(row, **figures) == replace(was, **figures)
    if rows:
        planned, scored, unscored, owed = counts(state)
        assert planned == len(rows) == scored + unscored + owed
    if state.problem is None:
        assert {row.key for row in rows} >= {key for key in before if said_of(key, records)}


def said_of(key: Key, records: Sequence[Record]) -> bool:
    """Whether a whole record says how an attempt stands."""
    kinds = {Kind.ENDED.value, Kind.VERDICT.value, Kind.FAULT.value}
    return any(record.is_whole and record.key == key and record.kind in kinds for record in records)


def damaged(record: Record) -> Sequence[Record]:
    """Records of which one column is not what was written."""
    body = bytearray(record.body)
    body[len(body) // 2] ^= 1
    return (
        record._replace(body=bytes(body)),
        record._replace(body=record.body[:-1]),
        record._replace(seal=record.seal[::-1] + b"x"),
        record._replace(attempt=record.attempt + 64),
        record._replace(task=record.task + "\ufffd"),
        record._replace(benchmark="c"),
        record._replace(kind=Kind.FAULT if record.kind != Kind.FAULT else Kind.ENDED),
    )


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(0, 60))
def test_the_order_in_which_records_are_read_means_nothing_and_neither_does_when(seed: int, cut: int) -> None:
    rows = numbered(stream())
    whole = result_of(fold(rows), "r")
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert result_of(fold(shuffled), "r") == whole
    assert result_of(fold(shuffled[cut:], fold(shuffled[:cut])), "r") == whole


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_reader_misses_nothing_that_is_written_while_it_reads(seed: int, tmp_path_factory: Any) -> None:
    pace = random.Random(seed)
    path = tmp_path_factory.mktemp("live") / "run.db"
    pending = list(stream())
    state = RunState()
    with closing(connect(path)) as writer, closing(connect(path)) as reader:
        create(writer)

        def write() -> None:
            count = pace.randrange(5)
            batch, pending[:count] = pending[:count], []
            writer.execute("BEGIN IMMEDIATE")
            insert(writer, batch)
            writer.execute("COMMIT")

        def read() -> Iterator[Row]:
            # Something is written between any two records that are read.
            for row in after(reader, state.last, FOLDED):
                yield row
                write()

        while pending:
            write()
            fold(read(), state)
        fold(after(reader, state.last, FOLDED), state)
    assert result_of(state, "r") == result_of(fold(numbered(stream())), "r")


def test_two_runs_of_one_plan_join_by_concatenation() -> None:
    halves: list[list[Record]] = [[], []]
    for record in stream():
        attempts = record.kind not in {Kind.RUN, Kind.BENCHMARK, Kind.PLANNED}
        for half in (0, 1):
            if not attempts or record.attempt == half:
                halves[half].append(record)
    assert counts(fold(numbered(halves[0]))) != counts(fold(numbered(stream())))
    joined = fold(numbered([*halves[0], *halves[1]]))
    assert result_of(joined, "r") == result_of(fold(numbered(stream())), "r")


def test_what_was_played_under_other_settings_does_not_count() -> None:
    key = Key("b", "t4", 0)
    state = fold(numbered([*stream(), sealed(key, ended("other", "g/rev")), sealed(key, ended("other", "f/rev2"))]))
    assert state.ended(key, state.origin("b")) is None
    assert counts(state) == (10, 5, 3, 2)


def test_of_a_scorers_verdicts_the_newest_counts_and_of_endings_the_first() -> None:
    key = Key("b", "t0", 0)
    later = Given("of a0", Verdict("wrong", "on second thoughts", RULE.fingerprint), "2027")
    state = fold(numbered([*stream(), sealed(key, later), sealed(key, ended("later"))]))
    row = result_of(state, "r").benchmarks[0].rows[0]
    assert row.verdict == later.verdict


@pytest.mark.parametrize("kind", [Kind.RUN, Kind.BENCHMARK, Kind.PLANNED])
def test_without_its_plan_nothing_is_said_of_a_run_until_that_is_written_again(kind: Kind) -> None:
    place = next(n for n, record in enumerate(stream()) if record.kind == kind)
    lost = [record for n, record in enumerate(stream()) if n != place]
    torn = [*stream()[:place], damaged(stream()[place])[0], *stream()[place + 1 :]]
    for records in (lost, torn):
        state = fold(numbered(records))
        assert state.problem
        again = [*records, *(record for record in stream() if record.kind == kind), stream()[0]]
        healed = fold(numbered(again))
        assert healed.problem is None
        assert result_of(healed, "r") == result_of(fold(numbered(stream())), "r")


def test_every_single_bit_of_a_record_is_under_its_seal() -> None:
    record = next(record for record in stream() if record.kind == Kind.ENDED)
    for place in range(8 * len(record.body)):
        torn = bytearray(record.body)
        torn[place // 8] ^= 1 << place % 8
        assert not record._replace(body=bytes(torn)).is_whole
    for changed in damaged(record):
        assert not changed.is_whole


@given(body=st.binary(max_size=300))
def test_any_bytes_are_a_turn_or_torn(body: bytes) -> None:
    for prefix in (b"", b"\x28\xb5\x2f\xfd"):
        with pytest.raises(TornRecord):
            body_of(Record("turn", "b", "t", 0, prefix + body, b""), Played)


def test_a_damaged_file_is_read_record_by_record() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        create(database)
        insert(database, stream())
        database.execute("UPDATE record SET body = 'text' WHERE kind = 'ended' AND task = 't0'")
        database.execute("UPDATE record SET attempt = 'x' WHERE kind = 'verdict' AND task = 't1'")
        state = fold(after(database, 0, Kind))
    assert len(state.damaged) == 2 + 2
    assert counts(state)[0] == 10
    assert sorted(key.task for kind, key in state.damaged.values() if kind == Kind.ENDED) == ["t0", "t0"]
