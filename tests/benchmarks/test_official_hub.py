"""Every shipped benchmark of the hub fetched by the real libraries, from repositories laid out as the owners' are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.official import GOLD, browsecomp_zh, frames, gaia, hle, seal, webwalkerqa, write, xbench
from tests.data.fakehub import FakeHub, serving
from tests.data.test_hub import run
from toleap.benchmark import load_benchmark
from toleap.data.manifest import data_folder, read_manifest

pytest.importorskip("datasets")
pytest.importorskip("huggingface_hub")

GAIA_CARD = b"""---
configs:
- config_name: 2023_all
  data_files:
  - split: test
    path: 2023/test/metadata.parquet
  - split: validation
    path: 2023/validation/metadata.parquet
- config_name: 2023_level1
  data_files:
  - split: validation
    path: 2023/validation/metadata.level1.parquet
---
"""
SEAL_CARD = b"""---
configs:
- config_name: seal_0
  data_files:
  - split: test
    path: seal-0.parquet
- config_name: seal_hard
  data_files:
  - split: test
    path: seal-hard.parquet
---
"""
COUNTS = {
    "gaia": 165,
    "hle": 2500,
    "hle-text": 2158,
    "browsecomp-zh": 289,
    "frames": 824,
    "webwalkerqa": 680,
    "xbench": 100,
    "xbench-2510": 100,
    "seal-0": 111,
}


def contents(folder: Path, under: str = "") -> dict[str, bytes]:
    return {under + path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def repositories(tmp_path: Path) -> dict[str, dict[str, bytes]]:
    def one(name: str, rows: list[dict[str, object]]) -> bytes:
        return write(tmp_path / "made", name, rows).read_bytes()

    write(tmp_path / "gaia", "metadata.parquet", gaia())
    parquet = one("any.parquet", [{"question": "another"}])
    validation = contents(tmp_path / "gaia", "2023/validation/")
    return {
        "gaia-benchmark/GAIA": {
            "README.md": GAIA_CARD,
            "2023/test/metadata.parquet": parquet,
            "2023/validation/metadata.level1.parquet": parquet,
            **validation,
        },
        "cais/hle": {"README.md": b"# HLE", "data/test-00000-of-00001.parquet": one("hle.parquet", hle())},
        "PALIN2018/BrowseComp-ZH": {
            "test.parquet": one("zh.parquet", browsecomp_zh()),
            "browsecomp-zh-decrypt-parquet.py": b"raise SystemExit",
        },
        "google/frames-benchmark": {"README.md": b"# FRAMES", "test.tsv": one("test.tsv", frames())},
        "callanwu/WebWalkerQA": {
            "data/main-00000-of-00001.jsonl": one("main.jsonl", webwalkerqa()),
            "data/silver-00000-of-00001.jsonl": one("silver.jsonl", webwalkerqa()[:9]),
        },
        "xbench/DeepSearch": {"DeepSearch.csv": one("DeepSearch.csv", xbench(1))},
        "xbench/DeepSearch-2510": {"data/train-00000-of-00001.parquet": one("x.parquet", xbench(101))},
        "vtllms/sealqa": {
            "README.md": SEAL_CARD,
            "seal-0.parquet": one("seal.parquet", seal()),
            "seal-hard.parquet": parquet,
        },
    }


def test_all_are_fetched(
    repositories: dict[str, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TOLEAP_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    gated = frozenset({"gaia-benchmark/GAIA", "cais/hle"})
    with serving(FakeHub(repositories, gated=gated, any_commit=True)) as hub:
        refused, *found = run(hub, tmp_path, ("hle-text", {}), *((name, {"HF_TOKEN": "hf_good"}) for name in COUNTS))
    assert "accept its terms at https://huggingface.co/datasets/cais/hle, set HF_TOKEN" in refused
    assert {
        name: said[0] if isinstance(said, list) else said for name, said in zip(COUNTS, found, strict=True)
    } == COUNTS
    for name in COUNTS.keys() - {"hle-text"}:
        data, manifest = load_benchmark(name).source.data, read_manifest(name)
        assert manifest is not None
        assert manifest.source.startswith(f"hub:{load_benchmark(name).source.place}@{data.revision or 'c' * 40}")
        assert not (data_folder(name) / "fetching").exists()
    assert sum(len(task.attachments) for task in load_benchmark("gaia").tasks()) == 38
    assert json.dumps([task.answer for task in load_benchmark("seal-0").tasks()[:1]]) == json.dumps([GOLD])
