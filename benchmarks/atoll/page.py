"""The pieces that every page is put together from: infobox lines, tables, lists and links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .model import Ref

_MONTHS = "January February March April May June July August September October November December"
MONTHS = tuple(_MONTHS.split())


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the archipelago's web, as an extractor would give it: ``text`` does not repeat the title."""

    url: str
    title: str
    text: str


def page(ref: Ref, *blocks: str) -> Page:
    """The page at ``ref``; blocks are separated by an empty line, empty ones are left out."""
    return Page(ref.url, ref.title, "\n\n".join(block for block in blocks if block) + "\n")


def infobox(*rows: tuple[str, object]) -> str:
    """``Key: value`` lines; rows whose value is None are left out."""
    return "\n".join(f"{key}: {value}" for key, value in rows if value is not None)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def bullets(items: Iterable[str]) -> str:
    """A bulleted list."""
    return "\n".join(f"- {item}" for item in items)


def section(title: str, body: str) -> str:
    """A heading and what stands below it; nothing where the body is empty."""
    return f"## {title}\n\n{body}" if body else ""


def listed(items: Sequence[str]) -> str:
    """``a, b and c``."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def count(number: int) -> str:
    """A whole number with separators of thousands."""
    return f"{number:,}"
