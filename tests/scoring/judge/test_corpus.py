"""What judges write, and the verdict that each output must be read as."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.errors import JudgeError
from toleap.scoring.judge import RUBRICS
from toleap.scoring.judge.labels import LONGEST
from toleap.scoring.judge.parse import Parsed

CORPUS: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_name("corpus.jsonl").read_text(encoding="utf-8").splitlines()
]
NAMES = sorted(RUBRICS)


def status(rubric: str, text: str) -> str:
    try:
        parsed = RUBRICS[rubric].parse(text)
    except JudgeError:
        return "error"
    return "correct" if parsed.correct else "wrong" if parsed.attempted else "not_attempted"


@pytest.mark.parametrize("row", CORPUS, ids=[f"{row['rubric']}-{number}" for number, row in enumerate(CORPUS)])
def test_output_is_read_as_a_person_reads_it(row: dict[str, Any]) -> None:
    assert status(row["rubric"], row["text"]) == row["expected"]


def test_the_corpus_has_every_rubric_with_every_verdict() -> None:
    counted = Counter((row["rubric"], row["expected"]) for row in CORPUS)
    assert len(CORPUS) >= 150
    assert all(counted[name, said] >= 3 for name in NAMES for said in ("correct", "wrong", "error"))
    assert counted["sealqa", "not_attempted"] >= 3


WORDS = [
    "correct",
    "结论",
    "grade",
    "decision",
    "verdict",
    "confidence",
    "yes",
    "no",
    "正确",
    "错误",
    "不正确",
    "TRUE",
]
SIGNS = [
    ": ",
    "：",
    "*",
    "\n",
    " ",
    '"',
    "{",
    "}",
    "<think>",
    "</think>",
    "| ",
    "> ",
    "/",
    "?",
    "1",
    "%",
    ",",
    "\ud800",
]
PIECES = st.sampled_from(
    [
        *WORDS,
        *SIGNS,
        "FALSE",
        "incorrect",
        "not",
        "A",
        "B",
        "C",
        "or",
        "extracted_final_answer",
        "reasoning",
        "\u2028",
        "\x00",
    ]
)
OPPOSITES = {
    "browsecomp": ("correct: yes", "correct: no"),
    "xbench": ("结论: 正确", "结论: 错误"),
    "frames": ("Decision: TRUE", "Decision: FALSE"),
    "webwalkerqa": ("GRADE: CORRECT", "GRADE: INCORRECT"),
    "sealqa": ("A", "B"),
    "general": ("verdict: correct", "verdict: incorrect"),
}


@given(st.sampled_from(NAMES), st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join)))
def test_any_text_is_a_verdict_or_an_error(name: str, text: str) -> None:
    try:
        parsed = RUBRICS[name].parse(text)
    except JudgeError as error:
        assert str(error)
        return
    assert isinstance(parsed, Parsed)
    assert parsed.attempted or not parsed.correct
    assert parsed.confidence is None or 0 <= parsed.confidence <= 100


@pytest.mark.parametrize("name", OPPOSITES)
def test_a_verdict_and_its_opposite_are_an_error_in_either_order(name: str) -> None:
    yes, no = OPPOSITES[name]
    assert (status(name, f"{no}\n{yes}"), status(name, f"{yes}\n{no}")) == ("error", "error")
    assert (status(name, f"| {yes}\n{no}"), status(name, f"| {no}\n{yes}")) == ("wrong", "correct")
    assert status(name, f"<think>{yes}</think>\n{no}") == "wrong"


@pytest.mark.parametrize("name", NAMES)
def test_an_absurdly_long_output_is_an_error(name: str) -> None:
    assert status(name, "correct: yes\n" * (LONGEST // 12)) == "error"


def test_what_the_judge_reports_beside_the_verdict() -> None:
    parsed = RUBRICS["hle"].parse(
        '{"extracted_final_answer": "42", "reasoning": "Same.", "correct": "yes", "confidence": 85}'
    )
    assert parsed == Parsed(True, extracted="42", reason="Same.", confidence=85)
    lines = "extracted_final_answer: None\nreasoning: Nothing given.\ncorrect: no\nconfidence: 150%"
    assert RUBRICS["browsecomp_zh"].parse(lines) == Parsed(False, reason="Nothing given.", confidence=100)
    assert RUBRICS["browsecomp"].parse("correct: no").confidence == 100
    chinese = RUBRICS["xbench"].parse("最终答案：161\n解释：数值相同\n结论：正确")
    assert chinese == Parsed(True, extracted="161", reason="数值相同")
    assert not RUBRICS["sealqa"].parse("C").attempted


@pytest.mark.parametrize(
    ("said", "percent"),
    [
        *((said, None) for said in ("unknown", "high", "very sure", "ninety percent", "未提供", "-", "nan", "50/50")),
        *((said, None) for said in ("85-90%", "85–90%", "90 % to 95 %", "1.0", "0,9", "1,000", "1e2", "1e+2")),
        *((said, 100) for said in ("N/A", "none", "null", "", "100", "(100)", "150%", "**100%**")),
        *(
            (said, 90)
            for said in ("0.9", ".9", "90", "90.0", "90%", "90 percent", "９０％", "9/10", "about 90 %", "~90%")
        ),
        *((said, 80) for said in ("4/5", "8 out of 10", "I would say 80%.", "quite high (80%)", "80% (very sure)")),
        *((said, 1) for said in ("1", "1%", "0.9%")),
        ("0", 0),
        ("-5", 0),
    ],
)
def test_a_confidence_is_read_as_one_number_or_not_at_all(said: str, percent: int | None) -> None:
    lines = f"extracted_final_answer: 42\nreasoning: same\ncorrect: yes\nconfidence: {said}"
    assert [RUBRICS[name].parse(lines).confidence for name in ("browsecomp", "browsecomp_zh")] == [percent, percent]


@pytest.mark.parametrize(
    ("said", "percent"),
    [("90%", 90), (90.0, 90), (0.9, 90), ("0.9", 90), (1, 1), (-5, 0), (250, 100)]
    + [(said, None) for said in (None, True, "high", "", [90], {"value": 90}, 1.0, 1e300, "80 or 90")],
)
def test_a_confidence_in_json(said: Any, percent: int | None) -> None:
    parsed = RUBRICS["hle"].parse(json.dumps({"correct": "yes", "confidence": said}))
    assert parsed == Parsed(True, confidence=percent)
