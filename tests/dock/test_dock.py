"""The dock over real tool folders: found, trusted, probed, called, released; and whose fault a failure is."""

from __future__ import annotations

import asyncio
import json
import textwrap
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from toleap.dock import Dock
from toleap.errors import ToolFault, UsageError
from toleap.types import CallContext, ErrorClass, ToolCall, ToolResult, ToolSettings

HEAD = """
import asyncio, json
from typing import Any
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ToolAnnotations
from toleap.dock import answer, blocked, context_of, new_server, world
from toleap.errors import ToolFault, UsageError
server = new_server("mine")
CLOSED = ToolAnnotations(open_world_hint=False)
"""
MINE = '''
seen = []

from dataclasses import asdict

@server.tool(structured_output=False)
async def show(word: str, ctx: Context[Any, Any], title: str = "") -> CallToolResult:
    """Show the context."""
    context = context_of(ctx)
    shown = [word, title, context.session, context.corpus, dict(context.files), asdict(context.policy)]
    return answer(json.dumps(shown))

@server.tool()
async def plain(word: str) -> str:
    return f"plain {word}"

@server.tool()
def threaded(word: str) -> str:
    return f"threaded {word}"

@server.tool(structured_output=False)
async def fail(how: str) -> CallToolResult:
    match how:
        case "bug":
            raise ZeroDivisionError("secret detail")
        case "timeout":
            raise TimeoutError("inner")
        case "fault":
            raise ToolFault("the engine is down")
        case "usage":
            raise UsageError("policy.x must be 1")
        case "told":
            raise ToolError("the shop is closed")
        case "world":
            return world("gone")
        case "blocked":
            return blocked("not yours")
        case _:
            return answer("cut", truncated=True)

@server.tool(meta={"toleap": {"deadline": 0.05}})
async def hang_open() -> str:
    await asyncio.sleep(60)
    return ""

@server.tool(meta={"toleap": {"deadline": 0.05}}, annotations=CLOSED)
async def hang_closed() -> str:
    await asyncio.sleep(60)
    return ""

@server.tool()
async def sleep() -> str:
    seen.append("sleeping")
    try:
        await asyncio.sleep(60)
    finally:
        seen.append("woken")
    return ""

async def release(session: str) -> None:
    seen.append(("released", session))

async def close() -> None:
    seen.append("closed")
'''
SETTINGS = ToolSettings(results=3)
CONTEXT = CallContext("run", "bench", "t1", 2, corpus="/c.jsonl", files={"a.csv": "/a.csv"}, policy=SETTINGS)
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a tool folder in the working folder."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, body: str) -> Path:
        folder = tmp_path / "tools" / name
        folder.mkdir(parents=True)
        (folder / "server.py").write_text(HEAD + textwrap.dedent(body))
        return folder

    return write


async def call(dock: Dock, name: str, **arguments: object) -> ToolResult:
    return await dock.call(ToolCall("1", name, arguments), CONTEXT)


async def test_the_context_reaches_the_tool(make: Make) -> None:
    make("mine", MINE)
    async with Dock(["mine"], trust=True, isolate=False) as dock:
        result = await call(dock, "show", word="kelp")
    settings = {**asdict(SETTINGS), "allow_hosts": []}
    expected = ["kelp", "", "run/bench/t1#2", "/c.jsonl", {"a.csv": "/a.csv"}, settings]
    assert json.loads(result.text) == expected
    assert (result.error, result.truncated, result.replica) == (None, False, "show")
    assert result.ms > 0


async def test_plain_functions_are_tools_too(make: Make) -> None:
    make("mine", MINE)
    async with Dock(["mine"], trust=True, isolate=False) as dock:
        assert (await call(dock, "plain", word="a")).text == "plain a"
        assert (await call(dock, "threaded", word="a")).text == "threaded a"


@pytest.mark.parametrize(
    ("how", "text", "error"),
    [
        ("told", "the shop is closed", ErrorClass.WORLD),
        ("world", "gone", ErrorClass.WORLD),
        ("blocked", "not yours", ErrorClass.BLOCKED),
        ("cut", "cut", None),
    ],
)
async def test_what_a_tool_answers(make: Make, how: str, text: str, error: ErrorClass | None) -> None:
    make("mine", MINE)
    async with Dock(["mine"], trust=True, isolate=False) as dock:
        result = await call(dock, "fail", how=how)
    assert (result.text, result.error, result.truncated) == (text, error, how == "cut")


@pytest.mark.parametrize(
    ("how", "kind", "says"),
    [
        ("bug", ToolFault, "the tool fail failed: ZeroDivisionError: secret detail"),
        ("timeout", ToolFault, "the tool fail failed: TimeoutError: inner"),
        ("fault", ToolFault, "the engine is down"),
        ("usage", UsageError, "policy.x must be 1"),
    ],
)
async def test_our_failures_are_raised(make: Make, how: str, kind: type[Exception], says: str) -> None:
    make("mine", MINE)
    async with Dock(["mine"], trust=True, isolate=False) as dock:
        with pytest.raises(kind, match=says):
            await call(dock, "fail", how=how)


async def test_a_deadline_is_the_worlds_or_ours(make: Make) -> None:
    make("mine", MINE)
    async with Dock(["mine"], trust=True, isolate=False) as dock:
        result = await call(dock, "hang_open")
        assert result.error is ErrorClass.WORLD
        assert "timed out after 0.05 seconds" in result.text
        with pytest.raises(ToolFault, match=r"hang_closed did not answer in 0\.05 seconds"):
            await call(dock, "hang_closed")


async def test_the_docks_own_deadline_holds_where_a_tool_names_none(make: Make) -> None:
    make("mine", MINE)
    async with Dock(["mine"], trust=True, deadline=0.05, isolate=False) as dock:
        assert (await call(dock, "sleep")).error is ErrorClass.WORLD


async def test_a_cancelled_call_stays_cancelled(make: Make) -> None:
    make("mine", MINE)
    async with Dock(["mine"], trust=True, isolate=False) as dock:
        seen = seen_by("mine", dock)
        task = asyncio.create_task(call(dock, "sleep"))
        while "sleeping" not in seen:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert seen == ["sleeping", "woken", "closed"]


async def test_release_and_close_reach_the_tool(make: Make) -> None:
    make("mine", MINE)
    make("bare", "@server.tool()\nasync def bare() -> str:\n    return ''")
    async with Dock(["mine", "bare"], trust=True, isolate=False) as dock:
        seen = seen_by("mine", dock)
        await dock.release(CONTEXT)
        assert seen == [("released", "run/bench/t1#2")]
    assert seen[-1] == "closed"


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("shwo", {}, "There is no tool 'shwo'; the tools are: show, "),
        ("show", {}, "show needs the argument 'word' (a string)."),
        ("show", {"word": "a", "wrod": "b"}, "did you mean 'word'?"),
        ("show", {"word": {"a": 1}}, "The argument 'word' of show must be a string, not an object."),
    ],
)
async def test_wrong_calls_are_answered(make: Make, name: str, arguments: dict[str, object], says: str) -> None:
    make("mine", MINE)
    async with Dock(["mine"], trust=True, isolate=False) as dock:
        result = await call(dock, name, **arguments)
    assert result.error is ErrorClass.CALL
    assert says in result.text


async def test_a_call_that_cannot_be_made_is_answered_with_its_problem(make: Make) -> None:
    make("mine", MINE)
    async with Dock(["mine"], trust=True, isolate=False) as dock:
        result = await dock.call(ToolCall("1", "show", {}, problem="The JSON ends early."), CONTEXT)
    assert (result.text, result.error) == ("The JSON ends early.", ErrorClass.CALL)


async def test_names_of_other_tool_sets_are_understood(make: Make) -> None:
    make(
        "fetch_url",
        """
        @server.tool(meta={"toleap": {"purpose": "purpose", "aliases": ["visit"], "arguments": {"goal": "purpose"}}})
        async def fetch_url(url: list[str], purpose: str = "") -> str:
            return f"{url} {purpose}"

        @server.tool()
        async def bare(purpose: str) -> str:
            return purpose
        """,
    )
    for isolate in (False, True):
        async with Dock(["fetch_url"], trust=True, isolate=isolate) as dock:
            assert dock.names() == {"fetch_url", "visit", "bare"}
            assert (await call(dock, "visit", url="u", goal="g")).text == "['u'] g"
            assert (await call(dock, "python", code="1")).error is ErrorClass.CALL
            calls = [ToolCall("1", name, {"goal": "why"}) for name in ("visit", "fetch_url", "bare", "other")]
            assert [dock.purpose(one) for one in calls] == ["why", "why", None, None]
            assert dock.purpose(ToolCall("1", "visit", {"url": "u"})) == ""


async def test_what_a_tool_says_of_itself_must_be_known(make: Make) -> None:
    make("mine", '@server.tool(meta={"toleap": {"alias": "visit"}})\nasync def mine() -> str:\n    return ""')
    with pytest.raises(UsageError, match=r"the tool mine in mine: meta\.toleap: .*`alias`"):
        async with Dock(["mine"], trust=True, isolate=False):
            pass


async def test_code_of_the_working_folder_needs_trust(make: Make) -> None:
    make("mine", "raise SystemExit('ran')")
    with pytest.raises(UsageError, match=r"--trust"):
        async with Dock(["mine"], trust=False):
            pass


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("server = 3", "must define 'server'"),
        ("import nothing_like_this", "cannot load"),
        ("def (", "cannot load"),
        ("async def probe():\n    raise UsageError('set the key')", "set the key"),
    ],
)
async def test_folders_that_cannot_be_loaded_are_named(make: Make, body: str, says: str) -> None:
    make("bad", body)
    with pytest.raises(UsageError, match=says):
        async with Dock(["bad"], trust=True, isolate=False):
            pass


async def test_a_tool_that_cannot_work_stops_the_start_and_the_others_are_closed(make: Make) -> None:
    make("mine", MINE)
    make("dead", "async def probe():\n    raise RuntimeError('no engine')")
    dock = Dock(["mine", "dead"], trust=True, isolate=False)
    with pytest.raises(ToolFault, match=r"probe\(\) of the tool dead failed: RuntimeError: no engine"):
        await dock.__aenter__()
    assert dock.schemas() == []


async def test_a_folder_without_a_server_and_names_used_twice(make: Make) -> None:
    body = "@server.tool()\nasync def same() -> str:\n    return ''"
    make("one", body)
    make("two", body)
    (make("none", "") / "server.py").unlink()
    for tools, says in ((["one", "two"], "two tools are called 'same'"), (["none"], "has no"), (["onee"], "one?")):
        with pytest.raises(UsageError, match=says):
            async with Dock(tools, trust=True, isolate=False):
                pass


async def test_schemas_are_clean_and_in_the_order_given(make: Make) -> None:
    make("b", "@server.tool()\nasync def b(word: str) -> str:\n    '''Say b.'''\n    return ''")
    make("a", "@server.tool()\nasync def a() -> str:\n    return ''")
    async with Dock(["b", "a"], trust=True, isolate=False) as dock:
        schemas = dock.schemas()
    assert schemas[0] == {
        "type": "function",
        "function": {
            "name": "b",
            "description": "Say b.",
            "parameters": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
        },
    }
    assert [schema["function"]["name"] for schema in schemas] == ["b", "a"]


def seen_by(name: str, dock: Dock) -> list[object]:
    """The list a tool's module keeps."""
    import sys

    modules = [module for key, module in sys.modules.items() if key.startswith(f"toleap_tool_{name}_")]
    seen: list[object] = modules[-1].seen
    seen.clear()
    return seen
