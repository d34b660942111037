"""Paired comparisons: worked values, symmetry, and what a comparison can detect."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.stats.estimators import Matrix
from toleap.stats.paired import Spread, compare, holm, minimal_detectable_effect, sign_flip, tasks_needed
from toleap.stats.student import two_sided_p

MILLER = Spread(between=1 / 9, sampling_a=1 / 6, sampling_b=1 / 6, k_a=8, k_b=8)
MATRICES = st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(st.sampled_from([True, False, None]), max_size=4), max_size=8
)


def matrix(*rows: str) -> dict[str, list[bool | None]]:
    return {str(i): [x == "1" for x in row] for i, row in enumerate(rows)}


def test_worked_comparison() -> None:
    found = compare(matrix("1111", "1101", "0100", "0000", "1010"), matrix("1111", "1001", "0000", "0000", "1000"))
    assert found.difference == pytest.approx(0.15)
    assert found.se == pytest.approx(0.061237, abs=5e-7)
    assert found.t == pytest.approx(2.449490, abs=5e-7)
    assert found.p_t == pytest.approx(0.070484, abs=5e-7)
    assert (found.p_sign_flip, found.exact) == (0.25, True)
    assert found.detectable == pytest.approx((1.959964 + 0.841621) * 0.061237, abs=1e-6)
    assert (found.tasks, found.unpaired) == (5, 0)


@given(MATRICES, MATRICES)
def test_exchanging_the_runs_changes_only_the_sign(a: Matrix, b: Matrix) -> None:
    there, back = compare(a, b), compare(b, a)
    assert there.tasks == back.tasks
    assert there.p_sign_flip == pytest.approx(back.p_sign_flip)
    if there.difference is not None and back.difference is not None:
        assert there.difference == pytest.approx(-back.difference)


def test_only_shared_tasks_count() -> None:
    found = compare({"a": [True], "b": [None], "c": [True]}, {"a": [False], "b": [True], "d": [True]})
    assert (found.tasks, found.unpaired, found.difference) == (1, 3, 1.0)
    assert (found.se, found.t, found.p_t) == (None, None, None)


def test_runs_without_shared_tasks_have_no_difference() -> None:
    found = compare({"a": [True]}, {"b": [True]})
    assert (found.tasks, found.difference, found.p_sign_flip, found.detectable) == (0, None, None, None)


def test_equal_runs_do_not_differ() -> None:
    found = compare(matrix("10", "01"), matrix("01", "10"))
    assert (found.difference, found.t, found.p_sign_flip) == (0, None, 1.0)


@given(st.lists(st.integers(-4, 4).map(lambda x: x / 4), min_size=1, max_size=8))
def test_sign_flips_equal_enumeration(differences: list[float]) -> None:
    observed = abs(sum(differences))
    patterns = list(product([1, -1], repeat=len(differences)))
    hits = sum(
        abs(sum(s * d for s, d in zip(signs, differences, strict=True))) >= observed - 1e-12 for signs in patterns
    )
    p, exact = sign_flip(differences)
    assert exact
    assert p == pytest.approx(hits / len(patterns))


def test_many_tasks_draw_random_patterns_with_a_fixed_seed() -> None:
    differences = [0.5] * 20 + [-0.5] * 10
    p, exact = sign_flip(differences)
    assert not exact
    assert p == pytest.approx(0.0987, abs=0.01), "exact: P(|2·Binomial(30, 1/2) − 30| ≥ 10)"
    assert sign_flip(differences) == (p, exact)
    assert sign_flip(differences, seed=1) != (p, exact)
    certain, _ = sign_flip([1.0] * 200)
    assert certain == pytest.approx(1 / 20_001)


def test_holm_worked_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    with pytest.raises(ValueError, match="no probabilities"):
        holm([0.5, 1.5])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_and_never_reorders(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(raw <= new <= 1 for raw, new in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [adjusted[i] for i in order] == sorted(adjusted)


@pytest.mark.parametrize(("tasks", "points"), [(103, 10.8), (165, 8.5), (500, 4.9), (1266, 3.1)])
def test_detectable_effects(tasks: int, points: float) -> None:
    assert round(100 * minimal_detectable_effect(tasks, MILLER), 1) == points


@given(st.floats(0.005, 0.5), st.integers(1, 64))
def test_the_tasks_needed_detect_the_difference(difference: float, k: int) -> None:
    spread = Spread(1 / 9, 1 / 6, 1 / 6, k, k)
    needed = tasks_needed(difference, spread)
    assert minimal_detectable_effect(needed, spread) <= difference * (1 + 1e-9)
    if needed > 1:
        assert minimal_detectable_effect(needed - 1, spread) > difference * (1 - 1e-9)


def test_power_refuses_what_has_no_answer() -> None:
    with pytest.raises(ValueError, match="difference of 0"):
        tasks_needed(0, MILLER)
    with pytest.raises(ValueError, match="at least 1"):
        minimal_detectable_effect(0, MILLER)
    with pytest.raises(ValueError, match="strictly between"):
        minimal_detectable_effect(9, MILLER, alpha=1)


@pytest.mark.parametrize(
    ("t", "degrees", "p"),
    [(0, 4, 1), (12.7062047, 1, 0.05), (2.2281389, 10, 0.05), (1.9842170, 99, 0.05), (1.959964, 10**7, 0.05)],
)
def test_students_t_has_its_tabled_values(t: float, degrees: int, p: float) -> None:
    assert two_sided_p(t, degrees) == pytest.approx(p, abs=2e-5)
    assert two_sided_p(-t, degrees) == two_sided_p(t, degrees)


def test_students_t_with_many_degrees_is_normal_near_zero_too() -> None:
    assert two_sided_p(0.01, 10**6) == pytest.approx(0.9920213, abs=1e-6)


def test_students_t_with_one_degree_is_cauchy() -> None:
    assert two_sided_p(1, 1) == pytest.approx(0.5)
    assert two_sided_p(1e200, 1) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="at least 1"):
        two_sided_p(1, 0)
