"""Word files: what a reader of the final document sees, in order, with its notes and comments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toleap.dock.parsers.parsed import Package, Parsed, chosen, joined

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MAIN = "word/document.xml"
_GONE = {f"{_W}{name}" for name in ("del", "moveFrom", "instrText", "delText", "rPr", "pPr", "sdtPr", "fldData")}
"""Not part of the final text: deletions, the old place of what was moved, field codes, properties."""
_MARKS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-", f"{_W}ptab": "\t"}
_IN_CELL = "<br>"


def docx(data: bytes, limit: int) -> Parsed:
    """Paragraphs, tables, text boxes, footnotes, comments and charts, then headers and footers."""
    package = Package(data)
    root = package.xml(package.main(_MAIN))
    if root is None:
        raise ValueError("it has no document")
    return joined(_Reader(package).lines(root), limit)


class _Reader:
    """Reads one document: its blocks, and what they point to."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._main = package.main(_MAIN)
        self._notes = {kind: self._numbered(kind) for kind in ("footnotes", "endnotes", "comments")}

    def lines(self, root: Any) -> Iterator[str]:
        body = root.find(f"{_W}body")
        yield from self._blocks(body if body is not None else ())
        yield from self._package.charts(self._package.parts(self._main, "chart"))
        seen: set[str] = set()
        for kind in ("header", "footer"):
            for part in self._package.parts(self._main, kind):
                document = self._package.xml(part)
                text = "\n".join(self._blocks(document)) if document is not None else ""
                if text and text not in seen:
                    seen.add(text)
                    yield f"[{kind}] {text}"

    def _blocks(self, parent: Any) -> Iterator[str]:
        for element in chosen(parent):
            if element.tag == f"{_W}p":
                yield from self._paragraph(element)
            elif element.tag == f"{_W}tbl":
                yield from self._rows(element)
            elif element.tag not in _GONE:
                # Content controls, custom XML, tracked insertions of whole paragraphs.
                yield from self._blocks(element)

    def _paragraph(self, paragraph: Any) -> Iterator[str]:
        """Its text, then the text boxes that are anchored in it."""
        boxes: list[Any] = []
        text = "".join(self._words(paragraph, boxes)).strip()
        if text:
            yield text
        for box in boxes:
            yield from self._blocks(box)

    def _words(self, element: Any, boxes: list[Any]) -> Iterator[str]:
        for part in chosen(element):
            name = part.tag.removeprefix(_W)
            if part.tag in _GONE:
                continue
            if part.tag in _MARKS:
                yield _MARKS[part.tag]
            elif name == "t":
                yield part.text or ""
            elif name == "sym":
                yield chr(int(part.get(f"{_W}char", "20"), 16))
            elif name == "txbxContent":
                boxes.append(part)
            elif name in {"footnoteReference", "endnoteReference", "commentReference"}:
                yield self._note(name.removesuffix("Reference") + "s", part.get(f"{_W}id", ""))
            else:
                yield from self._words(part, boxes)

    def _rows(self, table: Any) -> Iterator[str]:
        for row in self._of(table, "tr"):
            yield " | ".join(cell for element in self._of(row, "tc") for cell in self._cell(element))

    def _of(self, parent: Any, name: str) -> Iterator[Any]:
        """The rows of a table or the cells of a row, also those in content controls."""
        for child in chosen(parent):
            if child.tag == f"{_W}{name}":
                yield child
            elif child.tag in {f"{_W}{kind}" for kind in ("sdt", "sdtContent", "customXml", "ins", "moveTo")}:
                yield from self._of(child, name)

    def _cell(self, cell: Any) -> Iterator[str]:
        """The text of a cell, and an empty one for each further column that it spans."""
        properties = cell.find(f"{_W}tcPr")
        span, merged = 1, False
        if properties is not None:
            wide = properties.find(f"{_W}gridSpan")
            down = properties.find(f"{_W}vMerge")
            span = min(int(wide.get(f"{_W}val", "1")), 64) if wide is not None else 1
            merged = down is not None and down.get(f"{_W}val", "continue") == "continue"
        lines: list[str] = []
        for element in chosen(cell):
            if element.tag == f"{_W}tbl":
                lines.append("[" + "; ".join(self._rows(element)) + "]")
            elif element.tag not in _GONE and element.tag != f"{_W}tcPr":
                holder = [element] if element.tag == f"{_W}p" else element
                lines += self._blocks(holder)
        yield "" if merged else _IN_CELL.join(line.replace("\n", _IN_CELL) for line in lines)
        yield from ("" for _ in range(span - 1))

    def _numbered(self, kind: str) -> dict[str, Any]:
        parts = self._package.parts(self._main, kind) or [f"word/{kind}.xml"]
        root = self._package.xml(parts[0])
        return {} if root is None else {note.get(f"{_W}id", ""): note for note in chosen(root)}

    def _note(self, kind: str, number: str) -> str:
        note = self._notes[kind].get(number)
        text = " ".join(self._blocks(note)) if note is not None else ""
        return f" [{kind.removesuffix('s')}: {text}]" if text else ""
