"""What a careful reader does again and again: search for things, open their pages, tell namesakes apart, calculate.

A step is a generator: it yields the tool calls of one turn, is sent their results, and returns what it found.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .reading import Link, Page, UnsureError, hits, pages

T = TypeVar("T")
Call = tuple[str, dict[str, Any]]
"""A tool's name and its arguments."""
Step = Generator[list[Call], list[str], T]

QUERIES_A_CALL = 3
PAGES_A_CALL = 3
"""Few enough that no result is cut."""
LONGEST_LIST = 5
"""Parts of a list that are worth a search."""
MOST_PAGES = 24
"""Pages that are worth opening to find one article's address."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A thing to look up: its name, what tells it from its namesakes, and the list it stands in."""

    name: str
    mark: str
    listing: str

    @property
    def titles(self) -> tuple[str, str]:
        """The titles its page may have, the more exact one first."""
        return f"{self.name} ({self.mark})", self.name


def search(queries: Sequence[str]) -> Step[list[Link]]:
    """The hits of all the queries, without repetition, best of each query first."""
    chunks = [list(queries[at : at + QUERIES_A_CALL]) for at in range(0, len(queries), QUERIES_A_CALL)]
    texts = yield [("search", {"query": chunk}) for chunk in chunks]
    return list(dict.fromkeys(hit for text in texts for hit in hits(text)))


def fetch(urls: Iterable[str], purpose: str) -> Step[dict[str, Page]]:
    """The pages by address; those that cannot be read are missing."""
    needed = list(dict.fromkeys(urls))
    chunks = [needed[at : at + PAGES_A_CALL] for at in range(0, len(needed), PAGES_A_CALL)]
    if not chunks:
        return {}
    texts = yield [("fetch_url", {"url": chunk, "purpose": purpose}) for chunk in chunks]
    return {page.url: page for text in texts for page in pages(text)}


def follow(leads: Sequence[Link], purpose: str) -> Step[list[Page]]:
    """The pages that links lead to, in the order of the links."""
    found = yield from fetch([link.url for link in leads], purpose)
    missing = [link.title for link in leads if link.url not in found]
    if missing:
        raise UnsureError(f"cannot read {', '.join(missing)}")
    return [found[link.url] for link in leads]


def look_up(wanted: Sequence[Wanted], purpose: str) -> Step[list[Page]]:
    """The page of each thing: through search, then through lists, and past pages that only tell namesakes apart."""
    known = yield from search([f"{thing.name} {thing.mark}" for thing in wanted])
    lost = [thing for thing in wanted if _choose(thing, known) is None]
    if lost:
        known += yield from _from_lists(lost)
    leads = []
    for thing in wanted:
        link = _choose(thing, known)
        if link is None:
            raise UnsureError(f"found nothing about {thing.name}")
        leads.append(link)
    found = yield from follow(leads, purpose)
    return (yield from _past_namesakes(wanted, found, purpose))


def find_in_force(query: str, start: str, about: str, purpose: str) -> Step[Page]:
    """The page in force among those whose title begins with ``start`` and which name ``about`` in their infobox.

    Where search shows only superseded ones, their links lead on.
    """
    known = yield from search([query])
    leads = [hit for hit in known if hit.title.startswith(start)]
    if not leads:
        raise UnsureError(f"found no page called {query}")
    found = yield from follow(leads, purpose)
    found = [page for page in found if about in page.info.values()]
    if not any(is_in_force(page) for page in found):
        onward = [link for page in found for link in page.links if link.title.startswith(start)]
        found = yield from follow(list(dict.fromkeys(onward)), purpose)
    return in_force(found)


def is_in_force(page: Page) -> bool:
    """Whether a page says that it holds."""
    return page.info.get("Status") == "in force"


def in_force(candidates: Sequence[Page]) -> Page:
    """The one page that says it is in force."""
    valid = [page for page in candidates if is_in_force(page)]
    if len(valid) != 1:
        raise UnsureError("cannot tell which of the pages is in force")
    return valid[0]


def compute(code: str) -> Step[str]:
    """What the code prints, which must be one number."""
    (text,) = yield [("execute_code", {"code": code})]
    found = re.search(r"-?\d+(?:\.\d+)?\s*\Z", text)
    if found is None:
        raise UnsureError(f"the calculation gave {text[:200]!r}")
    return found[0].strip()


def open_file(name: str, purpose: str) -> Step[str]:
    """The text of an attachment."""
    if not name:
        raise UnsureError("the question names no attached file")
    (text,) = yield [("read_file", {"uri": name, "purpose": purpose})]
    return text


def _choose(thing: Wanted, known: Sequence[Link]) -> Link | None:
    for title in thing.titles:
        for link in known:
            if link.title == title:
                return link
    return None


def _from_lists(lost: Sequence[Wanted]) -> Step[list[Link]]:
    """Second chances: a search for the bare names, the lists of their kinds, and what all these pages link to."""
    names = [thing.name for thing in lost]
    kinds = list(dict.fromkeys(thing.listing for thing in lost))
    parts = ["", *(f", part {part}" for part in range(1, LONGEST_LIST + 1))]
    known = yield from search(names + [f"List of {kind}{part}" for kind in kinds for part in parts])
    if all(_choose(thing, known) is not None for thing in lost):
        return known
    starts = tuple([f"List of {kind}" for kind in kinds])
    near = [hit.url for hit in known if hit.title.startswith(starts) or any(name in hit.title for name in names)]
    read = yield from fetch(near[:MOST_PAGES], "find the article's address")
    return known + [link for page in read.values() for link in page.links]


def _past_namesakes(wanted: Sequence[Wanted], found: list[Page], purpose: str) -> Step[list[Page]]:
    """Replaces each page that only says what a name may refer to by the page of the thing that is meant."""
    unclear = [at for at, page in enumerate(found) if "may refer to:" in page.text]
    if not unclear:
        return found
    leads = []
    for at in unclear:
        meant = _choose(wanted[at], [link for link in found[at].links if link.title != wanted[at].name])
        meant = meant or next((link for link in found[at].links if link.title == wanted[at].name), None)
        if meant is None:
            raise UnsureError(f"cannot tell which {wanted[at].name} is meant")
        leads.append(meant)
    clear = yield from follow(leads, purpose)
    return [clear[unclear.index(at)] if at in unclear else page for at, page in enumerate(found)]
