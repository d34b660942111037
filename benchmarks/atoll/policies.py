"""Scripted policies that play the model: yardsticks for the harness, and never a measurement of one.

A policy is a pure function of the messages: the solver is replayed from the tool results in the history each time, so
the server that asks keeps no state. A history whose tool results were dropped or shortened cannot be replayed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from . import solve, solve_more
from .reading import UnsureError, content, rounds, user_text
from .steps import Call, Step
from .wordings import Reading, read

_FILE = re.compile(r"[\w-]+\.(?:csv|xlsx|pdf)\b")
_GUESSES_FROM = ("train", 2026, 3000)


class Policy(Protocol):
    """Something that answers like a model."""

    def reply(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
        """The assistant's next message, in ChatCompletions form."""


class Oracle:
    """Solves every task from the question and the tools alone, as a careful reader would."""

    def reply(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG002
        """The next calls, or the answer when the solver has it."""
        text = user_text(messages)
        asked = read(text)
        if asked is None:
            return _said("I could not determine the answer: I do not know this kind of question.")
        file = _FILE.search(text)
        return _replayed(_solver(asked, file[0] if file else ""), messages)


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
    return solve_more.SOLVERS[asked.template](asked.fields, file)


def _replayed(solver: Step[str], messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the solver does after the results in the history."""
    history = rounds(messages)
    try:
        calls = next(solver)
        for results in history:
            if len(results) != len(calls):
                return _unsure("some results of my calls are missing")
            calls = solver.send(results)
    except StopIteration as done:
        return _said(f"I read the pages that the question leads to.\n<answer>{done.value}</answer>")
    except (UnsureError, LookupError, ValueError) as error:
        return _unsure(str(error))
    if _answer_is_demanded(messages):
        return _unsure("I was asked to stop before I had read everything")
    return _called(calls, len(history))


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


def _unsure(why: str) -> dict[str, Any]:
    return _said(f"I could not determine the answer: {why}")


def _said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "tool_calls": []}
