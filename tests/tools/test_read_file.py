"""read_file through the dock: only the task's own files, whatever is in them."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from toleap.dock import Dock
from toleap.errors import ToolFault
from toleap.types import CallContext, ErrorClass, ToolCall, ToolResult, ToolSettings


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CallContext:
    monkeypatch.chdir(tmp_path)
    return CallContext("run", "gaia", "t", 0)


@pytest.fixture
async def dock() -> AsyncIterator[Dock]:
    async with Dock(["read_file"], trust=False) as made:
        yield made


def holding(context: CallContext, tmp_path: Path, **files: bytes) -> CallContext:
    """The context with these files; ``a__csv`` makes ``a.csv``."""
    paths = {}
    for name, data in files.items():
        path = tmp_path / f"cached-{name}"
        path.write_bytes(data)
        paths[name.replace("__", ".")] = str(path)
    return replace(context, files=paths)


def workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["ship", "tons"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def read(dock: Dock, context: CallContext, uri: str, **more: str) -> ToolResult:
    return await dock.call(ToolCall("1", "read_file", {"uri": uri, **more}), context)


async def test_the_schema_is_what_models_were_trained_on(dock: Dock) -> None:
    parameters = dock.schemas()[0]["function"]["parameters"]
    assert list(parameters["properties"]) == ["uri", "purpose", "process_type"]
    assert parameters["required"] == ["uri"]


async def test_text_files_in_any_encoding(dock: Dock, context: CallContext, tmp_path: Path) -> None:
    files = holding(
        context, tmp_path,
        a__csv=b"\xef\xbb\xbfname,tons\n", b__txt="北京大学".encode("gb18030"), c__md="Größe".encode("latin-1"),
        d__json=b'{"a": 1}', notes=b"plain notes", e__txt=b"",
    )  # fmt: skip
    texts = {name: (await read(dock, files, name)).text for name in files.files}
    assert texts == {
        "a.csv": "name,tons\n", "b.txt": "北京大学", "c.md": "Größe", "d.json": '{"a": 1}', "notes": "plain notes",
        "e.txt": "e.txt is empty.",
    }  # fmt: skip


async def test_a_workbook(dock: Dock, context: CallContext, tmp_path: Path) -> None:
    files = holding(context, tmp_path, fleet__xlsx=workbook(), broken__xlsx=workbook()[:800])
    assert (await read(dock, files, "fleet.xlsx")).text == "## Sheet: Sheet\nship,tons"
    broken = await read(dock, files, "broken.xlsx")
    assert broken.error is ErrorClass.WORLD
    assert broken.text.startswith("broken.xlsx cannot be read: ")


async def test_a_changed_file_is_read_again(dock: Dock, context: CallContext, tmp_path: Path) -> None:
    assert (await read(dock, holding(context, tmp_path, a__txt=b"one"), "a.txt")).text == "one"
    assert (await read(dock, holding(context, tmp_path, a__txt=b"three"), "a.txt")).text == "three"


async def test_a_huge_file_is_cut_with_a_mark(dock: Dock, context: CallContext, tmp_path: Path) -> None:
    files = replace(holding(context, tmp_path, big__csv=b"1,2,3\n" * 2_000_000), policy=ToolSettings(page_chars=1000))
    result = await read(dock, files, "big.csv")
    assert result.truncated
    assert result.text.endswith("\n[cut: only the first 2000 characters are shown]")
    assert len(result.text) < 2100


@pytest.mark.parametrize(("name", "kind"), [("a.png", "others"), ("a.mp3", "others"), ("a.csv", "image")])
async def test_media_cannot_be_read(dock: Dock, context: CallContext, tmp_path: Path, name: str, kind: str) -> None:
    files = holding(context, tmp_path, **{name.replace(".", "__"): b"x"})
    result = await read(dock, files, name, process_type=kind)
    assert (result.error, "not supported" in result.text) == (ErrorClass.WORLD, True)


async def test_other_formats_are_said_to_be_unsupported(dock: Dock, context: CallContext, tmp_path: Path) -> None:
    files = holding(context, tmp_path, a__xls=b"\xd0\xcf\x11\xe0\x00\x00", b__pdb=b"ATOM 1")
    assert "it is no .xls file" in (await read(dock, files, "a.xls")).text
    assert (await read(dock, files, "b.pdb")).text == "ATOM 1"


async def test_only_the_tasks_own_files(dock: Dock, context: CallContext, tmp_path: Path) -> None:
    files = holding(context, tmp_path, a__csv=b"1")
    for name in (
        "/etc/passwd",
        "../a.csv",
        files.files["a.csv"],
        "file:///etc/passwd",
        "",
        "cached-a__csv",
        "etc/a.csv",
    ):
        result = await read(dock, files, name)
        assert result.error is ErrorClass.BLOCKED
        assert result.text.endswith("the files of this task are: a.csv.")
    assert (await read(dock, context, "a.csv")).text.endswith("are: none.")


async def test_path_traversals(dock: Dock, context: CallContext, tmp_path: Path) -> None:
    if not os.environ.get("TOLEAP_TESTDATA"):
        pytest.skip("TOLEAP_TESTDATA is not set")
    files = holding(context, tmp_path, a__csv=b"1")
    lines = (Path(os.environ["TOLEAP_TESTDATA"]) / "corpora" / "path_traversal.txt").read_text("utf-8", "replace")
    for line in lines.splitlines():
        assert (await read(dock, files, line)).error is ErrorClass.BLOCKED


async def test_an_attachment_that_is_gone_is_our_fault(dock: Dock, context: CallContext, tmp_path: Path) -> None:
    files = holding(context, tmp_path, a__csv=b"1")
    Path(files.files["a.csv"]).unlink()
    with pytest.raises(ToolFault, match="gone from the cache"):
        await read(dock, files, "a.csv")


@pytest.mark.parametrize(
    "name",
    ["Fleet 2.csv", "./Fleet 2.csv", "files/Fleet 2.csv", "/work/Fleet 2.csv", "fleet 2.CSV", "Fleet%202.csv",
     " Fleet 2.csv ", "/mnt/data/fleet%202.csv", "'Fleet 2.csv'", "attachments/Fleet  2.csv", "/Fleet 2.csv"],
)  # fmt: skip
async def test_a_name_is_taken_where_only_one_file_can_be_meant(
    dock: Dock, context: CallContext, tmp_path: Path, name: str
) -> None:
    files = holding(context, tmp_path, a__txt=b"other")
    (tmp_path / "cached").write_bytes(b"1,2\n")
    files = replace(files, files={**files.files, "Fleet 2.csv": str(tmp_path / "cached")})
    assert (await read(dock, files, name)).text == "1,2\n"
    both = replace(files, files={**files.files, "FLEET 2.CSV": str(tmp_path / "cached")})
    exact = name in both.files
    assert ((await read(dock, both, name)).error is None) is exact, "it could be either"


async def test_a_member_of_an_archive_is_read_by_its_path(dock: Dock, context: CallContext, tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("data/fleet.xlsx", workbook())
        archive.writestr("data/picture.png", b"x")
    files = holding(context, tmp_path, all__zip=out.getvalue())
    assert "data/fleet.xlsx (" in (await read(dock, files, "all.zip")).text
    for name in ("all.zip/data/fleet.xlsx", "./ALL.zip/data/Fleet.xlsx", "/work/all.zip/data/fleet.xlsx"):
        assert "ship,tons" in (await read(dock, files, name)).text
    for name, says in (
        ("all.zip/none.txt", "it holds data/fleet.xlsx"),
        ("all.zip/data/picture.png", "not supported"),
    ):
        result = await read(dock, files, name)
        assert result.error is ErrorClass.WORLD and says in result.text
    assert (await read(dock, files, "all.zip/../../etc/passwd")).error is ErrorClass.BLOCKED
