"""toleap from Python, as docs/python.md says: run, read, listen, compare."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import toleap
from tests.cli.program import need_sandbox
from toleap.report import frames

PAGE = Path(__file__).parent.parent / "docs" / "python.md"
OPTIONS: dict[str, Any] = {
    "model": "scripted:oracle",
    "settings": {"dock.tools": ["search", "fetch_url", "read_file"]},
}


@pytest.mark.slow
def test_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    need_sandbox()
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    environment = {**os.environ, "PYTHONPATH": str(PAGE.parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "True 1.0"
    assert any(line.startswith("answered") and line.endswith("1.0") for line in lines)
    assert "2 tasks in both" in lines and sum(line.startswith("ended") for line in lines) == 2


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> toleap.Result:
    results = tmp_path_factory.mktemp("api")
    return toleap.run("atoll", limit=3, k=2, results=results, **OPTIONS)


def test_frames_have_every_attempt_turn_call_and_verdict(played: toleap.Result) -> None:
    attempts, turns = played.attempts, played.turns
    assert len(attempts) == 6 and played.halted is None
    assert dict(attempts.dtypes.astype(str)) == dict(frames.ATTEMPTS)
    ended = attempts[attempts["ending"].notna()]
    assert len(turns) == ended["turns"].sum()
    assert turns["completion_tokens"].sum() == ended["completion_tokens"].sum()
    assert len(played.calls) == turns["calls"].sum()
    assert set(played.calls["tool"]) <= {"search", "fetch_url", "read_file", "execute_code"}
    assert (played.calls["result"].str.len() > 0).all()
    scored = attempts[attempts["correct"].notna()]
    assert len(played.verdicts) == len(scored) and played.verdicts["headline"].all()
    by_task = scored.groupby("task")["correct"].mean().mean()
    assert by_task == played.table().rows[0].headline.average


def test_a_trajectory_is_the_history_with_its_verdict(played: toleap.Result) -> None:
    task = played.attempts["task"][0]
    one = played.trajectory("atoll", task, 1)
    assert [message["role"] for message in one.messages[:2]] == ["system", "user"]
    assert len(one.messages) == 2 + sum(len(turn.messages) for turn in one.turns)
    assert one.ending is not None and len(one.verdicts) == 1
    with pytest.raises(toleap.UsageError, match="no such attempt"):
        played.trajectory("atoll", task, 9)
    with pytest.raises(toleap.UsageError, match="no such attempt"):
        played.trajectory("atoll", "nowhere", 0)


def test_the_same_call_again_plays_nothing_and_more_attempts_only_what_is_new(played: toleap.Result) -> None:
    class Log(toleap.Events):
        def __init__(self) -> None:
            self.ends = 0
            self.plans: list[int] = []

        def planned(self, run: Any) -> None:
            self.plans.append(run.owed)

        def ended(self, key: toleap.Key) -> None:
            self.ends += 1

    log, results = Log(), played.folder.parent
    again = toleap.run("atoll", limit=3, k=2, results=results, events=log, **OPTIONS)
    assert (log.plans, log.ends) == ([0], 0)
    assert again.folder == played.folder and again.attempts.equals(played.attempts)
    more = toleap.run("atoll", limit=3, k=3, results=results, events=log, **OPTIONS)
    assert (log.plans, log.ends) == ([0, 3], 3)
    assert len(more.attempts) == 9
    (pair,) = toleap.compare(more, played.folder)
    assert pair.paired.tasks == 3


async def test_it_runs_where_an_event_loop_runs_already(tmp_path: Path) -> None:
    first = await toleap.arun("atoll", limit=1, k=1, results=tmp_path / "a", **OPTIONS)
    second = toleap.run("atoll", limit=1, k=1, results=tmp_path / "b", **OPTIONS)
    assert await asyncio.to_thread(lambda: len(first.turns)) == len(second.turns) > 0


@pytest.mark.parametrize(
    ("names", "options", "says"),
    [
        (("nowhere",), {}, "nowhere"),
        ((), {}, "name one or more benchmarks"),
        (("atoll",), {"k": 0}, "--k 0"),
        (("atoll",), {"settings": {"agent.nothing": 1}}, "agent.nothing"),
        (("atoll",), {"model": "scripted:nobody"}, "nobody"),
        (("gaia",), {}, "gaia"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    tmp_path: Path, names: tuple[str, ...], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(toleap.UsageError, match=re.escape(says)) as mistake:
        toleap.run(*names, **{**OPTIONS, **options}, results=tmp_path / "r")
    assert "\n" not in str(mistake.value)
    assert not (tmp_path / "r").exists()


def test_a_folder_without_a_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(toleap.UsageError, match="no run here"):
        toleap.read_run(tmp_path)


def test_a_run_that_has_hardly_begun_has_frames_with_their_columns(tmp_path: Path) -> None:
    class Stop(toleap.Events):
        def planned(self, run: Any) -> None:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        toleap.run("atoll", limit=2, k=2, name="r", results=tmp_path, events=Stop(), **OPTIONS)
    begun = toleap.read_run(tmp_path / "r")
    assert len(begun.attempts) == 4 and begun.attempts["ending"].isna().all() and not begun.complete
    assert [len(frame) for frame in (begun.turns, begun.calls, begun.verdicts)] == [0, 0, 0]
    assert dict(begun.calls.dtypes.astype(str)) == dict(frames.CALLS)
    with pytest.raises(toleap.UsageError, match="has not begun"):
        begun.trajectory("atoll", begun.attempts["task"][0], 0)
