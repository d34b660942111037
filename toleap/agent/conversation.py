"""The history of one attempt: messages serialised once, and how large the next prompt will be."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from toleap.agent import history
from toleap.chat.client import serialise
from toleap.config import Agent
from toleap.types import Message, SubCall, Turn

_TOKENS_PER_BYTE = 0.4
"""Before a server has counted anything: high for English, about right for Chinese in UTF-8."""
_LEAST_PER_BYTE = 0.2
"""Hardly any text has less."""
_SAVED_PER_BYTE = _LEAST_PER_BYTE
"""What a byte that is not sent any more saves: low, so that a prompt is rather thought too long than too short."""
_MOST_PER_BYTE = 1.0
"""No text has more."""
_BYTES_PER_PICTURE = 4_000
"""What a picture counts for before a server has counted it: about 1,600 tokens, whatever its size in base64."""
_BLANK = "[left out: the context is full]"


class _Rates(NamedTuple):
    """Tokens for a byte of what is new, of the note that stands for turns cut away, and of what is not sent again."""

    new: float
    note: float
    saved: float


class Conversation:
    """Opening messages and turns; ``fragments`` are the bytes of every message in order.

    All of it is stored; what is sent of it is for the policy of ``agent`` to say (by default everything).
    ``made`` below are the sub-calls that the next turn has made already: they can cut the history short.
    """

    def __init__(self, opening: Sequence[Message], turns: Sequence[Turn] = (), *, agent: Agent | None = None) -> None:
        self.opening = tuple(opening)
        self.turns: list[Turn] = []
        self.fragments: list[bytes] = [serialise(message) for message in opening]
        self._agent = agent or Agent()
        self._sends_all = self._agent.policy == "keep"
        self._fragment_of = dict(zip(map(id, self.opening), self.fragments, strict=True))
        self._bytes = sum(_size(*both) for both in zip(opening, self.fragments, strict=True))
        self._opening_bytes = self._bytes
        self._uncounted = sum(map(len, self.fragments)) - self._bytes
        self._counted_bytes = 0
        self._counted_tokens = 0
        self._least_counted = 0
        for turn in turns:
            self.add(turn)

    def add(self, turn: Turn) -> None:
        """Append a turn's messages."""
        before = self._bytes if self._sends_all else self._sent_bytes(turn.subcalls)
        for message in turn.messages:
            self.fragments.append(serialise(message))
            self._bytes += len(self.fragments[-1])
            if not self._sends_all:
                self._fragment_of[id(message)] = self.fragments[-1]
        if turn.usage.prompt:
            reply_bytes = len(self.fragments[-len(turn.messages)]) if turn.messages else 0
            self._counted_tokens = turn.usage.prompt + turn.usage.completion
            # Thoughts that are not sent again are no part of the next prompt.
            self._least_counted = turn.usage.prompt + min(turn.usage.completion, int(reply_bytes * _TOKENS_PER_BYTE))
            self._counted_bytes = before + reply_bytes
        self.turns.append(turn)

    def sent(self, subcalls: Sequence[SubCall] = ()) -> list[bytes]:
        """The fragments of the next request."""
        if self._sends_all:
            return self.fragments
        messages = history.sent(self._agent, self.opening, self.turns, subcalls)
        # Messages that are sent as they were are the same objects, which live as long as this conversation.
        return [self._fragment_of.get(id(message)) or serialise(message) for message in messages]

    def prompt_tokens(self, subcalls: Sequence[SubCall] = ()) -> int:
        """The size of the next prompt: what the server counted last, plus an estimate for what is new since."""
        rate = _TOKENS_PER_BYTE
        if self._counted_bytes:
            rate = max(self._counted_tokens / self._counted_bytes, 0.25)
        return self._tokens(subcalls, self._counted_tokens, _Rates(rate, _TOKENS_PER_BYTE, _SAVED_PER_BYTE))

    def least_tokens(self, subcalls: Sequence[SubCall] = ()) -> int:
        """What the next prompt has at least: that a context is full is for the server to say, not for an estimate."""
        return self._tokens(subcalls, self._least_counted, _Rates(_LEAST_PER_BYTE, _LEAST_PER_BYTE, _MOST_PER_BYTE))

    def _tokens(self, subcalls: Sequence[SubCall], counted: int, rates: _Rates) -> int:
        if self._sends_all:
            return counted + int((self._bytes - self._counted_bytes) * rates.new)
        return self._shortened_tokens(subcalls, counted, rates)

    def without_results(self, tokens: int) -> list[bytes]:
        """The fragments to send, with the newest results blanked until about ``tokens`` tokens are saved."""
        messages = history.sent(self._agent, self.opening, self.turns)
        fragments = list(self.sent())
        saved = 0.0
        for place in history.results(messages, self.turns[history.first_sent(self._agent, self.turns) :]):
            if saved >= tokens:
                return fragments
            blank = serialise({**messages[place], "content": _BLANK})
            saved += max(len(fragments[place]) - len(blank), 0) * 0.25
            fragments[place] = blank
        return fragments

    def _shortened_tokens(self, subcalls: Sequence[SubCall], counted: int, rates: _Rates) -> int:
        """The size of a prompt that may be shorter than the last one."""
        if self.turns and any(map(history.is_cut, subcalls)):
            # What is left is the opening, which the server counted with the tools in the first turn, and a note.
            note = self._sent_bytes(subcalls) - self._opening_bytes
            return self.turns[0].usage.prompt + int(note * rates.note)
        new = self._sent_bytes(subcalls) - self._counted_bytes
        return max(counted + int(new * (rates.new if new > 0 else rates.saved)), 0)

    def _sent_bytes(self, subcalls: Sequence[SubCall]) -> int:
        return sum(map(len, self.sent(subcalls))) - self._uncounted


def _size(message: Message, fragment: bytes) -> int:
    """The bytes of a message that make tokens: a picture's base64 does not."""
    content = message.get("content")
    if not isinstance(content, list):
        return len(fragment)
    return sum(len(part["text"].encode()) if part["type"] == "text" else _BYTES_PER_PICTURE for part in content)


def opening_messages(system: str, prompt: str, pictures: Sequence[Path] = ()) -> tuple[Message, ...]:
    """The system's and the user's message; pictures stand behind the text, for a model that sees."""
    parts = [{"type": "image_url", "image_url": {"url": _data_url(picture)}} for picture in pictures]
    content = [{"type": "text", "text": prompt}, *parts] if parts else prompt
    return {"role": "system", "content": system}, {"role": "user", "content": content}


def _data_url(picture: Path) -> str:
    kind = mimetypes.guess_type(picture.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()}"
