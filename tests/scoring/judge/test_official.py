"""Owners' prompts: read from the cache, never run, never guessed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scoring.judge.owners import Owners
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
TEXT = "\nQ={question} G={correct_answer} R={response} {{as is}}\n"
SHA256 = hashlib.sha256(TEXT.encode()).hexdigest()


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch) -> Iterator[Owners]:
    with Owners() as found:
        monkeypatch.setattr(official, "PUBLISHED", found.address)
        yield found


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


def test_every_source_is_a_file_at_a_commit_with_a_digest() -> None:
    for source in official.SOURCES.values():
        assert re.fullmatch(
            r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/[\w/]+\.py", source.url
        )
        assert re.fullmatch("[0-9a-f]{64}", source.sha256)
    assert set(official.SOURCES) == set(RUBRICS) - {"frames", "sealqa", "general"}


async def test_a_pinned_prompt_is_official_under_the_official_model_only(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: Callable[..., JudgeSettings],
    server: Callable[..., Awaitable[Any]],
) -> None:
    pin(monkeypatch, SHA256)
    path = place(home, "hle", "run_judge_results.py", CODE)
    model = "o3-mini-2025-01-31"
    there = await server("correct: yes")
    async with make_judge("hle", settings(there.url, prompt="official", model=model), sees="response") as judge:
        verdict = await judge.score(Task("b", "t", "{gold}?", "{response}"), "a", "says {question}\ncorrect: yes")
    assert (judge.official, judge.label, verdict.status) == (True, f"{model} (official prompt)", "correct")
    assert there.prompts == ["\nQ={gold}? G={response} R=says {question}\n| correct: yes {as is}\n"]
    for changes in ({"model": "o3-mini"}, {"model": model, "temperature": 0.3}):
        other = make_judge("hle", settings(prompt="official", **changes), sees="response")
        assert not other.official and other.fingerprint != judge.fingerprint
    own = make_judge(
        "hle", settings(prompt="official", model=model), sees="response", template="{{gold}} {{candidate}}"
    )
    assert not own.official
    path.write_text(CODE + "# another file around the same text")
    assert make_judge("hle", settings(prompt="official", model=model), sees="response").official
    path.write_text(CODE.replace("G=", "G ="))
    with pytest.raises(UsageError, match=f"not the pinned prompt: the sha256 of JUDGE_PROMPT is .*{SHA256[:12]}…"):
        make_judge("hle", settings(prompt="official"), sees="response")
    path.unlink()
    place(home, "hle", "prompt.txt", TEXT)
    assert make_judge("hle", settings(prompt="official", model=model), sees="response").official


def test_a_prompt_placed_by_hand_is_used_and_never_called_official(
    home: Path, settings: Callable[..., JudgeSettings]
) -> None:
    place(home, "sealqa", "prompt.txt", "{question} {target} {predicted_answer}")
    judge = make_judge("sealqa", settings(prompt="official", model="gpt-4o-mini-2024-07-18"), sees="answer")
    assert not judge.official and "official prompt, unverified" in judge.label
    place(home, "hle", "prompt.txt", TEXT)
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
        ("prompt.txt", b"x" * ((1 << 20) + 1), "larger"),
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


def test_a_stripped_constant_is_stripped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(monkeypatch, hashlib.sha256(b"{target}/{result}").hexdigest())
    place(home, "hle", "run_judge_results.py", 'JUDGE_PROMPT = """\n{target}/{result}\n""".strip()')
    assert official.load("hle").fill("q", "g", "c") == "g/c"


@pytest.mark.filterwarnings("error")
def test_an_owners_escapes_are_read_as_python_reads_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(monkeypatch, hashlib.sha256(b"{target} 0|\\%| {result}").hexdigest())
    place(home, "hle", "run_judge_results.py", r'JUDGE_PROMPT = """{target} 0|\%| {result}"""')
    assert official.load("hle").fill("q", "g", "c") == r"g 0|\%| c"


def test_fetched_once_and_only_the_pinned_text(owners: Owners, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(monkeypatch, SHA256)
    assert official.state("hle") == "missing"
    owners.content = CODE.encode()
    assert official.fetch("hle")
    assert owners.asked == [f"/owner/name/{'c' * 40}/eval/run_judge_results.py"]
    assert (official.state("hle"), official.load("hle").verified) == ("official", True)
    assert not official.fetch("hle") and official.fetch("hle", again=True)
    path = home / "judges" / "hle" / "run_judge_results.py"
    path.write_text("JUDGE_PROMPT = 'another'")
    assert official.state("hle") == "wrong"
    assert official.fetch("hle") and path.read_text() == CODE
    assert len(owners.asked) == 3 and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (CODE.replace("G=", "g=").encode(), f"the sha256 of JUDGE_PROMPT is .*…, expected {SHA256[:12]}…"),
        (b"<html>moved</html>", "not readable as Python"),
        (b"x = 1", "no text JUDGE_PROMPT"),
        (b"\xff", "not UTF-8"),
        (b"#" * ((1 << 20) + 1), "larger than 1 MiB"),
        (None, r"cannot be fetched \(Not Found\); place it at .*run_judge_results.py by hand"),
    ],
)
def test_what_is_not_the_prompt_is_never_kept(
    owners: Owners, home: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, says: str
) -> None:
    pin(monkeypatch, SHA256)
    owners.content = content
    for again in (False, True):
        with pytest.raises(UsageError, match=says) as caught:
            official.fetch("hle", again=again)
        assert "\n" not in str(caught.value) and owners.address in str(caught.value)
    assert not [path for path in home.rglob("*") if path.is_file()]
    kept = place(home, "hle", "run_judge_results.py", CODE)
    with pytest.raises(UsageError):
        official.fetch("hle", again=True)
    assert kept.read_text() == CODE


def test_what_no_owner_publishes_and_what_lies_there_by_hand_is_not_fetched(owners: Owners, home: Path) -> None:
    assert official.state("frames") == "unpublished" and not official.fetch("frames", again=True)
    place(home, "xbench", "prompt.txt", "{correct_answer} {response}")
    assert official.state("xbench") == "by hand" and not official.fetch("xbench")
    place(home, "xbench", "prompt.txt", "no field")
    assert official.state("xbench") == "wrong"
    assert owners.asked == []
