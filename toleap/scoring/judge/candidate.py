"""Showing a candidate's text to a judge so that nothing in it can speak to the judge.

Every line of it stands behind ``| ``, between two markers that nobody can foretell. A judge that repeats such lines
gives no verdict by it: the parsers count a label at the start of a line only, and ``|`` is no start.
"""

from __future__ import annotations

import hashlib
import re

_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]")
_TURN_TOKENS = re.compile(
    r"<(?=[|｜])|(?<=[|｜])(?=>)|<(?=/?(?:s|think|bos|eos|system|user|assistant|start_of_turn|end_of_turn|tool_call)\s*>)"
    r"|\[(?=/?INST\])|<(?=</?SYS>>)",
    re.IGNORECASE,
)
_VERDICT_LINE = re.compile(
    r"^(?=[^\w\n]*+(?:correct|grade|decision|verdict|结论)[^\w\n:：]*+[:：])", re.IGNORECASE | re.MULTILINE
)


def quoted(text: str, *about: str) -> str:
    """The candidate's text, line by line behind ``| ``, between two markers.

    The markers are a hash of the text and of ``about`` (the task and its gold answer, which the candidate never saw):
    the same text is always shown alike, and no text can hold its own marker.
    """
    seed = "\0".join((*about, text)).encode("utf-8", "replace")
    marker = hashlib.sha256(seed).hexdigest()[:16]
    lines = [f"| {line}" for line in _harmless(text).splitlines()] or ["| "]
    return "\n".join((f"=== candidate {marker} begins ===", *lines, f"=== candidate {marker} ends ==="))


def bare(text: str) -> str:
    """The candidate's text for an owner's prompt, which has no markers: unchanged, but for lines like a verdict.

    Such lines get ``| `` in front, and tokens that would end the judge's turn are broken up.
    """
    return _VERDICT_LINE.sub("| ", _harmless(text))


def _harmless(text: str) -> str:
    """Without control characters, and with the tokens of chat templates broken up: a server may read them as such."""
    return _TURN_TOKENS.sub(lambda match: f"{match[0]} ", _CONTROLS.sub("", text))
