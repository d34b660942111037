"""A benchmark's own scorer: when it runs, what it is given, and whose fault its failures are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from toleap.errors import UsageError
from toleap.folders import Folder
from toleap.scoring.scorers import NO_ANSWER, Scorer, scorer_for
from toleap.types import Task, Verdict

TASK = Task("b", "t", "Which river?", "Orla")
BY = "python:scorer.py"


def folder(path: Path, *, shipped: bool = False, **files: str) -> Folder:
    """A benchmark's folder with these Python files."""
    path.mkdir(exist_ok=True)
    for name, content in files.items():
        (path / f"{name}.py").write_text(content)
    return Folder(path.name, path, shipped)


def scorer(path: Path, content: str) -> Scorer:
    return scorer_for(BY, folder=folder(path / "mini", scorer=content), trust=True)


def verdict(path: Path, body: str, answer: str = "the Orla") -> Verdict:
    """What ``score`` with this body says of an answer."""
    made = scorer(path, f"def score(question, answer, gold, response):\n    {body}\n")
    return asyncio.run(made.score(TASK, answer, "I say"))


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ("return gold in answer", "correct", "scorer.py says so"),
        ("return gold == answer", "wrong", "scorer.py says so"),
        ("return True, 'named  the\\nriver'", "correct", "named the river"),
        ("return False, question + response", "wrong", "Which river?I say"),
        ("return True, 'x' * 1000", "correct", "x" * 299 + "…"),
        ("return True, '\\ud800'", "correct", "?"),
    ],
)
def test_it_says_what_is_correct_and_why(tmp_path: Path, body: str, status: str, reason: str) -> None:
    found = verdict(tmp_path, body)
    assert (found.status, found.reason, found.extracted) == (status, reason, "the Orla")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return 1 / 0", "scorer.py raised ZeroDivisionError: division by zero"),
        ("return float(gold)", "scorer.py raised ValueError: could not convert string to float: '[gold answer]'"),
        ("return gold[99]", "scorer.py raised IndexError: string index out of range"),
        ("raise SystemExit(3)", "scorer.py raised SystemExit: 3"),
        ("return score(question, answer, gold, response)", "scorer.py raised RecursionError"),
        ("raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})", "raised"),
        ("return None", "scorer.py returned NoneType, not a bool or a (bool, reason)"),
        ("return 1", "scorer.py returned int, not"),
        ("return 'correct'", "scorer.py returned str, not"),
        ("return (1, 'yes')", "scorer.py returned tuple, not"),
        ("return (True, None)", "scorer.py returned tuple, not"),
        ("return (True, 'yes', 1)", "scorer.py returned tuple, not"),
        ("yield True", "scorer.py returned generator, not"),
    ],
)
def test_its_failure_is_never_the_models(tmp_path: Path, body: str, reason: str) -> None:
    found = verdict(tmp_path, body)
    assert (found.status, found.extracted) == ("unscored", "the Orla")
    assert reason in found.reason
    assert "\n" not in found.reason


def test_the_users_interrupt_is_no_failure_of_it(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        verdict(tmp_path, "raise KeyboardInterrupt")


def test_no_answer_is_wrong_without_asking_it(tmp_path: Path) -> None:
    found = verdict(tmp_path, "return True", answer=" ")
    assert (found.status, found.reason) == ("wrong", NO_ANSWER)


def test_it_runs_only_from_shipped_folders_or_with_trust(tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'ran')!r}, 'w').close()\ndef score(question, answer, gold, response): return True\n"
    mine = folder(tmp_path / "mine", scorer=code)
    with pytest.raises(UsageError, match=r"scorer\.py is Python that would run on this machine: .* --trust$"):
        scorer_for(BY, folder=mine)
    assert not (tmp_path / "ran").exists()
    scorer_for(BY, folder=mine, trust=True)
    (tmp_path / "ran").unlink()
    scorer_for(BY, folder=folder(tmp_path / "theirs", shipped=True, scorer=code))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("def score(:\n", "cannot be imported: SyntaxError"),
        ("import no_such_module\n", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("1 / 0\n", "cannot be imported: ZeroDivisionError"),
        ("exit()\n", "cannot be imported: SystemExit"),
        ("", r"has no function score\(question, answer, gold, response\)"),
        ("score = 1\n", "has no function score"),
        ("def score(answer, gold): return True\n", "has no function score"),
        ("def score(a, b, c, d, e): return True\n", "has no function score"),
        ("async def score(question, answer, gold, response): return True\n", "has no function score"),
    ],
)
def test_a_file_that_cannot_score_is_refused_before_the_run(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(UsageError, match=rf"mini/scorer\.py: {says}") as mistake:
        scorer(tmp_path, content)
    assert "\n" not in str(mistake.value)


@pytest.mark.parametrize(
    "by", ["python:", "python:../scorer.py", "python:a/scorer.py", "python:scorer", "python:/x.py"]
)
def test_only_a_file_of_the_folder_itself(tmp_path: Path, by: str) -> None:
    mine = folder(tmp_path / "mine", scorer="def score(question, answer, gold, response): return True\n")
    with pytest.raises(UsageError, match=r"^here: 'python:.*' is no Python file of a benchmark's folder"):
        scorer_for(by, where="here", folder=mine, trust=True)
    with pytest.raises(UsageError, match=r"^here: there is no .*/other\.py$"):
        scorer_for("python:other.py", where="here", folder=mine, trust=True)
    with pytest.raises(UsageError, match="is no Python file of a benchmark's folder"):
        scorer_for(BY, trust=True)


async def test_it_may_import_its_neighbours_and_two_of_one_name_do_not_mix(tmp_path: Path) -> None:
    code = "from .names import NAME\ndef score(question, answer, gold, response): return answer == NAME\n"
    first = folder(tmp_path / "a", scorer=code, names="NAME = 'Orla'\n")
    (tmp_path / "other").mkdir()
    second = folder(tmp_path / "other" / "a", scorer=code, names="NAME = 'Tesk'\n")
    scorers = [scorer_for(BY, folder=item, trust=True) for item in (first, second)]
    assert [(await item.score(TASK, "Orla", "")).status for item in scorers] == ["correct", "wrong"]
    assert len({item.fingerprint for item in scorers}) == 2


async def test_the_code_is_the_fingerprint_and_the_newest_runs(tmp_path: Path) -> None:
    """Files of one second and one size, which Python's own cache of compiled files would take for each other."""
    code = "def score(question, answer, gold, response): return answer == '{}'\n"
    seen = [scorer(tmp_path, code.format(name)) for name in ("Orla", "Tesk", "Orla")]
    assert [(await item.score(TASK, "Orla", "")).status for item in seen] == ["correct", "wrong", "correct"]
    assert seen[0].fingerprint == seen[2].fingerprint != seen[1].fingerprint
    assert seen[0].fingerprint.startswith("python-")


def test_a_changed_neighbour_changes_the_fingerprint(tmp_path: Path) -> None:
    code = "def score(question, answer, gold, response): return True\n"
    names = []
    for number in (1, 2):
        mine = folder(tmp_path / "mine", scorer=code, names=f"NAME = {number}\n")
        names.append(scorer_for(BY, folder=mine, trust=True).fingerprint)
    assert len(set(names)) == 2
