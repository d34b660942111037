"""How attempts went about it: repeats by turn, forms of calls, helpers, retried attempts, versions; worked values."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.builders import attempt, benchmark, changed, run
from tests.report.test_render import terminal
from toleap.report.calls import RANGES, calls_of, different_by, helpers_of, longest_run
from toleap.report.render import to_json, to_markdown
from toleap.report.tables import build_table
from toleap.report.values import Row, Table
from toleap.types import AttemptRow, Conduct

LONG = Conduct(calls=(2,) * 10 + (1,) * 20, new=(2,) * 10 + (1,) * 3 + (0,) * 17)
"""30 turns: 20 different calls in the first ten, 3 in the next three, then repeats."""
SHORT = Conduct(calls=(1, 1, 1, 0), new=(1, 0, 1, 0))
TURNS = st.lists(st.integers(0, 3).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), max_size=230)


def with_conduct(*conducts: Conduct, **changes: Any) -> list[AttemptRow]:
    return [changed(attempt("t0", n, "1"), conduct=conduct, **changes) for n, conduct in enumerate(conducts)]


def table(*rows: AttemptRow) -> Table:
    part = benchmark("1" * len(rows))
    return build_table([run(replace(part, rows=tuple(rows)))])


def whole(found: Table) -> Row:
    return found.rows[0]


def test_a_worked_ratio_by_turn() -> None:
    assert [different_by(LONG, turn) for turn in (1, 10, 13, 30)] == [1.0, 1.0, 1.0, 23 / 40]
    assert different_by(LONG, 25) == 23 / 35
    assert [different_by(SHORT, turn) for turn in (1, 2, 3, 4, 99)] == [1.0, 0.5, 2 / 3, 2 / 3, 2 / 3]
    assert different_by(Conduct((0, 1), (0, 1)), 1) is None


def test_worked_ranges() -> None:
    found = calls_of(with_conduct(LONG, SHORT, Conduct()))
    assert found is not None
    assert (found.attempts, found.calls, found.different) == (3, 43, 25 / 43)
    assert [(part.first, part.last, part.attempts, part.calls) for part in found.ranges] == [
        (1, 10, 2, 23),
        (11, 25, 1, 15),
        (26, 50, 1, 5),
    ]
    assert [part.different for part in found.ranges] == [22 / 23, 3 / 15, 0.0]
    assert [part.so_far for part in found.ranges] == pytest.approx([(1 + 2 / 3) / 2, 23 / 35, 23 / 40])


@pytest.mark.parametrize(
    ("calls", "new", "longest"),
    [
        ((), (), 0),
        ((0, 0), (0, 0), 0),
        ((1, 0, 2, 1, 1), (1, 0, 2, 0, 1), 2),
        ((1, 2, 1), (0, 1, 1), 1),
        ((1,) * 120, (1,) * 120, 120),
    ],
)
def test_the_longest_run_without_a_repeat(calls: tuple[int, ...], new: tuple[int, ...], longest: int) -> None:
    assert longest_run(Conduct(calls, new)) == longest


def test_the_longest_run_over_attempts() -> None:
    found = calls_of(with_conduct(LONG, SHORT, Conduct((1,), (1,))))
    assert found is not None
    assert (found.longest_median, found.longest) == (1, 13)


@given(st.lists(TURNS, min_size=1, max_size=4))
def test_what_always_holds(turns: list[list[tuple[int, int]]]) -> None:
    conducts = [Conduct(tuple(calls for calls, _ in one), tuple(new for _, new in one)) for one in turns]
    found = calls_of(with_conduct(*conducts))
    assert found is not None
    assert sum(part.calls for part in found.ranges) == found.calls, "every call is in one range"
    reached = [part.attempts for part in found.ranges]
    assert reached == sorted(reached, reverse=True)
    assert [(part.first, part.last) for part in found.ranges] == list(RANGES[: len(reached)])
    rates = [found.different, *(rate for part in found.ranges for rate in (part.different, part.so_far))]
    assert all(rate is None or 0 <= rate <= 1 for rate in rates)
    new = sum(part.different * part.calls for part in found.ranges if part.different is not None)
    assert found.different is None or new == pytest.approx(found.different * found.calls)
    last = [different_by(conduct, len(conduct.calls)) for conduct in conducts]
    assert found.longest == max(map(longest_run, conducts))
    assert all(rate is None or rate == sum(c.new) / sum(c.calls) for rate, c in zip(last, conducts, strict=True))


def test_a_row_without_an_ended_attempt_has_no_calls() -> None:
    assert whole(build_table([run(benchmark("oo"))])).calls is None


def test_repeats_are_shown_when_asked_for() -> None:
    found = table(*with_conduct(LONG, SHORT))
    assert "calls by turn" not in terminal(found) + to_markdown(found)
    shown = " ".join(line.strip() for line in to_markdown(found, calls=True).splitlines())
    assert "| **tiny** | 1-10 | 2 | 23 | 95.7 | 83.3 |" in shown
    assert "| **tiny** | 26-50 | 1 | 5 | 0.0 | 57.5 |" in shown
    again = json.loads(to_json(found))["rows"][0]["calls"]
    assert (again["different"], len(again["ranges"])) == (25 / 43, 3), "the JSON has it in any case"


def test_mended_calls_are_no_bad_calls_and_are_counted_where_there_are_any() -> None:
    plain, mended = table(*with_conduct(SHORT)), table(*with_conduct(replace(SHORT, mended=2)))
    assert "mended" not in terminal(plain) + to_markdown(plain) + to_markdown(plain, calls=True)
    assert whole(mended).behaviour.bad_call_rate == whole(plain).behaviour.bad_call_rate == 0.25
    assert "| 1 | 3 | 66.7 | 1.0 | 1 | 2 |" in to_markdown(mended, calls=True)
    assert "mended" not in terminal(mended), "the main table stays as narrow as it was"


def test_bad_calls_by_what_was_wrong() -> None:
    forms = Conduct((9,), (9,), malformed=1, cut=2, hidden=3, unknown=4)
    found = table(*with_conduct(forms, bad_calls=15))
    calls = whole(found).calls
    assert calls is not None
    assert (calls.malformed, calls.cut, calls.hidden, calls.unknown, calls.misfit) == (1, 2, 3, 4, 5)
    shown = to_markdown(found, calls=True)
    assert "| malformed | cut off | in thoughts | unknown | not fitting |" in shown
    assert "| 1 | 2 | 3 | 4 | 5 |" in shown


def test_helpers_are_shown_where_there_were_any_and_a_broken_reader_is_said() -> None:
    read = Conduct(summaries=1, readings=3, failed_asks=2, auxiliary_prompt=900, auxiliary_completion=90)
    helpers = helpers_of(with_conduct(read, Conduct(), replace(read, unread=2)))
    assert helpers is not None
    assert (helpers.summaries, helpers.readings, helpers.unread, helpers.unread_share) == (2, 6, 2, 0.25)
    assert (helpers.failed_asks, helpers.prompt_tokens, helpers.completion_tokens) == (4, 600, 60)
    found = table(*with_conduct(read, Conduct(), replace(read, unread=2)))
    assert "| 2 | 6 | 2 | 25.0 | 4 | 600.0 | 60.0 |" in to_markdown(found)
    said = "b · run-a: 2 of 8 readings (25.0 %) are an extract instead, since no model could read the page"
    assert said in " ".join(terminal(found).split())
    none = table(*with_conduct(Conduct()))
    assert "auxiliary" not in terminal(none)
    assert whole(none).helpers is None
    fine = table(*with_conduct(read))
    assert "auxiliary" in terminal(fine)
    assert "extract" not in terminal(fine)


def test_retried_attempts_are_a_selected_sample() -> None:
    part = benchmark("10", "11", "1f")
    rows = [replace(row, faults=1) if row.key == part.rows[0].key else row for row in part.rows]
    found = build_table([run(replace(part, rows=tuple(rows)))])
    row = whole(found)
    assert row.headline.average == pytest.approx((0.5 + 1 + 1) / 3)
    assert row.retried is not None
    assert (row.retried.attempts, row.retried.scored) == (1, 4)
    assert row.retried.average == pytest.approx((0 + 1 + 1) / 3), "the retried attempt was the right one of its task"
    said = "1 attempts were retried after faults of ours: 83.3 ± 16.7 over all scored, 66.7 ± 33.3 over the 4 that"
    assert said in " ".join(terminal(found).split())
    assert whole(build_table([run(part)])).retried is None
    owed = [replace(row, faults=1) if row.ending is None else row for row in part.rows]
    assert whole(build_table([run(replace(part, rows=tuple(owed)))])).retried is None, "it has not ended"


def test_attempts_that_began_anew_are_counted() -> None:
    found = table(*with_conduct(SHORT, SHORT, restarts=1))
    assert whole(found).restarts == 2
    assert "b · run-a: 2 times an attempt began anew" in terminal(found)
    assert "anew" not in terminal(table(*with_conduct(SHORT)))


def test_rows_by_different_versions_are_flagged() -> None:
    def played(*versions: str, name: str) -> Any:
        part = benchmark("1" * len(versions))
        rows = [changed(row, versions=(version,)) for row, version in zip(part.rows, versions, strict=True)]
        return run(replace(part, rows=tuple(rows)), name=name)

    same = build_table([played("1.0", "1.0", name="a"), played("1.0", name="b"), run(benchmark("1"), name="old")])
    assert all(row.flags == () for row in same.rows)
    found = build_table([played("1.0", "1.0", name="a"), played("1.1", name="b"), played("1.0", "1.1", name="c")])
    assert [row.flags for row in found.rows] == [(), ("version differs",), ("mixed versions", "version differs")]
    assert [row.provenance.versions for row in found.rows] == [("1.0",), ("1.1",), ("1.0", "1.1")]
    assert "b: played by toleap: 1.0 (a); 1.1 (b); 1.0 + 1.1 (c)" in terminal(found)
