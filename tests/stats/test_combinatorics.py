"""pass@k, pass^k and maj@k against enumeration."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.stats.combinatorics import maj_at_k, pass_at_k, pass_hat_k


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [
        (8, 2, 1, 0.25),
        (8, 2, 2, 0.464286),
        (8, 2, 4, 0.785714),
        (8, 2, 8, 1.0),
        (64, 3, 16, 0.584869),
        (64, 1, 8, 0.125),
        (64, 1, 64, 1.0),
        (8, 0, 8, 0.0),
    ],
)
def test_pass_at_k_worked_values(n: int, c: int, k: int, expected: float) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(expected, abs=5e-7)


def test_pass_hat_k_worked_value() -> None:
    assert pass_hat_k(8, 5, 2) == pytest.approx(0.357143, abs=5e-7)


def test_every_small_case_equals_the_mean_over_all_subsets() -> None:
    for n in range(1, 8):
        for c in range(n + 1):
            outcomes = [True] * c + [False] * (n - c)
            for k in range(1, n + 1):
                subsets = list(combinations(outcomes, k))
                assert pass_at_k(n, c, k) == float(Fraction(sum(map(any, subsets)), len(subsets)))
                assert pass_hat_k(n, c, k) == float(Fraction(sum(map(all, subsets)), len(subsets)))


@given(st.integers(0, 20), st.data())
def test_fewer_attempts_than_k_say_nothing(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n))
    k = data.draw(st.integers(n + 1, n + 50))
    assert pass_at_k(n, c, k) is None
    assert pass_hat_k(n, c, k) is None
    assert maj_at_k("A" * n, "A", k) is None


@given(st.integers(1, 64), st.data())
def test_more_attempts_never_pass_less(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n))
    values = [pass_at_k(n, c, k) for k in range(1, n + 1)]
    assert all(x is not None for x in values)
    assert values == sorted(values)  # type: ignore[type-var]
    assert values[0] == pytest.approx(c / n)


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0), (-1, 0, 1)])
def test_impossible_counts_are_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="needs 0 <= c <= n"):
        pass_at_k(n, c, k)


@pytest.mark.parametrize(
    ("answers", "gold", "k", "expected"),
    [("AABCA", "A", 3, 0.8), ("AABCA", "A", 5, 1.0), ("AABB", "A", 4, 0.5), ("AABB", "A", 1, 0.5), ("BB", "A", 2, 0)],
)
def test_majority_worked_values(answers: str, gold: str, k: int, expected: float) -> None:
    assert maj_at_k(answers, gold, k) == pytest.approx(expected)


@given(st.text("ABCD", min_size=1, max_size=8), st.sets(st.sampled_from("ABCD")), st.data())
def test_majority_equals_enumeration(answers: str, right: set[str], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(answers)))
    subsets = list(combinations(answers, k))
    total = Fraction(0)
    for subset in subsets:
        votes = Counter(subset)
        winners = [label for label, count in votes.items() if count == max(votes.values())]
        total += Fraction(sum(label in right for label in winners), len(winners))
    assert maj_at_k(answers, right, k) == float(total / len(subsets))


def test_a_missing_answer_votes_and_is_wrong() -> None:
    assert maj_at_k([None, None, "A"], {"A"}, 3) == 0
    assert maj_at_k([None, "A", "A"], {"A"}, 3) == 1


def test_sixty_four_attempts_are_counted_not_enumerated() -> None:
    assert maj_at_k([i % 7 for i in range(64)], {0}, 32) == pytest.approx(0.175, abs=0.05)
