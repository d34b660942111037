"""Cutting a history that has become too long, before a turn: by dropping it, or by a summary of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from toleap.agent import history
from toleap.agent.auxiliary import Auxiliary, Wanted
from toleap.agent.prompts import prompt
from toleap.config import Agent
from toleap.errors import ContextOverflow
from toleap.types import Message, SubCall, Turn

_SECTIONS = ("actions", "results", "status")
_PER_MESSAGE = (4_000, 1_000, 250, 60)
"""How many characters of each message go into the prompt, where more do not fit."""
_HEADING = "[The steps made so far do not fit into the context any more. This is a summary of them.]"


class NotShortened(ContextOverflow):
    """No summary could be had. The history stays too long, which is a limit; ``calls`` say what was tried."""

    def __init__(self, calls: tuple[SubCall, ...]) -> None:
        super().__init__("the history could not be summarised")
        self.calls = calls


async def shorten(
    agent: Agent,
    opening: Sequence[Message],
    turns: Sequence[Turn],
    auxiliary: Auxiliary | None,
    *,
    seed: int,
    request_id: str,
) -> tuple[SubCall, ...]:
    """Cut the history as the policy says; the sub-calls are for the next turn to keep.

    Raises:
        NotShortened: no auxiliary model gave a usable summary.
        ServerFault: an auxiliary server failed and no model gave one: ours, not the model's.
    """
    if agent.policy == "discard":
        return (history.discarded(turns),)
    if auxiliary is None:
        raise NotShortened(())
    sent = history.sent(agent, opening, turns)
    text = summary_prompt(sent[: len(opening)], sent[len(opening) :], auxiliary.prompt_bytes)
    asked = await auxiliary.ask(Wanted("summary", text, usable=usable_summary, seed=seed, request_id=request_id))
    if asked.text is not None:
        return asked.calls
    if asked.fault is not None:
        raise asked.fault
    raise NotShortened(asked.calls)


def usable_summary(reply: str) -> str | None:
    """The message that stands for the turns summarised; None where the reply lacks one of the three sections."""
    sections = {match[1].lower() for match in re.finditer(r"^\W*(actions|results|status)\b", reply, re.I | re.M)}
    return f"{_HEADING}\n{reply.strip()}" if sections.issuperset(_SECTIONS) else None


def summary_prompt(opening: Sequence[Message], history: Sequence[Message], most_bytes: int) -> str:
    """The request for a summary of ``history``, at most ``most_bytes`` long in UTF-8.

    Long messages are cut, the more so the less room there is; at last the middle of the history is left out.
    """
    question = _clipped(text_of(opening[-1]), 8_000) if opening else ""
    head = f"{prompt('summary')}\n\nThe question:\n{question}\n\nThe notes:\n"
    room = max(most_bytes - len(head.encode()), 0)
    notes = b""
    for characters in _PER_MESSAGE:
        notes = "\n\n".join(_noted(message, characters) for message in history).encode()
        if len(notes) <= room:
            return head + notes.decode()
    half = max(room // 2 - 20, 0)
    kept = notes[:half] + b"\n[...]\n" + notes[len(notes) - half :]
    return (head.encode() + kept).decode("utf-8", "ignore")


def _noted(message: Message, characters: int) -> str:
    calls = [_called(call) for call in message.get("tool_calls") or ()]
    name = "AGENT" if message["role"] == "assistant" else "ANSWER"
    return "\n".join([f"{name}: {_clipped(text_of(message), characters)}", *(_clipped(c, characters) for c in calls)])


def _called(call: Mapping[str, Mapping[str, str]]) -> str:
    return f"CALL: {call['function']['name']} {call['function']['arguments']}"


def text_of(message: Message) -> str:
    """A message's text, without its pictures."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if part["type"] == "text")
    return content if isinstance(content, str) else ""


def _clipped(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[:characters]} [...]"
