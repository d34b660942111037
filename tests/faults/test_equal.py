"""What may not change a table does not, and what would make two runs one is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Done, Program, comparable, database_in, row_of, standing, tree
from tests.faults.small import ANSWER, COMMAND, calling, make_benchmark, playing, task, write_tasks
from toleap.store.reading import read_run

GOLDS = [("Ostby", "Varde", "Ostby")[number % 3] for number in range(32)]
FETCH = calling("fetch_url", url="https://a.test/")
SEARCH = calling("search", query="ship")


def line_of(done: Done) -> str:
    """The one line of a command that was refused."""
    assert (done.code, done.out) == (2, ""), done.said
    (line,) = done.err.splitlines()
    return line


def test_one_attempt_in_flight_and_512_give_the_same_table_and_the_same_trajectories(program: Program) -> None:
    make_benchmark(program.folder, GOLDS)
    found: list[tuple[dict[str, Any], list[tuple[Any, ...]]]] = []
    for at_once in (1, 512):
        slow = ("--latency-ms", "50") if at_once > 1 else ()
        with playing(program, [SEARCH, ANSWER], *slow, log=f"asked-{at_once}") as server:
            results = f"results-{at_once}"
            done = program.here(*COMMAND, "--k", "16", "--base-url", server.url, "--max-in-flight", str(at_once),
                                "--results", results)  # fmt: skip
            stats = server.stats()
        assert done.code == 0, done.said
        assert set(stats["by_id"].values()) == {1} and stats["requests"] == 1024
        assert (stats["peak_in_flight"] == 1) == (at_once == 1)
        (database,) = (program.folder / results).glob("*/run.db")
        rows = standing(database, "benchmark", "task", "attempt", "ending", "answer", "turns", "tool_calls",
                        "prompt_tokens", "completion_tokens")  # fmt: skip
        found.append((comparable(done.json), rows))
    assert found[0] == found[1]
    assert len(found[0][1]) == 512 and row_of(found[0][0], "mine")["average"] == GOLDS.count("Ostby") / 32


@pytest.mark.parametrize(
    ("turns", "ending"),
    [([FETCH] * 4, "repetition"), ([FETCH, SEARCH] * 4, "repetition"), ([FETCH, SEARCH] * 3, "answered")],
    ids=["the same turn", "to and fro", "none"],
)
def test_a_repetition_loop_is_the_models_failure_scored_by_its_forced_answer(
    program: Program, turns: list[dict[str, Any]], ending: str
) -> None:
    make_benchmark(program.folder, ["Ostby", "Varde"])
    with playing(program, [*turns, ANSWER]) as server:
        done = program.here(*COMMAND, "--k", "2", "--base-url", server.url)
    assert done.code == 0, done.said
    row = row_of(done.json, "mine")
    assert row["behaviour"]["endings"] == {ending: 4}
    assert row["behaviour"]["forced"] == (4 if ending == "repetition" else 0)
    assert row["counts"]["complete"] and row["average"] == 0.5
    assert set(standing(database_in(program.folder), "faults")) == {(0,)}


def test_duplicate_task_ids_are_refused_with_their_lines(program: Program) -> None:
    make_benchmark(program.folder, ["Ostby"])
    write_tasks(program.folder, [task(0, "Ostby"), task(1, "Varde"), {**task(2, "Ostby"), "task_id": "t0"}])
    with playing(program, [ANSWER]) as server:
        line = line_of(program.here(*COMMAND, "--k", "2", "--base-url", server.url))
    assert "mine.jsonl: line 1 and line 3 have the same id 't0'" in line
    assert not (program.folder / "results").exists()


def other_setting(_program: Program) -> tuple[str, ...]:
    return ("--set", "agent.repetition_limit=9")


def other_data(program: Program) -> tuple[str, ...]:
    write_tasks(program.folder, [task(0, "Ostby"), task(1, "Ostby")])
    return ()


def other_pages(program: Program) -> tuple[str, ...]:
    (program.folder / "pages.jsonl").write_text('{"url": "https://a.test/", "title": "A", "text": "other"}\n')
    return ()


def other_model(program: Program) -> tuple[str, ...]:
    (program.folder / "model.json").write_text(json.dumps([FETCH, ANSWER]))
    return ()


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (other_setting, "agent.repetition_limit: 4 → 9"),
        (other_data, "mine (data, prompt, scoring or pages): "),
        (other_pages, "mine (data, prompt, scoring or pages): "),
        (other_model, "model.digest: "),
    ],
)
def test_a_run_is_not_continued_with_another_configuration_data_or_model(
    program: Program, change: Callable[[Program], tuple[str, ...]], differs: str
) -> None:
    make_benchmark(program.folder, ["Ostby", "Varde"])
    (program.folder / "model.json").write_text(json.dumps([ANSWER]))
    command = (*COMMAND, "--k", "1", "--run", "r", "--model", "scripted:turns:model.json")
    first = program.here(*command)
    assert first.code == 0, first.said
    before = runs(program.folder)
    line = line_of(program.here(*command, *change(program)))
    assert [part for part in ("results/r", "--run NAME", differs) if part not in line] == [], line
    assert runs(program.folder) == before


def test_a_model_folder_of_the_same_name_with_other_weights_is_another_run(program: Program) -> None:
    make_benchmark(program.folder, ["Ostby"])
    for place, weights in (("a", b"these"), ("b", b"those")):
        folder = program.folder / place / "Model-4B"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(weights)
    bare = Program(program.folder, program.home, {"TOLEAP_SERVING_PYTHON": str(served_by_script(program.folder))})
    first = bare.here(*COMMAND, "--k", "1", "--run", "r", "--model", "a/Model-4B")
    assert first.code == 0 and "model    Model-4B, " in first.err, first.said
    line = line_of(bare.here(*COMMAND, "--k", "1", "--run", "r", "--model", "b/Model-4B"))
    assert "model.digest: 'sha256:" in line and "--run NAME" in line
    same = bare.here(*COMMAND, "--k", "1", "--run", "r", "--model", "a/Model-4B")
    assert same.code == 0 and "0 to run now" in same.err, same.said


def served_by_script(folder: Path) -> Path:
    """A Python that starts the scripted server where it is told to start vLLM."""
    turns, python = folder / "turns.json", folder / "python"
    turns.write_text(json.dumps([ANSWER]))
    python.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        "said = dict(zip(sys.argv, sys.argv[1:]))\n"
        "order = ['-m', 'toleap.serving.scripted', '--port', said['--port']]\n"
        "order += ['--model', said['--served-model-name']]\n"
        f"os.execv({sys.executable!r}, [{sys.executable!r}, *order, '--policy', 'turns:{turns}'])\n"
    )
    python.chmod(0o755)
    return python


def test_the_weights_of_a_running_server_are_unverified_and_that_is_recorded_and_shown(program: Program) -> None:
    make_benchmark(program.folder, ["Ostby"])
    with playing(program, [ANSWER]) as server:
        done = program.here(*COMMAND, "--k", "1", "--base-url", server.url)
    assert done.code == 0 and "weights unverified" in done.err, done.said
    assert read_run(database_in(program.folder).parent).settings["model.digest"] == "unverified"
    assert 'digest = "unverified"' in (database_in(program.folder).parent / "run.toml").read_text()


def runs(folder: Path) -> dict[str, tuple[int, int]]:
    """The files of all runs, but for the two that SQLite keeps while somebody reads."""
    return {name: seen for name, seen in tree(folder / "results").items() if not name.endswith(("-wal", "-shm"))}
