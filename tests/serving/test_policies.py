"""Which policy a name means, and what a recorded run replays."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.building import plan
from toleap.errors import UsageError
from toleap.folder_code import import_neighbour
from toleap.serving.policies import load_policy
from toleap.serving.replay import NotRecorded
from toleap.store.store import Store
from toleap.types import Key, Message, Task, Turn

POLICIES = """
from .facts import WORD

class Echo:
    def reply(self, messages, tools):
        return {"content": WORD}

POLICIES = {"echo": Echo}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A benchmark of the user's own in the working folder."""
    made = tmp_path / "benchmarks" / "mine"
    made.mkdir(parents=True)
    (made / "policies.py").write_text(POLICIES)
    (made / "facts.py").write_text('WORD = "yes"\n')
    monkeypatch.chdir(tmp_path)
    yield made
    for name in [name for name in sys.modules if name.startswith("toleap_benchmark_mine")]:
        del sys.modules[name]


def test_a_benchmarks_policy_runs_when_trusted(folder: Path) -> None:
    assert load_policy("mine/echo", trust=True).reply([], []) == {"content": "yes"}


def test_python_that_is_not_shipped_does_not_run_untrusted(folder: Path) -> None:
    (folder / "policies.py").write_text("raise SystemExit('ran')")
    with pytest.raises(UsageError, match="--trust"):
        load_policy("mine/echo")


def test_an_unknown_policy_is_answered_with_the_known_ones(folder: Path) -> None:
    with pytest.raises(UsageError, match="echo"):
        load_policy("mine/eco", trust=True)


def test_a_benchmark_without_policies(folder: Path) -> None:
    (folder / "policies.py").unlink()
    with pytest.raises(UsageError, match=r"policies\.py"):
        load_policy("mine/echo", trust=True)


def test_policies_that_cannot_be_imported_are_named(folder: Path) -> None:
    (folder / "policies.py").write_text("def (")
    with pytest.raises(UsageError, match=r"policies\.py"):
        load_policy("mine/echo", trust=True)


def test_source_is_the_package_and_is_loaded_once(folder: Path) -> None:
    (folder / "source.py").write_text("from .facts import WORD\nSEEN = []\nSEEN.append(WORD)\n")
    (folder / "late.py").write_text("from . import SEEN\n")
    load_policy("mine/echo", trust=True)
    assert import_neighbour(folder, "late").SEEN == ["yes"]


def test_a_folder_of_the_same_name_elsewhere_is_another_package(folder: Path, tmp_path: Path) -> None:
    load_policy("mine/echo", trust=True)
    other = tmp_path / "elsewhere" / "mine"
    other.mkdir(parents=True)
    (other / "facts.py").write_text('WORD = "no"\n')
    assert import_neighbour(other, "facts").WORD == "no"


@pytest.mark.parametrize("content", [None, "", "{}", "[]", "[1]"])
def test_fixed_turns_must_be_a_list_of_messages(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "turns.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=r"turns\.json"):
        load_policy(f"turns:{path}")


def test_an_unknown_scheme() -> None:
    with pytest.raises(UsageError, match="BENCHMARK/POLICY"):
        load_policy("walk:home")


def call(word: str) -> Message:
    arguments = json.dumps({"query": [word]})
    function = {"name": "search", "arguments": arguments}
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": word, "type": "function", "function": function}],
    }


OPENING: Message = {"role": "user", "content": "q"}


async def record(folder: Path) -> None:
    """Two attempts at one task: search for a or b, then answer A or B."""
    task = Task("bench", "t", "q", "A")
    with Store(folder) as store:
        await plan(store, [task], 2)
        for attempt, word in enumerate("ab"):
            key = Key("bench", "t", attempt)
            await store.begin(key, [OPENING])
            asked, answer = call(word), {"role": "assistant", "content": word.upper()}
            result = {"role": "tool", "tool_call_id": word, "content": "found"}
            await store.put_turn(key, Turn(0, {**asked, "reasoning": "hm"}, (asked, result)))
            await store.put_turn(key, Turn(1, answer, (answer,)))


async def test_a_recorded_run_replays_each_attempt(tmp_path: Path) -> None:
    await record(tmp_path / "results" / "night")
    policy = load_policy("run:night", results=tmp_path / "results")
    for word in "ab":
        first = policy.reply([OPENING], [])
        assert first["reasoning"] == "hm"
        asked = {key: value for key, value in first.items() if key != "reasoning"}
        assert asked == call(word)
        result = {"role": "tool", "tool_call_id": word, "content": "found otherwise"}
        assert policy.reply([OPENING, asked, result], [])["content"] == word.upper()


async def test_what_was_not_recorded_is_not_made_up(tmp_path: Path) -> None:
    await record(tmp_path / "night")
    policy = load_policy(f"run:{tmp_path / 'night'}")
    with pytest.raises(NotRecorded):
        policy.reply([{"role": "user", "content": "another question"}], [])
    with pytest.raises(NotRecorded):
        policy.reply([OPENING, call("c")], [])


@pytest.mark.parametrize("content", [None, b"no database"])
def test_a_folder_without_a_run(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "run.db").write_bytes(content)
    with pytest.raises(UsageError, match=r"run\.db"):
        load_policy(f"run:{tmp_path}")
