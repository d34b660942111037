"""``fetch_url``: the text of pages, from a corpus or from the live web.

Run it alone with ``python tools/fetch_url/server.py --corpus pages.jsonl`` over stdio, or with ``--http 8002``;
without a corpus it fetches live. Pages that need JavaScript, a login or cookies are not covered.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field

from toleap.data.corpus import open_corpus, opened
from toleap.dock import answer, blocked, context_of, new_server, rejected, serve, world
from toleap.dock.decoding import cut, decoded, one_line
from toleap.dock.fetching import Fetched, Refused, Unreachable, fetch
from toleap.dock.parser_pool import Unreadable, pool
from toleap.dock.parsers import Parsed
from toleap.types import CallContext, ErrorClass

MOST_URLS = 10
server = new_server("fetch_url")

# The first call may build the index of a large corpus; live, a page has half a minute to come and as much to be read.
_DEADLINE = 600
_ABOUT = {
    "deadline": _DEADLINE,
    "purpose": "purpose",
    "aliases": ["visit"],
    "arguments": {"urls": "url", "goal": "purpose"},
}
_HTML = ("text/html", "application/xhtml+xml")
_TEXT = ("application/json", "application/xml", "application/rss+xml", "application/atom+xml", "application/ld+json")


class _Read(NamedTuple):
    """What became of one address."""

    text: str
    error: ErrorClass | None = None
    truncated: bool = False


@server.tool(
    annotations=ToolAnnotations(read_only_hint=True, open_world_hint=True),
    meta={"toleap": _ABOUT},
    structured_output=False,
)
async def fetch_url(
    url: Annotated[list[str], Field(description="The addresses of the pages.")],
    ctx: Context[Any, Any],
    purpose: Annotated[str, Field(description="What to look for in them.")] = "",  # noqa: ARG001 (page readers use it)
) -> CallToolResult:
    """Fetch pages and return their text."""
    context = context_of(ctx)
    if not url:
        return rejected("fetch_url needs at least one address.")
    read = await asyncio.gather(*(_read(address, context) for address in url[:MOST_URLS]))
    parts = [f"URL: {one_line(address)}\n{page.text}" for address, page in zip(url, read, strict=False)]
    if len(url) > MOST_URLS:
        parts.append(f"{len(url) - MOST_URLS} further addresses were not fetched: at most {MOST_URLS} in one call.")
    return _result(parts, read)


def _result(parts: list[str], read: list[_Read]) -> CallToolResult:
    errors = {page.error for page in read}
    if None in errors:
        return answer(*parts, truncated=any(page.truncated for page in read))
    return blocked(*parts) if errors == {ErrorClass.BLOCKED} else world(*parts)


async def _read(address: str, context: CallContext) -> _Read:
    limit = context.policy.page_chars
    if context.corpus is not None:
        return await _from_corpus(address, Path(context.corpus), limit)
    try:
        fetched = await fetch(address, allow_hosts=context.policy.allow_hosts)
        parsed = await _parsed(fetched, limit)
    except Refused as error:
        return _Read(f"This address is not fetched: {error}.", ErrorClass.BLOCKED)
    except Unreachable as error:
        return _Read(f"The page could not be fetched: {error}.", ErrorClass.WORLD)
    except Unreadable as error:
        return _Read(f"The page could not be read: {error}.", ErrorClass.WORLD)
    return _page(parsed.title, parsed.text, limit, more=parsed.truncated or fetched.truncated)


async def _from_corpus(address: str, path: Path, limit: int) -> _Read:
    corpus = opened(path)
    if corpus is None:
        corpus = await asyncio.to_thread(open_corpus, path)
    page = corpus.page(address)
    if page is None:
        return _Read("The page could not be found.", ErrorClass.WORLD)
    return _page(page.title, page.text, limit)


def _page(title: str, text: str, limit: int, *, more: bool = False) -> _Read:
    shown, truncated = cut(text, limit, more=more)
    return _Read(f"Title: {one_line(title)}\n{shown}", truncated=truncated)


async def _parsed(fetched: Fetched, limit: int) -> Parsed:
    kind = fetched.content_type
    if fetched.body.startswith(b"%PDF-") or kind == "application/pdf":
        return await pool().parse("pdf", fetched.body, limit)
    if kind in _HTML or fetched.body.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        parsed = await pool().parse("html", fetched.body, limit, charset=fetched.charset)
    elif kind.startswith("text/") or kind in _TEXT:
        text = decoded(fetched.body, fetched.charset)
        parsed = Parsed(text[:limit], "", len(text) > limit)
    else:
        raise Unreadable(f"its type is {kind[:80]}, which is not text")
    if not parsed.text.strip():
        raise Unreadable("it has no text")
    return parsed


async def probe() -> None:
    """Pages are read in worker processes: there must be one."""
    await pool().check()


async def close() -> None:
    """End the worker processes."""
    await pool().close()


if __name__ == "__main__":
    serve(server)
