"""What stands beside the average: measures, a second headline, and whose judge it was."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.report.builders import benchmark, run
from toleap.report.published import Published
from toleap.report.render import to_json, to_markdown, to_rich
from toleap.report.tables import build_table
from toleap.report.values import Row, Table
from toleap.scoring.judge.record import Record
from toleap.types import BenchmarkResult, ScoredBy, Verdict, VerdictStatus

PUBLISHED = [Published("g", "Other", "b", 0.5, "a paper")]
STATUS: dict[str, VerdictStatus] = {"1": "correct", "0": "wrong", "u": "unscored"}


def terminal(table: Table, published: list[Published] | None = None) -> str:
    console = Console(width=100, file=io.StringIO(), force_terminal=False, color_system=None)
    console.print(to_rich(table, published or []))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def confident(part: BenchmarkResult, *stated: int) -> BenchmarkResult:
    """The benchmark with a confidence on each scored verdict, in order."""
    given_ = iter(stated)
    rows = [
        replace(
            row,
            verdicts=(replace(row.verdict, raw=Record("", 1, structured=False, confidence=next(given_)).dump()),),
        )
        if row.verdict is not None and row.verdict.status != "unscored"
        else row
        for row in part.rows
    ]
    return replace(part, rows=tuple(rows))


def seconded(part: BenchmarkResult, letters: str, by: str = "gpt-x (toleap prompt)") -> BenchmarkResult:
    """The benchmark with a second verdict for each attempt: as in the builders, n for none."""
    rows = [
        replace(
            row,
            verdicts=(
                row.verdict,
                Verdict(STATUS[letter], "judge was away", "judge-2") if letter in STATUS else None,
            ),
        )
        for row, letter in zip(part.rows, letters, strict=True)
    ]
    return replace(part, rows=tuple(rows), scorers=(ScoredBy("gaia-1"), ScoredBy("judge-2", by)))


def whole(table: Table) -> Row:
    (row,) = [row for row in table.rows if row.whole]
    return row


def test_measures_are_shown_with_what_they_rest_on() -> None:
    part = confident(benchmark("10u", "1oo", breakdown=("level",)), 90, 90, 60)
    part = replace(part, measures=("calibration_rms", "calibration_rms_all_bins"))
    table = build_table([run(part)])
    official, every = whole(table).measures
    assert (official.value, every.value, every.verdicts) == (None, pytest.approx(0.8 - 2 / 3), 3)
    assert [row.measures for row in table.rows[1:]] == [()]
    shown, markdown = terminal(table), to_markdown(table)
    assert "| **tiny** | RMS calibration error, all bins | 13.3 | 3 |" in markdown
    assert (
        "| **tiny** | RMS calibration error, official | – | 3: it needs 100 verdicts with a confidence |" in markdown
    )
    assert "RMS calibration error, all bins" in shown
    assert "3: it needs 100 verdicts with a" in shown
    assert max(map(len, shown.splitlines())) <= 100
    found = json.loads(to_json(table))["rows"][0]["measures"]
    assert found[0]["value"] is None
    assert (found[1]["name"], found[1]["verdicts"]) == ("calibration_rms_all_bins", 3)


def test_a_benchmark_without_measures_has_no_table_of_them() -> None:
    table = build_table([run(benchmark("10"))])
    assert "verdicts" not in terminal(table) + to_markdown(table)
    assert whole(table).measures == ()


def test_the_second_headline_has_its_own_count() -> None:
    part = seconded(benchmark("10", "00", "1o"), "11" + "1u" + "1n")
    table = build_table([run(part)])
    row = whole(table)
    headline, beside = row.headlines
    assert (headline.average, headline.scored, row.counts.scored) == (pytest.approx(0.5), 5, 5)
    assert (beside.average, beside.scored) == (1.0, 4)
    assert beside.bounds == (pytest.approx(2 / 3), 1.0)
    markdown = to_markdown(table)
    assert "| avg@2 by judge |" in markdown
    assert "100.0 ± 0.0 [66.7, 100.0] 4 scored" in markdown
    shown = terminal(table)
    assert "avg@2 by judge" in shown
    assert "4 scored" in shown
    assert "4 second verdicts by gpt-x (toleap prompt); the headline is the rule's" in shown
    assert "1 without a second verdict: judge was away → toleap score run-a" in shown
    assert row.counts.unscored == 0, "nothing is unscored for want of a second verdict"


@given(st.lists(st.tuples(st.text("10unofq", min_size=2, max_size=2), st.text("10un", min_size=2, max_size=2))))
def test_a_second_verdict_never_touches_the_headline(tasks: list[tuple[str, str]]) -> None:
    part = benchmark(*(letters for letters, _ in tasks))
    both = whole(build_table([run(seconded(part, "".join(second for _, second in tasks)))]))
    alone = whole(build_table([run(part)]))
    headline, beside = both.headlines
    assert replace(both, headlines=(headline,)) == alone
    assert beside.scored <= both.counts.planned - both.counts.owed


def test_missing_second_verdicts_count_as_wrong_where_that_is_asked_for() -> None:
    table = build_table([run(seconded(benchmark("11"), "1n"))], missing="wrong")
    _, beside = whole(table).headlines
    assert (beside.average, beside.scored, beside.bounds) == (0.5, 1, (0.5, 1.0))


@pytest.mark.parametrize("k", [1, 8, 64])
def test_two_headlines_fit_a_hundred_columns(k: int) -> None:
    part = benchmark(*["10u1" * (k // 4) or "1"] * 20, tasks_total=1266, breakdown=("level",))
    part = seconded(part, "10n1" * (len(part.rows) // 4))
    table = build_table([run(part, model="openbmb/AgentCPM-Explore"), run(part, name="run-b")])
    shown = terminal(table)
    assert max(map(len, shown.splitlines())) <= 100
    assert f"pass@{k}" in shown
    assert f"avg@{k} by judge" in shown


def test_a_run_without_second_verdicts_beside_one_that_has_them() -> None:
    table = build_table([run(seconded(benchmark("1"), "0")), run(benchmark("1"), name="run-b")])
    line = next(line for line in to_markdown(table).splitlines() if "run-b" in line)
    assert line.split(" | ")[3] == "–"


def test_a_judge_that_is_not_the_owners_is_marked_beside_published_numbers() -> None:
    mine = benchmark("1", scorers=(ScoredBy("j", "gpt-x (toleap prompt)"),))
    theirs = replace(mine, scorers=(ScoredBy("j", "gpt-y (official prompt)", official=True),))
    runs = [run(mine), run(theirs, name="run-b")]
    table = build_table(runs)
    mark = "published numbers used the owner's judge; this row was judged by gpt-x (toleap prompt)"
    assert f"tiny · run-a: {mark}" in " ".join(terminal(table, PUBLISHED).split())
    markdown = to_markdown(table, PUBLISHED)
    assert markdown.count("published numbers used") == 1
    assert "judged by gpt-x (toleap prompt)" in markdown
    assert "published numbers used" not in terminal(table) + to_markdown(table)
    assert [row["judge_official"] for row in table.to_dict()["rows"]] == [False, True]


def test_a_row_that_a_rule_scored_is_not_marked() -> None:
    assert "published numbers used" not in terminal(build_table([run(benchmark("1"))]), PUBLISHED)
