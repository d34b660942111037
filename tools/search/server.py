"""``search``: find pages of the corpus.

Run it alone over stdio with ``python tools/search/server.py --corpus pages.jsonl``, over HTTP with ``--http 8001``.
It searches a corpus on disk; searching the live web is not covered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field

from toleap.data.corpus import Corpus, Hit, open_corpus, opened
from toleap.dock import answer, context_of, new_server, rejected, serve, world
from toleap.dock.decoding import one_line
from toleap.errors import UsageError

MOST_QUERIES = 10
server = new_server("search")

# The first call may build the index of a large corpus.
_DEADLINE = 600
_ABOUT = {"deadline": _DEADLINE, "arguments": {"q": "query", "queries": "query"}}


@server.tool(
    annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
    meta={"toleap": _ABOUT},
    structured_output=False,
)
async def search(
    query: Annotated[list[str], Field(description="The queries, one string each.")], ctx: Context[Any, Any]
) -> CallToolResult:
    """Search for pages. Every query is answered with titles, addresses and snippets, best first."""
    context = context_of(ctx)
    if context.corpus is None:
        raise UsageError("search has nothing to search: name a corpus (a JSONL file of url, title, text)")
    if not query:
        return rejected("search needs at least one query.")
    corpus = await _corpus(Path(context.corpus))
    results = context.policy.results
    found = [(text, corpus.search(text, results)) for text in query[:MOST_QUERIES]]
    text = _text(found, dropped=len(query) - len(found))
    return answer(text) if any(hits for _, hits in found) else world(text)


async def _corpus(path: Path) -> Corpus:
    corpus = opened(path)
    return await asyncio.to_thread(open_corpus, path) if corpus is None else corpus


def _text(found: Sequence[tuple[str, Sequence[Hit]]], dropped: int) -> str:
    parts = []
    for query, hits in found:
        shown = one_line(query)
        header = f"## Results for: {shown}\n" if len(found) > 1 else ""
        parts.append(header + (_hits(hits) if hits else f"No results found for: {shown}"))
    if dropped:
        parts.append(f"{dropped} further queries were not run: at most {MOST_QUERIES} in one call.")
    return "\n\n".join(parts)


def _hits(hits: Sequence[Hit]) -> str:
    return "\n\n".join(
        f"{number}. [{one_line(hit.title)}]({hit.url})\nSource: {hit.url}\n{hit.snippet}"
        for number, hit in enumerate(hits, 1)
    )


if __name__ == "__main__":
    serve(server)
