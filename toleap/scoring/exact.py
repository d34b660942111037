"""Equality of an answer and the gold answer, up to how text is written."""

from __future__ import annotations

import unicodedata

CODE_VERSION = "1"
"""Raised with every change that can change a verdict; it is part of the scorer's fingerprint."""


def normalised(text: str) -> str:
    """Compatibility forms (full-width digits, ligatures) unified, case folded, blanks collapsed and trimmed."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def is_equal(answer: str | None, gold: str) -> bool:
    """Whether both texts are the same once normalised; a missing answer equals nothing."""
    return answer is not None and normalised(answer) == normalised(gold)
