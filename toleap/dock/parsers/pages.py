"""Pages: the text of what is shown, and its title."""

from __future__ import annotations

from toleap.dock.parsers.base import Parsed
from toleap.dock.text import declared_in, decoded


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
