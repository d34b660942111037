"""The embedded benchmark's generator: the same bytes everywhere, a closed web, disjoint splits, fair prefixes."""

from __future__ import annotations

import ast
import csv
import hashlib
import importlib.util
import io
import itertools
import json
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import openpyxl
import pypdf
import pytest

from toleap.errors import UsageError
from toleap.folders import shipped_root
from toleap.scoring.gaia import is_correct

FOLDER = shipped_root() / "benchmarks" / "atoll"
NAME = "toleap_benchmark_atoll"
PINNED = "5800558aef2c1b80da22303bf1ff6792775037855285cdf8b2b3d936ba63c8da"
_LINK = re.compile(r"\[([^\]\n]+)\]\(([^)\s]+)\)")

BUILD = f"""
import importlib.util, pathlib, sys
folder = sys.argv[1]
spec = importlib.util.spec_from_file_location({NAME!r}, folder + "/source.py", submodule_search_locations=[folder])
module = importlib.util.module_from_spec(spec)
sys.modules[{NAME!r}] = module
spec.loader.exec_module(module)
module.build({{}}, pathlib.Path(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def source() -> Iterator[ModuleType]:
    """The source, loaded as the loader does; its neighbours leave with it."""
    spec = importlib.util.spec_from_file_location(
        NAME, FOLDER / "source.py", submodule_search_locations=[str(FOLDER)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    yield module
    for known in [key for key in sys.modules if key == NAME or key.startswith(f"{NAME}.")]:
        del sys.modules[known]


@pytest.fixture(scope="module")
def sixty(source: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default build."""
    folder = tmp_path_factory.mktemp("sixty")
    source.build({}, folder)
    return folder


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def digest(folder: Path) -> str:
    """sha256 over the names and bytes of all files, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def built(source: ModuleType, into: Path, **options: Any) -> list[dict[str, str]]:
    into.mkdir()
    source.build(options, into)
    return lines(into / "tasks.jsonl")


def test_the_default_build_has_the_pinned_bytes(sixty: Path) -> None:
    assert digest(sixty) == PINNED


def test_the_order_of_hashes_does_not_matter(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "TZ": "Pacific/Auckland", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", BUILD, str(FOLDER), str(tmp_path)], check=True, env=environment)
    assert digest(tmp_path) == PINNED


def test_another_seed_is_another_world(source: ModuleType, sixty: Path, tmp_path: Path) -> None:
    other = {row["Question"] for row in built(source, tmp_path / "other", seed=2027)}
    assert not other & {row["Question"] for row in lines(sixty / "tasks.jsonl")}


def test_there_are_many_pages_and_each_is_short(sixty: Path) -> None:
    pages = lines(sixty / "corpus.jsonl")
    assert len(pages) >= 300
    assert max(len(page["text"]) for page in pages) < 6000
    assert all(page["url"].startswith("https://") and ".example/" in page["url"] for page in pages)
    assert len({page["url"] for page in pages}) == len({page["title"] for page in pages}) == len(pages)


def test_every_link_leads_to_the_page_of_that_title(sixty: Path) -> None:
    titles = {page["url"]: page["title"] for page in lines(sixty / "corpus.jsonl")}
    links = [link for page in lines(sixty / "corpus.jsonl") for link in _LINK.findall(page["text"])]
    assert len(links) > 3000
    assert [(title, url) for title, url in links if titles.get(url) != title] == []


def test_every_page_is_reached_from_the_main_page(sixty: Path) -> None:
    pages = {page["url"]: page for page in lines(sixty / "corpus.jsonl")}
    start = next(url for url in pages if url.endswith("/Main_page"))
    seen, waiting = {start}, [start]
    while waiting:
        for _, url in _LINK.findall(pages[waiting.pop()]["text"]):
            if url not in seen:
                seen.add(url)
                waiting.append(url)
    apart = [page for url, page in pages.items() if url not in seen]
    kinds = Counter(
        "may refer to:" in page["text"] or page["title"].startswith("Admission prices 2017") for page in apart
    )
    assert set(kinds) == {True}


def test_rows_have_the_fields_that_the_benchmark_names(sixty: Path) -> None:
    spec = tomllib.loads((FOLDER / "benchmark.toml").read_text("utf-8"))
    rows = lines(sixty / "tasks.jsonl")
    assert len(rows) == spec["data"]["options"]["tasks"] == 60
    for row in rows:
        assert {*spec["data"]["fields"].values(), "Level", "template"} == set(row)
        assert is_correct(row["Final answer"], row["Final answer"])
        assert not row["file_name"] or (sixty / "files" / row["file_name"]).is_file()
    named = {row["file_name"] for row in rows} - {""}
    assert {path.name for path in (sixty / "files").iterdir()} == named
    assert {Path(name).suffix for name in named} == {".csv", ".xlsx", ".pdf"}


@pytest.mark.parametrize(("count", "each"), [(3, 1), (6, 2), (60, 20)])
def test_every_beginning_is_a_fair_mix(sixty: Path, count: int, each: int) -> None:
    levels = Counter(row["Level"] for row in lines(sixty / "tasks.jsonl")[:count])
    assert levels == {"1": each, "2": each, "3": each}


def test_fewer_tasks_are_the_beginning_of_more(source: ModuleType, sixty: Path, tmp_path: Path) -> None:
    more = built(source, tmp_path / "more", tasks=300)
    assert more[:60] == lines(sixty / "tasks.jsonl")
    assert (tmp_path / "more" / "corpus.jsonl").read_bytes() == (sixty / "corpus.jsonl").read_bytes()
    for path in (sixty / "files").iterdir():
        assert path.read_bytes() == (tmp_path / "more" / "files" / path.name).read_bytes()


def test_nothing_is_asked_twice(source: ModuleType) -> None:
    made = source.sample("validation", 2026, 10**6)
    assert len(made) > 5000
    assert len({task.question for task in made}) == len({task.id for task in made}) == len(made)
    assert len({task.file_name for task in made if task.file}) == sum(task.file is not None for task in made)


def test_more_tasks_than_there_are_is_an_error(source: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"option tasks = 100000: this world has only \d+ tasks"):
        source.build({"tasks": 100_000}, tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"split": "dev"}, "option split = 'dev'"),
        ({"split": ["train"]}, "option split"),
        ({"seed": "1"}, "option seed = '1'"),
        ({"seed": True}, "option seed"),
        ({"tasks": 0}, "option tasks = 0"),
        ({"tasks": 2.5}, "option tasks"),
        ({"task": 3}, "unknown option 'task'"),
    ],
)
def test_bad_options_are_named(source: ModuleType, tmp_path: Path, options: Mapping[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        source.build(options, tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def _names(world: Any) -> set[str]:
    """Every invented word of a world."""
    kinds = ("islands", "towns", "people", "companies", "ships", "museums", "paintings", "treaties", "lighthouses")
    texts = [world.name, *(thing.name for kind in kinds for thing in getattr(world, kind))]
    texts += [island.peak for island in world.islands]
    return {word for text in texts for word in text.split()}


_PLAIN_WORDS = """
Islands Line Museum of Light Cape Mount at The Convention Accord Treaty Compact Protocol Whaling Navigation Folk Art
Salt Natural History Lacemaking Ships Cartography Evening Low Tide Winter Regatta Harvest Fog Net Menders Midsummer
"""
PLAIN_WORDS = set(_PLAIN_WORDS.split())


@pytest.mark.parametrize("other_seed", [2026, 7])
def test_splits_share_no_name_and_no_question(source: ModuleType, other_seed: int) -> None:
    worlds = [source.build_world("validation", 2026)] + [source.build_world(s, other_seed) for s in ("train", "test")]
    samples = [{task.question for task in source.sample(w.split, w.seed, 900)} for w in worlds]
    for (one, ours), (two, theirs) in itertools.combinations(zip(worlds, samples, strict=True), 2):
        assert _names(one) & _names(two) <= PLAIN_WORDS
        assert not ours & theirs


def test_named_answers_of_the_splits_are_disjoint(source: ModuleType) -> None:
    texts = [
        {task.answer for task in source.sample(split, 2026, 600) if not task.answer.replace(".", "").isdigit()}
        for split in ("train", "validation", "test")
    ]
    assert all(len(answers) > 100 for answers in texts)
    assert not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])


def test_every_template_has_many_answers(source: ModuleType) -> None:
    tasks = importlib.import_module(f"{NAME}.tasks")
    wordings = importlib.import_module(f"{NAME}.wordings")
    world = source.build_world("validation", 2026)
    levels = Counter(template.level for template in wordings.TEMPLATES.values())
    assert sum(levels.values()) == len(tasks.STREAMS) >= 12 and set(levels) == {1, 2, 3}
    for name in tasks.STREAMS:
        answers = {task.answer for task in itertools.islice(tasks.template_tasks(world, name), 300)}
        assert len(answers) >= 12, name


def test_no_constant_answers_are_worth_ten_percent(source: ModuleType) -> None:
    """Even a guesser that knows this very world's most frequent answers stays below one in ten."""
    counts: dict[str, Counter[str]] = {}
    for task in source.sample("validation", 2026, 3000):
        counts.setdefault(task.template, Counter())[task.answer] += 1
    asked = Counter(task.template for task in source.sample("validation", 2026, 300))
    expected = sum(number * max(counts[name].values()) / sum(counts[name].values()) for name, number in asked.items())
    assert expected < 30


def test_questions_are_read_back_as_they_were_worded(source: ModuleType) -> None:
    wordings = importlib.import_module(f"{NAME}.wordings")
    for task in source.sample("train", 5, 1500):
        reading = wordings.read(f"Question: {task.question}\n\nAttached files: a.csv")
        assert reading is not None and reading.template == task.template
        again = [
            wordings.question(task.template, wording, reading.fields)
            for wording in wordings.TEMPLATES[task.template].wordings
            if all(f"{{{gap}}}" in wording for gap in reading.fields)
        ]
        assert task.question in again
        for value in reading.fields.values():
            assert "?" not in value and "Answer" not in value


def test_the_oracle_cannot_see_the_facts() -> None:
    """What the oracle imports, followed through its neighbours, holds no facts and opens no file."""
    seen, waiting = set(), ["solve", "solve_level3", "steps", "reading", "wordings"]
    while waiting:
        name = waiting.pop()
        seen.add(name)
        tree = ast.parse((FOLDER / f"{name}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                waiting += [one for one in [node.module or ""] if one not in seen]
            assert not (isinstance(node, ast.Name) and node.id in {"open", "Path", "__import__", "eval", "exec"})
    assert seen == {"solve", "solve_level3", "steps", "reading", "wordings"}


def test_attachments_are_read_by_the_common_libraries(sixty: Path) -> None:
    files = sorted((sixty / "files").iterdir())
    for path in files:
        if path.suffix == ".csv":
            rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
            assert len(rows) > 12 and all(int(row["kilograms"]) > 0 for row in rows)
        elif path.suffix == ".xlsx":
            book = openpyxl.load_workbook(path)
            assert book.sheetnames == ["2022", "2023"]
            assert all(
                isinstance(cell, int) for row in book["2022"].iter_rows(2, 6, 2, values_only=True) for cell in row
            )
        else:
            text = "\n".join(page.extract_text() for page in pypdf.PdfReader(path, strict=True).pages)
            assert text.startswith("Logbook of the ") and text.count("unloaded") == 9


def test_a_long_pdf_has_several_pages(source: ModuleType) -> None:
    attachments = importlib.import_module(f"{NAME}.attachments")
    written = [rf"line {number} \ (of many)" for number in range(100)]
    pages = pypdf.PdfReader(io.BytesIO(attachments.pdf_bytes(written)), strict=True).pages
    assert len(pages) == 3
    assert [line for page in pages for line in page.extract_text().splitlines()] == written
