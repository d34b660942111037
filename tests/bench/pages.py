"""Row I: what is kept of pages, and how long reading one takes, beside trafilatura alone.

``python pages.py REPEATS`` prints both as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import trafilatura
from shapes import PAGES

from toleap.dock.parsers import html

_LIMIT = 200_000
_LONG = 300_000


def ours(page: str) -> str:
    """A page as ``fetch_url`` reads it."""
    return html(page.encode(), _LIMIT).text


def main_part(page: str) -> str:
    """What the extractor finds by itself."""
    document = trafilatura.bare_extraction(page, with_metadata=True, favor_recall=True, include_comments=False)
    return (getattr(document, "text", None) or "")[:_LIMIT]


def kept(read: Callable[[str], str]) -> dict[str, float]:
    """Facts and menus that come through, in per cent, and the characters of a page on average."""
    texts = [" ".join(read(page.html).split()) for page in PAGES]
    facts = [" ".join(fact.split()) in text for page, text in zip(PAGES, texts, strict=True) for fact in page.facts]
    menus = [menu in text for page, text in zip(PAGES, texts, strict=True) for menu in page.menus]
    return {
        "facts": 100 * sum(facts) / len(facts),
        "menus": 100 * sum(menus) / len(menus),
        "characters": sum(map(len, texts)) / len(texts),
    }


def seconds(read: Callable[[str], str], pages: list[str], repeats: int) -> float:
    """CPU seconds a page."""
    started = time.process_time()
    for _ in range(repeats):
        for page in pages:
            read(page)
    return (time.process_time() - started) / (repeats * len(pages))


def long_page() -> str:
    """All shapes one below the other until they are long, each time with another number: no site repeats itself."""
    page = ""
    while len(page) < _LONG:
        page += "".join(f"<section>{shape.html.replace('Tarn', f'Tarn{len(page)}')}</section>" for shape in PAGES)
    return f"<html><body>{page[:_LONG]}</body></html>"


if __name__ == "__main__":
    repeats = int(sys.argv[1])
    shapes = [page.html for page in PAGES]
    figures: dict[str, float] = {}
    for prefix, read in (("", ours), ("floor_", main_part)):
        figures |= {f"{prefix}{name}": value for name, value in kept(read).items()}
        figures[f"{prefix}ms"] = 1_000 * seconds(read, shapes, repeats)
        figures[f"{prefix}long_ms"] = 1_000 * seconds(read, [long_page()], max(1, repeats // 5))
    print(json.dumps(figures))
