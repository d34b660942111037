"""``toleap show``: what a run is, where its attempts stand, and why one of them failed."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import NO_CODE, PROGRAM, Done, Program, Server

HOSTILE = "\x1b[31mred\x1b]0;title\x07 [bold]x[/] \u202egnp"
CALL = {
    "id": "c0",
    "type": "function",
    "function": {"name": "search", "arguments": json.dumps({"query": ["Ostby"]})},
}
TURNS = [
    {"role": "assistant", "content": f"<think>{'where? ' * 300}</think>Let me see. {HOSTILE}", "tool_calls": [CALL]},
    {"role": "assistant", "content": "<answer>Ostby</answer>"},
]
TASKS = [
    {"task_id": "lake-1", "Question": "Which town lies at the lake?", "Final answer": "Ostby"},
    {"task_id": "lake-2", "Question": "Which town has the mill?", "Final answer": "Vestby"},
]


@pytest.fixture
def played(program: Program) -> Program:
    """The program with a run called r of two tasks, one of which it gets right."""
    for name, toml in (("mine", ""), ("secret", "[data]\npublish = false\n")):
        folder = program.folder / "benchmarks" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(task) + "\n" for task in TASKS))
        (folder / "benchmark.toml").write_text(f'{toml}[score]\nby = "exact"\n')
    page = {"url": "https://a.test/", "title": "Ostby", "text": f"Ostby lies at the lake. {HOSTILE}"}
    (program.folder / "pages.jsonl").write_text(json.dumps(page) + "\n")
    (program.folder / "model.json").write_text(json.dumps(TURNS))
    model = ("--model", "scripted:turns:model.json", "--web", "corpus:pages.jsonl", *NO_CODE)
    done = program.here("run", "mine", "secret", "--k", "2", "--run", "r", *model)
    assert done.code == 0, done.said
    return program


def line(done: Done, beginning: str) -> str:
    (found,) = [text for text in done.out.splitlines() if text.strip().startswith(beginning)]
    return found


def test_a_run_is_shown_with_its_settings_and_a_sign_for_each_attempt(played: Program) -> None:
    done = played.here("show", "r")
    assert (done.code, done.err) == (0, "")
    assert "model" in done.out and '"scripted:turns:model.json"' in done.out
    assert "sampling.seed" not in done.out and "sampling.seed" in played.here("show", "r", "--full").out
    rows = [text.split() for text in done.out.splitlines() if text.startswith("lake-")]
    assert [row[:3] for row in rows] == [["lake-1", "++", "2"], ["lake-2", "--", "0"]] * 2
    document = played.here("show", "r", "--json").json
    assert document["settings"]["model"] == "scripted:turns:model.json"
    stands = [one["standing"] for one in document["benchmarks"][0]["tasks"][1]["attempts"]]
    assert stands == ["wrong", "wrong"]


def test_a_tasks_attempts_stand_side_by_side(played: Program) -> None:
    done = played.here("show", "r", "mine/lake-2")
    assert (done.code, done.err) == (0, "")
    assert "Which town has the mill?" in done.out and line(done, "gold answer") == "gold answer: Vestby"
    assert line(done, "0 ").split()[:6] == ["0", "answered", "2", "1", "Ostby", "wrong"]
    document = played.here("show", "r", "mine/lake-2", "--json").json
    assert (document["gold"], document["gold_missing"]) == ("Vestby", None)
    assert [one["answer"] for one in document["attempts"]] == ["Ostby", "Ostby"]
    assert document["attempts"][0]["verdicts"][0]["status"] == "wrong"


def test_an_attempt_is_shown_turn_by_turn(played: Program) -> None:
    done = played.here("show", "r", "mine/lake-1", "1")
    assert (done.code, done.err) == (0, "")
    order = [
        "turn 1",
        "thoughts",
        "Let me see.",
        '→ search {"query": ["Ostby"]}',
        "Ostby lies at the lake",
        "turn 2",
        "correct by",
    ]
    assert sorted(order, key=done.out.index) == order
    assert done.out.count("where? ") < 50, "thoughts are folded"
    assert played.here("show", "r", "mine/lake-1", "1", "--full").out.split().count("where?") >= 299
    document = played.here("show", "r", "mine/lake-1", "1", "--json").json
    assert [len(turn["calls"]) for turn in document["turns"]] == [1, 0]
    assert "Ostby" in document["turns"][0]["results"][0]["parts"][0] and document["answer"] == "Ostby"


@pytest.mark.parametrize("full", [(), ("--full",)])
def test_what_a_model_or_a_page_wrote_does_nothing_to_a_terminal(played: Program, full: tuple[str, ...]) -> None:
    out = played.here("show", "r", "mine/lake-1", "0", *full).out
    assert "[bold]x[/]" in out
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out)


def test_gold_answers_that_are_not_to_be_spread_are_shown_only_when_asked_for(played: Program) -> None:
    for task in ("secret/lake-2", "secret/lake-2 0"):
        plain = played.here("show", "r", *task.split())
        assert "Vestby" not in plain.out and "--gold" in plain.out
        assert "Vestby" not in played.here("show", "r", *task.split(), "--json", "--full").out
        asked = played.here("show", "r", *task.split(), "--gold")
        assert line(asked, "gold answer") == "gold answer: Vestby"


def test_a_benchmark_whose_data_changed_shows_no_gold_answer(played: Program) -> None:
    data = played.folder / "benchmarks" / "mine" / "mine.jsonl"
    data.write_text(data.read_text().replace("Vestby", "Nordby"))
    done = played.here("show", "r", "mine/lake-2")
    assert done.code == 0 and "Nordby" not in done.out
    assert "mine is not what run r played" in line(done, "gold answer")


def test_what_is_not_there(played: Program) -> None:
    for wanted, said in (
        (("mine/lake",), "run r has several tasks 'mine/lake': mine/lake-1, mine/lake-2"),
        (("lake-1",), "run r has several tasks 'lake-1': mine/lake-1, secret/lake-1"),
        (("mine/lake-3",), "run r has no task 'mine/lake-3': did you mean mine/lake-"),
        (("mine/lake-1", "2"), "mine/lake-1 has no attempt 2: there are 0 to 1"),
    ):
        done = played.here("show", "r", *wanted)
        assert done.code == 2 and said in done.err, done.said


def test_an_attempt_that_has_not_begun_is_shown_as_owed(played: Program, tmp_path: Path) -> None:
    with Server(tmp_path / "server", "turns:" + str(played.folder / "model.json")) as server:
        model = ("--model", "scripted", "--base-url", server.url, "--web", "corpus:pages.jsonl", *NO_CODE)
        one = ("--set", "operation.max_in_flight=1")
        done = played.here("run", "mine", "--run", "capped", "--k", "2", "--token-cap", "1", *one, *model)
    assert done.code == 1, done.said
    shown = played.here("show", "capped")
    assert shown.code == 1 and "." in "".join(
        row.split()[1] for row in shown.out.splitlines() if row.startswith("lake-")
    )
    owed = next(
        (task["task"], one["attempt"])
        for task in played.here("show", "capped", "--json").json["benchmarks"][0]["tasks"]
        for one in task["attempts"]
        if one["standing"] == "owed"
    )
    one = played.here("show", "capped", *map(str, owed))
    assert one.code == 1 and "not ended: owed" in one.out


def test_on_a_terminal_it_is_paged(played: Program) -> None:
    """A pager that is asked for is given the whole, with colours."""
    controller, terminal = pty.openpty()
    pager = played.folder / "pager"
    pager.write_text("#!/bin/sh\necho PAGED\ncat\n")
    pager.chmod(0o755)
    environment = {**played.environment(), "PAGER": str(pager), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR")
    process = subprocess.Popen(
        [str(PROGRAM), "show", "r", "mine/lake-1", "0"],
        cwd=played.folder, env=environment, stdin=terminal, stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    seen = b""
    while True:
        try:
            piece = os.read(controller, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(controller)
    assert process.wait(timeout=60) == 0
    assert seen.startswith(b"PAGED") and b"turn 2" in seen
