"""Attachments as a reader of them would see them: no number changes, and what is left out is said."""
# ruff: noqa: E501 - office XML, an element a line

from __future__ import annotations

import email.message
import io
import json
import re
import zipfile
from collections.abc import Mapping

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.styles import PatternFill
from openpyxl.styles.colors import Color

from tests.dock.test_workers import a_pdf, workbook
from toleap.dock.parsers import file

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
SPACES = f'xmlns:w="{W}" xmlns:a="{A}" xmlns:p="{P}" xmlns:r="{R}" xmlns:mc="{MC}"'


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def word(body: str, **parts: str) -> bytes:
    """A Word file with this body; a part ``footnotes`` is ``word/footnotes.xml``."""
    members = {
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": f"<w:document {SPACES}><w:body>{body}</w:body></w:document>",
    }
    return zipped(members | {f"word/{name}.xml": f"<w:root {SPACES}>{text}</w:root>" for name, text in parts.items()})


def p(text: str, more: str = "") -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r>{more}</w:p>"


def cell(*content: str, properties: str = "") -> str:
    return f"<w:tc>{f'<w:tcPr>{properties}</w:tcPr>' if properties else ''}{''.join(content)}</w:tc>"


def table(*rows: str) -> str:
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"


def sdt(content: str) -> str:
    return f"<w:sdt><w:sdtPr><w:alias/></w:sdtPr><w:sdtContent>{content}</w:sdtContent></w:sdt>"


BOX = f"<w:txbxContent>{p('in the box')}</w:txbxContent>"
TWICE = f"<w:r><mc:AlternateContent><mc:Choice>{BOX}</mc:Choice><mc:Fallback>{BOX}</mc:Fallback></mc:AlternateContent></w:r>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (table(cell(p("12"), p("30")) + cell(p("x"))), "12<br>30 | x"),
        (table(cell(p("1")) + cell(p("2"), p("3"), p("4"))), "1 | 2<br>3<br>4"),
        (sdt(p("Alice") + p("Bob")), "Alice\nBob"),
        (sdt(p("Alice")) + sdt(p("Bob")), "Alice\nBob"),
        (table(sdt(cell(p("a"))) + cell(sdt(p("b") + p("c")))), "a | b<br>c"),
        ("<w:tbl>" + sdt("<w:tr>" + cell(p("a")) + "</w:tr>") + "</w:tbl>", "a"),
        (p("before", TWICE) + p("after"), "before\nin the box\nafter"),
        (table(cell(p("a"), table(cell(p("1")) + cell(p("2")))) + cell(p("b"))), "a<br>[1 | 2] | b"),
        (table(cell(table(cell(table(cell(p("deep"))))))), "[[deep]]"),
        (p("one", "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t> new</w:t></w:r></w:ins>"), "one new"),
        ("<w:p><w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom></w:p><w:p><w:moveTo><w:r><w:t>moved</w:t></w:r></w:moveTo></w:p>", "moved"),
        (p("4", "<w:r><w:noBreakHyphen/><w:t>5</w:t><w:br/><w:t>6</w:t></w:r>"), "4-5\n6"),
        (p("=", '<w:r><w:instrText>SUM(ABOVE)</w:instrText></w:r><w:r><w:t>9</w:t></w:r>'), "=9"),
        (table(cell(p("wide"), properties='<w:gridSpan w:val="2"/>') + cell(p("c")), cell(p("a")) + cell(p("b")) + cell(p("c"))), "wide |  | c\na | b | c"),
        (table(cell(p("x"), properties='<w:vMerge w:val="restart"/>'), cell(p(""), properties="<w:vMerge/>")), "x\n"),
        (p("degree ", '<w:r><w:sym w:font="Symbol" w:char="00B0"/></w:r>'), "degree °"),
    ],
)  # fmt: skip
def test_a_word_file_says_what_its_reader_sees(body: str, text: str) -> None:
    assert file(word(body), 10_000, "a.docx").text == text.rstrip("\n") or file(word(body), 10_000).text == text


def test_notes_comments_headers_and_footers_of_a_word_file_are_there() -> None:
    body = p("The hall", '<w:r><w:footnoteReference w:id="2"/><w:commentReference w:id="0"/></w:r>')
    data = word(
        body,
        footnotes=f'<w:footnote w:id="2">{p("built 1815")}</w:footnote>',
        comments=f'<w:comment w:id="0">{p("check")}</w:comment>',
        header1=p("Confidential"),
    )
    rels = f'<Relationships xmlns="{RELATIONS}"><Relationship Id="rId1" Type="{R}/header" Target="header1.xml"/></Relationships>'
    with zipfile.ZipFile(buffer := io.BytesIO(data), "a") as archive:
        archive.writestr("word/_rels/document.xml.rels", rels)
    text = file(buffer.getvalue(), 10_000, "a.docx").text
    assert text == "The hall [footnote: built 1815] [comment: check]\n[header] Confidential"


def slides(order: list[int], *, hidden: int = 0) -> bytes:
    """A presentation whose slides are shown in this order; part 9 is an orphan."""

    def slide(n: int) -> str:
        show = ' show="0"' if n == hidden else ""
        rows = f"<a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>{n}0</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>y</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl>"
        return f"<p:sld {SPACES}{show}><p:txBody><a:p><a:r><a:t>part {n}</a:t></a:r></a:p></p:txBody>{rows}</p:sld>"

    rels = "".join(f'<Relationship Id="r{n}" Type="{R}/slide" Target="slides/slide{n}.xml"/>' for n in order)
    notes = f'<Relationships xmlns="{RELATIONS}"><Relationship Id="n" Type="{R}/notesSlide" Target="../notesSlides/n1.xml"/></Relationships>'
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "ppt/presentation.xml": f"<p:presentation {SPACES}><p:sldIdLst>" + "".join(f'<p:sldId r:id="r{n}"/>' for n in order) + "</p:sldIdLst></p:presentation>",
            "ppt/_rels/presentation.xml.rels": f'<Relationships xmlns="{RELATIONS}">{rels}</Relationships>',
            **{f"ppt/slides/slide{n}.xml": slide(n) for n in (*order, 9)},
            f"ppt/slides/_rels/slide{order[0]}.xml.rels": notes,
            "ppt/notesSlides/n1.xml": f"<p:notes {SPACES}><a:p><a:r><a:t>say hello</a:t></a:r></a:p></p:notes>",
        }
    )  # fmt: skip


def test_slides_are_numbered_as_they_are_shown_and_orphans_are_none() -> None:
    text = file(slides([3, 1, 2], hidden=2), 10_000, "a.pptx").text
    assert text == (
        "## Slide 1\npart 3\n30 | y\nNotes: say hello\n## Slide 2\npart 1\n10 | y\n## Slide 3 (hidden)\npart 2\n20 | y"
    )


def test_a_workbook_keeps_rows_formulas_comments_colours_charts_and_hidden_sheets() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"], sheet["B1"] = "town", "people"
    sheet["A3"], sheet["B3"] = "Ostby", 4213
    sheet["B9"] = "=SUM(B1:B3)"
    sheet["A3"].comment = Comment("counted\ntwice", "me")
    red = PatternFill("solid", fgColor="FFFF0000")
    for place in ("C1", "D1", "C2"):
        sheet[place].fill = red
    sheet["E5"].fill = PatternFill("solid", fgColor=Color(theme=4, tint=0.4))
    secret = book.create_sheet("Secret")
    secret["A1"] = 7
    secret.sheet_state = "hidden"
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    sheet.add_chart(chart, "G1")
    out = io.BytesIO()
    book.save(out)
    lines = file(out.getvalue(), 10_000, "a.xlsx").text.splitlines()
    assert lines[:5] == [
        "## Sheet: Sheet",
        "town,people",
        "",
        "Ostby [comment: counted twice],4213",
        "[rows 4 to 8 are empty]",
    ]
    assert lines[5] == ",=SUM(B1:B3) [not calculated]"
    assert "[cells filled #FF0000: C1:D1, C2]" in lines
    assert any(line.startswith("[cells filled #4F81BD tint +0.40: E5") for line in lines)
    assert "## Sheet: Secret (hidden)" in lines and "7" in lines
    assert any(line.startswith("[chart") for line in lines)


def form() -> bytes:
    import pypdf
    from pypdf.generic import ArrayObject, DictionaryObject, NameObject, TextStringObject

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(a_pdf()))
    field = DictionaryObject({
        NameObject("/FT"): NameObject("/Tx"), NameObject("/T"): TextStringObject("Total"),
        NameObject("/V"): TextStringObject("1,230"), NameObject("/Subtype"): NameObject("/Widget"),
        NameObject("/Type"): NameObject("/Annot"),
    })  # fmt: skip
    place = writer._add_object(field)
    writer.root_object[NameObject("/AcroForm")] = DictionaryObject({NameObject("/Fields"): ArrayObject([place])})
    writer.pages[0][NameObject("/Annots")] = ArrayObject([place])
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def scanned() -> bytes:
    import pypdf
    from pypdf.generic import DictionaryObject, NameObject, NumberObject, StreamObject

    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(40, 40)
    picture = StreamObject()
    picture.set_data(b"\xff")
    picture.update({
        NameObject("/Type"): NameObject("/XObject"), NameObject("/Subtype"): NameObject("/Image"),
        NameObject("/Width"): NumberObject(1), NameObject("/Height"): NumberObject(1),
        NameObject("/ColorSpace"): NameObject("/DeviceGray"), NameObject("/BitsPerComponent"): NumberObject(8),
    })  # fmt: skip
    objects = DictionaryObject({NameObject("/Im0"): writer._add_object(picture)})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/XObject"): objects})
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_the_fields_of_a_pdf_form_are_read_and_a_scanned_page_says_that_it_is_a_picture() -> None:
    assert file(form(), 1_000, "a.pdf").text == "## Page 1\nHello Tarn\n## Form fields\nTotal: 1,230"
    assert "This page is a picture" in file(scanned(), 1_000, "a.pdf").text


STRICT = "http://purl.oclc.org/ooxml"


def related(folder: str, **parts: str) -> str:
    """Which parts a part points to, by the kind of each."""
    links = "".join(
        f'<Relationship Id="{kind}" Type="{folder}/relationships/{kind}" Target="{target}"/>'
        for kind, target in parts.items()
    )
    return f'<Relationships xmlns="{RELATIONS}">{links}</Relationships>'


@pytest.mark.parametrize(("main", "words"), [("document2", W), ("document", f"{STRICT}/wordprocessingml/main")])
@pytest.mark.parametrize(
    "folder", ["http://schemas.openxmlformats.org/officeDocument/2006", f"{STRICT}/officeDocument"]
)
def test_a_word_file_is_read_under_other_names_of_its_parts_and_elements(main: str, words: str, folder: str) -> None:
    note = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    members = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": related(folder, officeDocument=f"word/{main}.xml"),
        f"word/_rels/{main}.xml.rels": related(folder, footnotes="footnotes2.xml"),
        f"word/{main}.xml": f'<w:document xmlns:w="{words}"><w:body>{p("1,230", note)}</w:body></w:document>',
        "word/footnotes2.xml": f'<w:footnotes xmlns:w="{words}"><w:footnote w:id="2">{p("in tons")}</w:footnote></w:footnotes>',
    }
    assert file(zipped(members), 1_000, "a.docx").text == "1,230 [footnote: in tons]"


@pytest.mark.parametrize("main", ["presentation", "presentation1"])
@pytest.mark.parametrize("spaces", ["usual", "strict"])
def test_slides_are_read_under_other_names_of_their_parts_and_elements(main: str, spaces: str) -> None:
    strict = spaces == "strict"
    folder = f"{STRICT}/officeDocument" if strict else "http://schemas.openxmlformats.org/officeDocument/2006"
    p_, a_, r_ = (
        (f"{STRICT}/presentationml/main", f"{STRICT}/drawingml/main", f"{folder}/relationships")
        if strict
        else (P, A, R)
    )
    names = f'xmlns:p="{p_}" xmlns:a="{a_}" xmlns:r="{r_}"'
    members = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": related(folder, officeDocument=f"ppt/{main}.xml"),
        f"ppt/_rels/{main}.xml.rels": related(folder, slide="slides/slide7.xml"),
        f"ppt/{main}.xml": f'<p:presentation {names}><p:sldIdLst><p:sldId r:id="slide"/></p:sldIdLst></p:presentation>',
        "ppt/slides/slide7.xml": f"<p:sld {names}><p:sp><a:p><a:r><a:t>4213</a:t></a:r></a:p></p:sp></p:sld>",
    }
    assert file(zipped(members), 1_000, "a.pptx").text == "## Slide 1\n4213"


def test_a_strict_workbook_is_not_empty() -> None:
    usual = zipfile.ZipFile(io.BytesIO(workbook()))
    strict = {
        name: re.sub(rb"http://schemas\.openxmlformats\.org/(spreadsheetml|officeDocument)/2006/",
                     rb"http://purl.oclc.org/ooxml/\1/", usual.read(name))
        if name.startswith(("xl/", "_rels/")) else usual.read(name)
        for name in usual.namelist()
    }  # fmt: skip
    assert strict["xl/workbook.xml"] != usual.read("xl/workbook.xml")
    assert file(zipped(strict), 1_000, "a.xlsx") == file(workbook(), 1_000, "a.xlsx")


def mail() -> bytes:
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = "ada@a.test", "bob@a.test", "The price"
    message.set_content("It is 1,230 €.\n")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="bill.pdf")
    return message.as_bytes()


NOTEBOOK = json.dumps({"cells": [
    {"cell_type": "markdown", "source": ["# Title\n", "text"]},
    {"cell_type": "code", "source": "6*7", "outputs": [{"data": {"text/plain": ["42"]}}, {"text": ["printed\n"]}]},
]})  # fmt: skip


@pytest.mark.parametrize(
    ("name", "data", "holds"),
    [
        ("a.xlsx", b"town,people\nOstby,4213\n", "Ostby,4213"),
        ("a.xls", workbook(), "Brill,2.5"),
        ("a.docx", workbook(), "Brill,2.5"),
        ("a.txt", workbook(), "Brill,2.5"),
        ("a.csv", a_pdf(), "Hello Tarn"),
        ("a.pdf", word(p("really Word")), "really Word"),
        ("noname", slides([1]), "part 1"),
        ("a.doc", rb"{\rtf1\ansi Price \b 1,230\b0\par next}", "Price 1,230"),
        ("a.rtf", rb"{\rtf1\ansi\ansicpg1252 Caf\'e9}", "Café"),
        ("a.xls", b"<html><body><table><tr><td>Ostby</td><td>4213</td></tr></table></body></html>", "4213"),
        ("a.ipynb", NOTEBOOK.encode(), "## Cell 2 (code)\n6*7\nOutput: 42\nOutput: printed"),
        ("a.eml", mail(), "It is 1,230 €.\n[attached: bill.pdf]"),
        ("a.zip", zipped({"data/t.csv": "a,b\n", "r.txt": "x"}), "data/t.csv (4 bytes)"),
    ],
)
def test_what_a_file_holds_counts_and_not_its_suffix(name: str, data: bytes, holds: str) -> None:
    assert holds in file(data, 10_000, name).text


def test_the_members_of_an_archive_are_read_by_their_names() -> None:
    data = zipped({"data/Ships.xlsx": workbook(), "inner.zip": zipped({"a.txt": "deep"}), "t.csv": "a,b\n1,2\n"})
    assert "Brill,2.5" in file(data, 1_000, "a.zip", "data/Ships.xlsx").text
    assert file(data, 1_000, "a.zip", "T.CSV").text == "a,b\n1,2\n"
    assert "a.txt" in file(data, 1_000, "a.zip", "inner.zip").text
    with pytest.raises(ValueError, match=r"there is no 'none\.txt' in it; it holds data/Ships\.xlsx"):
        file(data, 1_000, "a.zip", "none.txt")


@pytest.mark.parametrize(
    ("name", "stream", "says"),
    [
        ("a.doc", "WordDocument", "Word file of old"),
        ("a.ppt", "PowerPoint Document", "PowerPoint file of old"),
        ("a.xls", "x", "of a kind"),
    ],
)
def test_what_nothing_reads_is_said(name: str, stream: str, says: str) -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600 + stream.encode("utf-16-le") + b"\x00" * 600
    with pytest.raises(ValueError, match=says):
        file(data, 1_000, name)
