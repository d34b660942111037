"""Judged benchmarks through the command: verdicts in a run, later, again by another judge, and after a kill."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.cli.program import (
    NO_CODE,
    Program,
    Server,
    database_in,
    finished,
    killed,
    query,
    row_of,
    standing,
    stopped_at_exit,
    wait_until,
)

MODEL = [{"role": "assistant", "content": "<answer>Ostby</answer>"}]
TASKS = [
    {"task_id": f"t{n}", "Question": f"Where is {n}?", "Final answer": "Ostby", "file_name": ""} for n in range(3)
]
YES = "Explanation: the same place.\nDecision: TRUE"
NO = "Explanation: another place.\nDecision: FALSE"


@pytest.fixture
def judged(program: Program) -> Program:
    """The program with a judged benchmark of its own in the working folder."""
    folder = program.folder / "benchmarks" / "mine"
    folder.mkdir(parents=True)
    (folder / "mine.jsonl").write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    (folder / "benchmark.toml").write_text('[score]\nby = "judge"\nrubric = "frames"\n')
    (program.folder / "pages.jsonl").write_text('{"url": "https://a.test/", "title": "A", "text": "b"}\n')
    (program.folder / "model.json").write_text(json.dumps(MODEL))
    return program


def judge(folder: Path, says: str, port: int = 0, *options: str) -> Server:
    policy = folder / f"judge-{abs(hash(says))}.json"
    policy.write_text(json.dumps([{"role": "assistant", "content": says}]))
    return Server(folder / "judge.log", f"turns:{policy}", options, port)


def run(program: Program, *more: str) -> list[str]:
    model = ("--model", "scripted:turns:model.json")
    return ["run", "mine", "--k", "2", "--run", "r", "--web", "corpus:pages.jsonl", *model, *NO_CODE, "--json", *more]


def asks(server: Server) -> list[str]:
    return ["--judge-model", "scripted", "--judge-url", server.url]


def test_a_run_is_judged_while_it_runs(judged: Program, tmp_path: Path) -> None:
    with judge(tmp_path, YES) as server:
        done = judged(*run(judged, *asks(server)))
        assert done.code == 0, done.said
        assert row_of(done.json, "mine")["average"] == 1.0
        assert server.stats()["requests"] == 6
        again = judged(*run(judged, *asks(server)))
        assert (again.code, server.stats()["requests"]) == (0, 6)
    assert "judged by scripted (toleap prompt" in done.out


def test_without_a_judge_answers_wait_and_are_scored_later(judged: Program, tmp_path: Path) -> None:
    done = judged(*run(judged))
    assert done.code == 1
    assert row_of(done.json, "mine")["counts"]["unscored"] == 6
    refused = judged("score", "r")
    assert (refused.code, "--judge-model" in refused.err) == (2, True)
    with judge(tmp_path, NO) as server:
        scored = judged("score", "r", "--json", *asks(server))
    assert scored.code == 0, scored.said
    assert row_of(scored.json, "mine")["average"] == 0.0
    kept = judged(*run(judged))
    assert row_of(kept.json, "mine")["counts"]["scored"] == 6


def test_a_judge_that_fails_leaves_answers_unscored_and_is_asked_again(judged: Program, tmp_path: Path) -> None:
    with judge(tmp_path, "I would rather not say.") as server:
        done = judged(*run(judged, *asks(server)))
        port = server.port
    assert done.code == 1
    assert row_of(done.json, "mine")["counts"]["unscored"] == 6
    with judge(tmp_path, YES, port) as server:
        scored = judged("score", "r", "--json", *asks(server))
    assert (scored.code, row_of(scored.json, "mine")["average"]) == (0, 1.0)


def test_another_judge_is_asked_only_when_told_and_both_sets_are_kept(judged: Program, tmp_path: Path) -> None:
    with judge(tmp_path, YES) as server:
        assert judged(*run(judged, *asks(server))).code == 0
    with judge(tmp_path, NO) as server:
        other = ["score", "r", "--json", *asks(server), "--set", "judge.seed=7"]
        refused = judged(*other)
        assert (refused.code, "--again" in refused.err, server.stats()["requests"]) == (2, True, 0)
        again = judged(*other, "--again")
    assert row_of(again.json, "mine")["average"] == 0.0
    (pair,) = judged("score", "r", "--agreement", "--json").json
    assert (pair["raw"], pair["both"], len(pair["differing"])) == (0.0, 6, 6)


def test_a_kill_between_an_ending_and_its_verdict_repeats_only_the_judging(judged: Program, tmp_path: Path) -> None:
    policy = judged.folder / "model.json"
    with Server(tmp_path / "model.log", f"turns:{policy}") as model:
        command = run(judged, "--base-url", model.url)
        command[command.index("scripted:turns:model.json")] = "scripted"
        with judge(tmp_path, YES, 0, "--latency-ms", "60000") as slow:
            process = judged.start(*command, *asks(slow))
            wait_until(lambda: slow.asked(1) and _ended(judged.folder) == 6, "six ended attempts, one being judged")
            killed(process)
            port = slow.port
        assert query(database_in(judged.folder), "SELECT count(*) FROM record WHERE kind = 'verdict'") == [(0,)]
        asked = model.stats()["requests"]
        with judge(tmp_path, YES, port) as quick:
            done = judged(*command, *asks(quick))
        assert (done.code, row_of(done.json, "mine")["average"]) == (0, 1.0), done.said
        assert model.stats()["requests"] == asked == 6


def test_an_interrupt_while_verdicts_are_waited_for_keeps_the_answers_and_shows_the_table(
    judged: Program, tmp_path: Path
) -> None:
    with judge(tmp_path, YES, 0, "--latency-ms", "60000") as slow:
        process = judged.start(*run(judged, *asks(slow)))
        with stopped_at_exit(process):
            while "judging: 6 answers" not in process.stderr.readline():
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            stopped = finished(process)
        port = slow.port
    assert (stopped.code, row_of(stopped.json, "mine")["counts"]["unscored"]) == (1, 6), stopped.said
    assert "interrupted" in stopped.json["halted"] and "Traceback" not in stopped.err
    with judge(tmp_path, YES, port) as quick:
        done = judged(*run(judged, *asks(quick)))
    assert (done.code, row_of(done.json, "mine")["average"]) == (0, 1.0), done.said


def _ended(folder: Path) -> int:
    if not list((folder / "results").glob("*/run.db")):
        return 0
    return sum(ending is not None for (ending,) in standing(database_in(folder), "ending"))
