"""What a scripted policy reads: the results in a history, lists of search hits, pages, tables and links."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_RESPONSE = re.compile(r"<tool_response>\n?(.*?)\n?</tool_response>", re.DOTALL)
_HIT = re.compile(r"^\d+\. \[(?P<title>[^\]\n]+)\]\((?P<url>[^)\s]+)\)", re.MULTILINE)
_LINK = re.compile(r"\[(?P<title>[^\]\n]+)\]\((?P<url>[^)\s]+)\)")
_PAGE_START = re.compile(r"^URL: (\S+)[ \t]*$", re.MULTILINE)
_INFO = re.compile(r"^([A-Z][A-Za-z ]{1,30}): (.+)$", re.MULTILINE)
_SHEET = re.compile(r"^## Sheet: (.+)$", re.MULTILINE)


class UnsureError(Exception):
    """What was read does not hold what is needed to go on."""


@dataclass(frozen=True, slots=True)
class Link:
    """A title and where it leads."""

    title: str
    url: str


@dataclass(frozen=True)
class Page:
    """A fetched page."""

    url: str
    text: str

    @cached_property
    def info(self) -> Mapping[str, str]:
        """The infobox: key → value without link marks. The first of two equal keys holds."""
        found: dict[str, str] = {}
        for key, value in _INFO.findall(self.text):
            found.setdefault(key, plain(value))
        return found

    @cached_property
    def links(self) -> list[Link]:
        """Every link, in the page's order."""
        return links(self.text)

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        """The rows of all its tables: column → cell."""
        return table_rows(self.text)

    def figure(self, key: str) -> str:
        """The first number of an infobox value, without separators of thousands."""
        return number(self.value(key))

    def value(self, key: str) -> str:
        """An infobox value."""
        if key not in self.info:
            raise UnsureError(f"{self.url} does not give {key!r}")
        return self.info[key]

    def link_after(self, words: str) -> Link:
        """The link that follows these words in the prose."""
        found = links(self.text.partition(words)[2][:400])
        if not found:
            raise UnsureError(f"{self.url} does not say {words!r}")
        return found[0]

    def section(self, title: str) -> list[Link]:
        """The links below a heading, to the next one."""
        return links(self.text.partition(f"## {title}\n")[2].partition("\n## ")[0])

    def row(self, **wanted: str) -> dict[str, str]:
        """The first table row with these cells."""
        for row in self.rows:
            if all(row.get(column) == cell for column, cell in wanted.items()):
                return row
        raise UnsureError(f"{self.url} has no row with {wanted}")


def user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """The texts of the user's first message: it holds the question."""
    first = next((message for message in messages if message.get("role") == "user"), {})
    return content(first)


def rounds(messages: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The tool results that followed each of the assistant's messages, in order."""
    found: list[list[str]] = []
    for message in messages:
        if message.get("role") == "assistant":
            found.append([])
        elif found and message.get("role") == "tool":
            found[-1].append(content(message))
        elif found and message.get("role") == "user":
            found[-1].extend(_RESPONSE.findall(content(message)))
    return found


def content(message: Mapping[str, Any]) -> str:
    """A message's text, whether it is a string or a list of parts."""
    value = message.get("content")
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, Mapping))


def hits(text: str) -> list[Link]:
    """The hits of a search result."""
    return [Link(found["title"], found["url"]) for found in _HIT.finditer(text)]


def pages(text: str) -> list[Page]:
    """The pages of a fetch result."""
    starts = list(_PAGE_START.finditer(text))
    ends = [found.start() for found in starts[1:]] + [len(text)]
    return [Page(found[1], text[found.end() : end].strip("\n")) for found, end in zip(starts, ends, strict=True)]


def links(text: str) -> list[Link]:
    """Every Markdown link of a text."""
    return [Link(found["title"], found["url"]) for found in _LINK.finditer(text)]


def plain(text: str) -> str:
    """The text with links replaced by their titles."""
    return _LINK.sub(lambda found: found["title"], text)


def number(text: str) -> str:
    """The first number in a text, without separators of thousands."""
    found = re.search(r"\d[\d,]*(?:\.\d+)?", text)
    if found is None:
        raise UnsureError(f"no number in {text!r}")
    return found[0].replace(",", "")


def table_rows(text: str) -> list[dict[str, str]]:
    """The rows of all Markdown tables of a text: column → cell without link marks."""
    found: list[dict[str, str]] = []
    head: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            head = []
            continue
        cells = [plain(cell.strip()) for cell in line.strip().strip("|").split("|")]
        if not head:
            head = cells
        elif not set("".join(cells)) <= set("-: "):
            found.append(dict(zip(head, cells, strict=False)))
    return found


def csv_rows(text: str) -> list[dict[str, str]]:
    """The rows of comma separated text whose first line names the columns."""
    try:
        found = list(csv.DictReader(line for line in text.strip().splitlines() if line.strip()))
    except csv.Error as error:
        raise UnsureError(f"the file cannot be read as comma separated text: {error}") from error
    return [
        {key: value for key, value in row.items() if isinstance(key, str) and isinstance(value, str)} for row in found
    ]


def sheet(text: str, name: str) -> list[dict[str, str]]:
    """The rows of one sheet of a workbook's text."""
    parts = _SHEET.split(text)
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        if title.strip() == name:
            return csv_rows(body)
    raise UnsureError(f"the workbook has no sheet {name}")
