"""Tools that raise, hang, exit, flood or are killed: told to the model or owed, never scored as its failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import (
    Done,
    Program,
    database_in,
    row_of,
    standing,
    turns_in,
)
from toleap.dock import outside
from toleap.types import ErrorClass, ToolResult

HEAD = """
import asyncio, os, signal, time
from pathlib import Path
from typing import Any
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ToolAnnotations
from toleap.dock import answer, context_of, new_server
from toleap.errors import ToolFault
server = new_server("odd")
SOON = {"toleap": {"deadline": 1.5}}

def first_time():
    mark = Path(__file__).with_name("been")
    been = mark.exists()
    mark.touch()
    return not been
"""
ODD = '''
@server.tool(structured_output=False, annotations=ToolAnnotations(idempotent_hint=True))
async def odd(word: str, ctx: Context[Any, Any]) -> CallToolResult:
    """What comes of it depends on the attempt."""
    match context_of(ctx).attempt:
        case 0:
            return answer(word)
        case 1:
            raise ToolError("the shop is closed")
        case 2:
            return answer("a\\0b\\udc80c")
        case 3:
            return answer("x" * 10**8)
        case 4:
            raise ZeroDivisionError("a detail")
        case 5:
            raise ToolFault("the engine is down")
        case 6:
            raise SystemExit(3)
        case 7:
            return await odd(word, ctx)
        case 8:
            raise MemoryError
        case 9:
            os.kill(os.getpid(), signal.SIGKILL)
        case 10:
            if first_time():
                os.kill(os.getpid(), signal.SIGKILL)
            return answer("healed")
'''
HANGING = '''
@server.tool(meta=SOON, structured_output=False)
async def page(ctx: Context[Any, Any]) -> CallToolResult:
    """Waits for others in attempt 0."""
    if context_of(ctx).attempt == 0:
        await asyncio.sleep(3600)
    return answer("a page")

@server.tool(meta=SOON, structured_output=False)
def thread(ctx: Context[Any, Any]) -> CallToolResult:
    """Blocks its thread in attempt 1."""
    if context_of(ctx).attempt == 1:
        time.sleep(3600)
    return answer("a thread")

@server.tool(meta=SOON, structured_output=False, annotations=ToolAnnotations(open_world_hint=False))
async def sum(ctx: Context[Any, Any]) -> CallToolResult:
    """Waits for nobody, and never ends when attempt 2 first calls it."""
    if context_of(ctx).attempt == 2 and first_time():
        await asyncio.sleep(3600)
    return answer("a sum")

@server.tool(meta=SOON, structured_output=False)
async def block(ctx: Context[Any, Any]) -> CallToolResult:
    """Holds up everything in attempt 3."""
    if context_of(ctx).attempt == 3:
        time.sleep(3600)
    return answer("a block")
'''
ANSWER = {"content": "<answer>7</answer>"}


def calling(*names: str, **arguments: object) -> dict[str, Any]:
    return {"tool_calls": [{"function": {"name": name, "arguments": arguments}} for name in names]}


def results_in(database: Path, attempt: int) -> list[ToolResult]:
    return [result for turn in turns_in(database, attempt) for result in turn.results]


def played(program: Program, source: str, turns: list[dict[str, Any]], *options: str) -> Done:
    """A run of one task with the tools of a folder called ``odd``."""
    folder = program.folder / "tools" / "odd"
    folder.mkdir(parents=True)
    (folder / "server.py").write_text(HEAD + source)
    script = program.folder / "turns.json"
    script.write_text(json.dumps(turns))
    command = ("run", "atoll", "--model", f"scripted:turns:{script}", "--limit", "1", "--json", "--trust",
               "--set", 'dock.tools=["odd"]', "--set", "operation.fault_limit=2")  # fmt: skip
    return program.here(*command, *options)


def test_whatever_a_tool_raises_or_returns_is_told_or_owed_and_never_scored(program: Program) -> None:
    done = played(program, ODD, [calling("odd", word="kelp"), ANSWER], "--k", "11", "--max-in-flight", "1")
    database = database_in(program.folder)
    assert done.code == 1
    rows = standing(database, "attempt", "ending", "faults", "quarantined", "fault")
    assert [row[:4] for row in rows if row[0] in {0, 1, 2, 3, 10}] == [
        (attempt, "answered", 0, 0) for attempt in (0, 1, 2, 3, 10)
    ]
    owed = {
        attempt: fault for attempt, ending, faults, aside, fault in rows if (ending, faults, aside) == (None, 2, 1)
    }
    for attempt, says in {
        4: "the tool odd failed: ZeroDivisionError: a detail",
        5: "the engine is down",
        6: "the tool odd failed: SystemExit: 3",
        7: "the tool odd failed: RecursionError",
        8: "the tool odd failed: MemoryError",
        9: "the process of the tool odd ended in the call, killed by signal 9",
    }.items():
        assert owed[attempt].startswith(says)
    texts = [results_in(database, attempt)[0] for attempt in (0, 1, 2, 10)]
    assert [result.text for result in texts] == ["kelp", "the shop is closed", "a\0b?c", "healed"]
    assert [result.error for result in texts] == [None, ErrorClass.WORLD, None, None]
    (huge,) = results_in(database, 3)
    assert huge.truncated and huge.text.endswith("[cut: only the first 240000 characters are shown]")
    assert row_of(done.json)["counts"] == {
        "planned": 11, "scored": 5, "unscored": 0, "owed": 6, "quarantined": 6, "complete": False,
    }  # fmt: skip
    assert "quarantined" in [note["kind"] for note in done.json["notes"]]


def test_a_tool_that_hangs_never_holds_up_the_run_and_the_blame_is_the_right_one(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "_PATIENCE", 2.0)
    turns = [calling(name) for name in ("page", "thread", "sum", "block")]
    done = played(program, HANGING, [*turns, ANSWER], "--k", "5", "--max-in-flight", "1")
    database = database_in(program.folder)
    rows = standing(database, "ending", "faults", "quarantined", "fault")
    assert done.code == 1
    assert rows[0] == rows[1] == rows[4] == ("answered", 0, 0, None)
    assert rows[2] == ("answered", 1, 0, "the tool sum did not answer in 1.5 seconds")
    assert rows[3] == (None, 2, 1, "the tool block hung for 1.5 seconds and was ended")
    fine = ["a page", "a thread", "a sum", "a block"]
    shown = {attempt: [result.text for result in results_in(database, attempt)] for attempt in (0, 1, 2, 4)}
    assert shown[0] == ["page timed out after 1.5 seconds.", *fine[1:]]
    assert shown[1] == [fine[0], "thread timed out after 1.5 seconds.", *fine[2:]]
    assert shown[2] == shown[4] == fine
    counts = row_of(done.json)["counts"]
    assert (counts["planned"], counts["scored"], counts["owed"], counts["quarantined"]) == (5, 4, 1, 1)
