"""Tools in a process of their own: whatever one does, this process goes on, and the blame is the right one."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.cli.program import command_of, family, gone, wait_until
from toleap.dock import Dock, outside
from toleap.errors import ToolFault, UsageError
from toleap.types import CallContext, ErrorClass, ToolCall, ToolResult

HEAD = """
import asyncio, os, signal, sys, threading, time
from pathlib import Path
from typing import Any
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, ToolAnnotations
from toleap.dock import answer, context_of, new_server, world
from toleap.errors import ToolFault, UsageError
server = new_server("mine")
SEEN = Path(__file__).with_name("seen.txt")
READS = ToolAnnotations(read_only_hint=True)
CLOSED = ToolAnnotations(open_world_hint=False)
SOON = {"toleap": {"deadline": 0.3}}

def saw(what):
    with SEEN.open("a") as file:
        file.write(f"{what}\\n")
"""
MINE = """
@server.tool(structured_output=False)
async def does(what: str, ctx: Context[Any, Any]) -> CallToolResult:
    match what:
        case "show":
            print("this does not disturb the answers")
            return answer(f"{context_of(ctx).session} {os.getpid()}")
        case "tell":
            raise ToolError("the shop is closed")
        case "bug":
            raise ZeroDivisionError("a detail")
        case "usage":
            raise UsageError("policy.x must be 1")
        case "fault":
            raise ToolFault("the engine is down")
        case "protocol":
            raise MCPError(code=1, message="no")
        case "deep":
            return await does(what, ctx)
        case "memory":
            raise MemoryError
        case "cancel":
            raise asyncio.CancelledError
        case "exit":
            raise SystemExit(3)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "number":
            return 7
        case "nul":
            return answer("a\\0b")
        case "surrogate":
            return answer("a\\udc80b")
        case "huge":
            return answer("x" * 10**8)

@server.tool()
async def plain_surrogate() -> str:
    return "a\\udc80b"

@server.tool(meta=SOON)
async def waits() -> str:
    saw("waiting")
    try:
        await asyncio.sleep(60)
    finally:
        saw("woken")

@server.tool()
async def waits_longer() -> str:
    return await waits()

@server.tool(meta=SOON)
async def blocks() -> str:
    time.sleep(3600)

@server.tool(meta=SOON)
async def clings() -> str:
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            saw("clinging")

@server.tool(meta=SOON)
def blocks_a_thread() -> str:
    time.sleep(3600)

@server.tool(annotations=READS)
async def dies_once() -> str:
    if not SEEN.exists():
        saw("dying")
        os._exit(1)
    return f"alive"

@server.tool(annotations=READS)
async def takes_time(word: str) -> str:
    await asyncio.sleep(0.3)
    return word

@server.tool(annotations=READS)
async def dies() -> str:
    saw("dying")
    os._exit(1)
"""
STATEFUL = """
kept = {}

@server.tool(structured_output=False)
async def keep(word: str, ctx: Context[Any, Any]) -> CallToolResult:
    words = kept.setdefault(context_of(ctx).session, [])
    words.append(word)
    return answer(" ".join(words))

async def release(session: str) -> None:
    saw(f"released {session}")
    kept.pop(session)

async def close() -> None:
    saw("closed")
"""
CONTEXT = CallContext("run", "bench", "t1", 2)
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.chdir(tmp_path)

    def write(name: str, body: str) -> Path:
        folder = tmp_path / "tools" / name
        folder.mkdir(parents=True)
        (folder / "server.py").write_text(HEAD + body)
        return folder

    return write


@pytest.fixture
async def dock(make: Make) -> AsyncIterator[Dock]:
    make("mine", MINE)
    async with Dock(["mine"], trust=True) as made:
        yield made


async def call(dock: Dock, name: str, context: CallContext = CONTEXT, **arguments: object) -> ToolResult:
    return await dock.call(ToolCall("1", name, arguments), context)


def children() -> list[int]:
    return [pid for pid in family(os.getpid()) if "toleap.dock.child" in command_of(pid) and not gone(pid)]


async def test_every_way_to_fail_has_its_owner_and_the_next_call_is_answered(dock: Dock) -> None:
    for what, text in (
        ("show", f"run/bench/t1#2 {children()[0]}"),
        ("nul", "a\0b"),
        ("surrogate", "a?b"),
        ("number", "7"),
    ):
        found = await call(dock, "does", what=what)
        assert (found.text, found.error) == (text, None)
    told = await call(dock, "does", what="tell")
    assert (told.text, told.error) == ("the shop is closed", ErrorClass.WORLD)
    assert (await call(dock, "plain_surrogate")).text == "a?b"
    huge = await call(dock, "does", what="huge")
    assert huge.truncated and huge.text.endswith("[cut: only the first 240000 characters are shown]")
    with pytest.raises(UsageError, match=r"policy\.x must be 1"):
        await call(dock, "does", what="usage")
    for what, says in {
        "bug": "does failed: ZeroDivisionError: a detail",
        "fault": "the engine is down",
        "protocol": "does failed: .*MCPError",
        "deep": "does failed: RecursionError",
        "memory": "does failed: MemoryError",
        "cancel": "does cancelled itself",
        "exit": "does failed: SystemExit: 3",
        "crash": f"does ended in the call, killed by signal {signal.SIGSEGV:d}",
    }.items():
        with pytest.raises(ToolFault, match=says):
            await call(dock, "does", what=what)
        assert (await call(dock, "does", what="nul")).text == "a\0b"


async def test_a_call_that_takes_too_long_is_the_worlds_and_can_be_cancelled(dock: Dock) -> None:
    result = await call(dock, "waits")
    assert (result.text, result.error) == ("waits timed out after 0.3 seconds.", ErrorClass.WORLD)
    assert Path("tools/mine/seen.txt").read_text() == "waiting\nwoken\n"
    before = children()
    await call(dock, "does", what="nul")
    assert children() == before


async def test_a_cancelled_call_is_cancelled_over_there(dock: Dock) -> None:
    task = asyncio.create_task(call(dock, "waits_longer"))
    seen = Path("tools/mine/seen.txt")
    while not seen.exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    while "woken" not in seen.read_text():
        await asyncio.sleep(0.01)


async def test_a_tool_that_blocks_its_process_has_hung_and_is_replaced(
    dock: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "_PATIENCE", 0.3)
    (before,) = children()
    with pytest.raises(ToolFault, match=r"the tool blocks hung for 0\.3 seconds and was ended"):
        await call(dock, "blocks")
    assert gone(before)
    assert (await call(dock, "does", what="nul")).text == "a\0b"
    assert children() != [before]


async def test_a_function_that_blocks_a_thread_blocks_nothing_else(dock: Dock) -> None:
    before = children()
    assert (await call(dock, "blocks_a_thread")).error is ErrorClass.WORLD
    assert (await call(dock, "does", what="nul")).text == "a\0b"
    assert children() == before


async def test_a_call_that_does_not_let_itself_be_ended_goes_with_its_process(dock: Dock) -> None:
    (before,) = children()
    assert (await call(dock, "clings")).error is ErrorClass.WORLD
    assert (await call(dock, "does", what="nul")).text == "a\0b"
    wait_until(lambda: gone(before), "the end of the process with the call in it")
    assert len(children()) == 1


async def test_a_call_lost_with_its_process_is_made_once_more_if_it_may_be(dock: Dock) -> None:
    assert (await call(dock, "dies_once")).text == "alive"
    seen = Path("tools/mine/seen.txt")
    seen.unlink()
    with pytest.raises(ToolFault, match="the process of the tool dies ended in the call, with exit status 1"):
        await call(dock, "dies")
    assert seen.read_text() == "dying\n" * 2


async def test_a_call_that_ends_the_process_again_and_again_costs_no_other_one(dock: Dock) -> None:
    first, *others = await asyncio.gather(
        call(dock, "dies"), *(call(dock, "takes_time", word=str(n)) for n in range(4)), return_exceptions=True
    )
    assert isinstance(first, ToolFault)
    assert [getattr(other, "text", other) for other in others] == ["0", "1", "2", "3"]


async def test_what_a_stateful_tool_kept_goes_with_its_process_and_that_is_our_fault(make: Make) -> None:
    folder = make("keep", STATEFUL)
    other = CallContext("run", "bench", "t1", 3)
    async with Dock(["keep"], trust=True) as dock:
        assert dock.keeps_state("keep")
        await call(dock, "keep", word="a")
        assert (await call(dock, "keep", word="b")).text == "a b"
        assert (await call(dock, "keep", other, word="c")).text == "c"
        os.kill(children()[0], signal.SIGKILL)
        with pytest.raises(ToolFault):
            await call(dock, "keep", word="c")
        with pytest.raises(ToolFault, match="what the tool keep kept for this attempt went with its process"):
            await call(dock, "keep", word="c")
        await dock.release(CONTEXT)
        assert (await call(dock, "keep", word="a")).text == "a"
        await dock.release(CONTEXT)
    assert (folder / "seen.txt").read_text() == "released run/bench/t1#2\nclosed\n"
    assert not children()


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        ("server = 3", UsageError, "must define 'server'"),
        ("raise SystemExit(3)", UsageError, r"cannot load .*server.py: SystemExit: 3"),
        ("assert False, 'no'", UsageError, r"cannot load .*server.py: AssertionError: no"),
        ("os._exit(1)", ToolFault, "the tool bad did not start"),
        ("async def probe():\n    raise UsageError('set the key')", UsageError, "set the key"),
        ("async def probe():\n    time.sleep(3600)", ToolFault, r"probe\(\) of the tool bad did not return"),
        ("time.sleep(3600)", ToolFault, "the tool bad did not start"),
    ],
)
async def test_a_folder_that_cannot_be_used_stops_the_start(
    make: Make, monkeypatch: pytest.MonkeyPatch, body: str, kind: type[Exception], says: str
) -> None:
    if "3600" in body:
        monkeypatch.setattr(outside, "_HOOK_SECONDS" if "probe" in body else "_START_SECONDS", 0.3)
    make("bad", body)
    with pytest.raises(kind, match=says):
        async with Dock(["bad"], trust=True):
            pass
    assert not children()
