"""The program in an empty working folder, with a cache in which the embedded benchmark is ready."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import Program, prepared_home


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_home(tmp_path_factory.getbasetemp() / "prepared")


@pytest.fixture
def program(home: Path, tmp_path: Path) -> Program:
    folder = tmp_path / "work"
    folder.mkdir()
    return Program(folder, home)
