"""Owners' prompts: read from the cache, never run, never guessed."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from toleap.config import JudgeSettings
from toleap.errors import UsageError
from toleap.scoring.judge import RUBRICS, make_judge, official
from toleap.types import Task

CODE = '''import os
raise SystemExit("never run")
OTHER = "x"
JUDGE_PROMPT = """
Q={question} G={correct_answer} R={response} {{as is}}
"""
'''


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path))
    return tmp_path


def place(home: Path, rubric: str, name: str, content: str | bytes) -> Path:
    path = home / "judges" / rubric / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pin(monkeypatch: pytest.MonkeyPatch, sha256: str) -> None:
    there = official.Source("owner/name", "eval/run_judge_results.py", "JUDGE_PROMPT", "c" * 40, sha256)
    monkeypatch.setattr(official, "SOURCES", {"hle": there})


@pytest.mark.parametrize("rubric", sorted(RUBRICS))
def test_a_prompt_that_is_not_there_is_refused_before_anything_is_judged(
    settings: Callable[..., JudgeSettings], rubric: str, home: Path
) -> None:
    with pytest.raises(UsageError, match=r"judge\.prompt") as caught:
        make_judge(rubric, settings(prompt="official"), sees="response")
    assert str(home) in str(caught.value) and "\n" not in str(caught.value)


def test_one_that_can_be_fetched_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    pin(monkeypatch, "0" * 64)
    assert official.SOURCES["hle"].url == (
        f"https://raw.githubusercontent.com/owner/name/{'c' * 40}/eval/run_judge_results.py"
    )
    with pytest.raises(UsageError, match="toleap data prepare"):
        official.load("hle")


def test_nothing_is_fetched_without_a_commit_and_a_sha256() -> None:
    for source in official.SOURCES.values():
        assert (source.url is None) == (source.commit is None or source.sha256 is None)


async def test_a_pinned_prompt_is_official_under_the_official_model_only(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: Callable[..., JudgeSettings],
    server: Callable[..., Awaitable[Any]],
) -> None:
    pin(monkeypatch, hashlib.sha256(CODE.encode()).hexdigest())
    path = place(home, "hle", "run_judge_results.py", CODE)
    model = "o3-mini-2025-01-31"
    there = await server("correct: yes")
    async with make_judge("hle", settings(there.url, prompt="official", model=model), sees="response") as judge:
        verdict = await judge.judge(Task("b", "t", "{gold}?", "{response}"), "a", "says {question}\ncorrect: yes")
    assert (judge.official, judge.label, verdict.status) == (True, f"{model} (official prompt)", "correct")
    assert there.prompts == ["\nQ={gold}? G={response} R=says {question}\n| correct: yes {as is}\n"]
    for changes in ({"model": "o3-mini"}, {"model": model, "temperature": 0.3}):
        other = make_judge("hle", settings(prompt="official", **changes), sees="response")
        assert not other.official and other.fingerprint != judge.fingerprint
    own = make_judge(
        "hle", settings(prompt="official", model=model), sees="response", template="{{gold}} {{candidate}}"
    )
    assert not own.official
    path.write_text(CODE + "#")
    with pytest.raises(UsageError, match="not the pinned file"):
        make_judge("hle", settings(prompt="official"), sees="response")


def test_a_prompt_placed_by_hand_is_used_and_never_called_official(
    home: Path, settings: Callable[..., JudgeSettings]
) -> None:
    place(home, "sealqa", "prompt.txt", "{question} {target} {predicted_answer}")
    judge = make_judge("sealqa", settings(prompt="official", model="gpt-4o-mini-2024-07-18"), sees="answer")
    assert not judge.official and "official prompt, unverified" in judge.label
    place(home, "hle", "run_judge_results.py", CODE)
    judge = make_judge("hle", settings(prompt="official", model="o3-mini-2025-01-31"), sees="response")
    assert not judge.official and "unverified" in judge.label


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("prompt.txt", "{question} {response}", "gold answer"),
        ("prompt.txt", "{correct_answer}", "candidate"),
        ("prompt.txt", "{correct_answer} {response} {os}", "unknown field {os}"),
        ("prompt.txt", "{correct_answer} {response.__class__}", "unknown field"),
        ("prompt.txt", "{correct_answer} {", "prompt.txt"),
        ("prompt.txt", b"\xff\xfe{response}", "not UTF-8"),
        ("prompt.txt", b"x" * 1_000_001, "larger"),
        ("run_judge_results.py", "JUDGE_PROMPT = (", "not readable as Python"),
        ("run_judge_results.py", "JUDGE_PROMPT\x00", "not readable as Python"),
        ("run_judge_results.py", "JUDGE_PROMPT = 3", "no text JUDGE_PROMPT"),
        ("run_judge_results.py", "JUDGE_PROMPT = open('x').strip()", "no plain text"),
        ("run_judge_results.py", "(" * 5_000, "not readable as Python"),
    ],
)
def test_a_file_that_holds_no_prompt(home: Path, name: str, content: str | bytes, message: str) -> None:
    path = place(home, "hle", name, content)
    with pytest.raises(UsageError) as caught:
        official.load("hle")
    assert message in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_stripped_constant_is_stripped(home: Path) -> None:
    place(home, "hle", "run_judge_results.py", 'JUDGE_PROMPT = """\n{target}/{result}\n""".strip()')
    assert official.load("hle").fill("q", "g", "c") == "g/c"
