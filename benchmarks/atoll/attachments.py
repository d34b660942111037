"""Attachments written by hand, byte for byte: no library's version, clock or compression can change them."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

LINES_A_PAGE = 44
_EPOCH = (2024, 1, 1, 0, 0, 0)
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"

Sheet = tuple[str, Sequence[Sequence[str | int]]]


def csv_bytes(rows: Sequence[Sequence[str]]) -> bytes:
    """Comma separated lines in UTF-8, each ended by a line feed."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8")


def xlsx_bytes(sheets: Sequence[Sheet]) -> bytes:
    """A minimal workbook of (name, rows) sheets: uncompressed, with inline strings and fixed dates."""
    parts = {"[Content_Types].xml": _content_types(len(sheets)), "_rels/.rels": _root_relations()}
    parts["xl/workbook.xml"] = _workbook([name for name, _ in sheets])
    parts["xl/_rels/workbook.xml.rels"] = _sheet_relations(len(sheets))
    for number, (_, rows) in enumerate(sheets, start=1):
        parts[f"xl/worksheets/sheet{number}.xml"] = _worksheet(rows)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, text in parts.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text.encode("utf-8"))
    return out.getvalue()


def _content_types(sheets: int) -> str:
    made = [f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>']
    for number in range(1, sheets + 1):
        part = f"/xl/worksheets/sheet{number}.xml"
        made.append(f'<Override PartName="{part}" ContentType="{_TYPE}.worksheet+xml"/>')
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    made.insert(0, '<Default Extension="xml" ContentType="application/xml"/>')
    made.insert(0, f'<Default Extension="rels" ContentType="{relations}"/>')
    return f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">{"".join(made)}</Types>'


def _root_relations() -> str:
    return _relations([("rId1", "officeDocument", "xl/workbook.xml")])


def _sheet_relations(sheets: int) -> str:
    return _relations([(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in range(1, sheets + 1)])


def _relations(items: Sequence[tuple[str, str, str]]) -> str:
    made = [f'<Relationship Id="{mark}" Type="{_OFFICE}/{kind}" Target="{part}"/>' for mark, kind, part in items]
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{"".join(made)}</Relationships>'


def _workbook(names: Sequence[str]) -> str:
    made = [f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(names, start=1)]
    return f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{"".join(made)}</sheets></workbook>'


def _worksheet(rows: Sequence[Sequence[str | int]]) -> str:
    made = [f'<row r="{n}">{"".join(_cells(n, row))}</row>' for n, row in enumerate(rows, start=1)]
    return f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>{"".join(made)}</sheetData></worksheet>'


def _cells(number: int, row: Sequence[str | int]) -> list[str]:
    """The cells of one row of at most 26 columns."""
    made = []
    for column, value in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", row, strict=False):
        place = f'r="{column}{number}"'
        if isinstance(value, int):
            made.append(f"<c {place}><v>{value}</v></c>")
        else:
            made.append(f'<c {place} t="inlineStr"><is><t>{escape(value)}</t></is></c>')
    return made


def pdf_bytes(lines: Sequence[str]) -> bytes:
    """An uncompressed PDF of ASCII text lines in Helvetica, 44 to an A4 page."""
    pages = [lines[at : at + LINES_A_PAGE] for at in range(0, len(lines), LINES_A_PAGE)] or [[]]
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode("ascii"),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, some in enumerate(pages):
        shape = f"/MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R"
        objects.append(f"<< /Type /Page /Parent 2 0 R {shape} >>".encode("ascii"))
        drawn = "\n".join(f"({_escaped(line)}) Tj T*" for line in some)
        stream = f"BT\n/F1 11 Tf\n16 TL\n60 780 Td\n{drawn}\nET".encode("ascii")
        objects.append(f"<< /Length {len(stream)} >>\nstream\n".encode("ascii") + stream + b"\nendstream")
    return _pdf_file(objects)


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _pdf_file(objects: Sequence[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode("ascii") + body + b"\nendobj\n"
    start = len(out)
    entries = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    out += f"xref\n0 {size}\n0000000000 65535 f \n{entries}".encode("ascii")
    out += f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode("ascii")
    return bytes(out)
