"""A folder is checked whole before it runs, and the true cause of what goes wrong is one line."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import PROGRAM, Program, row_of
from tests.cli.test_mistakes import ORACLE, line_of, refused
from tests.faults.small import ANSWER, COMMAND, make_benchmark, playing, task, write_tasks


def mine(program: Program, **files: str) -> Path:
    make_benchmark(program.folder, ["Ostby", "Varde"])
    folder = program.folder / "benchmarks" / "mine"
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


RUN = ("run", "mine", "--model", "scripted:oracle", "--web", "corpus:pages.jsonl", "--set", "dock.tools=[]")


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("Solve:\n{{ question", ["prompt.jinja", "line 2"]),
        ("{% if question %}{{ question }}", ["prompt.jinja", "line"]),
        ("{{ question }}\n\n{{ hint }}", ["prompt.jinja", "line 3", "hint"]),
        ("{{ question }}\nThe answer is {{ answer }}", ["prompt.jinja", "line 2", "answer"]),
        ("{{ question.upper().foo }}", ["prompt.jinja", "line 1"]),
        ("{{ question }}{{ files[7] }}", ["prompt.jinja", "line 1"]),
        ("{{ question }}{{ 1 / 0 }}", ["prompt.jinja", "line 1"]),
        ("{% if '1' in question %}{{ nothing }}{% endif %}{{ question }}", ["prompt.jinja", "nothing"]),
    ],
)
def test_a_prompt_that_cannot_be_rendered_is_refused_before_anything_runs(
    program: Program, prompt: str, parts: list[str]
) -> None:
    mine(program, prompt__jinja=prompt)
    said = refused(program, *RUN)
    assert all(part in said for part in parts), said


def test_a_prompt_without_the_question_and_an_empty_breakdown_are_told(program: Program) -> None:
    toml = '[score]\nby = "exact"\n[report]\nbreakdown = ["level"]\n'
    folder = mine(program, prompt__jinja="Guess what I ask.", benchmark__toml=toml)
    write_tasks(program.folder, [{**task(0, "Ostby"), "level": ""}])
    with playing(program, [ANSWER]) as server:
        done = program.here(*COMMAND, "--k", "1", "--base-url", server.url)
    assert done.code == 0, done.said
    assert f"warning: {folder}/prompt.jinja: the prompt never shows {{{{ question }}}}" in done.err
    assert "report.breakdown: no task has a value of level" in done.err


@pytest.mark.parametrize(
    "prompt",
    [
        "{{ question | upper }}",
        "{{ question | wordwrap(10) }}",
        "{{ question[3:] }}",
        "{{ question.split(' ', 1)[1] }}",
        "{% set asked = question %}{{ asked | e }}",
        "{% macro show(text) %}{{ text }}{% endmacro %}{{ show(question) }}",
        "{{ question }} {{ files[0] }}",
    ],
)
def test_a_prompt_that_every_task_can_fill_is_neither_refused_nor_warned_of(program: Program, prompt: str) -> None:
    folder = mine(program, prompt__jinja=prompt)
    (folder / "files").mkdir()
    (folder / "files" / "a.txt").write_text("a")
    write_tasks(program.folder, [{**task(n, "Ostby"), "file_name": "a.txt"} for n in range(2)])
    with playing(program, [ANSWER]) as server:
        done = program.here(*COMMAND, "--k", "1", "--base-url", server.url)
    assert done.code == 0, done.said
    assert "warning" not in done.err, done.said


@pytest.mark.parametrize(
    "prompt", ["{% if question %}Guess.{% endif %}", "{{ question[:0] }}Guess.", "{{ language }}?"]
)
def test_a_prompt_that_is_the_same_for_every_question_is_told(program: Program, prompt: str) -> None:
    mine(program, prompt__jinja=prompt)
    with playing(program, [ANSWER]) as server:
        done = program.here(*COMMAND, "--k", "1", "--base-url", server.url)
    assert "the prompt never shows {{ question }}" in done.err, done.said


@pytest.mark.parametrize("name", ["benchmark.toml", "profiles.toml", "run.toml"])
def test_a_byte_order_mark_in_toml_is_taken(program: Program, name: str) -> None:
    folder = mine(program)
    files = {
        "benchmark.toml": (folder / "benchmark.toml", '[score]\nby = "exact"\n'),
        "profiles.toml": (program.folder / "profiles.toml", "[scripted]\nmax_turns = 3\n"),
        "run.toml": (program.folder / "run.toml", "[agent]\nmax_turns = 3\n"),
    }
    path, text = files[name]
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    config = ("--config", "run.toml") if name == "run.toml" else ()
    with playing(program, [ANSWER]) as server:
        done = program.here(*COMMAND, "--k", "1", "--base-url", server.url, *config)
    assert (done.code, row_of(done.json, "mine")["average"]) == (0, 0.5), done.said


@pytest.mark.parametrize("gold", ["NaN", "nan", " NAN "])
def test_nan_is_no_gold_answer(program: Program, gold: str) -> None:
    mine(program)
    write_tasks(program.folder, [task(0, "Ostby"), task(1, gold)])
    assert "is NaN, which stands for an empty cell" in refused(program, *RUN)


def test_nan_as_a_number_is_none_either(program: Program) -> None:
    folder = mine(program)
    (folder / "mine.jsonl").write_text('{"task_id": "1", "Question": "?", "Final answer": NaN, "file_name": ""}\n')
    refused(program, *RUN)


def test_data_status_reads_the_pages_too(program: Program) -> None:
    mine(
        program, benchmark__toml='[score]\nby = "exact"\n[web]\ncorpus = "pages.jsonl"\n', pages__jsonl='{"url": 1}\n'
    )
    done = program.here("data", "status", "mine")
    assert done.code == 1 and "'url' is not a string" in done.out, done.said


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_an_encoding_that_lacks_a_character_shows_the_table_all_the_same(program: Program, encoding: str) -> None:
    mine(program)
    title = 'title = "深海 Größe ½ ✓"\n[score]\nby = "exact"\n'
    (program.folder / "benchmarks" / "mine" / "benchmark.toml").write_text(title, encoding="utf-8")
    spoken = Program(program.folder, program.home, {"PYTHONIOENCODING": encoding})
    with playing(program, [ANSWER]) as server:
        done = spoken("run", "mine", "--web", "corpus:pages.jsonl", "--set", "dock.tools=[]", "--k", "1",
                      "--base-url", server.url)  # fmt: skip
    assert done.code == 0, done.said
    assert "Traceback" not in done.err and "scored" in done.out


def test_the_hint_for_owed_attempts_names_the_extent_that_plays_them(program: Program) -> None:
    mine(program)
    with playing(program, [ANSWER], "--faults", '{"every": 1, "status": 500}') as broken:
        done = program.here(*COMMAND, "--k", "5", "--base-url", broken.url, "--set", "operation.patience=0")
    assert done.code == 1
    notes = [note for note in done.json["notes"] if note["kind"] == "owed"]
    assert notes and all("--k 5" in note["fix"] for note in notes)


@pytest.mark.parametrize("key", ["agent.max_turns=3", "sampling.seed=1", "operation.patience=3", "model=x"])
def test_toleap_score_takes_judge_settings_only(program: Program, key: str) -> None:
    mine(program)
    with playing(program, [ANSWER]) as server:
        assert program.here(*COMMAND, "--k", "1", "--base-url", server.url, "--run", "r").code == 0
    said = line_of(program.here("score", "r", "--set", key))
    assert "takes judge settings only" in said and key.partition("=")[0] in said


def test_a_deleted_working_folder_is_said_in_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd {gone} && rmdir {gone} && {PROGRAM} list"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "the working folder was deleted" in done.stderr


def test_too_few_file_descriptors_are_said_in_one_line(program: Program) -> None:
    environment = {**os.environ, "TOLEAP_HOME": str(program.home)}
    done = subprocess.run(
        [PROGRAM, *ORACLE, "--limit", "1", "--k", "1"], cwd=program.folder, env=environment, capture_output=True,
        text=True, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12)),
    )  # fmt: skip
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr, done.stderr
    assert "ulimit" in done.stderr or "open files" in done.stderr, done.stderr


def test_no_server_environment_is_said_before_anything_is_written(program: Program) -> None:
    mine(program)
    bare = Program(program.folder, program.folder / "empty", {"TOLEAP_SERVING_PYTHON": "/nowhere/python"})
    folder = program.folder / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"x")
    done = bare("run", "mine", "--model", "model", "--web", "corpus:pages.jsonl")
    assert done.code == 2 and done.err.count("error:") == 1, done.said
    assert not (program.folder / "results").exists()
