"""Pages: the text of what is shown, and its title.

An extractor that finds a page's main part leaves out what an answer often stands in: a box of facts beside it,
captions, the pane of a tab that is not open, a footer, a long list of links. So the main part is taken first, as the
extractor reads it, and behind it whatever the page has beside: what is cut at a limit is cut there.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from toleap.dock.decoding import declared_in, decoded
from toleap.dock.parsers.page_blocks import Block, blocks, prepare, without_scripts
from toleap.dock.parsers.parsed import Parsed

ELSEWHERE = "[Elsewhere on the page]"
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
_FEW_WORDS = 4
"""A shorter block may stand in the main part by chance: it is there only where it is a line of it."""


def html(data: bytes, limit: int, charset: str | None = None) -> Parsed:
    """The text of a page: its main part, then what stands elsewhere on it; menus are left out."""
    import trafilatura

    source = decoded(data, charset or declared_in(data))
    root = _tree(source)
    if root is None:
        return Parsed(source[:limit], "", len(source) > limit)
    menus = prepare(root)
    body = blocks(root) or without_scripts(root) or menus
    title = " ".join((root.findtext(".//title") or "").split())
    document = trafilatura.bare_extraction(root, with_metadata=True, favor_recall=True, include_comments=False)
    main: str = (getattr(document, "text", None) or "").strip()
    rest = "\n".join(_missing(main, body, limit - len(main)))
    text = "\n\n".join(part for part in (main, f"{ELSEWHERE}\n{rest}" if main and rest else rest) if part)
    return Parsed(text[:limit], getattr(document, "title", None) or title, len(text) > limit)


def _tree(source: str) -> Any:
    """The page's root; None where it has no markup that can be read."""
    from lxml import etree, html  # type: ignore[import-untyped]

    # As bytes: lxml refuses a string that declares its own encoding.
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        return html.document_fromstring(source.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None


def _missing(main: str, body: list[Block], room: int) -> list[str]:
    """The blocks that a text lacks, as many as fill a number of characters; those that are links only stand last, in
    one line."""
    stream = _words(main)
    lines = Counter(
        words for line in main.splitlines() for part in (line, *line.split("|")) if (words := _words(part))
    )
    kept: list[str] = []
    links: dict[str, None] = {}
    taken: set[str] = set()
    before = ""
    for block in body:
        if room < 0:
            return kept
        words = _words(block.text)
        few = words.count(" ") <= _FEW_WORDS and not block.row
        if not few and (words in stream or words in taken):
            before = ""
            continue
        if few and lines[words] > 0:
            lines[words] -= 1
            before = block.text
            continue
        if block.links:
            links[block.text] = None
            continue
        if few and before:
            kept.append(before)
        kept.append(block.text)
        room -= len(block.text) + 1
        taken.add(words)
        before = ""
    return kept + ([" · ".join(links)] if links else [])


def _words(text: str) -> str:
    """The words of a text between single blanks, so that one text is looked for in another by whole words."""
    return f" {' '.join(_WORD.findall(text))} ".casefold()
