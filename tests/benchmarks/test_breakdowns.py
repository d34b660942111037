"""The breakdowns of the shipped benchmarks, from the metadata their loaders really give, through a run's store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.benchmarks.official import browsecomp, frames, webwalkerqa, write
from tests.store.building import plan
from toleap.benchmark import Benchmark, load_benchmark
from toleap.folders import shipped_root
from toleap.provision.imports import import_data
from toleap.report.render import to_markdown
from toleap.report.tables import build_table
from toleap.report.values import Table
from toleap.store.reading import read_run
from toleap.store.store import Store

TESTDATA = os.environ.get("TOLEAP_TESTDATA")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TOLEAP_PATH", raising=False)
    monkeypatch.chdir(tmp_path)


async def planned(benchmark: Benchmark, folder: Path) -> Table:
    """The table of a run that has planned every task once."""
    tasks = benchmark.tasks()
    with Store(folder) as store:
        await plan(store, tasks, 1, tasks_total=len(tasks), breakdown=benchmark.breakdown)
    return build_table([read_run(folder)])


def groups(table: Table) -> Sequence[tuple[str, str, int]]:
    """(column, value, tasks) of each sub-row."""
    assert all(row.extent.tasks == row.extent.tasks_total for row in table.rows)
    return [
        (row.subject.group.column, row.subject.group.value, row.extent.tasks)
        for row in table.rows
        if row.subject.group
    ]


def check_webwalkerqa(table: Table) -> None:
    found = groups(table)
    kinds = [row for row in found if row[0] == "type*difficulty"]
    assert kinds == [
        ("type*difficulty", f"{kind} × {level}", tasks)
        for kind in ("multi_source", "single_source")
        for level, tasks in (("easy", 80), ("hard", 120), ("medium", 140))
    ]
    languages = {value: tasks for column, value, tasks in found if column == "lang"}
    assert set(languages) == {"en", "zh"}, "an empty language is Chinese"
    assert sum(languages.values()) == 680
    assert len(found) == 8


async def test_webwalkerqa_by_type_and_difficulty_and_by_language(tmp_path: Path) -> None:
    import_data("webwalkerqa", write(tmp_path, "main.jsonl", webwalkerqa()))
    table = await planned(load_benchmark("webwalkerqa"), tmp_path / "run")
    check_webwalkerqa(table)
    assert "type\\*difficulty multi\\_source × easy" in to_markdown(table)


@pytest.mark.skipif(TESTDATA is None, reason="TOLEAP_TESTDATA is not set")
async def test_webwalkerqa_as_it_is_published(tmp_path: Path) -> None:
    import_data("webwalkerqa", Path(TESTDATA or "") / "webwalkerqa" / "webthinker_test.json")
    table = await planned(load_benchmark("webwalkerqa"), tmp_path / "run")
    check_webwalkerqa(table)
    assert [row for row in groups(table) if row[0] == "lang"] == [("lang", "en", 247), ("lang", "zh", 433)]


async def test_frames_by_each_reasoning_type(tmp_path: Path) -> None:
    import_data("frames", write(tmp_path, "test.tsv", frames()))
    found = groups(await planned(load_benchmark("frames"), tmp_path / "run"))
    assert found == [
        ("reasoning_types", "Multiple constraints", 549),
        ("reasoning_types", "Numerical reasoning", 275),
        ("reasoning_types", "Tabular reasoning", 275),
    ], "a task with two types is in both groups"


async def test_browsecomp_by_topic(tmp_path: Path) -> None:
    # The published file's digest is pinned: a made-up one is taken by a copy of the folder without the pin.
    copy = tmp_path / "benchmarks" / "browsecomp"
    shutil.copytree(shipped_root() / "benchmarks" / "browsecomp", copy)
    toml = copy / "benchmark.toml"
    kept = [line for line in toml.read_text().splitlines(keepends=True) if not line.startswith("sha256")]
    toml.write_text("".join(kept).replace('"csv:https://', '"csv:cache:'))
    import_data("browsecomp", write(tmp_path, "browse_comp_test_set.csv", browsecomp()))
    found = groups(await planned(load_benchmark("browsecomp"), tmp_path / "run"))
    assert found == [("topic", "Art", 633), ("topic", "Music", 633)]
