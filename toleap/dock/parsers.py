"""Untrusted bytes to text: pages, PDFs, office files. Runs in a worker process; see ``workers``.

Every parser takes the bytes and the number of characters wanted, and stops soon after it has them. What it raises is
the file's fault.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time
from typing import Any, NamedTuple

from toleap.dock.text import declared_in, decoded

_LARGEST_ARCHIVE = 300 * 2**20
_MOST_MEMBERS = 10_000
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


class Parsed(NamedTuple):
    """The text of a file; ``truncated``: there was more."""

    text: str
    title: str
    truncated: bool


def html(data: bytes, limit: int, charset: str | None = None) -> Parsed:
    """The main text of a page, tables included; all its text where no main part is found."""
    import trafilatura

    source = decoded(data, charset or declared_in(data))
    document = trafilatura.bare_extraction(source, with_metadata=True, favor_recall=True, include_comments=False)
    title: str = getattr(document, "title", None) or ""
    text: str = getattr(document, "text", None) or ""
    if not text.strip():
        text, found = _all_text(source)
        title = title or found
    return Parsed(text[:limit], title, len(text) > limit)


def _all_text(text: str) -> tuple[str, str]:
    from lxml import html as lxml_html  # type: ignore[import-untyped]

    if not text.strip():
        return "", ""
    # As bytes: lxml refuses a string that declares its own encoding.
    parser = lxml_html.HTMLParser(encoding="utf-8")
    root = lxml_html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    title = root.findtext(".//title") or ""
    for element in root.xpath("//script | //style | //noscript | //head"):
        element.drop_tree()
    lines = (" ".join(line.split()) for line in root.text_content().splitlines())
    return "\n".join(line for line in lines if line), " ".join(title.split())


def pdf(data: bytes, limit: int) -> Parsed:
    """The text of each page under ``## Page N``."""
    import pypdf

    try:
        return _pdf_pages(pypdf.PdfReader(io.BytesIO(data)), limit)
    except pypdf.errors.PyPdfError as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _pdf_pages(reader: Any, limit: int) -> Parsed:
    if reader.is_encrypted and not reader.decrypt(""):
        raise ValueError("it is encrypted")
    pages = (
        f"## Page {number}\n{(page.extract_text() or '').strip()}" for number, page in enumerate(reader.pages, 1)
    )
    title = reader.metadata.title if reader.metadata else None
    return _joined(pages, limit, title if isinstance(title, str) else "")


def xlsx(data: bytes, limit: int) -> Parsed:
    """Each sheet under ``## Sheet: NAME``, its rows as CSV. Of a formula the value that was saved with it."""
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    _check_archive(data)
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        return _joined(_sheets(book), limit)
    except InvalidFileException as error:
        raise ValueError("it is no workbook") from error


def _sheets(book: Any) -> Iterator[str]:
    for sheet in book.worksheets:
        yield f"## Sheet: {sheet.title}"
        # The declared size may be a lie of a million columns.
        sheet.reset_dimensions()
        for row in sheet.iter_rows(values_only=True):
            cells = [_cell(value) for value in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                line = io.StringIO()
                csv.writer(line, lineterminator="").writerow(cells)
                yield line.getvalue()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case datetime() | date() | time():
            return value.isoformat()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case _:
            return str(value)


def docx(data: bytes, limit: int) -> Parsed:
    """Paragraphs and tables of a Word file, in order."""
    body = _member(data, "word/document.xml").find(f"{_WORD}body")
    return _joined(_blocks(body if body is not None else ()), limit)


def _blocks(body: Iterable[Any]) -> Iterator[str]:
    for element in body:
        if element.tag == f"{_WORD}tbl":
            for row in element.iter(f"{_WORD}tr"):
                yield " | ".join(_words(cell, _WORD) for cell in row.iter(f"{_WORD}tc"))
        else:
            text = _words(element, _WORD)
            if text:
                yield text


def pptx(data: bytes, limit: int) -> Parsed:
    """The text of each slide under ``## Slide N``."""
    archive = _check_archive(data)
    found = (re.fullmatch(r"ppt/slides/slide(\d{1,6})\.xml", name) for name in archive.namelist())
    numbers = sorted(int(match.group(1)) for match in found if match)
    return _joined((_slide(data, number) for number in numbers), limit)


def _slide(data: bytes, number: int) -> str:
    root = _member(data, f"ppt/slides/slide{number}.xml")
    lines = (_words(paragraph, _DRAWING) for paragraph in root.iter(f"{_DRAWING}p"))
    return "\n".join([f"## Slide {number}", *(line for line in lines if line)])


def _words(element: Any, space: str) -> str:
    breaks = {f"{space}tab": "\t", f"{space}br": "\n"}
    parts = (breaks.get(part.tag) or (part.text or "" if part.tag == f"{space}t" else "") for part in element.iter())
    return "".join(parts).strip()


def _member(data: bytes, name: str) -> Any:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    return etree.fromstring(_check_archive(data).read(name), parser)


def _check_archive(data: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(data))
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS or sum(member.file_size for member in members) > _LARGEST_ARCHIVE:
        raise ValueError("it unpacks to more than can be read")
    return archive


def _joined(parts: Iterable[str], limit: int, title: str = "") -> Parsed:
    kept: list[str] = []
    length = 0
    for part in parts:
        kept.append(part)
        length += len(part) + 1
        if length > limit + 1:
            break
    text = "\n".join(kept)
    return Parsed(text[:limit], title, len(text) > limit)


PARSERS: dict[str, Callable[..., Parsed]] = {"html": html, "pdf": pdf, "xlsx": xlsx, "docx": docx, "pptx": pptx}
"""Kind of file → its parser."""
