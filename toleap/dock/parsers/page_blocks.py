"""A page as blocks: its paragraphs, rows, captions and the like, in the order of the page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_NOT_SHOWN = frozenset([
    "audio", "canvas", "datalist", "embed", "head", "iframe", "input", "noscript", "object", "script",
    "select", "style", "template", "textarea", "video",
])  # fmt: skip
_BLOCKS = frozenset([
    "address", "article", "aside", "blockquote", "body", "br", "button", "caption", "center", "dd",
    "details", "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form",
    "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "legend", "li", "main", "menu", "ol", "p",
    "pre", "search", "section", "summary", "table", "tbody", "td", "text", "tfoot", "th", "thead", "tr",
    "ul",
])  # fmt: skip
_RUN_TOGETHER = frozenset(("a", "b", "em", "label", "span", "strong", "time"))
"""Inline elements that style sheets set apart: of two that touch, the words are two."""
_MENU = re.compile(
    r"(?<![a-z])(nav|navbar|navigation|menu|menubar|breadcrumbs?|pagination|pager|sitemap|share|social|toolbar)(?![a-z])"
)
_CONSENT = re.compile(r"(?<![a-z])(cookies?|consent|gdpr|onetrust)(?![a-z])")
_LONGEST_CONSENT = 2000
_LONGEST_CELL = 400
_LINKED = 0.6
"""The part of a menu's characters that stand in links, at least."""
_LEAST_SAID = 200
"""Characters beside its links from which on a menu says something."""
_RAISED = str.maketrans("0123456789+-−n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻ⁿ")
_EXPONENT = re.compile(r"[+\-−]?[0-9n]+")
_PICTURE_FILE = re.compile(r"\.(png|jpe?g|gif|svg|webp|avif)$", re.I)


class Block(NamedTuple):
    """Some text that stands by itself. ``row``: it is a row of cells, or a term and what is said of it; ``links``:
    all of it are links."""

    text: str
    row: bool = False
    links: bool = False

    @property
    def is_short(self) -> bool:
        """Whether it may be shown beside something else, in one line."""
        return len(self.text) <= _LONGEST_CELL


def prepare(root: Any) -> list[Block]:
    """Takes menus and banners out of a page and returns what they say; writes an exponent as one, so that 10 to the
    9th is not read as 109, and a formula as its author wrote it."""
    menus = [block for menu in _menus(root) for block in _taken_out(menu)]
    for element in list(root.iter("sup")):
        text = "".join(element.itertext()).strip()
        if _EXPONENT.fullmatch(text) and element.find(".//a") is None:
            _replace(element, text.translate(_RAISED))
    for element in list(root.iter("math")):
        source = element.get("alttext") or next(
            (node.text for node in element.iter("annotation") if "tex" in node.get("encoding", "")), None
        )
        if source:
            _replace(element, source)
    return menus


def _menus(root: Any) -> list[Any]:
    """The elements that hold menus and banners, none within another."""
    menus: list[Any] = []
    for element in root.iterdescendants():
        if isinstance(element.tag, str) and element.tag != "body" and _is_menu(element):
            menus += [] if menus and menus[-1] in element.iterancestors() else [element]
    return menus


def _taken_out(menu: Any) -> list[Block]:
    texts = blocks_within(menu)
    menu.drop_tree()
    return texts


def _replace(element: Any, text: str) -> None:
    for child in list(element):
        element.remove(child)
    element.tag = "span"
    element.text = text


def blocks(root: Any) -> list[Block]:
    """The blocks of a page or a part of one. Left out is what no click would show."""
    walk = _Walk()
    walk.visit(root)
    walk.flush()
    return walk.blocks


class _Walk:
    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._pieces: list[str] = []
        self._linked = 0
        self._in_link = 0
        self._verbatim = 0

    def visit(self, element: Any) -> None:
        tag = element.tag
        if not isinstance(tag, str) or tag in _NOT_SHOWN:
            return
        if tag == "img":
            self._picture(element)
        elif tag == "svg":
            for text in element.iter("text"):
                self._children(text, "text")
        elif tag == "table" and _holds_data(element):
            self.flush()
            self.blocks.extend(_rows(element))
        elif tag == "dl":
            self.flush()
            self._say(self._terms(element))
        else:
            self._children(element, tag)

    def _children(self, element: Any, tag: str) -> None:
        block = tag in _BLOCKS
        if block:
            self.flush()
        self._in_link += tag == "a"
        self._verbatim += tag in ("pre", "code")
        self._add(element.text)
        for child in element:
            self.visit(child)
            after = child.getnext()
            if not child.tail and child.tag in _RUN_TOGETHER and not self._verbatim:
                self._add(" " if after is not None and after.tag in _RUN_TOGETHER else None)
            self._add(child.tail)
        if block:
            self.flush()
        self._in_link -= tag == "a"
        self._verbatim -= tag in ("pre", "code")

    def _add(self, text: str | None) -> None:
        if text:
            self._pieces.append(text)
            self._linked += len("".join(text.split())) if self._in_link else 0

    def flush(self) -> None:
        raw = "".join(self._pieces)
        text = raw.strip("\n").rstrip() if self._verbatim else " ".join(raw.split())
        if any(character.isalnum() for character in text):
            self.blocks.append(Block(text, links=self._linked >= 0.9 * len("".join(raw.split()))))
        self._pieces, self._linked = [], 0

    def _picture(self, element: Any) -> None:
        words = " ".join((element.get("alt") or "").split())
        if words and not self._in_link and not _PICTURE_FILE.search(words):
            pieces, linked = self._pieces, self._linked
            self.blocks.append(Block(f"[image: {words}]"))
            self._pieces, self._linked = pieces, linked

    def _terms(self, element: Any, term: str = "") -> str:
        """Terms of a list with what is said of each, in one line where both are short; returns the term that nothing
        has been said of yet."""
        self._add(element.text)
        for node in element:
            if node.tag == "dd" and term and len(inner := blocks_within(node)) == 1 and inner[0].is_short:
                self.flush()
                self.blocks.append(Block(f"{term}: {inner[0].text}", row=True))
                term = ""
            elif node.tag == "dt":
                self._say(term)
                term = " ".join(block.text for block in blocks_within(node))
            elif node.tag == "div":  # as a style sheet groups them
                term = self._terms(node, term)
            else:
                self._say(term)
                self.visit(node)
                term = ""
            self._add(node.tail)
        self.flush()
        return term

    def _say(self, text: str) -> None:
        self.flush()
        if text:
            self.blocks.append(Block(text))


def without_scripts(root: Any) -> list[Block]:
    """What a page says where no scripts run."""
    return [block for element in root.iter("noscript") for block in blocks_within(element)]


def blocks_within(element: Any) -> list[Block]:
    """The blocks of what an element holds."""
    walk = _Walk()
    walk._children(element, "div")
    return walk.blocks


def _holds_data(table: Any) -> bool:
    """Whether a table is one: its cells are short and hold no tables, and nothing stands beside them."""
    if next(table.iterdescendants("table"), None) is not None:
        return False
    cells = [_length(cell) for cell in table.iter("td", "th")]
    beside = sum(_length(caption) for caption in table.iter("caption"))
    return max(cells, default=0) <= _LONGEST_CELL and sum(cells) + beside == _length(table)


def _rows(table: Any) -> Iterator[Block]:
    for caption in table.iter("caption"):
        yield from blocks_within(caption)
    for row in table.iter("tr"):
        cells = [" ".join(block.text for block in blocks_within(cell)) for cell in row if cell.tag in ("td", "th")]
        if any(cells):
            yield Block(" | ".join(cells).strip(" |"), row=True)


def _is_menu(element: Any) -> bool:
    """Whether an element is called a menu and consists of links, or is called a banner about cookies and is short."""
    names = " ".join((element.get("id") or "", element.get("class") or "", element.get("aria-label") or "")).lower()
    if _CONSENT.search(names) and _length(element) <= _LONGEST_CONSENT:
        return True
    declared = element.tag == "nav" or element.get("role") in ("navigation", "menu", "menubar", "toolbar", "search")
    if not declared and not _MENU.search(names):
        return False
    length = _length(element)
    linked = sum(_length(link) for link in element.iter("a"))
    return linked >= _LINKED * max(1, length) or (declared and length - linked <= _LEAST_SAID)


def _length(element: Any) -> int:
    return len("".join("".join(element.itertext()).split()))
