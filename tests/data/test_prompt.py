"""Prompts: sandboxed, strict, and wrong ones name file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from toleap.data.prompt import DEFAULT, render
from toleap.errors import UsageError

VALUES = {"question": "Who?", "files": ["a.csv"], "language": "en"}
PATH = Path("folder/prompt.jinja")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("one\n{{ answer }}", "line 2: UndefinedError: 'answer' is undefined"),
        ("one\n\n{% if %}", "line 3: Expected an expression"),
        ("{{ question.__class__.__mro__ }}", "line 1: SecurityError"),
        ("x\n{{ question / 0 }}", "line 2: TypeError"),
        ("{% for x in range(10 ** 9) %}.{% endfor %}", "line 1: OverflowError"),
        ("{{ files.append('x') }}", "line 1: SecurityError"),
        ("{% include 'other' %}", "line 1: TypeError"),
        ("{{ question | nothing }}", "line 1: No filter named 'nothing'"),
        ("{{ files[3].x }}", "line 1: UndefinedError"),
    ],
)
def test_wrong_templates(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        render(text, PATH, VALUES)
    assert str(caught.value).startswith(f"{PATH}, {says}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("language", "word"), [("en", "Question: Who?"), ("zh", "问题：Who?")])
def test_the_default_prompt(language: str, word: str) -> None:
    text = render(DEFAULT.read_text(encoding="utf-8"), DEFAULT, {**VALUES, "language": language})
    assert word in text
    assert "\n- a.csv\n" in text
    assert "<answer></answer>" in text
    assert "a.csv" not in render(DEFAULT.read_text(encoding="utf-8"), DEFAULT, {**VALUES, "files": []})


def test_a_question_is_text_and_never_a_template() -> None:
    assert render("{{ question }}", PATH, {**VALUES, "question": "{{ 7 * 7 }} <b>&"}) == "{{ 7 * 7 }} <b>&"
