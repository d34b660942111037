"""Page reading: what a tool that takes a purpose hands back is read for that purpose before the model sees it.

A long page goes to the auxiliary models, in chunks that fit their window, all at once; what they quote and say stands
in the page's place. Where no model gives anything usable, and where none is asked, the passages that fit best stand
there and are called an extract. Short pages, and pages whose raw content was asked for, are left alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from toleap.agent.auxiliary import Auxiliary, Wanted
from toleap.agent.extract import extract
from toleap.agent.prompts import prompt
from toleap.config import Reader
from toleap.types import SubCall, ToolCall, ToolResult

_RAW = re.compile(
    r"\braw\b|\bverbatim\b|\b(?:full|entire|whole|complete|original)\s+(?:text|content|page|document|file)\b|"
    r"原文|全文|原始(?:内容|文本)|完整(?:内容|文本)",
    re.IGNORECASE,
)
_SECTIONS = ("rationale", "evidence", "summary")
_MOST_QUESTION = 4_000
_MOST_PURPOSE = 2_000
_MOST_HALVINGS = 2


@dataclass(frozen=True, slots=True)
class PageReader:
    """How a run reads pages.

    ``purpose`` says what the pages that a call gives are read for, None where it gives none. ``raw_chars`` is how
    much of a page is handed back where its raw content is asked for.
    """

    settings: Reader
    purpose: Callable[[ToolCall], str | None]
    raw_chars: int
    auxiliary: Auxiliary | None = None


@dataclass(frozen=True, slots=True)
class Aim:
    """What pages are read for, and what makes this reading repeatable."""

    question: str
    purpose: str
    seed: int
    request_id: str

    def at(self, place: int) -> Aim:
        """The same aim for one part, with a seed and a request id of its own."""
        digest = hashlib.sha256(f"{self.seed}/{place}".encode()).digest()
        return replace(self, seed=int.from_bytes(digest[:4]) & 0x7FFF_FFFF, request_id=f"{self.request_id}-{place}")


_Read = tuple[str, tuple[SubCall, ...]]


async def read_results(
    reader: PageReader,
    calls: Sequence[ToolCall],
    results: Sequence[ToolResult],
    *,
    question: str,
    seed: int,
    name: str,
) -> tuple[list[ToolResult], tuple[SubCall, ...]]:
    """The results with their pages read, all at once, and the sub-calls that this took.

    Args:
        reader: how the run reads pages.
        calls: the calls of one turn.
        results: what came of each.
        question: the task as the model was given it.
        seed: the turn's sampling seed; every reading's is derived from it.
        name: the turn's request id; every reading's begins with it.
    """
    aims: dict[int, Aim] = {}
    for n, (call, result) in enumerate(zip(calls, results, strict=True)):
        if result.error is None and any(len(page) > reader.settings.skip_below for page in result.parts):
            purpose = reader.purpose(call)
            if purpose is not None:
                aims[n] = Aim(question[:_MOST_QUESTION], purpose[:_MOST_PURPOSE], seed, name).at(n)
    read = await asyncio.gather(*(_result(reader, results[n], aim) for n, aim in aims.items()))
    after = list(results)
    for n, (result, _) in zip(aims, read, strict=True):
        after[n] = result
    return after, tuple(call for _, subcalls in read for call in subcalls)


def wants_raw(purpose: str) -> bool:
    """Whether a purpose asks for the page's own text."""
    return _RAW.search(purpose) is not None


def chunked(text: str, most_bytes: int) -> list[str]:
    """The text in pieces of at most ``most_bytes`` bytes in UTF-8, cut at the end of a line where one is near."""
    data = text.encode("utf-8", "replace")
    pieces: list[str] = []
    start = 0
    while start < len(data):
        end = start + max(most_bytes, 4)
        if end < len(data):
            line = data.rfind(b"\n", start + (end - start) * 4 // 5, end)
            end = line + 1 if line >= 0 else end
            while data[end] & 0xC0 == 0x80:  # not inside a character
                end -= 1
        pieces.append(data[start:end].decode())
        start = end
    return pieces


def usable_reading(reply: str) -> str | None:
    """A reading's rationale, evidence and summary; None where there is neither evidence nor a summary."""
    sections: dict[str, str] = {}
    for name in _SECTIONS:
        match = re.search(rf"<{name}>(.*?)(?:</{name}>|(?=<(?:{'|'.join(_SECTIONS)})>)|\Z)", reply, re.S | re.I)
        if match and match[1].strip():
            sections[name] = match[1].strip()
    if not sections.keys() & {"evidence", "summary"}:
        return None
    return "\n".join(f"{name.capitalize()}: {text}" for name, text in sections.items())


async def _result(reader: PageReader, result: ToolResult, aim: Aim) -> tuple[ToolResult, tuple[SubCall, ...]]:
    read = await asyncio.gather(*(_page(reader, page, aim.at(n)) for n, page in enumerate(result.parts)))
    parts = tuple(text for text, _ in read)
    subcalls = tuple(call for _, calls in read for call in calls)
    return replace(result, parts=parts, truncated=result.truncated or parts != result.parts), subcalls


async def _page(reader: PageReader, page: str, aim: Aim) -> _Read:
    if len(page) <= reader.settings.skip_below:
        return page, ()
    if wants_raw(aim.purpose):
        return _cut(page, reader.raw_chars), ()
    heading, body = _parted(page)
    if reader.settings.mode == "model" and reader.auxiliary is not None:
        text, subcalls = await _read_by_model(reader, reader.auxiliary, body, aim)
    else:
        if len(body) <= reader.settings.extract_chars:
            return page, ()
        text, subcalls = await _extracted(body, aim, reader.settings.extract_chars)
    return f"{heading}{text}", subcalls


async def _read_by_model(reader: PageReader, auxiliary: Auxiliary, body: str, aim: Aim) -> _Read:
    room = auxiliary.prompt_bytes - len(_request(aim, "").encode())
    parts = chunked(body, max(room, 1_000))
    share = reader.settings.extract_chars // len(parts)
    read = await asyncio.gather(
        *(_part(reader, auxiliary, part=part, aim=aim.at(n), share=share) for n, part in enumerate(parts))
    )
    if len(parts) == 1:
        return read[0]
    texts = [f"Part {n} of {len(parts)} of the page:\n{text}" for n, (text, _) in enumerate(read, 1)]
    return "\n".join(texts), tuple(call for _, calls in read for call in calls)


async def _part(
    reader: PageReader, auxiliary: Auxiliary, part: str, aim: Aim, share: int, halvings: int = 0
) -> _Read:
    asked = await auxiliary.ask(
        Wanted("read", _request(aim, part), usable=usable_reading, seed=aim.seed, request_id=f"{aim.request_id}-read")
    )
    if asked.text is not None:
        mark = f"[read by {asked.calls[-1].model}; to get the page itself, ask for its raw content in the purpose]"
        return f"{mark}\n{asked.text}", asked.calls
    if asked.overflow and halvings < _MOST_HALVINGS and len(part) > 1:
        halves = chunked(part, len(part.encode()) * 3 // 5 + 4)
        read = await asyncio.gather(
            *(
                _part(reader, auxiliary, part=half, aim=aim.at(n), share=share // len(halves), halvings=halvings + 1)
                for n, half in enumerate(halves)
            )
        )
        return "\n".join(text for text, _ in read), (*asked.calls, *(call for _, calls in read for call in calls))
    text, subcalls = await _extracted(part, aim, share)
    return f"[no model could read this: it is an extract instead]\n{text}", (*asked.calls, *subcalls)


async def _extracted(body: str, aim: Aim, most: int) -> _Read:
    # In a thread: a page of 200,000 characters takes a while, and other attempts go on.
    passages = await asyncio.to_thread(extract, body, aim.purpose, aim.question, max(most, 400))
    mark = f"[extract: the passages that fit best, {len(passages)} of {len(body)} characters]"
    return f"{mark}\n{passages}\n[end of the extract]", (SubCall("extract", text=mark),)


def _cut(page: str, most: int) -> str:
    return page if len(page) <= most else f"{page[:most]}\n[cut: only the first {most} characters are shown]"


def _request(aim: Aim, page: str) -> str:
    return f"{prompt('read')}\n\nQuestion: {aim.question}\nPurpose: {aim.purpose}\n\nThe page:\n{page}"


def _parted(page: str) -> tuple[str, str]:
    """The lines with a page's address and title, and the rest."""
    match = re.match(r"URL: [^\n]*\n(?:Title: [^\n]*\n)?", page)
    end = match.end() if match else 0
    return page[:end], page[end:]
