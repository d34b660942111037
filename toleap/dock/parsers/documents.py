"""Any attachment: what it is by what it holds, and the smaller formats."""

from __future__ import annotations

import email
import email.policy
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

from toleap.dock.decoding import decoded
from toleap.dock.parsers.pages import html
from toleap.dock.parsers.parsed import Parsed, archive, joined
from toleap.dock.parsers.sheets import xls, xlsx
from toleap.dock.parsers.slides import pptx
from toleap.dock.parsers.word import docx

Reads = Callable[[bytes, int], Parsed]
_OFFICE = {"word/": docx, "xl/": xlsx, "ppt/": pptx}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLD = {"Workbook": "xls", "Book": "xls", "WordDocument": "a Word file of old (.doc)",
        "PowerPoint Document": "a PowerPoint file of old (.ppt)"}  # fmt: skip
_PAGES = (b"<!doctype html", b"<html")


def file(data: bytes, limit: int, name: str = "", member: str = "") -> Parsed:
    """The text of a file called ``name``, or of the ``member`` of the archive that it is.

    What a file holds counts, not its suffix; that only tells texts apart.
    """
    if member:
        inside = archive(data)
        inner = _member(member, inside.namelist())
        return file(inside.read(inner), limit, inner)
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    parser = _parser(data, suffix)
    if parser is not None:
        return parser(data, limit)
    text = decoded(data[: 4 * limit + 4])
    return Parsed(text[:limit], "", len(text) > limit or len(data) > 4 * limit + 4)


def _parser(data: bytes, suffix: str) -> Reads | None:
    """What reads these bytes; None where they are plain text.

    Raises:
        ValueError: nothing does.
    """
    for holds, parser in _BY_CONTENT:
        if holds(data):
            chosen: Reads = parser(data) if parser in {_zipped, _old} else parser
            return chosen
    named = _BY_SUFFIX.get(suffix)
    if named is None and suffix in _NEVER_TEXT and b"\x00" in data[:4096]:
        raise ValueError(f"it is no .{suffix} file, and none of another kind that is known")
    return named


def _zipped(data: bytes) -> Reads:
    names = archive(data).namelist()
    parsers = [parser for folder, parser in _OFFICE.items() if any(name.startswith(folder) for name in names)]
    return parsers[0] if parsers and "[Content_Types].xml" in names else listing


def _old(data: bytes) -> Reads:
    for stream, kind in _OLD.items():
        if stream.encode("utf-16-le") in data:
            if kind == "xls":
                return xls
            raise ValueError(f"it is {kind}, which cannot be read; only its newer form can")
    raise ValueError("it is an office file of old of a kind that cannot be read, or encrypted")


def _member(wanted: str, names: list[str]) -> str:
    same = [name for name in names if name == wanted] or [
        name for name in names if name.casefold().lstrip("./") == wanted.casefold().lstrip("./")
    ]
    if len(same) != 1:
        raise ValueError(f"there is no {wanted[:100]!r} in it; it holds {', '.join(names[:20]) or 'nothing'}")
    return same[0]


def listing(data: bytes, limit: int) -> Parsed:
    """The members of an archive; each is read as ``archive/member``."""
    members = [member for member in archive(data).infolist() if not member.is_dir()]
    head = f"An archive of {len(members)} files; read one as ARCHIVE/MEMBER:"
    return joined((head, *(f"{member.filename} ({member.file_size} bytes)" for member in members)), limit)


def pdf(data: bytes, limit: int) -> Parsed:
    """The text of each page under ``## Page N``, and what stands in the fields of its form."""
    import pypdf

    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ValueError("it is encrypted")
        title = reader.metadata.title if reader.metadata else None
        return joined(_pdf_lines(reader), limit, title if isinstance(title, str) else "")
    except pypdf.errors.PyPdfError as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _pdf_lines(reader: Any) -> Iterator[str]:
    for number, page in enumerate(reader.pages, 1):
        text = (page.extract_text() or "").strip()
        if not text and _has_picture(page):
            text = "[This page is a picture: no text can be read in it.]"
        yield f"## Page {number}\n{text}"
    fields = reader.get_fields() or {}
    values = [f"{name}: {_field(field)}" for name, field in fields.items() if field.get("/V") not in {None, ""}]
    if values:
        yield "\n".join(("## Form fields", *values))


def _field(field: Any) -> str:
    value = field.get("/V")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {"/Off": "no", "/Yes": "yes", "/On": "yes"}.get(str(value), str(value).removeprefix("/"))


def _has_picture(page: Any) -> bool:
    resources = page.get("/Resources")
    objects = resources.get_object().get("/XObject") if resources is not None else None
    drawn = objects.get_object().values() if objects is not None else ()
    return any(item.get_object().get("/Subtype") == "/Image" for item in drawn)


def rtf(data: bytes, limit: int) -> Parsed:
    """The text of a rich text file."""
    from striprtf.striprtf import rtf_to_text

    text = str(rtf_to_text(data.decode("latin-1"), errors="replace")).strip()  # type: ignore[no-untyped-call]
    return Parsed(text[:limit], "", len(text) > limit)


def notebook(data: bytes, limit: int) -> Parsed:
    """The cells of a notebook, each with what it printed."""
    try:
        notebook = json.loads(decoded(data))
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no notebook: not JSON") from error
    cells = notebook.get("cells", []) if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise ValueError("it is no notebook: it has no list of cells")
    return joined((line for number, cell in enumerate(cells, 1) for line in _notebook_cell(number, cell)), limit)


def _notebook_cell(number: int, cell: Any) -> Iterator[str]:
    yield f"## Cell {number} ({cell.get('cell_type', 'unknown')})"
    yield _flat(cell.get("source", ""))
    for output in filter(lambda output: isinstance(output, dict), cell.get("outputs") or ()):
        text = output.get("text") or (output.get("data") or {}).get("text/plain") or output.get("evalue", "")
        if text:
            yield f"Output: {_flat(text)}"


def _flat(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def mail(data: bytes, limit: int) -> Parsed:
    """Who wrote to whom, when and what, and which files came with it."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    head = [f"{name}: {message[name]}" for name in ("From", "To", "Cc", "Date", "Subject") if message[name]]
    body = message.get_body(preferencelist=("plain", "html"))
    content = body.get_payload(decode=True) if body is not None else None
    text = decoded(content, body.get_content_charset()) if body is not None and isinstance(content, bytes) else ""
    if body is not None and body.get_content_subtype() == "html":
        text = html(text.encode(), limit, "utf-8").text
    files = [f"[attached: {part.get_filename()}]" for part in message.iter_attachments() if part.get_filename()]
    return joined((*head, "", text.strip(), *files), limit, str(message["Subject"] or ""))


_BY_CONTENT: tuple[tuple[Callable[[bytes], bool], Any], ...] = (
    (lambda data: data.startswith((b"PK\x03\x04", b"PK\x05\x06")), _zipped),
    (lambda data: data.startswith(_OLE), _old),
    (lambda data: b"%PDF-" in data[:1024], pdf),
    (lambda data: data.startswith(b"{\\rtf"), rtf),
    (lambda data: data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES), html),
)
"""How files begin, and what reads them, or says from the content what does."""
_BY_SUFFIX: dict[str, Reads] = {"html": html, "htm": html, "ipynb": notebook, "eml": mail}
_NEVER_TEXT = {"xlsx", "xlsm", "xls", "docx", "pptx", "pdf", "zip"}
