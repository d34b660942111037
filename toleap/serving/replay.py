"""A recorded run as a policy: every conversation gets the replies that were recorded for it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from toleap.errors import ToleapError
from toleap.store.reading import read_trajectories
from toleap.types import Message, Turn

_Place = tuple[bytes, ...]


class NotRecorded(ToleapError):
    """The recorded run has no reply for this conversation."""


class RecordedRun:
    """Replays the stored replies of a run, found by the opening messages and what the assistant said since.

    Several attempts may share a place in their conversations, as all k attempts at a task do at the first turn: their
    replies are handed out one after the other, so that k new attempts replay k recorded ones.
    """

    def __init__(self, conversations: Iterable[tuple[Sequence[Message], Sequence[Turn]]]) -> None:
        self._replies: dict[_Place, list[Message]] = defaultdict(list)
        self._handed_out: dict[_Place, int] = defaultdict(int)
        for opening, turns in conversations:
            place: _Place = (_hash(list(opening)),)
            for turn in turns:
                self._replies[place].append(turn.reply)
                place = (*place, *map(_said, _assistant(turn.messages)))

    @classmethod
    def load(cls, folder: Path) -> RecordedRun:
        """Read ``run.db`` in a run's folder.

        Raises:
            UsageError: there is no run, or it cannot be read.
        """
        return cls((opening, turns) for _, opening, turns in read_trajectories(folder))

    def reply(self, messages: list[Message], tools: list[dict[str, Any]]) -> Message:  # noqa: ARG002
        """The recorded reply.

        Raises:
            NotRecorded: no attempt of the run had this conversation.
        """
        spoken = _assistant(messages)
        first = next((n for n, message in enumerate(messages) if message.get("role") == "assistant"), len(messages))
        place = (_hash(messages[:first]), *map(_said, spoken))
        replies = self._replies.get(place)
        if not replies:
            raise NotRecorded(f"no recorded attempt had this conversation (turn {len(spoken)})")
        turn = self._handed_out[place]
        self._handed_out[place] += 1
        return replies[turn % len(replies)]


def _assistant(messages: Iterable[Message]) -> list[Message]:
    return [message for message in messages if message.get("role") == "assistant"]


def _said(message: Message) -> bytes:
    return _hash([message.get("content") or "", message.get("tool_calls") or []])


def _hash(value: Any) -> bytes:
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
