"""Calls as models write them wrong, through the whole program: told, counted, never made, and the attempt goes on."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import pytest

from tests.cli.program import Program, database_in, row_of, standing, turns_in
from toleap.types import ErrorClass, Turn

LOOK = '''
from pathlib import Path
from toleap.dock import new_server
server = new_server("look")

@server.tool(structured_output=False)
async def look(at: str) -> str:
    """Look at something."""
    with Path(__file__).with_name("seen.txt").open("a") as file:
        file.write(f"{at}\\n")
    return f"You see {at}."
'''
CUT = "cut off|stops in the middle"
HUGE = json.dumps({"at": "x" * 10_000_000})


class Case(NamedTuple):
    """What a model writes, as the arguments' text of each call; what it is told, and the calls that are made."""

    arguments: list[str]
    told: str
    made: list[str] = []  # noqa: RUF012 - a value, never changed
    name: str = "look"


CASES = {
    "right": Case(['{"at": "reef"}'], "You see reef.", ["reef"]),
    "two, of which one is wrong": Case(['{"at": "bay"}', "nonsense"], "could not be read", ["bay"]),
    "no JSON": Case(['{"at": the reef}'], "could not be read"),
    "a key twice": Case(['{"at": "one", "at": "two"}'], "twice"),
    "not a number": Case(['{"at": NaN}'], "NaN"),
    "half a character": Case([r'{"at": "\ud800"}'], "surrogates not allowed"),
    "another argument": Case(['{"att": "reef"}'], r"did you mean 'at'\?"),
    "another type": Case(['{"at": {"x": 1}}'], "must be a string"),
    "an unknown tool": Case(['{"at": "reef"}'], r"Did you mean 'look'\?", name="lok"),
    "40 at once": Case([f'{{"at": "{n}"}}' for n in range(40)], "Too many calls in one step: at most 32 are made.",
                       [str(n) for n in range(32)]),
    "cut off": Case(['{"at": "never'], CUT),
    "ten megabytes": Case([HUGE], "longer than 10000000 characters"),
}  # fmt: skip
IN_THOUGHTS = '<think>I shall <tool_call>{"name": "look", "arguments": {"at": "never"}}</tool_call></think>'
ANSWER = {"content": "<answer>7</answer>"}


def as_native(case: Case) -> dict[str, Any]:
    return {"tool_calls": [{"function": {"name": case.name, "arguments": text}} for text in case.arguments]}


def as_text(case: Case) -> dict[str, Any]:
    ends = [f"}}\n{closing}" for closing in ["</tool_call>"] * len(case.arguments)]
    if case.told == CUT:
        ends = [""]
    blocks = zip(case.arguments, ends, strict=True)
    content = "\n".join(f'<tool_call>\n{{"name": "{case.name}", "arguments": {text}{end}' for text, end in blocks)
    return {"content": content}


@pytest.mark.parametrize("dialect", ["native", "hermes", "agentcpm"])
def test_calls_that_cannot_be_made_are_told_and_counted_and_the_attempt_goes_on(
    program: Program, dialect: str
) -> None:
    folder = program.folder / "tools" / "look"
    folder.mkdir(parents=True)
    (folder / "server.py").write_text(LOOK)
    write = as_native if dialect == "native" else as_text
    # A server that parses calls may leave one in the text, or in the thoughts, of a native reply as well.
    extra = {"in the text": (as_text(Case(['{"at": "text"}'], "")), "You see text."),
             "in thoughts": ({"content": IN_THOUGHTS}, "inside your thoughts")}  # fmt: skip
    turns = [message for message, _ in extra.values()] + [write(case) for case in CASES.values()] + [ANSWER]
    script = program.folder / "turns.json"
    script.write_text(json.dumps(turns))
    done = program.here("run", "atoll", "--model", f"scripted:turns:{script}", "--limit", "1", "--k", "1", "--json",
                        "--trust", "--set", 'dock.tools=["look"]', "--set", f"agent.dialect={dialect}",
                        "--set", "agent.noop_limit=50", "--set", "agent.context=100000000")  # fmt: skip
    assert done.code == 0, done.said
    database = database_in(program.folder)
    stored = turns_in(database)
    assert len(stored) == len(turns)
    expected = [(told, ["text"] if name == "in the text" else []) for name, (_, told) in extra.items()]
    expected += [(case.told, case.made) for case in CASES.values()]
    for turn, (told, made) in zip(stored, expected, strict=False):
        assert re.search(told, turn.results[-1].text)
        assert [result.text for result in turn.results if result.error is None] == [f"You see {at}." for at in made]
        assert len(turn.messages) == 1 + len(turn.results)
    seen = (folder / "seen.txt").read_text().split()
    assert sorted(seen) == sorted(at for _, made in expected for at in made)
    bad = bad_calls(stored)
    assert bad == 1 + 1 + 8 + len(CASES) - 3
    calls = sum(len(turn.calls) for turn in stored)
    assert standing(database, "ending", "turns", "tool_calls", "bad_calls", "faults") == [
        ("answered", len(turns), calls, bad, 0)
    ]
    assert row_of(done.json)["behaviour"]["bad_call_rate"] == bad / calls


def bad_calls(turns: list[Turn]) -> int:
    return sum(result.error is ErrorClass.CALL for turn in turns for result in turn.results)
