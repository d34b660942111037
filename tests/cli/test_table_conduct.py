"""What the loop did, from the model's replies to the table: repeats, forms of calls, readers that fail, old runs."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import NO_CODE, Done, Program, Server, database_in, row_of
from toleap.store.records import Answered, Record, body_of, sealed

PAGE = "https://a.test/long"
READING = "<rationale>It is there.</rationale><evidence>Ostby</evidence><summary>Ostby.</summary>"


def call(name: str, arguments: Any) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


SEARCH = call("search", '{"query": ["one"]}')
TURNS = [
    [SEARCH, call("search", "{'query': ['two']}")],
    [call("search", '{ "query": ["one"] }'), call("find", "{}")],
    [call("fetch_url", json.dumps({"url": [PAGE], "purpose": "where it is"}))],
    [call("search", '{"query": "one" "two"}')],
]
REPLIES = [
    *({"role": "assistant", "content": "", "tool_calls": calls} for calls in TURNS),
    {"role": "assistant", "content": f"<think><tool_call>{json.dumps(SEARCH['function'])}</tool_call></think>"},
    {"role": "assistant", "content": "<answer>Ostby</answer>"},
]


@pytest.fixture
def mine(program: Program) -> Program:
    """The program with a benchmark of one task, and a model that repeats itself and writes as it likes."""
    folder = program.folder / "benchmarks" / "mine"
    folder.mkdir(parents=True)
    task = {"task_id": "t", "Question": "Where?", "Final answer": "Ostby"}
    pages = [{"url": PAGE, "title": "Long", "text": "It is in Ostby.\n" * 2_000}]
    (folder / "mine.jsonl").write_text(json.dumps(task) + "\n")
    (folder / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in pages))
    (folder / "benchmark.toml").write_text('[score]\nby = "exact"\n[web]\ncorpus = "pages.jsonl"\n')
    (program.folder / "model.json").write_text(json.dumps(REPLIES))
    return program


def run(program: Program, *more: str, k: int = 2) -> Done:
    model = ("--model", "scripted:turns:model.json", "--run", "r")
    return program.here("run", "mine", "--k", str(k), *model, *NO_CODE, *more)


def aged(program: Program) -> None:
    """Make the attempts those of an earlier version."""
    with contextlib.closing(sqlite3.connect(database_in(program.folder))) as database:
        rows = database.execute(
            "SELECT seq, kind, benchmark, task, attempt, body, seal FROM record WHERE kind = 'ended'"
        ).fetchall()
        for seq, *row in rows:
            record = Record(*row)
            body = replace(body_of(record, Answered), versions=("0.0.1",))
            again = sealed(record.key, body)
            database.execute("UPDATE record SET body = ?, seal = ? WHERE seq = ?", (again.body, again.seal, seq))
        database.commit()


def test_repeats_and_forms_are_in_the_table_when_asked_for(mine: Program) -> None:
    done = run(mine, "--json")
    assert done.code == 0, done.said
    calls = row_of(done.json, "mine")["calls"]
    ranges = calls.pop("ranges")
    assert calls == {
        "attempts": 2,
        "calls": 10,
        "different": 0.8,
        "longest_median": 1,
        "longest": 1,
        "mended": 2,
        "malformed": 2,
        "cut": 0,
        "hidden": 2,
        "unknown": 2,
        "lost": 0,
        "silent": 0,
        "misfit": 0,
    }
    assert [(part["first"], part["last"], part["attempts"], part["different"]) for part in ranges] == [
        (1, 10, 2, 0.8)
    ]
    behaviour = row_of(done.json, "mine")["behaviour"]
    assert (behaviour["tool_calls"], behaviour["bad_call_rate"]) == (7, 3 / 7)
    shown, plain = mine.here("table", "r", "--calls").out, mine.here("table", "r").out
    assert "calls by turn of" in shown and "calls of" not in plain
    markdown = mine.here("table", "r", "--calls", "--format", "md").out
    assert "| **scripted:turns:model.json** | 1-10 | 2 | 10 | 80.0 | 80.0 |" in markdown
    assert "| mended | malformed | in thoughts | unknown |" in markdown, "only the forms that some call had"


@pytest.mark.parametrize(("reading", "read", "unread"), [(READING, 2, 0), ("I cannot.", 0, 2)])
def test_a_reader_that_reads_nothing_does_not_pass_silently(
    mine: Program, tmp_path: Path, reading: str, read: int, unread: int
) -> None:
    written = tmp_path / "reader.json"
    written.write_text(json.dumps([{"role": "assistant", "content": reading}]))
    with Server(tmp_path / "reader", f"turns:{written}") as server:
        asked = ("--set", "reader.mode=model", "--set", 'reader.models=["scripted"]')
        done = run(mine, *asked, "--set", f"reader.base_url={server.url}", "--json")
        requests = server.stats()["requests"]
    helpers = row_of(done.json, "mine")["helpers"]
    assert (helpers["readings"], helpers["unread"]) == (read, unread), done.said
    assert requests == helpers["readings"] + helpers["failed_asks"] == 2
    assert helpers["prompt_tokens"] > 1_000, "tokens of failed readings count too"
    said = " ".join(mine.here("table", "r").out.split())
    assert "auxiliary models of" in said
    assert ("2 of 2 readings (100.0 %) are an extract instead" in said) is bool(unread)


def test_attempts_of_another_version_are_flagged(mine: Program) -> None:
    assert run(mine, k=1).code == 0
    aged(mine)
    row = row_of(mine.here("table", "r", "--json").json, "mine")
    assert (row["versions"], row["flags"]) == (["0.0.1"], ["scripted"])
    after = run(mine, "--json")
    row = row_of(after.json, "mine")
    assert (after.code, row["calls"]["attempts"]) == (0, 2)
    assert "mixed versions" in row["flags"]
    assert "played by toleap: 0.0.1 + " in mine.here("table", "r").out
