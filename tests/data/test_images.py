"""Pictures inside rows: decoded into the cache, named by their bytes, and refused where they are none."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.data.conftest import Make
from toleap.benchmark import load_benchmark
from toleap.data import images
from toleap.data.manifest import data_folder
from toleap.errors import UsageError
from toleap.provision.imports import import_data

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
TOML = """
[data]
source = "jsonl:cache:seen.jsonl"
fields = { id = "id", question = "q", answer = "a", image = "image" }
"""


def uri(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def rows(*pictures: str) -> str:
    import json

    return "".join(
        json.dumps({"id": n, "q": f"q{n}", "a": "x", "image": text}) + "\n" for n, text in enumerate(pictures)
    )


def test_a_picture_is_an_attachment(make: Make, tmp_path: Path) -> None:
    make("seen", TOML)
    path = tmp_path / "seen.jsonl"
    path.write_text(rows(uri(PNG), "", uri(b"\xff\xd8\xff jpg")))
    assert import_data("seen", path).attachments == 0
    benchmark = load_benchmark("seen")
    first, second, third = benchmark.tasks()
    assert [task.metadata["image"] for task in benchmark.tasks()] == ["yes", "no", "yes"]
    assert (first.attachments[0].name, first.attachments[0].path.read_bytes()) == ("image.png", PNG)
    assert first.attachments[0].path.is_relative_to(data_folder("seen"))
    assert second.attachments == ()
    assert third.attachments[0].name == "image.jpg"  # the URI says png
    assert benchmark.needs_sight
    before = benchmark.revision
    first.attachments[0].path.write_bytes(b"cut")
    assert load_benchmark("seen").revision == before


def test_sight_is_needed_only_for_pictures(make: Make, tmp_path: Path) -> None:
    make("seen", TOML)
    (tmp_path / "seen.jsonl").write_text(rows("", ""))
    import_data("seen", tmp_path / "seen.jsonl")
    assert not load_benchmark("seen").needs_sight
    row = '{"Question": "q", "Final answer": "a", "file_name": "%s"}\n'
    for file, needed in (("a.txt", False), ("a.PNG", True)):
        folder = make("plain", "", {"plain.jsonl": row % file})
        (folder / file).write_text("x")
        assert load_benchmark("plain").needs_sight is needed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("https://example.invalid/x.png", "not a base64 data URI"),
        ("data:image/png,plain", "not a base64 data URI"),
        ("data:image/png;base64,!!", "not base64"),
        (uri(b"<svg onload=x>", "image/svg+xml"), "none of png, jpg, gif, webp, avif, bmp"),
        (uri(b"#!/bin/sh", "image/png"), "none of png"),
        (uri(PNG + bytes(100)), "larger than 0 MiB"),
    ],
)
def test_what_is_no_picture(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", 50)
    make("seen", TOML)
    (tmp_path / "seen.jsonl").write_text(rows("", text))
    with pytest.raises(UsageError, match=rf"seen.jsonl, line 2, column image: the picture is .*{says}"):
        import_data("seen", tmp_path / "seen.jsonl")
    assert not (data_folder("seen") / "images").exists()
