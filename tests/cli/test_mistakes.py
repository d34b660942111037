"""Every mistake is answered with one line on stderr and exit code 2, and leaves nothing behind."""

from __future__ import annotations

import csv
import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import click
import openpyxl
import pytest

from tests.cli.program import (
    NO_CODE,
    Done,
    Program,
    Server,
    comparable,
    copied,
    row_of,
    stopped_at_exit,
    test_data,
    tree,
    wait_until,
)
from toleap.cli import app

ORACLE = ("run", "atoll", "--model", "scripted:oracle")
MINE = {"benchmarks/mine/mine.jsonl": '{"task_id": "1", "Question": "?", "Final answer": "1", "file_name": ""}\n'}
RUN_MINE = ("run", "mine", "--model", "scripted:oracle")
TURNS = '[{"role": "assistant", "content": "Answer: 1"}]'


def refused(program: Program, *arguments: str | Path) -> str:
    """The one line that a command is refused with, after checking that it wrote nothing at all."""
    before = tree(program.folder), tree(program.home)
    done = program.here(*arguments)
    assert (tree(program.folder), tree(program.home)) == before, done.said
    assert not (program.folder / "results").exists()
    return line_of(done)


def line_of(done: Done) -> str:
    assert done.code == 2, done.said
    assert done.out == ""
    assert re.fullmatch(r"error: [^\n]+\n", done.err), done.said
    return done.err.removeprefix("error: ").strip()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("run", "atol"), ["unknown benchmark 'atol'", "did you mean atoll?"]),
        (("run",), ["--all", "toleap list"]),
        (("run", "atoll", "--all"), ["--all"]),
        (("run", "atoll", "--k", "many"), ["--k", "'many'", "toleap run --help"]),
        (("frobnicate",), ["frobnicate", "toleap --help"]),
        ((*ORACLE, "--k", "0"), ["--k 0"]),
        ((*ORACLE, "--limit", "0"), ["--limit 0"]),
        ((*ORACLE, "--max-in-flight", "0"), ["max_in_flight", "0"]),
        ((*ORACLE, "--set", "agent.max_turn=5"), ["'agent.max_turn'", "did you mean agent.max_turns?"]),
        ((*ORACLE, "--set", "agent.max_turns=few"), ["agent.max_turns", "'few'", "integer"]),
        ((*ORACLE, "--set", "agent.max_turns=0"), ["agent.max_turns", "greater than or equal to 1"]),
        ((*ORACLE, "--set", "agent.max_turns"), ["'agent.max_turns'", "--set key=value"]),
        ((*ORACLE, "--set", "agent=5"), ["'agent'"]),
        ((*ORACLE, "--set", "benchmark.atoll.task=5"), ["'task'", "tasks"]),
        ((*ORACLE, "--set", "benchmark.atol.tasks=5"), ["unknown benchmark 'atol'", "did you mean atoll?"]),
        ((*ORACLE, "--preset", "agentcmp"), ["preset 'agentcmp'", "agentcpm"]),
        ((*ORACLE, "--config", "nowhere.toml"), ["nowhere.toml"]),
        ((*ORACLE, "--run", "../elsewhere"), ["--run '../elsewhere'"]),
        ((*ORACLE, "--set", 'dock.tools=["search","fetch"]'), ["tool 'fetch'", "fetch_url"]),
        ((*ORACLE, "--set", "agent.prompt=nowhere"), ["nowhere"]),
        ((*ORACLE, "--web", "corpus:nowhere.jsonl"), ["nowhere.jsonl"]),
        ((*ORACLE, "--web", "live"), ["--web 'live'", "corpus:PATH"]),
        (("run", "atoll", "--model", "scripted:orakel"), ["'orakel'", "guesser, oracle"]),
        (("run", "atoll", "--model", "scripted:turns:nowhere.json"), ["nowhere.json"]),
        (("run", "atoll", "--model", "scripted:run:nowhere"), ["nowhere", "no run"]),
        (("run", "atoll", "--model", "./nowhere"), ["./nowhere"]),
        (("run", "atoll", "--base-url", "http://127.0.0.1:9/v1"), ["http://127.0.0.1:9/v1", "ChatCompletions"]),
        (("run", "atoll", "--base-url", "127.0.0.1:9"), ["127.0.0.1:9"]),
        (("serve",), ["--scripted"]),
        (("serve", "--scripted", "orakel", "--port", "0"), ["'orakel'", "guesser, oracle"]),
        (("serve", "--scripted", "oracle", "--port", "65536"), ["65536"]),
        (("table",), ["no runs in results/", "--results"]),
        (("table", "nowhere"), ["'nowhere'"]),
        (("data", "import", "xbench", "nowhere.csv"), ["nowhere.csv"]),
        (("data", "import", "atoll", "x.csv"), ["atoll"]),
        (("data", "status", "xbenhc"), ["did you mean xbench?"]),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_a_mistake_in_the_command(program: Program, arguments: tuple[str, ...], parts: list[str]) -> None:
    line = refused(program, *arguments)
    assert [part for part in parts if part not in line] == [], line


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("frobnicate",), "No such command"),
        (("run", "atol"), "did you mean atoll?"),
        (("run", "atoll", "--model", "scripted:orakel"), "'orakel'"),
        ((*ORACLE, "--set", 'dock.tools=["fetch"]'), "fetch_url"),
        (("serve", "--scripted", "orakel", "--port", "0"), "'orakel'"),
    ],
)
def test_a_process_of_its_own_says_the_same_line(program: Program, arguments: tuple[str, ...], part: str) -> None:
    line = line_of(program(*arguments))
    assert part in line
    assert line == refused(program, *arguments)


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("files", "arguments", "parts"),
    [
        ({"bad.toml": "agent.max_turns = = 5"}, (*ORACLE, "--config", "bad.toml"), ["bad.toml", "line 1"]),
        ({"bad.toml": "[agent]\nmax_turn = 5"}, (*ORACLE, "--config", "bad.toml"), ["agent.max_turns"]),
        ({"bad.toml": b"\xff\xfe"}, (*ORACLE, "--config", "bad.toml"), ["bad.toml"]),
        (
            {"benchmarks/mine/benchmark.toml": '[score]\nbye = "gaia"\n', "benchmarks/mine/mine.jsonl": "{}\n"},
            ("run", "mine", "--model", "scripted:oracle"),
            ["benchmarks/mine/benchmark.toml", "score.bye", "did you mean by?"],
        ),
        (
            {"benchmarks/mine/benchmark.toml": "title = \n"},
            ("run", "mine", "--model", "scripted:oracle"),
            ["benchmarks/mine/benchmark.toml", "not TOML", "line 1"],
        ),
        (
            {
                "benchmarks/mine/mine.jsonl": '{"task_id": 1, "Question": "?", "Final answer": "1"}\n{"task_id": 2',
                "pages.jsonl": '{"url": "http://a", "title": "A", "text": "a"}',
            },
            ("run", "mine", "--model", "scripted:oracle", "--web", "corpus:pages.jsonl"),
            ["mine.jsonl", "line 2"],
        ),
        (
            {**MINE, "pages.jsonl": '{"url": "http://a", "title": "A", "text": "a"}\n{"url": "u", "title": 3}\n'},
            (*RUN_MINE, "--web", "corpus:pages.jsonl"),
            ["pages.jsonl row 2", "'title'"],
        ),
        ({**MINE, "pages.jsonl": ""}, (*RUN_MINE, "--web", "corpus:pages.jsonl"), ["pages.jsonl", "empty"]),
        (
            {"pages.jsonl": '{"url": "http://a", "title": "A", "text": "a"}'},
            (*ORACLE, "--web", "corpus:pages.jsonl"),
            ["--web", "atoll", "leave it out"],
        ),
        ({"model/config.json": "{}"}, ("run", "atoll", "--model", "./model"), ["model", "no weights"]),
        ({"model/config.json": "{}"}, ("serve", "./model", "--port", "0"), ["model", "no weights"]),
        ({"t.json": "{"}, ("run", "atoll", "--model", "scripted:turns:t.json"), ["t.json", "not JSON"]),
        (
            {
                "benchmarks/mine/benchmark.toml": '[data]\nsource = "python:source.py"\n',
                "benchmarks/mine/source.py": "raise SystemExit('this ran')\n",
            },
            ("run", "mine", "--model", "scripted:oracle"),
            ["source.py", "--trust"],
        ),
        ({"x.txt": "a"}, ("data", "import", "xbench", "x.txt"), ["x.txt"]),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file(
    program: Program, files: dict[str, str | bytes], arguments: tuple[str, ...], parts: list[str]
) -> None:
    for name, text in files.items():
        write(program.folder / name, text)
    line = refused(program, *arguments)
    assert [part for part in parts if part not in line] == [], line


def test_a_row_that_does_not_decrypt_is_named_and_nothing_is_imported(program: Program) -> None:
    source = test_data("xbench", "DeepSearch-2505.csv")
    with source.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    column = rows[0].index("answer")
    rows[7][column] = "not base64!"
    path = program.folder / "damaged.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    line = refused(program, "data", "import", "xbench", path)
    assert "damaged.csv" in line and "column answer: cannot be decrypted" in line
    assert re.search(r"(line|row) \d+", line)


def test_a_file_of_another_benchmark_is_refused(program: Program) -> None:
    source = test_data("xbench", "DeepSearch-2505.csv")
    line = refused(program, "data", "import", "webwalkerqa", source)
    assert "DeepSearch-2505.csv" in line and "missing column question or Question" in line


def test_a_truncated_workbook_is_refused(program: Program) -> None:
    book = openpyxl.Workbook()
    for row in (["id", "q", "a"], *([number, f"question {number}", number] for number in range(200))):
        book.active.append(row)
    book.save(program.folder / "whole.xlsx")
    whole = (program.folder / "whole.xlsx").read_bytes()
    write(program.folder / "cut.xlsx", whole[: len(whole) // 2])
    write(
        program.folder / "benchmarks" / "mine" / "benchmark.toml",
        '[data]\nsource = "xlsx:cache:mine.xlsx"\nfields = { id = "id", question = "q", answer = "a" }\n',
    )
    line = refused(program, "data", "import", "mine", "cut.xlsx")
    assert "cut.xlsx" in line and "not a whole xlsx file" in line


def test_a_port_in_use_is_refused(program: Program) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(program, "serve", "--scripted", "oracle", "--port", str(port))
    assert str(port) in line and "--port" in line


def test_a_model_that_the_running_server_does_not_have_is_refused(program: Program, tmp_path: Path) -> None:
    with Server(tmp_path / "asked") as server:
        line = refused(program, "run", "atoll", "--base-url", server.url, "--model", "gpt-9")
        assert server.stats()["requests"] == 0
    assert "'gpt-9'" in line and "scripted" in line


def test_data_that_is_not_there_is_refused_with_the_command_to_type(program: Program) -> None:
    line = refused(program, "run", "xbench", "--model", "scripted:oracle", "--web", "corpus:nowhere")
    assert "toleap data import xbench PATH" in line


def test_a_results_folder_that_cannot_be_used_is_refused(program: Program) -> None:
    write(program.folder / "file", "")
    line = refused(program, *ORACLE, "--results", "file", *NO_CODE)
    assert "file" in line and "--results" in line


def test_a_run_that_another_process_is_writing_is_refused_and_goes_on(program: Program, tmp_path: Path) -> None:
    with Server(tmp_path / "asked", options=("--latency-ms", "500")) as server:
        command = ("run", "atoll", "--base-url", server.url, "--limit", "1", "--k", "1", "--json", *NO_CODE)
        first = program.start(*command)
        with stopped_at_exit(first):
            wait_until(lambda: server.asked(1), "the first request")
            first.send_signal(signal.SIGSTOP)  # it is still writing, however long the other start takes
            try:
                line = line_of(program(*command))
            finally:
                first.send_signal(signal.SIGCONT)
            out, err = first.communicate(timeout=60)
    assert "another process is writing this run" in line and "--run NAME" in line
    assert first.returncode == 0, err
    assert row_of(json.loads(out))["average"] == 1.0


@pytest.fixture
def turns(program: Program) -> Path:
    return write(program.folder / "turns.json", TURNS)


def play(program: Program, *more: str) -> Done:
    command = ("run", "atoll", "--model", "scripted:turns:turns.json", "--limit", "1", "--k", "1", "--json", *NO_CODE)
    return program.here(*command, *more)


def test_a_run_is_not_continued_with_other_settings(program: Program, turns: Path) -> None:
    first = play(program, "--run", "mine")
    assert first.code == 0, first.said
    before = kept(program.folder / "results")
    for change, parts in (
        (
            ("--set", "sampling.top_p=0.5", "--set", "agent.max_turns=7"),
            ["sampling.top_p: ", "agent.max_turns: ", "→ 7"],
        ),
        (("--set", "benchmark.atoll.seed=7"), ["atoll"]),
    ):
        line = line_of(play(program, "--run", "mine", *change))
        assert [part for part in (*parts, "results/mine", "--run NAME") if part not in line] == [], line
    assert kept(program.folder / "results") == before
    again = play(program, "--run", "mine", "--max-in-flight", "3", "--set", "operation.patience=7")
    assert again.code == 0, again.said
    assert comparable(again.json) == comparable(first.json)


def kept(results: Path) -> set[str]:
    """What lies there, but for the two files that SQLite keeps while somebody reads."""
    return {name for name in tree(results) if not name.endswith(("-wal", "-shm"))}


def commands(group: click.Group, path: str) -> Iterator[str]:
    """A group and every command below it, as they are typed."""
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        typed = f"{path} {name}".strip()
        yield from commands(command, typed) if isinstance(command, click.Group) else [typed]


@pytest.mark.parametrize("command", list(commands(app, "")))
def test_every_command_has_help_with_an_example(program: Program, command: str) -> None:
    done = program.here(*command.split(), "--help")
    assert (done.code, done.err) == (0, "")
    assert "Usage: toleap" in done.out
    assert f"toleap {command}" in done.out.partition("Example")[2]


@pytest.mark.parametrize(
    "command",
    [("list", "benchmarks"), ("tools", "list"), ("list", "models"), ("data", "status"), ("data", "status", "atoll")],
)
def test_json_is_one_document_on_stdout(program: Program, command: tuple[str, ...]) -> None:
    done = program.here(*command, "--json")
    assert done.code == 0 and done.err == "", done.said
    assert isinstance(done.json, list) and done.json


def test_an_import_and_its_status_as_json(program: Program, tmp_path: Path) -> None:
    own = Program(program.folder, copied(program.home, tmp_path / "home"))
    done = own("data", "import", "xbench", test_data("xbench", "DeepSearch-2505.csv"), "--json")
    assert done.code == 0 and done.json["rows"] == 100, done.said
    (state,) = own("data", "status", "xbench", "--json").json
    assert state["ready"] and state["rows"] == 100
