"""What all parsers share: their result, archives that are no bombs, XML without surprises."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

_LARGEST_ARCHIVE = 300 * 2**20
_MOST_MEMBERS = 10_000
_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_STRICT = re.compile(rb"(?<=[\"'])http://purl\.oclc\.org/ooxml/(\w+)/")
"""How names begin in a file saved as Strict Open XML, which says the same under other names."""
CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
CHOICE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"


class Parsed(NamedTuple):
    """The text of a file; ``truncated``: there was more."""

    text: str
    title: str
    truncated: bool


class Package:
    """An office file: parts of XML, and how they point to each other."""

    def __init__(self, data: bytes) -> None:
        self.archive = archive(data)
        self._names = set(self.archive.namelist())

    def xml(self, name: str) -> Any:
        """The root of a part; None where there is no such part."""
        if name not in self._names:
            return None
        from lxml import etree  # type: ignore[import-untyped]

        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
        return etree.fromstring(_usual(self.archive.read(name)), parser)

    def main(self, usual: str) -> str:
        """The part that the file begins with; it need not have its usual name."""
        return next((part for part in self.parts("", "officeDocument") if part in self._names), usual)

    def related(self, part: str) -> dict[str, tuple[str, str]]:
        """Relation id → the last word of its type, and the part it points to."""
        folder, _, name = part.rpartition("/")
        root = self.xml(f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels")
        related: dict[str, tuple[str, str]] = {}
        for relation in root.iter(_RELATION) if root is not None else ():
            target = relation.get("Target", "")
            place = (
                target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            )
            related[relation.get("Id", "")] = (relation.get("Type", "").rpartition("/")[2], place)
        return related

    def parts(self, part: str, kind: str) -> list[str]:
        """The parts of one kind that a part points to."""
        return [place for name, place in self.related(part).values() if name == kind]

    def charts(self, parts: Iterable[str]) -> Iterator[str]:
        """The data of charts: each series with its values."""
        for part in parts:
            root = self.xml(part)
            if root is None:
                continue
            title = root.find(f".//{CHART}title")
            words = "" if title is None else "".join(node.text or "" for node in title.iter(f"{DRAWING}t"))
            yield f"[chart{f': {words}' if words else ''}]"
            for series in root.iter(f"{CHART}ser"):
                yield _series(series)


def _series(series: Any) -> str:
    name = " ".join(_values(series.find(f"{CHART}tx")).values())
    across = _values(next((series.find(f"{CHART}{kind}") for kind in ("cat", "xVal")
                           if series.find(f"{CHART}{kind}") is not None), None))  # fmt: skip
    up = _values(next((series.find(f"{CHART}{kind}") for kind in ("val", "yVal")
                       if series.find(f"{CHART}{kind}") is not None), None))  # fmt: skip
    points = ", ".join(f"{across.get(place, place)}: {value}" for place, value in up.items())
    return f"{name or 'series'}: {points}"


def _values(element: Any) -> dict[str, str]:
    """Place → value of a series' cached points."""
    if element is None:
        return {}
    points = list(element.iter(f"{CHART}pt"))
    if points:
        return {point.get("idx", ""): (point.findtext(f"{CHART}v") or "") for point in points}
    text = element.findtext(f".//{CHART}v")
    return {"0": text} if text else {}


def _usual(xml: bytes) -> bytes:
    return _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", xml)


def under_usual_names(data: bytes, main: str) -> bytes:
    """An office file for libraries that know the usual names only: the same bytes where its part ``main`` is not in
    Strict Open XML."""
    old = archive(data)
    if main not in old.namelist() or not _STRICT.search(old.read(main)):
        return data
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, _usual(part) if name.endswith((".xml", ".rels")) else part)
    return out.getvalue()


def archive(data: bytes) -> zipfile.ZipFile:
    """The archive in some bytes.

    Raises:
        ValueError: it unpacks to more than can be read.
    """
    opened = zipfile.ZipFile(io.BytesIO(data))
    members = opened.infolist()
    if len(members) > _MOST_MEMBERS or sum(member.file_size for member in members) > _LARGEST_ARCHIVE:
        raise ValueError("it unpacks to more than can be read")
    return opened


def joined(parts: Iterable[str], limit: int, title: str = "") -> Parsed:
    """The parts, one below the other, as far as the limit lets them be read."""
    kept: list[str] = []
    length = 0
    for part in parts:
        kept.append(part)
        length += len(part) + 1
        if length > limit + 1:
            break
    text = "\n".join(kept)
    return Parsed(text[:limit], title, len(text) > limit)


def chosen(element: Any) -> Iterator[Any]:
    """The children of an element; of alternatives for different programs the first only, so that nothing stands
    twice."""
    for child in element:
        if child.tag == f"{CHOICE}AlternateContent":
            choice = child.find(f"{CHOICE}Choice")
            yield from chosen(choice if choice is not None else child.find(f"{CHOICE}Fallback"))
        elif isinstance(child.tag, str):
            yield child
