"""Keeping the gold answer out of the reasons that tables and logs show.

A judge's server may repeat a request in its error, and a benchmark's own scorer may raise with its input: both have
seen the gold answer.
"""

from __future__ import annotations

import json
import re

HIDDEN = "[gold answer]"
_LEAST = 4
"""A beginning that is cut off by a limit on length is hidden from this many characters on."""


def without(text: str, gold: str) -> str:
    """The text with ``gold`` hidden: as it is or as JSON writes it, in any case, and where the end cuts it off."""
    once = json.dumps(gold.strip())[1:-1]
    for secret in dict.fromkeys((gold.strip(), once, json.dumps(once)[1:-1])):
        if secret:
            text = re.sub(_pattern(secret), HIDDEN, text, flags=re.IGNORECASE)
            text = _without_beginning(text, secret)
    return text


def _pattern(secret: str) -> str:
    """A short one only as a word of its own: ``4`` is no part of ``429``."""
    if len(secret) >= _LEAST or not secret.isascii():
        return re.escape(secret)
    return rf"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])){re.escape(secret)}(?![A-Za-z0-9])"


def _without_beginning(text: str, secret: str) -> str:
    end = text.rstrip("'\"… ")
    for size in range(min(len(secret), len(end)), _LEAST - 1, -1):
        if end[-size:].lower() == secret[:size].lower():
            return end[:-size] + HIDDEN
    return text
