"""Every shipped benchmark through its real loader, on files in the official schema that the tests write."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks.official import ALL, GOLD, Official, gaia, hle, write
from toleap.benchmark import Benchmark, load_benchmark
from toleap.data.manifest import data_folder
from toleap.errors import UsageError
from toleap.folders import shipped_root
from toleap.provision.imports import import_data
from toleap.provision.prepare import prepare, verify
from toleap.report.published import published_for, read
from toleap.report.rows import group_values
from toleap.scoring.judge.rubrics import rubric_called

pytest.importorskip("pyarrow")

TESTDATA = os.environ.get("TOLEAP_TESTDATA")
JUDGED_BY_RESPONSE = {"hle", "hle-text", "browsecomp", "browsecomp-zh"}
NAMES = sorted({item.name for item in ALL} | {"gaia-text-103", "hle-text"})


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TOLEAP_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def each(name: str) -> object:
    return pytest.mark.parametrize(name, ALL, ids=lambda item: f"{item.name}-{item.file.rpartition('.')[2]}")


def unpinned(name: str, folder: Path) -> None:
    """The shipped folder without the digest of the one published file, which no made-up file can have."""
    copy = folder / "benchmarks" / name
    shutil.copytree(shipped_root() / "benchmarks" / name, copy, dirs_exist_ok=True)
    toml = copy / "benchmark.toml"
    lines = toml.read_text().splitlines(keepends=True)
    if any(line.startswith("sha256") for line in lines):
        kept = [line for line in lines if not line.startswith("sha256")]
        toml.write_text("".join(kept).replace('"csv:https://', '"csv:cache:'))


def prompts(benchmark: Benchmark) -> str:
    return "\n".join(benchmark.render_prompt(task) for task in benchmark.tasks())


@each("item")
def test_loads(item: Official, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    unpinned(item.name, tmp_path)
    path = write(tmp_path / "down", item.file, item.rows())
    done = import_data(item.name, path)
    benchmark = load_benchmark(item.name)
    tasks = benchmark.tasks()
    assert done.rows == len(tasks) == item.count
    assert {task.answer for task in tasks} == {GOLD}
    assert tasks[0].metadata == item.metadata
    for column in benchmark.breakdown:
        assert "–" not in [value for task in tasks for value in group_values(task.metadata, column)]
    assert GOLD not in prompts(benchmark) + repr(tasks) + caplog.text
    assert [checked.ok for checked in verify([item.name])] == [True]
    assert (data_folder(item.name) / done.path.parent.name / item.file).read_bytes() == path.read_bytes()


@each("item")
def test_agenttoleap_rows(item: Official, tmp_path: Path) -> None:
    rows = [
        {"task_id": f"t{n}", "Question": f"q{n}?", "Final answer": GOLD, "file_name": ""} for n in range(item.count)
    ]
    import_data(item.name, write(tmp_path, f"{item.name}.jsonl", rows))
    assert len(load_benchmark(item.name).tasks()) == item.count
    with pytest.raises(UsageError, match=f"found {item.count - 1} rows, expected {item.count}"):
        import_data(item.name, write(tmp_path, f"{item.name}.jsonl", rows[1:]))


@each("item")
def test_wrong_files(item: Official, tmp_path: Path) -> None:
    unpinned(item.name, tmp_path)
    rows = item.rows()
    wrong = [
        ("short", rows[:-1], f"found {item.count - 1} rows, expected {item.count}"),
        ("columns", [{k: v for k, v in row.items() if k != item.needed} for row in rows], f"column.* {item.needed}"),
        ("twice", [*rows[:-1], rows[0]], "the same id"),
    ]
    if item.secret:
        cipher = [{**row, item.secret: "bm90 it!" if n == 7 else row[item.secret]} for n, row in enumerate(rows)]
        canary = [{**row, "canary": "another" if n == 7 else row["canary"]} for n, row in enumerate(rows)]
        wrong += [
            ("cipher", cipher, f"(line|row) 9|row 8.*column {item.secret}: cannot be decrypted: not base64"),
            ("canary", canary, "cannot be decrypted"),
        ]
    for case, damaged, says in wrong:
        with pytest.raises(UsageError, match=says) as caught:
            import_data(item.name, write(tmp_path / case, item.file, damaged))
        assert item.file in str(caught.value)
        assert GOLD not in str(caught.value)
    assert not load_benchmark(item.name).ready()


@pytest.mark.parametrize("item", [item for item in ALL if item.secret], ids=lambda item: item.file)
def test_what_was_encrypted_stays_so(item: Official, tmp_path: Path) -> None:
    unpinned(item.name, tmp_path)
    import_data(item.name, write(tmp_path / "down", item.file, item.rows()))
    questions = [task.question.encode() for task in load_benchmark(item.name).tasks()]
    verify([item.name])
    for path in (path for path in (tmp_path / "home").rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert GOLD.encode() not in content
        assert not any(question in content for question in questions[:20])


def test_browsecomp_takes_one_file_only(tmp_path: Path) -> None:
    path = write(tmp_path, "browse_comp_test_set.csv", next(i for i in ALL if i.name == "browsecomp").rows())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(UsageError, match=f"its sha256 is {digest[:12]}…, expected 7b24471cd5b3…"):
        import_data("browsecomp", path)


def test_attachments_of_gaia(tmp_path: Path) -> None:
    path = write(tmp_path / "2023" / "validation", "metadata.parquet", gaia())
    assert import_data("gaia", path).attachments == 38
    shutil.rmtree(tmp_path / "2023")
    benchmark = load_benchmark("gaia")
    files = [file for task in benchmark.tasks() for file in task.attachments]
    assert len(files) == 38
    assert all(file.path.read_text() == f"content of {file.name}" for file in files)
    assert all(file.path.is_relative_to(data_folder("gaia").resolve()) for file in files)
    assert (benchmark.needs_sight, benchmark.text_only) == (True, "gaia-text-103")
    assert load_benchmark(benchmark.text_only or "").spec.data.base == "gaia"
    files[0].path.unlink()
    assert "is damaged" in verify(["gaia"])[0].problem
    files[0].path.symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match="is a link that leads out of"):
        load_benchmark("gaia").tasks()


@pytest.mark.parametrize("name", ["../x.txt", "/etc/passwd", "a/../../b"])
def test_hostile_attachments_of_gaia(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "down", "metadata.parquet", gaia())
    rows = [{**row, "file_name": name if n == 0 else ""} for n, row in enumerate(gaia())]
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    (tmp_path / "x.txt").write_text("outside")
    with pytest.raises(UsageError, match="is not a plain name of a file"):
        import_data("gaia", path)


def test_levels_of_gaia_are_checked(tmp_path: Path) -> None:
    rows = [{**row, "Level": "1"} for row in gaia()]
    with pytest.raises(UsageError, match="Level is 1 165; expected 1 53, 2 86, 3 26"):
        import_data("gaia", write(tmp_path, "metadata.parquet", rows))


@pytest.mark.skipif(TESTDATA is None, reason="TOLEAP_TESTDATA is not set")
def test_gaia_text_103(tmp_path: Path) -> None:
    path = Path(TESTDATA or "") / "gaia_text_103_ids.json"
    ids = [(item["task_id"], item["level"]) for item in json.loads(path.read_text())["ids"]]
    import_data("gaia", write(tmp_path / "down", "metadata.parquet", gaia(ids)))
    with pytest.raises(UsageError, match="type: toleap data prepare gaia-text-103"):
        load_benchmark("gaia-text-103").tasks()
    assert import_data("gaia-text-103", path).rows == 103
    assert prepare("gaia-text-103").rows == 103
    benchmark = load_benchmark("gaia-text-103")
    assert Counter(task.metadata["Level"] for task in benchmark.tasks()) == {"1": 39, "2": 52, "3": 12}
    assert {task.id for task in benchmark.tasks()} == {name for name, _ in ids}
    assert not benchmark.needs_sight
    swapped = [(name, {"1": "2", "2": "1"}.get(level, level)) for name, level in ids]
    import_data("gaia", write(tmp_path / "down", "metadata.parquet", gaia(swapped)))
    with pytest.raises(UsageError, match="Level is 1 52, 2 39, 3 12; expected 1 39, 2 52, 3 12"):
        load_benchmark("gaia-text-103").tasks()


def test_hle_and_its_text_only_part(tmp_path: Path) -> None:
    import_data("hle", write(tmp_path, "test.parquet", hle()))
    whole, part = load_benchmark("hle"), load_benchmark("hle-text")
    assert (whole.needs_sight, whole.text_only, part.needs_sight) == (True, "hle-text", False)
    seen = [task for task in whole.tasks() if task.attachments]
    assert (len(seen), {task.metadata["image"] for task in seen}) == (342, {"yes"})
    assert seen[0].attachments[0].path.is_relative_to(data_folder("hle"))
    assert "image.png" in whole.render_prompt(seen[0])
    assert len(part.tasks()) == 2158
    assert part.breakdown == ("category", "answer_type")
    assert not any(task.attachments for task in part.tasks())
    assert not (data_folder("hle-text") / "images").exists()
    assert verify(["hle-text"])[0].ok
    import_data("hle-text", write(tmp_path, "own.parquet", hle()))  # the whole file, of which it takes its part
    assert len(load_benchmark("hle-text").tasks()) == 2158


@pytest.mark.parametrize("name", NAMES)
def test_how_it_is_scored(name: str) -> None:
    benchmark = load_benchmark(name)
    rubrics = {"seal-0": "sealqa", "xbench-2510": "xbench", "hle-text": "hle", "browsecomp-zh": "browsecomp_zh"}
    if name.startswith("gaia"):
        assert (benchmark.score.by, benchmark.score.also, benchmark.score.rubric) == ("gaia", "judge", "general")
    else:
        assert (benchmark.score.by, benchmark.score.rubric) == ("judge", rubrics.get(name, name))
        assert rubric_called(benchmark.score.rubric or "").path.is_file()
    sees = "response" if name in JUDGED_BY_RESPONSE else "answer"
    assert benchmark.score.judge_sees == sees
    if sees == "response":
        assert "Confidence:" in benchmark.prompt
    assert "<answer>" in benchmark.prompt
    assert not benchmark.ready()


@pytest.mark.parametrize("name", NAMES)
def test_its_page_says_where_it_is_from(name: str) -> None:
    benchmark = load_benchmark(name)
    page = (benchmark.folder / "README.md").read_text(encoding="utf-8")
    assert f"toleap data prepare {name}" in page
    assert "arXiv:" in page
    source = benchmark.source.parent or benchmark.source
    if source.terms and benchmark.source.parent is None:
        assert source.terms in page
        assert "HF_TOKEN" in page
    if revision := benchmark.source.data.revision:
        assert revision in page or benchmark.source.parent is not None
    for row in published_for(name):
        assert f"| {row.model} | {round(100 * row.accuracy, 1)} |" in page


def test_published_scores_are_of_benchmarks_that_are_here() -> None:
    names = {row.benchmark for row in read(shipped_root() / "results" / "published.csv")}
    assert names <= set(NAMES)
