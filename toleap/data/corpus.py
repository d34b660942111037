"""A corpus on disk: a JSONL file of url, title and text that ``search`` and ``fetch_url`` answer from.

The index is built once, into ``$TOLEAP_HOME/corpora/<sha256 of the file>/``, and opened by every later run. Ranking
is BM25 over title and text.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import tantivy

from toleap.data import cache
from toleap.data.corpus_index import Page, analyzer, build, hashed, load_index, page_key, prepared
from toleap.data.snippet import snippet
from toleap.errors import UsageError

__all__ = ["Corpus", "Hit", "Page", "open_corpus", "opened", "page_key"]

_QUERY_CHARS = 4_000
_QUERY_TERMS = 64
_MOST_TIES = 2_000


@dataclass(frozen=True, slots=True)
class Hit:
    """One page that a search found; ``snippet`` is about 300 characters around the words of the query."""

    url: str
    title: str
    snippet: str
    score: float


class Corpus:
    """An opened corpus. Safe to use from several threads.

    ``digest`` is the sha256 of the file and belongs into a run's fingerprint; ``pages`` counts its pages.
    """

    def __init__(self, path: Path, digest: str, index: tantivy.Index) -> None:
        self.path = path
        self.digest = digest
        self._schema = index.schema
        self._searcher = index.searcher()
        self._analyzer = analyzer()
        self.pages: int = self._searcher.num_docs

    def search(self, query: str, n: int) -> list[Hit]:
        """At most ``n`` hits, best first, equal scores by url. Any string is a query: it has no syntax."""
        terms = self._terms(query)
        if n < 1 or not terms:
            return []
        wanted = tantivy.Query.boolean_query([(tantivy.Occur.Should, self._term("body", term)) for term in terms])
        ranked = self._ranked(wanted, n)
        marks = self._marks(query, terms)
        return [Hit(page.url, page.title, snippet(page.text, marks), score) for score, page in ranked]

    def page(self, url: str) -> Page | None:
        """The page at ``url``, or None. Fragment, scheme, trailing slash and percent-escapes make no difference."""
        same = self._searcher.search(self._term("key", hashed(page_key(url))), 100, count=False).hits
        pages = sorted((self._load(address) for _, address in same), key=lambda page: (page.url != url, page.url))
        return pages[0] if pages else None

    def _term(self, field: str, text: str) -> tantivy.Query:
        return tantivy.Query.term_query(self._schema, field, text, "freq" if field == "body" else "basic")

    def _terms(self, query: str) -> list[str]:
        tokens = self._analyzer.analyze(prepared(query[:_QUERY_CHARS], singles=False))
        return list(dict.fromkeys(tokens))[:_QUERY_TERMS]

    def _ranked(self, query: tantivy.Query, n: int) -> list[tuple[float, Page]]:
        """The best ``n``. Where pages tie across the cut, the pages that tie are read too, so that the url decides.

        Scores are compared with five digits: the last bits of a sum depend on where in the index a page stands.
        """
        limit = n + 10
        while True:
            hits = self._searcher.search(query, limit, count=False).hits
            scores = [float(f"{score:.5g}") for score, _ in hits]
            if len(hits) < limit or scores[-1] < scores[n - 1] or limit > _MOST_TIES:
                break
            limit *= 2
        least = scores[min(n, len(scores)) - 1] if scores else 0.0
        kept = [
            (score, self._load(address)) for score, (_, address) in zip(scores, hits, strict=True) if score >= least
        ]
        return sorted(kept, key=lambda item: (-item[0], item[1].url))[:n]

    def _load(self, address: tantivy.DocAddress) -> Page:
        return Page(*orjson.loads(self._searcher.doc(address)["page"][0]))

    def _marks(self, query: str, terms: list[str]) -> dict[str, float]:
        """Strings to look for in a snippet, with how telling each one is (rare words more)."""
        words = prepared(query[:_QUERY_CHARS], singles=False).lower().split()
        marks: dict[str, float] = {}
        for term in terms:
            frequency = self._searcher.doc_freq("body", term)
            if frequency > 0:
                near = next((word for word in words if term in word), None)
                word = next((word for word in words if word[:3] == term[:3]), term) if near is None else term
                marks[word] = 1.0 / (1 + frequency)
        return dict(sorted(marks.items(), key=lambda item: -item[1])[:6])


_opened: dict[tuple[str, int, int], Corpus] = {}
_opening = threading.Lock()


def opened(path: Path) -> Corpus | None:
    """The corpus if this process has opened this very file before; never slow.

    Raises:
        UsageError: the file cannot be read.
    """
    return _opened.get(_identity(path))


def open_corpus(path: Path, *, progress: Callable[[int], None] | None = None) -> Corpus:
    """Open a corpus; the first time, check its file and build its index (a minute for a million short pages).

    Args:
        path: a JSONL file; each row has the strings ``url``, ``title`` and ``text``, each url once.
        progress: called with the number of pages indexed so far, while the index is built.

    Raises:
        UsageError: the file cannot be read, or one of its rows cannot be used; names the file and the row.
    """
    with _opening:
        identity = _identity(path)
        corpus = _opened.get(identity)
        if corpus is None:
            corpus = _opened[identity] = _open(path, progress)
        return corpus


def _identity(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the corpus {path}: {_reason(error)}") from error
    if not path.is_file():
        raise UsageError(f"the corpus {path} is not a file: give a JSONL file of url, title, text")
    return str(path.absolute()), status.st_mtime_ns, status.st_size


def _open(path: Path, progress: Callable[[int], None] | None) -> Corpus:
    digest = _digest(path)
    target = cache.folder("corpora") / digest
    index = load_index(target)
    if index is None:
        build(path, target, progress)
        index = load_index(target)
    if index is None:
        raise UsageError(f"the index of the corpus {path} in {target} cannot be opened: remove that folder")
    return Corpus(path, digest, index)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read the corpus {path}: {_reason(error)}") from error


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
