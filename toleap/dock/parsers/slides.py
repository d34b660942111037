"""PowerPoint files: slides in the order in which they are shown, with tables, charts, notes and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from toleap.dock.parsers.parsed import DRAWING, Package, Parsed, chosen, joined

_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MAIN = "ppt/presentation.xml"
_BREAKS = {f"{DRAWING}br": "\n", f"{DRAWING}tab": "\t"}


def pptx(data: bytes, limit: int) -> Parsed:
    """The text of each slide under ``## Slide N``, N as the audience counts."""
    package = Package(data)
    slides = _shown(package)
    return joined((line for n, part in enumerate(slides, 1) for line in _slide(package, n, part)), limit)


def _shown(package: Package) -> list[str]:
    """The slides' parts in the order in which they are shown; where nothing says that, by their numbers."""
    main = package.main(_MAIN)
    root = package.xml(main)
    if root is None:
        matches = (re.fullmatch(r"ppt/slides/slide(\d{1,6})\.xml", name) for name in package.archive.namelist())
        return [match[0] for match in sorted(filter(None, matches), key=lambda match: int(match[1]))]
    related = package.related(main)
    listed = [related.get(item.get(f"{_R}id", ""), ("", "")) for item in root.iter(f"{_P}sldId")]
    return [place for kind, place in listed if kind == "slide"]


def _slide(package: Package, number: int, part: str) -> Iterator[str]:
    root = package.xml(part)
    if root is None:
        yield f"## Slide {number} (missing)"
        return
    yield f"## Slide {number}{' (hidden)' if root.get('show') in {'0', 'false'} else ''}"
    yield from _shapes(root)
    yield from package.charts(package.parts(part, "chart"))
    for notes in package.parts(part, "notesSlide"):
        document = package.xml(notes)
        lines = [] if document is None else [line for line in _shapes(document) if line != str(number)]
        if lines:
            yield "Notes: " + "\n".join(lines)
    for comments in package.parts(part, "comments"):
        document = package.xml(comments)
        for element in document.iter() if document is not None else ():
            if (
                isinstance(element.tag, str)
                and element.tag.endswith(("}text", "}t"))
                and (element.text or "").strip()
            ):
                yield f"[comment: {element.text.strip()}]"


def _shapes(element: Any) -> Iterator[str]:
    """The lines of all shapes below an element, each paragraph once."""
    for child in chosen(element):
        if child.tag == f"{DRAWING}tbl":
            for row in child.iter(f"{DRAWING}tr"):
                yield " | ".join("<br>".join(_shapes(cell)) for cell in row.iter(f"{DRAWING}tc"))
        elif child.tag == f"{DRAWING}p":
            text = "".join(_BREAKS.get(part.tag) or (part.text or "" if part.tag == f"{DRAWING}t" else "")
                           for part in child.iter()).strip()  # fmt: skip
            if text:
                yield text
        else:
            yield from _shapes(child)
