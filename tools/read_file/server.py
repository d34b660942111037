"""``read_file``: the text of a file that belongs to the task.

Run it alone over stdio with ``python tools/read_file/server.py --file report.pdf``, over HTTP with ``--http 8003``.
Images, audio and video are not covered, nor pictures inside documents.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field

from toleap.dock import answer, blocked, context_of, new_server, serve, world
from toleap.dock.decoding import cut, decoded
from toleap.dock.parser_pool import Unreadable, pool
from toleap.dock.parsers import Parsed
from toleap.errors import ToolFault

server = new_server("read_file")

# Many attempts may wait for the same few worker processes.
_DEADLINE = 600
_ABOUT = {"deadline": _DEADLINE, "purpose": "purpose", "aliases": ["parse_file"], "arguments": {"goal": "purpose"}}
_LARGEST = 64 * 2**20
_PARSED = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0", b"%PDF-", b"{\\rtf")
"""How the files begin that a worker process reads; the others are read here, but for those of these suffixes."""
_SUFFIXES = (".html", ".htm", ".ipynb", ".eml", ".xlsx", ".xlsm", ".xls", ".docx", ".pptx", ".pdf", ".zip")
_MEDIA = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tiff", ".mp3", ".wav", ".m4a", ".flac", ".ogg", ".mp4",
          ".mov", ".avi", ".mkv", ".webm")  # fmt: skip

_Cached = tuple[str, int, int, int]
_read: OrderedDict[_Cached, Parsed] = OrderedDict()
_MOST_CACHED = 64


@server.tool(
    annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
    meta={"toleap": _ABOUT},
    structured_output=False,
)
async def read_file(
    uri: Annotated[str, Field(description="The name of the file; of a file in an archive ARCHIVE/MEMBER.")],
    ctx: Context[Any, Any],
    purpose: Annotated[str, Field(description="What to look for in it.")] = "",  # noqa: ARG001 (file readers use it)
    process_type: Annotated[str, Field(description="audio, image, video or others.")] = "others",
) -> CallToolResult:
    """Read a file that came with the task and return its text."""
    context = context_of(ctx)
    name, member = _named(uri, context.files)
    if name is None:
        names = ", ".join(sorted(context.files)) or "none"
        return blocked(f"There is no file {uri[:200]!r}; the files of this task are: {names}.")
    if process_type in {"audio", "image", "video"} or Path(member or name).suffix.lower() in _MEDIA:
        return world(f"{uri} cannot be read: images, audio and video are not supported.")
    limit = 2 * context.policy.page_chars
    try:
        parsed = await _parsed(Path(context.files[name]), name, member, limit)
    except Unreadable as error:
        return world(f"{uri} cannot be read: {error}.")
    text, truncated = cut(parsed.text, limit, more=parsed.truncated)
    return answer(text or f"{uri} is empty.", truncated=truncated)


def _named(uri: str, files: Mapping[str, str]) -> tuple[str | None, str]:
    """The file that is meant, and the member of it where it is an archive; None where it is not clear which.

    Models put folders before a name, change its case, and quote its blanks as addresses do.
    """
    if uri in files:
        return uri, ""
    wanted = _plainly(uri)
    parts = [part for part in wanted.split("/") if part != "."]
    if not parts or ".." in parts or ":" in parts[0]:
        return None, ""
    for start in (0, *range(1, len(parts))):
        if start and not _is_our_folder(parts[:start]):
            break
        for end in range(len(parts), start, -1):
            same = [name for name in files if _plainly(name) == "/".join(parts[start:end])]
            if len(same) == 1:
                return same[0], "/".join(parts[end:])
    return None, ""


_OUR_FOLDERS = {"", "work", "files", "file", "attachments", "workspace", "mnt", "data", "app", "tmp", "home", "user"}


def _is_our_folder(parts: list[str]) -> bool:
    """Whether these are folders in which models believe the attachments to be."""
    return all(part in _OUR_FOLDERS for part in parts)


def _plainly(name: str) -> str:
    return " ".join(urllib.parse.unquote(name).strip().strip("\"'`").split()).casefold()


async def _parsed(path: Path, name: str, member: str, limit: int) -> Parsed:
    """The text of the file, remembered: every attempt at the task reads the same one."""
    try:
        status = await asyncio.to_thread(path.stat)
        key = (f"{path}/{name}/{member}", status.st_mtime_ns, status.st_size, limit)
        parsed = _read.get(key) or await _parse(path, name, member, limit)
    except OSError as error:
        raise ToolFault(f"the attachment {path} is gone from the cache: {error.strerror}") from error
    _read[key] = parsed
    if len(_read) > _MOST_CACHED:
        _read.popitem(last=False)
    return parsed


async def _parse(path: Path, name: str, member: str, limit: int) -> Parsed:
    head = await asyncio.to_thread(_head, path)
    suffix = Path(name).suffix.lower()
    if head.startswith(_PARSED) or suffix in _SUFFIXES or member or b"%PDF-" in head[:1024]:
        if (await asyncio.to_thread(path.stat)).st_size > _LARGEST:
            raise Unreadable(f"it is larger than {_LARGEST} bytes")
        data = await asyncio.to_thread(path.read_bytes)
        return await pool().parse("file", data, limit, name=name, member=member)
    if _looks_like_text(head):
        return await asyncio.to_thread(_plain, path, limit)
    raise Unreadable(f"files of the type {suffix or 'without a suffix'} are not supported")


def _plain(path: Path, limit: int) -> Parsed:
    # No character takes more than four bytes.
    with path.open("rb") as file:
        data = file.read(4 * limit + 4)
    text = decoded(data)
    return Parsed(text[:limit], "", len(text) > limit)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)


def _looks_like_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
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
