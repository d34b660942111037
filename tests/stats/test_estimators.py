"""avg@k, its error and its bounds: worked values, and what holds for every matrix."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.stats.estimators import Matrix, average, mean_pass_at_k, mean_pass_hat_k, wilson

MATRICES = st.dictionaries(
    st.text("abc", min_size=1, max_size=3), st.lists(st.sampled_from([True, False, None]), max_size=6), max_size=8
)


def matrix(*rows: str) -> dict[str, list[bool | None]]:
    """One row for each text: 1 right, 0 wrong, ? missing."""
    values: dict[str, bool | None] = {"1": True, "0": False, "?": None}
    return {str(i): [values[x] for x in row] for i, row in enumerate(rows)}


WORKED = matrix("1111", "1101", "0100", "0000", "1010")


def test_worked_matrix() -> None:
    found = average(WORKED)
    assert found.value == pytest.approx(0.5)
    assert found.se == pytest.approx(0.176777, abs=5e-7)
    assert found.sampling_se == pytest.approx(0.091287, abs=5e-7)
    assert found.between_variance == pytest.approx(0.114583, abs=5e-7)
    assert (found.low, found.high, found.complete) == (found.value, found.value, True)
    assert (found.tasks, found.planned_tasks, found.scored, found.planned) == (5, 5, 20, 20)


@pytest.mark.parametrize(("k", "at", "hat"), [(1, 0.5, 0.5), (2, 2 / 3, 1 / 3), (4, 0.8, 0.2)])
def test_worked_pass_rates(k: int, at: float, hat: float) -> None:
    assert mean_pass_at_k(WORKED, k).value == pytest.approx(at)
    assert mean_pass_hat_k(WORKED, k).value == pytest.approx(hat)


def test_the_error_is_over_tasks_and_not_over_attempts() -> None:
    once, often = matrix("1", "0", "1"), matrix("1" * 50, "0" * 50, "1" * 50)
    assert average(often).se == average(once).se


def test_one_task_has_no_error_bar_and_no_task_has_no_value() -> None:
    assert average(matrix("10")).se is None
    assert average(matrix("10")).value == 0.5
    nothing = average({})
    assert (nothing.value, nothing.se, nothing.low, nothing.high, nothing.complete) == (None, None, None, None, True)


def test_missing_attempts_leave_the_mean_and_open_the_bounds() -> None:
    found = average(matrix("11??", "0000", "????"))
    assert found.value == 0.5, "the mean of 1 and 0: the third task has nothing scored"
    assert (found.low, found.high) == pytest.approx((0.5 / 3, 2 / 3))
    assert (found.tasks, found.planned_tasks, found.scored, found.planned) == (2, 3, 6, 12)
    assert not found.complete


def test_nothing_scored_leaves_everything_open() -> None:
    found = average(matrix("??", "?"))
    assert (found.value, found.low, found.high) == (None, 0, 1)


def test_pass_at_k_waits_for_every_task_with_scores() -> None:
    partial = matrix("111?", "0000")
    assert mean_pass_at_k(partial, 2).value == 0.5
    four = mean_pass_at_k(partial, 4)
    assert (four.value, four.low, four.high) == (None, 0.5, 0.5)
    assert mean_pass_at_k(partial, 8).low is None


@given(MATRICES)
def test_the_headline_lies_inside_its_bounds(rows: Matrix) -> None:
    found = average(rows)
    if found.value is not None:
        assert found.low is not None
        assert found.high is not None
        assert found.low - 1e-12 <= found.value <= found.high + 1e-12
        if found.complete:
            assert found.low == found.high == found.value


@given(MATRICES, st.booleans())
def test_the_bounds_are_the_headline_with_missing_results_filled_in(rows: Matrix, fill: bool) -> None:
    filled = average({task: [fill if x is None else x for x in row] for task, row in rows.items()})
    found = average(rows)
    assert filled.value == (found.high if fill else found.low)


@given(MATRICES)
def test_the_error_splits_into_its_parts(rows: Matrix) -> None:
    found = average(rows)
    if found.between_variance is not None:
        assert found.se is not None
        assert found.sampling_se is not None
        between = found.between_variance / found.tasks
        assert found.se**2 == pytest.approx(found.sampling_se**2 + between, abs=1e-12)


@given(MATRICES)
def test_pass_at_one_is_the_average(rows: Matrix) -> None:
    one, found = mean_pass_at_k(rows, 1), average(rows)
    assert one.value == pytest.approx(found.value)
    assert one.low == pytest.approx(found.low)
    assert one.high == pytest.approx(found.high)


@given(MATRICES)
def test_pass_at_k_grows_with_k_over_the_same_tasks(rows: Matrix) -> None:
    values = [p for k in range(1, 7) if (p := mean_pass_at_k(rows, k).value) is not None]
    assert all(a <= b + 1e-12 for a, b in pairwise(values))


@pytest.mark.parametrize(("c", "n", "low", "high"), [(8, 8, 0.6756, 1), (66, 103, 0.5446, 0.7268), (0, 8, 0, 0.3244)])
def test_wilson_worked_values(c: int, n: int, low: float, high: float) -> None:
    assert wilson(c, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_proportion(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n))
    low, high = wilson(c, n)
    assert 0 <= low <= c / n + 1e-12
    assert c / n - 1e-12 <= high <= 1
    assert math.isfinite(low + high)


@pytest.mark.parametrize(("c", "n"), [(0, 0), (-1, 4), (5, 4)])
def test_wilson_refuses_what_is_no_proportion(c: int, n: int) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson(c, n)
