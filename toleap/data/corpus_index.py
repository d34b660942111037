"""The index of a corpus: its rows checked, its words prepared, built whole or not at all.

Words are lower-cased, folded to ASCII and stemmed as English. Chinese, Japanese and Korean have no spaces (or few),
so their characters are indexed as pairs, and singly for queries of one character. A title counts three times: a title
word weighs as three words of the text, as in BM25F with one length.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
import tantivy

from toleap.errors import UsageError

_FORMAT = 1
_TITLE_WEIGHT = 3
_LONGEST_ROW = 64 * 2**20
_HEAP = 128_000_000
_PROGRESS_ROWS = 1_000
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+")
_BOM = b"\xef\xbb\xbf"
_KEYS = ("url", "title", "text")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a corpus."""

    url: str
    title: str
    text: str


def page_key(url: str) -> str:
    """What two addresses of the same page have in common: no scheme, fragment, default port or trailing slash."""
    url = url.strip()
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = "" if parts.port in {None, 80, 443} else f":{parts.port}"
        host = (parts.hostname or "") + port
    except ValueError:
        return url
    query = f"?{parts.query}" if parts.query else ""
    return unquote(host + parts.path.rstrip("/") + query)


def load_index(folder: Path) -> tantivy.Index | None:
    """The index in ``folder``, or None where there is none, an older format or a torn one."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        whole = manifest["format"] == _FORMAT and manifest["files"] == _sizes(folder)
        if not whole:
            return None
        index = tantivy.Index.open(str(folder))
        return index if index.searcher().num_docs == manifest["pages"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sizes(folder: Path) -> dict[str, int]:
    files = sorted(path for path in folder.iterdir() if path.name != "manifest.json" and path.suffix != ".lock")
    return {path.name: path.stat().st_size for path in files}


def build(path: Path, target: Path, progress: Callable[[int], None] | None) -> None:
    """Build beside ``target`` and rename. Of two processes that build at once, one wins and both are content."""
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=".building-"))
    try:
        pages = _fill(path, temporary, progress)
        manifest = {"format": _FORMAT, "pages": pages, "files": _sizes(temporary)}
        (temporary / "manifest.json").write_text(json.dumps(manifest), "utf-8")
        _put(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put(built: Path, target: Path) -> None:
    with contextlib.suppress(OSError):
        built.rename(target)
        return
    if load_index(target) is not None:
        return
    torn = Path(tempfile.mkdtemp(dir=target.parent, prefix=".torn-"))
    with contextlib.suppress(FileNotFoundError):
        target.rename(torn / "index")
    shutil.rmtree(torn, ignore_errors=True)
    with contextlib.suppress(OSError):
        built.rename(target)


def _fill(path: Path, folder: Path, progress: Callable[[int], None] | None) -> int:
    index = tantivy.Index(_schema(), path=str(folder))
    index.register_tokenizer("toleap", analyzer())
    # One thread: the order of the documents, and so the sums of their scores, is the file's.
    writer = index.writer(_HEAP, 1)
    count = 0
    try:
        for page in _rows(path):
            writer.add_document(_document(page))
            count += 1
            if progress is not None and count % _PROGRESS_ROWS == 0:
                progress(count)
        writer.commit()
    finally:
        # Its threads would go on writing into a folder that is being removed.
        writer.wait_merging_threads()
    if not count:
        raise UsageError(f"the corpus {path} is empty: it needs rows of url, title, text")
    if progress is not None:
        progress(count)
    return count


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("body", tokenizer_name="toleap", index_option="freq")
    builder.add_text_field("key", tokenizer_name="raw", index_option="basic")
    builder.add_bytes_field("page", stored=True, indexed=False)
    return builder.build()


def analyzer() -> tantivy.TextAnalyzer:
    keep = tantivy.Filter
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (keep.lowercase(), keep.ascii_fold(), keep.remove_long(64), keep.stemmer("english")):
        builder = builder.filter(step)
    return builder.build()


def _document(page: Page) -> tantivy.Document:
    document = tantivy.Document()
    title = prepared(page.title, singles=True)
    for _ in range(_TITLE_WEIGHT):
        document.add_text("body", title)
    document.add_text("body", prepared(page.text, singles=True))
    document.add_text("key", hashed(page_key(page.url)))
    document.add_bytes("page", orjson.dumps([page.url, page.title, page.text]))
    return document


def _rows(path: Path) -> Iterator[Page]:
    """The pages of the file, each row checked."""
    seen: dict[str, int] = {}
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST_ROW), b""), 1):
            if not line.strip():
                continue
            page = _page(line.removeprefix(_BOM) if number == 1 else line, f"{path} row {number}")
            if page.url in seen:
                raise UsageError(
                    f"{path} row {number}: the url {page.url[:200]} stands already in row {seen[page.url]}"
                )
            seen[page.url] = number
            yield page


def _page(line: bytes, where: str) -> Page:
    if len(line) == _LONGEST_ROW:
        raise UsageError(f"{where}: longer than {_LONGEST_ROW} bytes; split the page")
    try:
        line.decode("utf-8")
        row = orjson.loads(line)
    except UnicodeDecodeError as error:
        raise UsageError(f"{where}: not UTF-8 (byte {error.start}); convert the file") from error
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{where}: not JSON: {error.msg}") from error
    if not isinstance(row, dict):
        raise UsageError(f"{where}: must be an object with url, title, text")
    return Page(*(_text(row, key, where) for key in _KEYS))


def _text(row: dict[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise UsageError(f"{where}: {key!r} is {'missing' if key not in row else 'not a string'}")
    if key == "url" and not value.strip():
        raise UsageError(f"{where}: 'url' is empty")
    return value


def prepared(text: str, *, singles: bool) -> str:
    """The text with runs of CJK characters replaced by their pairs, and by each character where ``singles``."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode("utf-8"))

    def spaced(match: re.Match[str]) -> str:
        run = match.group()
        parts = [run[at : at + 2] for at in range(len(run) - 1)] if len(run) > 1 else []
        if singles or not parts:
            parts.extend(run)
        return f" {' '.join(parts)} "

    return _CJK.sub(spaced, text)


def hashed(key: str) -> str:
    """A term of fixed length: addresses can be longer than the index's terms may be."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
