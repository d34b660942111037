"""Real questions through the command: imported, played over a corpus, and left unscored without a judge."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.program import (
    NO_CODE,
    Program,
    copied,
    database_in,
    finished,
    marked,
    row_of,
    standing,
    stopped_at_exit,
    test_data,
    tree,
    turns_in,
    wait_until,
)
from toleap.data import cache
from toleap.folders import find_all
from toleap.serving.environments import server_python
from toleap.serving.weights import prepare_builtin

SEARCH_THEN_ANSWER = [
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "search", "arguments": '{"queries": ["city"]}'}}
        ],
    },
    {"role": "assistant", "content": "<answer>a city</answer>"},
]
PAGES = [{"url": f"https://pages.test/{n}", "title": f"City {n}", "text": f"The city of {n}."} for n in range(5)]


@pytest.fixture
def own(program: Program, tmp_path: Path) -> Program:
    """The program with a cache that a test may add to, a corpus, and what the scripted model says."""
    (program.folder / "pages.jsonl").write_text("".join(json.dumps(page) + "\n" for page in PAGES))
    (program.folder / "turns.json").write_text(json.dumps(SEARCH_THEN_ANSWER))
    return Program(program.folder, copied(program.home, tmp_path / "home"))


@pytest.mark.parametrize(
    ("name", "file", "limit", "total"),
    [
        ("xbench", ("xbench", "DeepSearch-2505.csv"), 3, 100),
        ("webwalkerqa", ("webwalkerqa", "webthinker_test.json"), 2, 680),
    ],
)
def test_real_questions_are_played_kept_and_left_unscored_without_a_judge(
    own: Program, name: str, file: Sequence[str], limit: int, total: int
) -> None:
    assert own("data", "import", name, test_data(*file)).code == 0
    command = ("run", name, "--model", "scripted:turns:turns.json", "--limit", str(limit), "--k", "2", "--json")
    before = tree(own.folder), tree(own.home)
    refused = own(*command, *NO_CODE)
    assert refused.code == 2 and refused.out == "", refused.said
    assert name in refused.err and "corpus:PATH" in refused.err and refused.err.count("\n") == 1
    assert (tree(own.folder), tree(own.home)) == before

    done = own(*command, *NO_CODE, "--web", "corpus:pages.jsonl")
    assert done.code == 1, done.said
    row = row_of(done.json, name)
    assert row["counts"] == {
        "planned": 2 * limit, "scored": 0, "unscored": 2 * limit, "owed": 0, "quarantined": 0, "complete": False,
    }  # fmt: skip
    assert (row["average"], row["tasks_total"], row["flags"]) == (None, total, ["scripted", "incomplete"])
    assert [note["count"] for note in done.json["notes"] if note["kind"] == "unscored"] == [2 * limit]
    database = database_in(own.folder)
    stored = standing(database, "turns", "ending", "answer", "tool_calls", "bad_calls")
    assert stored == [(2, "answered", "a city", 1, 0)] * 2 * limit


def test_all_runs_what_is_ready_and_says_of_each_other_why_not_and_what_to_type(own: Program) -> None:
    for name, file in (
        ("xbench", ("xbench", "DeepSearch-2505.csv")),
        ("webwalkerqa", ("webwalkerqa", "webthinker_test.json")),
    ):
        assert own.here("data", "import", name, test_data(*file)).code == 0
    command = ("run", "--all", "--model", "scripted:turns:turns.json", "--limit", "2", "--k", "1", "--json")
    done = own(*command, *NO_CODE, "--web", "corpus:pages.jsonl")
    assert done.code == 1, done.said
    assert {row["benchmark"] for row in done.json["rows"]} == {"atoll", "webwalkerqa", "xbench"}
    assert row_of(done.json, "atoll")["counts"]["complete"]
    ready = {"atoll", "webwalkerqa", "xbench"}
    said = {line.split()[1].rstrip(":"): line for line in done.err.splitlines() if line.startswith("skipped")}
    assert set(said) == set(find_all("benchmarks")) - ready
    assert all(f"toleap data prepare {name}" in line for name, line in said.items()), said
    assert "accept the terms at https://huggingface.co/datasets/cais/hle, set HF_TOKEN" in said["hle"]


@pytest.mark.vllm
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_built_in_model_answers_on_a_real_server_that_ends_with_the_run(tmp_path: Path) -> None:
    need_model()
    mark = uuid.uuid4().hex
    model = Program(tmp_path, cache.home(), {"TOLEAP_TEST_MARK": mark})
    process = model.start("run", "atoll", "--limit", "2", "--k", "1", "--json", *NO_CODE)
    with stopped_at_exit(process):
        wait_until(lambda: len(marked(mark)) > 2 or process.poll() is not None, "its server")
        done = finished(process, patience=500)
    assert done.code == 0, done.said
    row = row_of(done.json)
    assert (row["counts"]["scored"], row["scripted"], row["model"]) == (2, False, "smollm2-135m")
    assert len(turns_in(database_in(tmp_path))) >= 2
    assert "vLLM, started by this run" in done.err
    assert marked(mark) == []


def need_model() -> None:
    """Skip where the model server's environment is not here; prepare the built-in model where it is not yet."""
    if server_python() is None:
        pytest.skip("the model server's environment is not here: make setup")
    prepare_builtin("smollm2-135m")
