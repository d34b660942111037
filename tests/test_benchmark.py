"""A benchmark folder from the outside: what ``load`` gives, and what it never gives away."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toleap.benchmark import Benchmark, load_benchmark
from toleap.errors import UsageError
from toleap.types import Task

ROW = {"task_id": "t1", "Question": "How many?", "Final answer": "forty-two", "file_name": "notes.txt"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TOLEAP_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "benchmarks" / "mini"
    folder.mkdir(parents=True)
    (folder / "mini.jsonl").write_text(json.dumps(ROW) + "\n")
    (folder / "notes.txt").write_text("the count")
    return folder


def test_the_smallest_benchmark(folder: Path) -> None:
    benchmark = load_benchmark("mini")
    assert (benchmark.title, benchmark.language, benchmark.reference, benchmark.corpus) == ("mini", "en", None, None)
    assert (benchmark.score.by, benchmark.breakdown) == ("gaia", ())
    assert benchmark.ready()
    (task,) = benchmark.tasks()
    assert (task.id, task.answer, task.attachments[0].path) == ("t1", "forty-two", folder / "notes.txt")
    prompt = benchmark.render_prompt(task)
    assert "How many?" in prompt
    assert "notes.txt" in prompt
    assert "forty-two" not in prompt + repr(task) + repr(benchmark)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_benchmark("mini").name = "other"  # type: ignore[misc]


def test_tasks_are_read_once(folder: Path) -> None:
    benchmark = load_benchmark("mini")
    tasks = benchmark.tasks()
    (folder / "mini.jsonl").unlink()
    assert benchmark.tasks() is tasks


def changed(folder: Path, file: str, text: str) -> str:
    (folder / file).write_text(text)
    return load_benchmark("mini").revision


def test_the_revision_is_that_of_all_that_can_change_a_number(folder: Path) -> None:
    seen = [load_benchmark("mini").revision]
    assert load_benchmark("mini").revision == seen[0]
    seen.append(changed(folder, "mini.jsonl", json.dumps({**ROW, "Final answer": "42"}) + "\n"))
    seen.append(changed(folder, "notes.txt", "another count"))
    seen.append(changed(folder, "prompt.jinja", "{{ question }}"))
    seen.append(changed(folder, "benchmark.toml", '[score]\nby = "exact"\n'))
    seen.append(changed(folder, "benchmark.toml", 'language = "zh"\n[score]\nby = "exact"\n'))
    (folder / "pages.jsonl").write_text("{}\n")
    seen.append(changed(folder, "benchmark.toml", '[web]\ncorpus = "pages.jsonl"\n'))
    seen.append(changed(folder, "pages.jsonl", "{ }\n"))
    assert len(set(seen)) == len(seen)


def test_the_revision_does_not_depend_on_the_format_or_the_title(folder: Path) -> None:
    before = load_benchmark("mini").revision
    (folder / "mini.json").write_text(json.dumps([ROW]))
    assert changed(folder, "benchmark.toml", 'title = "Mini"\n[data]\nsource = "json:mini.json"\n') == before


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ('[data]\nsource = "mini.jsonl"', "data.source: 'mini.jsonl' is not KIND:PLACE with one of csv, tsv"),
        ('[data]\nsource = "feather:x"', "is not KIND:PLACE"),
        ('[data]\nsource = "csv:"', "is not KIND:PLACE"),
        ("[data.options]\ntasks = 3", "data.options: only a python: source has options"),
    ],
)
def test_wrong_sources(folder: Path, toml: str, says: str) -> None:
    (folder / "benchmark.toml").write_text(toml)
    with pytest.raises(UsageError, match=r"benchmark.toml") as caught:
        load_benchmark("mini")
    assert says in str(caught.value)


def test_what_is_missing_is_said(folder: Path, tmp_path: Path) -> None:
    (folder / "benchmark.toml").write_text('[data]\nsource = "csv:gone.csv"\n[web]\ncorpus = "gone.jsonl"\n')
    benchmark = load_benchmark("mini")
    assert not benchmark.ready()
    with pytest.raises(UsageError, match=r"there is no .*gone.csv; type: put the file there"):
        benchmark.tasks()
    with pytest.raises(UsageError, match=r"gone.jsonl: no such file; benchmark.toml of mini names it as web.corpus"):
        _ = benchmark.corpus
    (tmp_path / "benchmarks" / "empty").mkdir()
    with pytest.raises(UsageError, match=r"empty: no benchmark: neither benchmark.toml .* nor empty.jsonl in it"):
        load_benchmark("empty")
    with pytest.raises(UsageError, match="benchmark mini has no option 'k': it has none"):
        load_benchmark("mini", options={"k": 1})


def test_prompts_of_the_folder(folder: Path) -> None:
    (folder / "prompt.jinja").write_text("Q: {{ question }} {{ files | join }} {{ language }}\n")
    benchmark = load_benchmark("mini")
    assert benchmark.render_prompt(benchmark.tasks()[0]) == "Q: How many? notes.txt en"
    for text, says in ((b"{{ answer }}", "line 1: UndefinedError"), (b"\xff", "not UTF-8"), (b"", "empty")):
        (folder / "prompt.jinja").write_bytes(text)
        with pytest.raises(UsageError, match=f"prompt.jinja.*{says}"):
            load_benchmark("mini").render_prompt(benchmark.tasks()[0])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(question=st.text(min_size=1), answer=st.text(min_size=1), language=st.sampled_from(["en", "zh"]))
def test_the_gold_answer_never_enters_the_prompt(folder: Path, question: str, answer: str, language: str) -> None:
    """The same question with another answer gives the same prompt, so the answer cannot be in it."""
    benchmark = load_benchmark("mini")
    prompts = {benchmark.render_prompt(Task("mini", "1", question, gold)) for gold in (answer, "something else")}
    assert len(prompts) == 1


@pytest.mark.parametrize("name", ["xbench", "webwalkerqa"])
def test_shipped_prompts_hide_the_gold_answer(name: str) -> None:
    benchmark: Benchmark = load_benchmark(name)
    prompt = benchmark.render_prompt(Task(name, "1", "谁?", "GOLD-ANSWER", metadata={"lang": "LANG"}))
    assert "谁?" in prompt
    assert "GOLD-ANSWER" not in prompt
    assert not benchmark.ready()
    assert benchmark.ready().command == f"toleap data prepare {name} (or toleap data import {name} PATH)"


DOCS = Path(__file__).parents[1] / "docs" / "add-a-benchmark.md"


def test_the_examples_of_the_page_work(tmp_path: Path) -> None:
    """Every file that docs/add-a-benchmark.md shows is written as shown, and the three benchmarks are loaded."""
    shown = re.findall(r"^`([\w./]+)`[^\n]*:\n\n```\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL)
    assert len(shown) == 9
    for name, content in shown:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)

    rivers = load_benchmark("rivers").tasks()
    assert [(task.id, len(task.attachments)) for task in rivers] == [("r1", 0), ("r2", 1)]

    lakes = load_benchmark("lakes")
    assert [task.metadata for task in lakes.tasks()] == [{"size": "large"}, {"size": "unknown"}]
    assert (lakes.score.by, lakes.breakdown, lakes.corpus) == ("exact", ("size",), lakes.folder / "pages.jsonl")
    assert lakes.render_prompt(lakes.tasks()[0]).endswith("Write the answer inside <answer></answer>.")

    sums = load_benchmark("sums", trust=True, options={"tasks": 30})
    assert len(sums.tasks()) == 30
    assert sums.corpus is not None
    assert len(sums.corpus.read_text().splitlines()) == 30
