"""The passages of a page that fit a question best, without a model: BM25 over the passages of this one page."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

from toleap.data.corpus_index import analyzer, prepared

_PASSAGE = 400
"""Characters in a passage, about: short paragraphs are joined, long ones are split."""
_GAP = "\n[...]\n"
_K1, _B = 1.2, 0.75
_PURPOSE_WEIGHT = 2.0
_PIECE = re.compile(r"[^\n]*\n|[^\n]+")


def extract(text: str, purpose: str, question: str, most: int) -> str:
    """At most ``most`` characters of ``text``: whole passages in their order, gaps marked with ``[...]``.

    A text that is no longer comes back whole.
    Passages are ranked by BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.75, the page being the collection);
    words of the purpose count twice. What room is left goes to passages without any of the words, from the top.
    """
    if len(text) <= most:
        return text
    passages = _passages(text)
    scores = _scores(passages, purpose, question)
    ranked = sorted(range(len(passages)), key=lambda n: (-scores[n], n))
    chosen: list[int] = []
    left = most
    for n in ranked:
        cost = len(passages[n]) + len(_GAP)
        if cost <= left:
            chosen.append(n)
            left -= cost
    return _joined(passages, sorted(chosen)) or text[:most]


def _joined(passages: Sequence[str], chosen: Sequence[int]) -> str:
    parts: list[str] = []
    for place, n in enumerate(chosen):
        if place and n != chosen[place - 1] + 1:
            parts.append(_GAP)
        parts.append(passages[n])
    return "".join(parts).strip()


def _passages(text: str) -> list[str]:
    """The text in pieces of about ``_PASSAGE`` characters, cut at ends of lines where there are any."""
    passages: list[str] = []
    for line in _PIECE.findall(text):
        for start in range(0, len(line), 2 * _PASSAGE):
            piece = line[start : start + 2 * _PASSAGE]
            if passages and len(passages[-1]) + len(piece) <= _PASSAGE:
                passages[-1] += piece
            else:
                passages.append(piece)
    return passages


def _scores(passages: Sequence[str], purpose: str, question: str) -> list[float]:
    analyse = analyzer().analyze
    weights = dict.fromkeys(analyse(prepared(question, singles=False)), 1.0)
    weights.update(dict.fromkeys(analyse(prepared(purpose, singles=False)), _PURPOSE_WEIGHT))
    counted = [Counter(analyse(prepared(passage, singles=True))) for passage in passages]
    lengths = [counts.total() for counts in counted]
    mean = sum(lengths) / max(len(lengths), 1) or 1.0
    within = Counter(term for counts in counted for term in counts.keys() & weights.keys())
    worth = {term: weights[term] * math.log(1 + (len(passages) - n + 0.5) / (n + 0.5)) for term, n in within.items()}
    return [
        sum(
            worth[term] * counts[term] * (_K1 + 1) / (counts[term] + _K1 * (1 - _B + _B * length / mean))
            for term in sorted(counts.keys() & worth.keys())
        )
        for counts, length in zip(counted, lengths, strict=True)
    ]
