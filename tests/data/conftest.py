"""A cache and a working folder of the test's own, folders to make benchmarks in, and lists of hostile strings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TOLEAP_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """``make(name, toml, files)`` writes ``benchmarks/<name>/`` and returns it."""

    def write(name: str, toml: str = "", files: Mapping[str, Any] | None = None) -> Path:
        folder = tmp_path / "benchmarks" / name
        folder.mkdir(parents=True, exist_ok=True)
        if toml:
            (folder / "benchmark.toml").write_text(toml, encoding="utf-8")
        for file, content in (files or {}).items():
            rows = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
            (folder / file).write_text(rows, encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def corpora() -> Path:
    named = os.environ.get("TOLEAP_TESTDATA")
    if not named:
        pytest.skip("TOLEAP_TESTDATA is not set")
    return Path(named) / "corpora"


@pytest.fixture
def traversals(corpora: Path) -> list[str]:
    lines = (corpora / "path_traversal.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if line.strip()]


@pytest.fixture
def naughty(corpora: Path) -> list[str]:
    strings = json.loads((corpora / "naughty_strings.json").read_text(encoding="utf-8"))
    return [text for text in strings if "\x00" not in text]
