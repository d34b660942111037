"""Scripted policies that play the model: yardsticks for the harness, and never a measurement of one.

A policy is a pure function of the messages: the solver is replayed from the tool results in the history each time, so
the server that asks keeps no state. A history whose tool results were dropped or shortened cannot be replayed.
Where the request offers no tools, but its system message lists some, calls are written as text in ``<tool_call>``.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from . import solve, solve_level3
from .reading import UnsureError, content, rounds, user_text
from .steps import Call, Step
from .wordings import Reading, read

_FILE = re.compile(r"[\w-]+\.(?:csv|xlsx|pdf)\b")
UNSURE = "I could not determine the answer"
_GUESSES_FROM = ("train", 2026, 3000)


class Policy(Protocol):
    """Something that answers like a model."""

    def reply(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
        """The assistant's next message, in ChatCompletions form."""


class Oracle:
    """Solves every task from the question and the tools alone, as a careful reader would."""

    def reply(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
        """The next calls, or the answer when the solver has it, or that there is none."""
        text = user_text(messages)
        asked = read(text)
        if asked is None:
            return _unsure("I do not know this kind of question")
        file = _FILE.search(text)
        turn = _replayed(_solver(asked, file[0] if file else ""), messages)
        if isinstance(turn, str):
            return _said(turn)
        if _answer_is_demanded(messages) or not (tools or _tools_are_text(messages)):
            return _unsure("I was asked to stop before I had read everything")
        return _called(turn, len(messages)) if tools else _written(turn)


class Guesser:
    """Calls no tool: answers what was right most often among questions of the same kind in another world."""

    def reply(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG002
        """The most frequent answer of the question's kind."""
        asked = read(user_text(messages))
        guess = "unknown" if asked is None else _frequent_answers()[asked.template]
        return _said(f"I guess.\n<answer>{guess}</answer>")


POLICIES: Mapping[str, Callable[[], Policy]] = {"oracle": Oracle, "guesser": Guesser}


@cache
def _frequent_answers() -> dict[str, str]:
    """The most frequent gold answer of each template, the first of equals."""
    from .source import sample

    counts: dict[str, Counter[str]] = {}
    for task in sample(*_GUESSES_FROM):
        counts.setdefault(task.template, Counter())[task.answer] += 1
    return {template: min(seen, key=lambda answer: (-seen[answer], answer)) for template, seen in counts.items()}


def _solver(asked: Reading, file: str) -> Step[str]:
    if asked.template in solve.SOLVERS:
        return solve.SOLVERS[asked.template](asked.fields)
    return solve_level3.SOLVERS[asked.template](asked.fields, file)


def _replayed(solver: Step[str], messages: Sequence[Mapping[str, Any]]) -> list[Call] | str:
    """What the solver does after the results in the history: calls, or the text of its last message."""
    try:
        calls = next(solver)
        for results in rounds(messages):
            if len(results) != len(calls):
                raise UnsureError("some results of my calls are missing")
            calls = solver.send(results)
    except StopIteration as done:
        return f"I read the pages that the question leads to.\n<answer>{done.value}</answer>"
    except (UnsureError, LookupError, ValueError) as error:
        return f"{UNSURE}: {error}"
    return calls


def _tools_are_text(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the system message lists tools, as dialects without ``tools`` in the request do."""
    return any(message.get("role") == "system" and "<tools>" in content(message) for message in messages)


def _answer_is_demanded(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the user has spoken again, which is how a loop asks for its final answer."""
    last = messages[-1]
    started = any(message.get("role") == "assistant" for message in messages)
    return started and last.get("role") == "user" and "<tool_response>" not in content(last)


def _called(calls: Sequence[Call], turn: int) -> dict[str, Any]:
    made = [
        {
            "id": f"call_{turn}_{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(calls)
    ]
    return {"role": "assistant", "content": None, "tool_calls": made}


def _written(calls: Sequence[Call]) -> dict[str, Any]:
    blocks = (json.dumps({"name": name, "arguments": arguments}) for name, arguments in calls)
    return _said("\n".join(f"<tool_call>\n{block}\n</tool_call>" for block in blocks))


def _unsure(why: str) -> dict[str, Any]:
    return _said(f"{UNSURE}: {why}")


def _said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "tool_calls": []}
