"""The pages name only tests and files that are there, and the fault matrix names every test of tests/faults."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_TEST = re.compile(r"\b(tests/[\w/]+\.py)::(test_\w+)")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_what_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [f"{file}::{name}" for file, name in _TEST.findall(text) if name not in names_in(ROOT / file)]
    local = [link for link in _LINK.findall(text) if "://" not in link]
    missing += [link for link in local if not (page.parent / link).exists()]
    assert not missing


def test_the_fault_matrix_names_every_test_of_it() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = {f"{file}::{name}" for file, name in _TEST.findall(page)}
    there = {
        f"tests/faults/{path.name}::{name}"
        for path in (ROOT / "tests" / "faults").glob("test_*.py")
        for name in names_in(path)
    }
    assert there - named == set()
