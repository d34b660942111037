"""Two runs paired by task."""

from __future__ import annotations

import pytest

from tests.report.builders import benchmark, run
from toleap.report.comparison import compare_runs, lines

A = benchmark("1111", "1101", "0100", "0000", "1010")
B = benchmark("1111", "1001", "0000", "0000", "1000")


def test_a_worked_comparison() -> None:
    (found,) = compare_runs(run(A), run(B, name="run-b"))
    assert found.paired.difference == pytest.approx(0.15)
    assert (found.adjusted_p, found.revisions_differ) == (0.25, False)
    assert lines([found]) == [
        "b: +15.0 ± 6.1 points over 5 tasks; p = 0.250, not told apart from chance; "
        "a difference of 17.2 would have been found 4 times in 5"
    ]


def test_several_benchmarks_share_one_level() -> None:
    names = ("b", "c", "d")
    parts_a = [benchmark(*["1"] * 8, name=name) for name in names]
    parts_b = [benchmark(*["0"] * 8, name=name) for name in names]
    found = compare_runs(run(*parts_a), run(*parts_b, name="run-b"))
    assert [item.paired.p_sign_flip for item in found] == [2 / 256] * 3
    assert [item.adjusted_p for item in found] == [6 / 256] * 3
    assert all("more than chance" in line for line in lines(found))


def test_only_shared_benchmarks_and_tasks_are_compared() -> None:
    ours = run(benchmark("1", "o"), benchmark("1", name="mine"), benchmark("o", name="c"))
    other = run(benchmark("0", "1", revision="r2"), benchmark("1", name="c"), name="run-b")
    first, second = compare_runs(ours, other)
    assert (first.paired.tasks, first.paired.unpaired, first.revisions_differ) == (1, 1, True)
    assert second.adjusted_p is None
    shown = lines([first, second])
    assert "± – points over 1 tasks" in shown[0]
    assert "1 tasks scored in one run only are left out; the data, prompt or scoring differ" in shown[0]
    assert shown[1] == "c: no task is scored in both runs"
