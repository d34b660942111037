"""The table's arithmetic and its flags."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.builders import FAULT, attempt, benchmark, changed, run
from toleap.report.rows import pass_ks
from toleap.report.tables import build_table, is_complete
from toleap.report.values import Counts, Note, Row, Table
from toleap.types import Ending, Verdict

LETTERS = st.lists(st.text("10unofq", max_size=5), max_size=6)


def only(table: Table) -> Row:
    (row,) = [row for row in table.rows if row.subject.group is None]
    return row


def notes(table: Table, kind: str) -> list[Note]:
    return [note for note in table.notes if note.kind == kind]


@given(LETTERS)
def test_planned_is_scored_plus_unscored_plus_owed(rows: list[str]) -> None:
    table = build_table([run(benchmark(*rows, breakdown=("level",)))])
    whole = "".join(rows)
    found = only(table).counts
    assert found == Counts(
        planned=len(whole),
        scored=sum(map(whole.count, "10")),
        unscored=sum(map(whole.count, "un")),
        owed=sum(map(whole.count, "ofq")),
        quarantined=whole.count("q"),
    )
    for row in table.rows:
        assert row.counts.planned == row.counts.scored + row.counts.unscored + row.counts.owed
    explained = sum(n.count or 0 for kind in ("unscored", "owed", "quarantined") for n in notes(table, kind))
    assert explained == found.unscored + found.owed, "every missing attempt is explained by a note"


@given(LETTERS, st.sampled_from(["report", "wrong"]))
def test_a_headline_with_anything_missing_has_bounds_and_a_mark(rows: list[str], missing: str) -> None:
    table = build_table([run(benchmark(*rows))], missing=missing)  # type: ignore[arg-type]
    row = only(table)
    assert is_complete(table) is row.counts.complete
    assert ("incomplete" in row.flags) is not row.counts.complete
    if row.counts.planned:
        assert (row.headline.bounds is None) is row.counts.complete
    if row.headline.bounds and row.headline.average is not None:
        assert row.headline.bounds[0] - 1e-12 <= row.headline.average <= row.headline.bounds[1] + 1e-12
    if missing == "wrong" and row.headline.bounds:
        assert row.headline.average == row.headline.bounds[0]
        assert "missing as wrong" in row.flags
        assert notes(table, "missing")
    json.dumps(table.to_dict(), allow_nan=False)


@given(st.lists(st.tuples(st.integers(0, 3), st.text("10uo", min_size=2, max_size=2)), min_size=1, max_size=8))
def test_the_groups_of_a_breakdown_add_up_to_the_row(tasks: list[tuple[int, str]]) -> None:
    metadata = {f"t{i}": {"level": level} for i, (level, _) in enumerate(tasks)}
    part = benchmark(*(letters for _, letters in tasks), metadata=metadata, breakdown=("level",))
    whole, *groups = build_table([run(part)]).rows
    assert whole.counts.planned == sum(row.counts.planned for row in groups)
    assert whole.counts.scored == sum(row.counts.scored for row in groups)
    assert whole.extent.tasks == sum(row.extent.tasks for row in groups)
    assert [row.subject.group.value for row in groups if row.subject.group] == sorted(
        {str(level) for level, _ in tasks}
    )


def test_numbers_of_a_worked_run() -> None:
    row = only(build_table([run(benchmark("1111", "1101", "0100", "0000", "1010"))]))
    assert (row.headline.average, row.headline.se) == pytest.approx((0.5, 0.1767767))
    assert [(rate.k, rate.value) for rate in row.pass_at] == [(1, 0.5), (2, pytest.approx(2 / 3)), (4, 0.8)]
    assert (row.headline.bounds, row.flags, row.extent.k, row.wilson) == (None, (), 4, None)
    behaviour = row.behaviour
    assert (behaviour.turns, behaviour.tool_calls, behaviour.completion_tokens) == (4, 4, 100)
    assert (behaviour.bad_call_rate, behaviour.endings) == (0.25, {"answered": 20})


def test_a_row_without_ended_attempts_has_no_means() -> None:
    row = only(build_table([run(benchmark("oo"))]))
    assert (row.headline.average, row.headline.se, row.headline.bounds) == (None, None, (0, 1))
    assert (row.behaviour.turns, row.behaviour.bad_call_rate, row.behaviour.endings) == (None, None, {})


def test_pass_at_k_is_undefined_while_a_task_lacks_attempts() -> None:
    row = only(build_table([run(benchmark("10o0", "0000"))]))
    assert [rate.value for rate in row.pass_at] == [pytest.approx(1 / 6), pytest.approx(1 / 3), None]
    assert (row.pass_at[2].low, row.pass_at[2].high) == (0.5, 0.5)


def test_one_attempt_a_task_has_wilsons_interval() -> None:
    row = only(build_table([run(benchmark(*"11111111"))]))
    assert row.wilson == pytest.approx((0.6756, 1), abs=5e-5)


@pytest.mark.parametrize(("k", "ks"), [(0, []), (1, [1]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (9, [1, 2, 4, 8, 9])])
def test_pass_columns(k: int, ks: list[int]) -> None:
    assert pass_ks(k) == ks


def test_owed_beats_whatever_else_is_known() -> None:
    verdict = Verdict("correct", "", "s")
    part = benchmark("o")
    part = replace(part, rows=(replace(part.rows[0], verdicts=(verdict,)),))
    assert only(build_table([run(part)])).counts == Counts(1, 0, 0, 1, 0)


def test_an_attempt_planned_twice_is_refused() -> None:
    part = benchmark("1")
    with pytest.raises(ValueError, match="b/t0#0 is planned twice"):
        build_table([run(replace(part, rows=part.rows * 2))])


def test_counts_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="do not add up"):
        Counts(planned=3, scored=1, unscored=1, owed=0, quarantined=0)


def test_missing_results_are_explained_with_what_to_type() -> None:
    table = build_table([run(benchmark("1uun", "offq"), name="my run")])
    assert [(n.text, n.count) for n in notes(table, "unscored")] == [("not scored yet", 1), ("judge failed", 2)]
    assert [(n.text, n.count) for n in notes(table, "owed")] == [(FAULT, 2), ("not run yet", 1)]
    assert [(n.text, n.count) for n in notes(table, "quarantined")] == [(FAULT, 1)]
    assert {note.run for note in table.notes} == {"my run"}
    assert all(note.fix for note in table.notes)


def test_many_reasons_are_counted_together() -> None:
    rows = [replace(attempt("t0", i, "f"), fault=f"reason {i}") for i in range(20)]
    found = notes(build_table([run(replace(benchmark("f"), k=20, rows=tuple(rows)))]), "owed")
    assert (len(found), found[-1].text, found[-1].count) == (6, "15 other reasons", 15)


def test_a_machines_time_limit_is_marked() -> None:
    part = benchmark("10")
    late = changed(part.rows[0], ending=Ending.TIME_LIMIT)
    table = build_table([run(replace(part, rows=(late, part.rows[1])))])
    assert "time limit" in only(table).flags
    assert [n.count for n in notes(table, "time_limit")] == [1]
    assert only(table).behaviour.endings == {"answered": 1, "time_limit": 1}


def test_a_plan_with_uneven_tasks_is_noted() -> None:
    assert [n.count for n in notes(build_table([run(benchmark("11", "1"))]), "plan")] == [1]
    assert notes(build_table([run(benchmark("11", "10"))]), "plan") == []


def test_breakdown_values_sort_naturally_and_may_overlap() -> None:
    metadata = {"t0": {"kind": ["10", "a"]}, "t1": {"kind": "9"}, "t2": {}}
    rows = build_table([run(benchmark("1", "0", "0", metadata=metadata, breakdown=("kind",)))]).rows
    assert [row.subject.group.value for row in rows if row.subject.group] == ["9", "10", "a", "–"]
    assert [row.extent.tasks for row in rows] == [3, 1, 1, 1, 1]


def test_a_group_knows_its_size_where_the_data_of_every_task_is_there() -> None:
    metadata = {f"t{i}": {"level": "1"} for i in range(5)}
    part = benchmark("1", "0", tasks_total=5, metadata=metadata, breakdown=("level",))
    assert [(row.extent.tasks, row.extent.tasks_total) for row in build_table([run(part)]).rows] == [(2, 5), (2, 5)]
    planned_only = replace(part, metadata={task: metadata[task] for task in ("t0", "t1")})
    assert [(row.extent.tasks, row.extent.tasks_total) for row in build_table([run(planned_only)]).rows] == [
        (2, 5),
        (2, None),
    ]


def test_columns_can_be_crossed() -> None:
    metadata = {"t0": {"type": "single", "level": "easy"}, "t1": {"type": "multi", "level": "hard"}}
    rows = build_table([run(benchmark("1", "0", metadata=metadata, breakdown=("type*level",)))]).rows
    assert [row.subject.group.value for row in rows if row.subject.group] == ["multi × hard", "single × easy"]


def test_scripted_runs_follow_the_measured_ones() -> None:
    runs = [run(benchmark("1"), name="oracle", model="oracle", scripted=True), run(benchmark("0"))]
    table = build_table(runs)
    assert [(row.subject.model, "scripted" in row.flags) for row in table.rows] == [("tiny", False), ("oracle", True)]


def test_rows_with_other_settings_are_flagged_with_the_keys() -> None:
    runs = [
        run(benchmark("1")),
        run(benchmark("1"), name="run-b", settings={"sampling.temperature": 0.7, "agent.max_turns": 9}),
        run(benchmark("1"), name="run-c"),
        run(benchmark("1"), name="oracle", model="o", scripted=True, settings={"agent.dialect": "x"}),
    ]
    table = build_table(runs)
    assert [row.differs for row in table.rows] == [(), ("agent.max_turns", "sampling.temperature"), (), ()]
    assert ["settings differ" in row.flags for row in table.rows] == [False, True, False, False]
    assert [n.text for n in notes(table, "settings")] == [
        "agent.max_turns: not set (run-a, run-c, oracle); 9 (run-b)",
        "sampling.temperature: 1.0 (run-a, run-c, oracle); 0.7 (run-b)",
    ]


def test_another_model_is_no_difference_but_other_weights_of_the_same_are() -> None:
    first = run(benchmark("1"), settings={"model": "tiny", "model.digest": "1"})
    other = run(benchmark("1"), name="run-b", model="big", settings={"model": "big", "model.digest": "2"})
    retrained = run(benchmark("1"), name="run-c", settings={"model": "tiny", "model.digest": "3"})
    assert [row.differs for row in build_table([first, other, retrained]).rows] == [(), (), ("model.digest",)]


def test_settings_of_another_benchmark_do_not_matter() -> None:
    runs = [run(benchmark("1")), run(benchmark("1"), name="run-b", settings={"benchmark.c.x": 1})]
    assert [row.differs for row in build_table(runs).rows] == [(), ()]
    runs = [run(benchmark("1")), run(benchmark("1"), name="run-b", settings={"benchmark.b.x": 1})]
    assert [row.differs for row in build_table(runs).rows] == [(), ("benchmark.b.x",)]


def test_the_same_difference_in_several_benchmarks_is_noted_once() -> None:
    parts = benchmark("1"), benchmark("1", name="c")
    table = build_table([run(*parts), run(*parts, name="run-b", settings={"sampling.temperature": 0})])
    assert [(n.benchmark, n.text) for n in notes(table, "settings")] == [
        ("b, c", "sampling.temperature: 1.0 (run-a); 0 (run-b)")
    ]


def test_another_revision_or_scorer_is_flagged() -> None:
    part = benchmark("1")
    rescored = replace(part, rows=(replace(part.rows[0], verdicts=(Verdict("correct", "", "gaia-2"),)),))
    runs = [
        run(part),
        run(replace(part, revision="r2"), name="run-b"),
        run(rescored, name="run-c"),
    ]
    table = build_table(runs)
    assert [row.flags for row in table.rows] == [(), ("revision differs",), ("scorer differs",)]
    assert "r1 (run-a, run-c); r2 (run-b)" in notes(table, "revision")[0].text
    assert "gaia-1 (run-a, run-b); gaia-2 (run-c)" in notes(table, "scorer")[0].text


def test_two_scorers_in_one_row_are_flagged() -> None:
    part = benchmark("11")
    mixed = replace(part, rows=(part.rows[0], replace(part.rows[1], verdicts=(Verdict("wrong", "", "gaia-2"),))))
    table = build_table([run(mixed)])
    assert only(table).flags == ("mixed scorers",)
    assert len(notes(table, "scorer")) == 1


def test_an_empty_table_is_not_complete() -> None:
    assert not is_complete(build_table([]))
    assert not is_complete(build_table([run(benchmark())]))
    assert is_complete(build_table([run(benchmark("10"))]))


def test_one_incomplete_run_makes_the_table_incomplete() -> None:
    assert not is_complete(build_table([run(benchmark("10")), run(benchmark("1o"), name="run-b")]))
