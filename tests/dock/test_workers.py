"""Untrusted bytes: broken, huge and hostile files are the file's fault, a pool that cannot start is ours."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.dock.decoding import decoded
from toleap.dock.parser_pool import Unreadable, WorkerPool, pool
from toleap.dock.parsers import PARSERS
from toleap.errors import ToolFault

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>'


@pytest.fixture
async def workers() -> AsyncIterator[WorkerPool]:
    made = WorkerPool(2)
    yield made
    await made.close()


def workbook(rows: list[list[object]] | None = None) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Fleet"
    for row in rows or [["ship", "tons"], ["Osk, the", 3.0], [None, None], ["Brill", 2.5]]:
        sheet.append(row)
    book.create_sheet("Empty")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_sheet(content: bytes) -> bytes:
    """A workbook whose first sheet has this XML."""
    source = zipfile.ZipFile(io.BytesIO(workbook()))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in source.namelist():
            archive.writestr(name, content if name == "xl/worksheets/sheet1.xml" else source.read(name))
    return out.getvalue()


def archive(**members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, text in members.items():
            made.writestr(name.replace("__", "/") + ".xml", text)
    return out.getvalue()


def a_pdf(text: str = "Hello Tarn") -> bytes:
    """A PDF of one page, written by hand."""
    stream = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 6\n0000000000 65535 f \n" + table
    return out + head + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(out)


async def test_every_format_is_read(workers: WorkerPool) -> None:
    assert (await workers.parse("xlsx", workbook(), 1000)).text == (
        '## Sheet: Fleet\nship,tons\n"Osk, the",3\n\nBrill,2.5\n## Sheet: Empty'
    )
    assert (await workers.parse("pdf", a_pdf(), 1000)).text == "## Page 1\nHello Tarn"
    body = f"<w:document {W}><w:body><w:p><w:r><w:t>One</w:t><w:tab/><w:t>two</w:t></w:r></w:p><w:tbl><w:tr>"
    cells = "<w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc>"
    word = archive(word__document=f"{body}{cells}</w:tr></w:tbl></w:body></w:document>")
    assert (await workers.parse("docx", word, 1000)).text == "One\ttwo\na | b"
    slide = f"<p {A}><a:p><a:r><a:t>%s</a:t></a:r></a:p></p>"
    slides = archive(**{f"ppt__slides__slide{n}": slide % f"text {n}" for n in (10, 2)})
    assert (await workers.parse("pptx", slides, 1000)).text == "## Slide 1\ntext 2\n## Slide 2\ntext 10"
    page = await workers.parse("html", "<title>Kelp</title><p>Größe".encode("latin-1"), 1000, charset="iso-8859-1")
    assert (page.title, page.text) == ("Kelp", "Größe")


async def test_text_is_cut_where_asked(workers: WorkerPool) -> None:
    parsed = await workers.parse("xlsx", workbook([["word"]] * 500), 100)
    assert len(parsed.text) == 100
    assert parsed.truncated


@pytest.mark.parametrize("kind", sorted(PARSERS))
@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 50, b"%PDF-1.7\n1 0 obj", b"PK\x03\x04" + b"x" * 100])
async def test_garbage_is_the_files_fault(workers: WorkerPool, kind: str, data: bytes) -> None:
    try:
        assert isinstance((await workers.parse(kind, data, 100)).text, str)
    except Unreadable as error:
        assert str(error)
        assert "\n" not in str(error)
    else:
        assert kind in {"html", "file"}


@pytest.mark.parametrize(("kind", "make"), [("xlsx", workbook), ("pdf", a_pdf)])
async def test_truncated_files_never_hurt_the_pool(workers: WorkerPool, kind: str, make: Callable[[], bytes]) -> None:
    whole = make()
    for part in range(0, len(whole), len(whole) // 12):
        try:
            await workers.parse(kind, whole[:part], 100)
        except Unreadable:
            continue
    assert (await workers.parse(kind, whole, 100)).text


async def test_a_workbook_that_unpacks_to_too_much_is_refused(workers: WorkerPool) -> None:
    bomb = with_sheet(b"0" * (301 * 2**20))
    assert len(bomb) < 4 * 2**20
    with pytest.raises(Unreadable, match="unpacks to more"):
        await workers.parse("xlsx", bomb, 100)


async def test_the_limit_on_memory_holds() -> None:
    cell = b'<row r="1"><c r="A1" t="inlineStr"><is><t>' + b"A" * (100 * 2**20) + b"</t></is></c></row>"
    workers = WorkerPool(1, memory=350 * 2**20)
    try:
        with pytest.raises(Unreadable, match="memory"):
            await workers.parse("xlsx", with_sheet(SHEET % cell), 1_000)
        assert (await workers.parse("xlsx", workbook(), 100)).text
    finally:
        await workers.close()


async def test_a_lie_about_the_size_of_a_sheet_costs_nothing(workers: WorkerPool) -> None:
    rows = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    sheet = (SHEET % rows).replace(b"<sheetData>", b'<dimension ref="A1:XFD1048576"/><sheetData>')
    text = (await workers.parse("xlsx", with_sheet(sheet), 100_000)).text
    assert text.startswith("## Sheet: Fleet\n1\n[rows 2 to 1048575 are empty]\n,,")


async def test_entities_are_not_expanded(workers: WorkerPool) -> None:
    bomb = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    text = f"{bomb}<w:document {W}><w:body><w:p><w:r><w:t>x&b;</w:t></w:r></w:p></w:body></w:document>"
    assert "aaaa" not in (await workers.parse("docx", archive(word__document=text), 100)).text


async def test_the_limit_on_time_holds() -> None:
    workers = WorkerPool(1, seconds=0.001)
    try:
        with pytest.raises(Unreadable, match="takes more than"):
            await workers.parse("xlsx", workbook(), 100)
    finally:
        await workers.close()


async def test_a_killed_worker_is_replaced(workers: WorkerPool) -> None:
    await workers.parse("xlsx", workbook(), 100)
    for child in children():
        os.kill(child, signal.SIGKILL)
    assert (await workers.parse("xlsx", workbook(), 100)).text


@pytest.mark.parametrize(("end", "error"), [("KILL", ToolFault), ("XCPU", Unreadable), ("SEGV", Unreadable)])
async def test_workers_that_are_killed_one_after_the_other_are_our_fault(
    workers: WorkerPool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: str, error: type[Exception]
) -> None:
    dying = tmp_path / "worker"
    dying.write_text(f"#!/bin/sh\nprintf '\\000\\000\\000\\002{{}}'\nhead -c 1 > /dev/null\nkill -{end} $$\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    with pytest.raises(error):
        await workers.parse("xlsx", workbook(), 100)


async def test_workers_are_used_again_and_end_with_the_pool(workers: WorkerPool) -> None:
    await workers.parse("xlsx", workbook(), 100)
    first = children()
    await asyncio.gather(*(workers.parse("xlsx", workbook(), 100) for _ in range(8)))
    assert first <= children()
    assert len(children()) <= 2
    await workers.close()
    assert not children()


async def test_a_cancelled_job_leaves_no_process(workers: WorkerPool) -> None:
    task = asyncio.create_task(workers.parse("xlsx", workbook([["word"] * 50] * 2000), 10**6))
    while not children():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not children()


async def test_a_pool_that_cannot_start_is_our_fault(monkeypatch: pytest.MonkeyPatch, workers: WorkerPool) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(ToolFault, match="cannot start"):
        await workers.check()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ToolFault, match="did not start"):
        await workers.parse("xlsx", workbook(), 100)


async def test_secrets_do_not_reach_the_workers(monkeypatch: pytest.MonkeyPatch, workers: WorkerPool) -> None:
    monkeypatch.setenv("SECRET_API_KEY", "s3cret")
    await workers.check()
    assert b"s3cret" not in Path(f"/proc/{next(iter(children()))}/environ").read_bytes()


async def test_a_loop_has_one_pool() -> None:
    assert pool() is pool()


def children() -> set[int]:
    """Worker processes of this one that are alive."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            command = (entry / "cmdline").read_bytes()
        except (OSError, IndexError):
            continue
        ours = entry.name.isdigit() and int(parent) == os.getpid()
        if ours and state != "Z" and b"toleap.dock.parser_process" in command:
            found.add(int(entry.name))
    return found


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("naïve café".encode(), "naïve café"),
        (b"\xef\xbb\xbfabc", "abc"),
        ("abc é".encode("utf-16"), "abc é"),
        ("北京大学位于海淀区".encode("gb18030"), "北京大学位于海淀区"),
        ("Zürich, Größe, naïve café née".encode("latin-1"), "Zürich, Größe, naïve café née"),
        ("北京".encode()[:-1], "北"),
        ("Größe".encode("latin-1"), "Größe"),
        ("鲁迅,原名周樟寿,浙江绍兴人。".encode("gb18030"), "鲁迅,原名周樟寿,浙江绍兴人。"),
        (b"", ""),
    ],
)
def test_encodings_are_guessed(data: bytes, text: str) -> None:
    assert decoded(data) == text


@given(
    st.binary(max_size=300),
    st.none() | st.sampled_from(["utf-8", "gbk", "base64", "idna", "no such", "\x00", "utf-7"]),
)
def test_any_bytes_are_some_text(data: bytes, charset: str | None) -> None:
    decoded(data, charset).encode("utf-8", "surrogatepass")
