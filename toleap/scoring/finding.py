"""What a rule finds, before it is known which scorer asked."""

from __future__ import annotations

from typing import NamedTuple

from toleap.types import VerdictStatus


class Finding(NamedTuple):
    """A verdict without its scorer: what it is, why, and what was read out of the answer."""

    status: VerdictStatus
    reason: str
    extracted: str | None = None


def plain(text: str) -> str:
    """Full-width forms as ASCII, marks of Markdown and LaTeX taken away, one blank between words.

    Lines stay apart. Superscripts and other compatibility forms stay what they are: ``km²`` is not ``km2``.
    """
    bare = text.translate(_SIMPLER).replace("\\boxed{", "{").replace("\\text{", "{")
    lines = bare.splitlines()
    return "\n".join(line for line in (" ".join(line.split()) for line in lines) if line)


_SIMPLER: dict[int, int | str | None] = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys(map(ord, '*`"“”\u200b\ufeff')),
    **{ord("−"): "-", ord("’"): "'", ord("。"): ".", ord("、"): ","},
}
