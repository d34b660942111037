"""``read_file``: the text of a file that belongs to the task.

Run it alone over stdio with ``python tools/read_file/server.py --file report.pdf``, over HTTP with ``--http 8003``.
Images, audio and video are not covered, nor formulas, charts and pictures inside documents.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field

from toleap.dock import answer, blocked, context_of, new_server, serve, world
from toleap.dock.parsers import Parsed
from toleap.dock.policy import whole_number
from toleap.dock.text import cut, decoded
from toleap.dock.workers import Unreadable, pool
from toleap.errors import ToolFault

server = new_server("read_file")

# Many attempts may wait for the same few worker processes.
_DEADLINE = 600
_LARGEST = 64 * 2**20
_TEXT = (".csv", ".tsv", ".txt", ".md", ".json", ".jsonl", ".xml", ".py", ".log", ".yaml", ".yml", ".toml", ".tex")
_PARSED = {
    ".xlsx": "xlsx", ".xlsm": "xlsx", ".pdf": "pdf", ".docx": "docx", ".pptx": "pptx", ".html": "html", ".htm": "html"
}  # fmt: skip
_MEDIA = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tiff", ".mp3", ".wav", ".m4a", ".flac", ".ogg", ".mp4",
          ".mov", ".avi", ".mkv", ".webm")  # fmt: skip

_Cached = tuple[str, int, int, int]
_read: OrderedDict[_Cached, Parsed] = OrderedDict()
_MOST_CACHED = 64


@server.tool(
    annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
    meta={"toleap": {"deadline": _DEADLINE}},
    structured_output=False,
)
async def read_file(
    uri: Annotated[str, Field(description="The name of the file.")],
    ctx: Context[Any, Any],
    purpose: Annotated[str, Field(description="What to look for in it.")] = "",  # noqa: ARG001 (file readers use it)
    process_type: Annotated[str, Field(description="audio, image, video or others.")] = "others",
) -> CallToolResult:
    """Read a file that came with the task and return its text."""
    context = context_of(ctx)
    path = context.files.get(uri)
    if path is None:
        names = ", ".join(sorted(context.files)) or "none"
        return blocked(f"There is no file {uri[:200]!r}; the files of this task are: {names}.")
    if process_type in {"audio", "image", "video"} or Path(uri).suffix.lower() in _MEDIA:
        return world(f"{uri} cannot be read: images, audio and video are not supported.")
    limit = 2 * whole_number(context, "page_chars", 20_000)
    try:
        parsed = await _parsed(Path(path), Path(uri).suffix.lower(), limit)
    except Unreadable as error:
        return world(f"{uri} cannot be read: {error}.")
    text, truncated = cut(parsed.text, limit, more=parsed.truncated)
    return answer(text or f"{uri} is empty.", truncated=truncated)


async def _parsed(path: Path, suffix: str, limit: int) -> Parsed:
    """The text of the file, remembered: every attempt at the task reads the same one."""
    try:
        status = await asyncio.to_thread(path.stat)
        key = (f"{path}{suffix}", status.st_mtime_ns, status.st_size, limit)
        parsed = _read.get(key) or await _parse(path, suffix, limit, status.st_size)
    except OSError as error:
        raise ToolFault(f"the attachment {path} is gone from the cache: {error.strerror}") from error
    _read[key] = parsed
    if len(_read) > _MOST_CACHED:
        _read.popitem(last=False)
    return parsed


async def _parse(path: Path, suffix: str, limit: int, size: int) -> Parsed:
    if suffix in _PARSED:
        if size > _LARGEST:
            raise Unreadable(f"it is larger than {_LARGEST} bytes")
        data = await asyncio.to_thread(path.read_bytes)
        return await pool().parse(_PARSED[suffix], data, limit)
    if suffix in _TEXT or await asyncio.to_thread(_looks_like_text, path):
        return await asyncio.to_thread(_plain, path, limit)
    raise Unreadable(f"files of the type {suffix or 'without a suffix'} are not supported")


def _plain(path: Path, limit: int) -> Parsed:
    # No character takes more than four bytes.
    with path.open("rb") as file:
        data = file.read(4 * limit + 4)
    text = decoded(data)
    return Parsed(text[:limit], "", len(text) > limit)


def _looks_like_text(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4096)
    return not any(byte < 9 or 13 < byte < 27 for byte in head)


async def probe() -> None:
    """Office files and PDFs are read in worker processes: there must be one."""
    await pool().check()


async def close() -> None:
    """End the worker processes and forget what was read."""
    _read.clear()
    await pool().close()


if __name__ == "__main__":
    serve(server)
