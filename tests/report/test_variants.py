"""Runs that are variants of each other: their names, whom they are compared with, and the adjustment of p."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.report.builders import benchmark, run
from tests.report.test_render import terminal
from toleap.report.comparison import compare_variants
from toleap.report.tables import build_table
from toleap.report.variants import pairs, shown, variant_names
from toleap.types import RunResult, Varied

RIGHT = benchmark(*["1"] * 8)
WRONG = benchmark(*["0"] * 8)


def variant(name: str, *ablations: tuple[str, dict[str, Any]], part: Any = RIGHT) -> RunResult:
    varied = tuple(Varied(first, values) for first, values in ablations)
    return replace(run(part, name=name), varied=varied)


KEEP = variant("k", ("k", {"agent.policy": "keep"}))
DISCARD = variant("d", ("k", {"agent.policy": "discard"}), part=WRONG)


def test_what_varies_is_named_shortly_and_clearly() -> None:
    assert shown({"agent.policy": "keep-n", "agent.max_turns": 8}) == "policy=keep-n, max_turns=8"
    assert shown({"agent.context": 1, "reader.context": 2}) == "agent.context=1, reader.context=2"
    assert shown({"reader.models": ["a", "b"], "sampling.top_k": None}) == 'models=["a", "b"], top_k=null'


def test_only_variants_of_the_same_that_stand_together_are_named() -> None:
    other = variant("x", ("y", {"agent.policy": "keep"}))
    both = variant("b", ("k", {"agent.policy": "keep-n"}), ("y", {"agent.policy": "discard"}))
    assert variant_names([KEEP, DISCARD, run(RIGHT)]) == ["policy=keep", "policy=discard", ""]
    assert variant_names([KEEP, other]) == ["", ""], "two ablations"
    assert variant_names([KEEP, both, other]) == ["policy=keep", "policy=keep-n, policy=discard", "policy=keep"]
    assert variant_names([KEEP]) == [""]


def test_everything_is_compared_with_the_first_one_or_who_stands_in_for_it() -> None:
    third = variant("n", ("k", {"agent.policy": "keep-n"}))
    assert [(item.name, item.first_name) for item in pairs([third, DISCARD, KEEP])] == [
        ("policy=keep-n", "policy=keep"),
        ("policy=discard", "policy=keep"),
    ]
    assert [(item.name, item.first_name) for item in pairs([third, DISCARD])] == [("policy=discard", "policy=keep-n")]


def test_p_is_adjusted_over_all_variants() -> None:
    alone = compare_variants([KEEP, DISCARD])
    assert [item.adjusted_p for item in alone] == [2 / 256]
    same = [variant(f"s{n}", ("k", {"agent.policy": f"s{n}"}), part=WRONG) for n in range(2)]
    assert [item.adjusted_p for item in compare_variants([KEEP, DISCARD, *same])] == [6 / 256] * 3


def test_the_table_names_them_and_says_the_differences() -> None:
    found = build_table([KEEP, DISCARD])
    assert [row.subject.variant for row in found.rows] == ["policy=keep", "policy=discard"]
    said = " ".join(terminal(found).split())
    assert "tiny · policy=discard" in said
    assert "policy=discard minus policy=keep, paired by task: b: -100.0 ± 0.0 points over 8 tasks" in said
    twins = build_table([KEEP, replace(KEEP, name="k2"), DISCARD])
    assert "tiny · policy=keep · k2" in " ".join(terminal(twins).split()), "rows never read the same"
    assert "variants" not in build_table([run(RIGHT), run(WRONG, name="other")]).to_dict()
