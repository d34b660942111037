"""``toleap run --vary``: one run for each value, one table, paired with the first; and the same table again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import NO_CODE, Done, Program, Server, killed, stopped_at_exit, tree, wait_until
from toleap.store.reading import read_run

SUMMARY = "Actions: searched.\nResults: the answer is Ostby.\nStatus: ready to answer."
TASKS = [{"task_id": f"t{n}", "Question": f"Where is {n}?", "Final answer": "Ostby"} for n in range(3)]
PAGES = [{"url": f"https://a.test/{n}", "title": f"Page {n}", "text": f"word{n} " * 150} for n in range(9)]
POLICY = '''
import json, os, pathlib

SEEN = pathlib.Path(__file__).parents[2] / "pids"


class Searcher:
    """Three searches, then the answer, if their results, or a summary of them, are still to be seen."""

    def reply(self, messages, tools):
        with SEEN.open("a") as file:
            file.write(f"{os.getpid()}\\n")
        found = sum(message["role"] == "tool" and "word" in message["content"] for message in messages)
        summarised = any("the answer is Ostby" in str(message["content"]) for message in messages)
        if not tools or found >= 3 or summarised:
            answer = "Ostby" if found >= 3 or summarised else "nowhere"
            return {"role": "assistant", "content": f"<answer>{answer}</answer>"}
        asked = {"name": "search", "arguments": json.dumps({"query": [f"word{found}"]})}
        calls = [{"id": "1", "type": "function", "function": asked}]
        return {"role": "assistant", "content": "", "tool_calls": calls}


POLICIES = {"searcher": Searcher}
'''
WORD = {"id": "1", "type": "function", "function": {"name": "search", "arguments": '{"query": ["WORD"]}'}}
SEARCH = {"role": "assistant", "content": "", "tool_calls": [WORD]}
BASE = ("run", "mine", "--k", "2", "--trust", *NO_CODE, "--set", "agent.max_turns=6")
COMMAND = (*BASE, "--model", "scripted:mine/searcher")


@pytest.fixture
def mine(program: Program) -> Program:
    """The program with a benchmark whose policy says in which process it was asked."""
    folder = program.folder / "benchmarks" / "mine"
    folder.mkdir(parents=True)
    for path, items in ((folder / "mine.jsonl", TASKS), (folder / "pages.jsonl", PAGES)):
        path.write_text("".join(json.dumps(item) + "\n" for item in items))
    (folder / "benchmark.toml").write_text('[score]\nby = "exact"\n[web]\ncorpus = "pages.jsonl"\n')
    (folder / "policies.py").write_text(POLICY)
    return program


def servers(program: Program) -> int:
    """How many processes have played the model."""
    return len(set((program.folder / "pids").read_text().split()))


def shown(document: Any) -> dict[str, float]:
    return {row["variant"]: row["average"] for row in document["rows"] if row["group"] is None}


def differences(document: Any) -> dict[tuple[str, str], tuple[float, float]]:
    return {
        (item["a"], item["b"]): (item["paired"]["difference"], item["adjusted_p"]) for item in document["variants"]
    }


def test_an_ablation_over_policies_is_one_command_and_one_table(mine: Program, tmp_path: Path) -> None:
    written = tmp_path / "summary.json"
    written.write_text(json.dumps([{"role": "assistant", "content": SUMMARY}]))
    with Server(tmp_path / "helper", f"turns:{written}") as helper:
        reader = ("--set", 'reader.models=["scripted"]', "--set", f"reader.base_url={helper.url}")
        small = ("--set", "agent.context=8192", "--set", "agent.policy_at=0.08", "--set", "agent.keep_results=3")
        vary = ("--vary", "agent.policy=keep,keep-n,discard,summarise", "--json")
        done = mine(*COMMAND, *reader, *small, *vary)
        again = mine.here(*COMMAND, *reader, *small, *vary)
        asked = helper.stats()["requests"]
    assert done.code == 0, done.said
    assert shown(done.json) == {"policy=keep": 1, "policy=keep-n": 1, "policy=discard": 0, "policy=summarise": 1}
    found = differences(done.json)
    assert list(found) == [(f"policy={name}", "policy=keep") for name in ("keep-n", "discard", "summarise")]
    assert [difference for difference, _ in found.values()] == [0, -1, 0]
    assert [p for _, p in found.values()] == [1, 0.75, 1], "2/8 by chance, three times as likely among three"
    assert servers(mine) == 1, "one server plays them all"
    helpers = {row["variant"]: row["helpers"] for row in done.json["rows"]}
    assert asked == helpers["policy=summarise"]["summaries"] == 6
    assert helpers["policy=summarise"]["prompt_tokens"] > 0
    assert helpers["policy=discard"] is None
    assert len(list(mine.folder.glob("results/*/run.db"))) == 4, "each is a run of its own"
    assert again.json["rows"] == done.json["rows"]
    assert again.err.count(" 0 to run now") == 4
    names = [row["run"] for row in done.json["rows"]]
    table = mine.here("table", *names, "--json")
    assert (table.code, table.json["rows"], table.json["variants"]) == (0, done.json["rows"], done.json["variants"])
    other = mine.here("table", *reversed(names), "--json").json
    assert differences(other).keys() == found.keys(), "the first variant stays the one that others are compared with"
    said = " ".join(mine.here("table", *names).out.split())
    assert "policy=discard minus policy=keep, paired by task: mine: -100.0 ± 0.0 points over 3 tasks" in said
    assert '"discard" (policy=discard)' in said
    alone = mine.here("table", names[0], "--json").json
    assert (shown(alone), "variants" in alone) == ({"": 1}, False), "alone it is a run like any other"


def test_several_settings_are_combined_and_a_name_gets_what_varies(mine: Program) -> None:
    done = mine.here(*BASE[:-2], "--model", "scripted:mine/searcher", "--run", "a", "--json",
                "--vary", "agent.max_turns=2,6", "--vary", "agent.context=8192,16384")  # fmt: skip
    assert done.code == 0, done.said
    assert shown(done.json) == {
        "max_turns=2, context=8192": 0,
        "max_turns=2, context=16384": 0,
        "max_turns=6, context=8192": 1,
        "max_turns=6, context=16384": 1,
    }
    assert sorted(path.name for path in (mine.folder / "results").iterdir()) == [
        "a-max_turns-2-context-16384",
        "a-max_turns-2-context-8192",
        "a-max_turns-6-context-16384",
        "a-max_turns-6-context-8192",
    ]
    assert {b for _, b in differences(done.json)} == {"max_turns=2, context=8192"}
    assert servers(mine) == 4, "a server has one context"


def test_a_run_can_be_part_of_two_ablations(mine: Program) -> None:
    first = mine.here(*COMMAND, "--vary", "agent.policy=keep,keep-n", "--json")
    second = mine.here(*COMMAND, "--vary", "agent.policy=keep,discard", "--json")
    third = mine.here(*COMMAND, "--vary", "sampling.seed=0,7", "--json")
    assert (first.code, second.code, third.code) == (0, 0, 0), third.said
    assert [text.count(" 6 to run now") for text in (first.err, second.err, third.err)] == [2, 1, 1]
    assert set(shown(mine.here("table", "--json").json)) == {
        "policy=keep, seed=0",
        "policy=keep-n",
        "policy=discard",
        "seed=7",
    }
    run = mine.folder / "results" / first.json["rows"][0]["run"] / "run.db"
    assert len(read_run(run.parent).varied) == 2


def test_a_killed_ablation_continues_where_it_stopped(mine: Program, tmp_path: Path) -> None:
    turns = [json.loads(json.dumps(SEARCH).replace("WORD", f"word{n}")) for n in range(4)]
    turns.append({"role": "assistant", "content": "<answer>Ostby</answer>"})
    (tmp_path / "turns.json").write_text(json.dumps(turns))
    with Server(tmp_path / "model", f"turns:{tmp_path / 'turns.json'}", ("--latency-ms", "100")) as server:
        command = (*BASE, "--base-url", server.url, "--vary", "agent.policy=keep,discard", "--json")
        first = mine.start(*command)
        with stopped_at_exit(first):
            wait_until(lambda: server.asked(32), "the second variant is being played: the first takes 30 requests")
            killed(first)
        done = mine.here(*command)
        asked = server.stats()["requests"]
    assert done.code == 0, done.said
    assert shown(done.json) == {"policy=keep": 1, "policy=discard": 1}
    owed = [line.rpartition(", ")[2] for line in done.err.splitlines() if "to run now" in line]
    assert owed[0] == "0 to run now"
    assert 60 <= asked <= 66, "only the turns in flight were asked again"


def test_what_is_missing_in_one_variant_is_in_the_exit_code(mine: Program) -> None:
    (mine.folder / "benchmarks" / "mine" / "benchmark.toml").write_text(
        '[score]\nby = "judge"\nrubric = "general"\n[web]\ncorpus = "pages.jsonl"\n'
    )
    done = mine.here(*COMMAND, "--vary", "agent.policy=keep,discard", "--json")
    assert (done.code, done.json["complete"]) == (1, False)
    assert [row["counts"]["unscored"] for row in done.json["rows"]] == [6, 6], "the second is played all the same"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--vary", "agent.polcy=keep,discard"), "unknown setting 'agent.polcy': did you mean agent.policy?"),
        (("--vary", "agent.policy=keep,discrad"), "setting agent.policy = 'discrad'"),
        (("--vary", "agent.policy"), "write --vary key=value,value"),
        (("--vary", "agent.policy=keep"), "give two values or more"),
        (("--vary", "agent.policy=keep,keep"), "a value is there twice"),
        (("--vary", "agent.max_turns=5,7"), "--vary agent.max_turns: the setting is given twice"),
        (("--vary", "agent.keep_results=1,2"), "--vary agent.keep_results: 1 and 2 are the same run"),
        (("--vary", "operation.max_in_flight=1,2"), "--vary operation.max_in_flight: 1 and 2 are the same run"),
    ],
)
def test_mistakes_are_said_before_anything_starts(mine: Program, more: tuple[str, ...], said: str) -> None:
    before = tree(mine.folder)
    done: Done = mine.here(*COMMAND, *more)
    assert (done.code, done.err.count("\n")) == (2, 1), done.said
    assert said in done.err
    assert tree(mine.folder) == before


def test_a_name_keeps_apart_what_gives_the_same_numbers(mine: Program) -> None:
    done = mine.here(*COMMAND, "--vary", "operation.max_in_flight=1,8", "--run", "speed", "--json")
    assert done.code == 0, done.said
    assert shown(done.json) == {"max_in_flight=1": 1, "max_in_flight=8": 1}
    assert differences(done.json) == {("max_in_flight=8", "max_in_flight=1"): (0, 1)}
