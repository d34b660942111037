"""Fetching from the hub with the real libraries, in a process of its own, from a hub on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.data.conftest import Make
from tests.data.fakehub import FakeHub, serving
from toleap.data.manifest import data_folder
from toleap.errors import UsageError
from toleap.provision.hub import HubData, find_files

CARD = b"""---
configs:
- config_name: all
  data_files:
  - split: test
    path: 2023/test/metadata.jsonl
  - split: validation
    path:
    - 2023/validation/metadata-1.jsonl
    - 2023/validation/metadata-2.jsonl
---
"""
ROWS = [
    {"task_id": str(n), "Question": f"Q{n}?", "Final answer": "GOLD", "file_name": "a.txt" * (n == 1), "Level": n}
    for n in range(4)
]


def lines(rows: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


FILES = {
    "README.md": CARD,
    "2023/test/metadata.jsonl": lines(ROWS),
    "2023/validation/metadata-1.jsonl": lines(ROWS[:3]),
    "2023/validation/metadata-2.jsonl": lines(ROWS[3:]),
    "2023/validation/a.txt": b"attached",
    "2023/validation/b.txt": b"nobody's",
}
TOML = """
[data]
source = "hub:own/{repo}"
revision = "{revision}"
config = "all"
split = "{split}"
files = "2023/validation"
gated = true
rows = 4
fields = {{ id = "task_id", file = "file_name" }}
metadata = {{ Level = "Level" }}
"""
COMMIT = "c" * 40

STEPS = """
import json, os, sys
from toleap.provision.prepare import prepare, verify
from toleap.errors import UsageError
for name, environment in json.loads(sys.argv[1]):
    os.environ.pop("HF_TOKEN", None)
    os.environ.update(environment)
    try:
        done = prepare(name)
        print(json.dumps([done.rows, done.fetched, verify([name])[0].source]))
    except UsageError as error:
        print(json.dumps(str(error)))
"""


def run(hub: FakeHub, folder: Path, *steps: tuple[str, dict[str, str]], **more: str) -> list[Any]:
    """What ``prepare`` gave for each benchmark, with these variables set; every line of output is one result."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(folder / "hf"),
        "NO_PROXY": "127.0.0.1",
        **more,
    }
    environment.pop("HF_TOKEN", None)
    command = [sys.executable, "-c", STEPS, json.dumps(steps)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "GOLD" not in done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def libraries() -> None:
    pytest.importorskip("datasets")
    pytest.importorskip("huggingface_hub")


def test_gate_parts_and_attachments(libraries: None, make: Make, tmp_path: Path) -> None:
    make("whole", TOML.format(repo="whole", revision=COMMIT, split="validation"))
    with serving(FakeHub({"own/whole": FILES}, COMMIT, frozenset({"own/whole"}))) as hub:
        found = run(
            hub,
            tmp_path,
            ("whole", {}),
            ("whole", {"HF_TOKEN": "hf_bad"}),
            ("whole", {"HF_TOKEN": "hf_good"}),
            ("whole", {}),
        )
    gated = (
        "hub:own/whole is gated: accept its terms at https://huggingface.co/datasets/own/whole, set HF_TOKEN to a "
        "token of that account, then type: toleap data prepare whole"
    )
    source = f"hub:own/whole@{COMMIT}, config all, split validation"
    assert found == [gated, gated, [4, True, source], [4, False, source]]
    stored = sorted(path.name for path in data_folder("whole").rglob("*") if path.is_file())
    assert stored == ["a.txt", "manifest.json", "metadata-1.jsonl", "metadata-2.jsonl"]
    fetched = {line for line in hub.asked if line.startswith("GET /datasets")}
    assert not any("test/metadata" in line or "b.txt" in line for line in fetched)


def test_what_the_hub_does_not_have(libraries: None, make: Make, tmp_path: Path) -> None:
    make("norepo", TOML.format(repo="nothing", revision=COMMIT, split="validation"))
    make("notgated", TOML.format(repo="nothing", revision=COMMIT, split="validation").replace("gated = true", ""))
    make("norevision", TOML.format(repo="whole", revision="d" * 40, split="validation"))
    make("nosplit", TOML.format(repo="whole", revision=COMMIT, split="train"))
    make("newest", TOML.format(repo="whole", revision="", split="validation"))
    make("noconfig", TOML.format(repo="whole", revision=COMMIT, split="test").replace('"all"', '"none"'))
    hostile = {**FILES, "2023/validation/metadata-2.jsonl": lines([{**ROWS[3], "file_name": "../../../../x.txt"}])}
    make("hostile", TOML.format(repo="hostile", revision=COMMIT, split="validation"))
    names = ("norepo", "notgated", "norevision", "nosplit", "newest", "noconfig", "hostile")
    with serving(FakeHub({"own/whole": FILES, "own/hostile": hostile}, COMMIT)) as hub:
        found = dict(zip(names, run(hub, tmp_path, *((name, {}) for name in names)), strict=True))
    assert "hub:own/nothing is gated: accept its terms" in str(found["norepo"])  # it does not say which of the two
    assert "hub:own/nothing: the hub answers 401 (RepositoryNotFoundError)" in str(found["notgated"])
    assert "hub:own/whole: the hub answers 404 (RevisionNotFoundError)" in str(found["norevision"])
    assert found["nosplit"] == "hub:own/whole has no split 'train'; it has test, validation"
    assert found["newest"] == [4, True, f"hub:own/whole@{COMMIT}, config all, split validation"]
    assert "hub:own/whole: ValueError: " in str(found["noconfig"])
    assert "'../../../../x.txt' is not a plain name of a file" in str(found["hostile"])
    assert not (data_folder("hostile") / "manifest.json").exists()


def test_offline(libraries: None, make: Make, tmp_path: Path) -> None:
    make("whole", TOML.format(repo="whole", revision=COMMIT, split="validation"))
    gone = FakeHub({}, url="http://127.0.0.1:1")
    for more in ({}, {"HF_HUB_OFFLINE": "1"}):
        (said,) = run(gone, tmp_path, ("whole", {}), **more)
        assert str(said).startswith("the hub cannot be reached (")
        assert str(said).endswith("elsewhere, then type: toleap data import whole PATH")


def test_without_the_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets.exceptions", None)
    with pytest.raises(UsageError, match=r"fetching whole from the hub .*; type: pip install 'toleap\[hub\]'"):
        find_files(HubData("whole", "own/whole", "", "test", ""), tmp_path)
