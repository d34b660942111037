"""The history of one attempt: messages serialised once, and how large the next prompt will be."""

from __future__ import annotations

from collections.abc import Sequence

from toleap.chat.client import serialise
from toleap.types import Message, Turn

_TOKENS_PER_BYTE = 0.4
"""Before a server has counted anything: high for English, about right for Chinese in UTF-8."""
_BYTES_PER_PICTURE = 4_000
"""What a picture counts for before a server has counted it: about 1,600 tokens, whatever its size in base64."""
_BLANK = "[left out: the context is full]"


class Conversation:
    """Opening messages and turns; ``fragments`` are the bytes of every message in order."""

    def __init__(self, opening: Sequence[Message], turns: Sequence[Turn] = ()) -> None:
        self.opening = tuple(opening)
        self.turns: list[Turn] = []
        self.fragments: list[bytes] = [serialise(message) for message in opening]
        self._bytes = sum(_size(*both) for both in zip(opening, self.fragments, strict=True))
        self._counted_bytes = 0
        self._counted_tokens = 0
        for turn in turns:
            self.add(turn)

    def add(self, turn: Turn) -> None:
        """Append a turn's messages."""
        before = self._bytes
        for message in turn.messages:
            self.fragments.append(serialise(message))
            self._bytes += len(self.fragments[-1])
        if turn.usage.prompt:
            said = len(self.fragments[-len(turn.messages)]) if turn.messages else 0
            self._counted_tokens = turn.usage.prompt + turn.usage.completion
            self._counted_bytes = before + said
        self.turns.append(turn)

    def prompt_tokens(self) -> int:
        """The size of the next prompt: what the server counted last, plus an estimate for what is new since."""
        rate = _TOKENS_PER_BYTE
        if self._counted_bytes:
            rate = max(self._counted_tokens / self._counted_bytes, 0.25)
        return self._counted_tokens + int((self._bytes - self._counted_bytes) * rate)

    def without_results(self, tokens: int) -> list[bytes]:
        """The fragments with the newest results blanked until about ``tokens`` tokens are saved."""
        fragments = list(self.fragments)
        saved, place = 0.0, len(fragments)
        for turn in reversed(self.turns):
            place -= len(turn.messages)
            for offset in range(len(turn.messages) - 1, 0, -1):
                if saved >= tokens:
                    return fragments
                blank = serialise({**turn.messages[offset], "content": _BLANK})
                saved += max(len(fragments[place + offset]) - len(blank), 0) * 0.25
                fragments[place + offset] = blank
        return fragments


def _size(message: Message, fragment: bytes) -> int:
    """The bytes of a message that make tokens: a picture's base64 does not."""
    content = message.get("content")
    if not isinstance(content, list):
        return len(fragment)
    return sum(len(part["text"].encode()) if part["type"] == "text" else _BYTES_PER_PICTURE for part in content)
