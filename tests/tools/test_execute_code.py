"""``execute_code`` as the agent meets it, through the dock, and alone over stdio."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from toleap.dock import Dock
from toleap.dock.context import from_meta
from toleap.dock.sandbox import Outcome, Reply, find_sandbox_environment
from toleap.errors import UsageError
from toleap.folders import find
from toleap.types import CallContext, ErrorClass, ToolCall, ToolResult, ToolSettings

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None or find_sandbox_environment() is None,
    reason="bwrap or the sandbox's environment is missing: install bubblewrap, make setup",
)


@pytest.fixture
async def dock() -> AsyncIterator[Dock]:
    async with Dock(["execute_code"], trust=False) as opened:
        yield opened


def context(task: str = "t", **more: Any) -> CallContext:
    return CallContext(run="r", benchmark="b", task=task, attempt=0, **more)


async def run(dock: Dock, code: str, at: CallContext | None = None, name: str = "execute_code") -> ToolResult:
    return await dock.call(ToolCall("1", name, {"code": code}), at or context())


async def test_it_runs_code_and_keeps_variables_for_the_trajectory(dock: Dock) -> None:
    assert (await run(dock, "x = 41")).text == "[The code printed nothing.]"
    found = await run(dock, "x + 1", name="PythonInterpreter")
    assert (found.text, found.error, found.truncated) == ("42", None, False)
    other = await run(dock, "x", context("another"))
    assert other.error is ErrorClass.WORLD
    assert other.text.endswith("NameError: name 'x' is not defined")


async def test_a_released_trajectory_is_forgotten(dock: Dock) -> None:
    await run(dock, "x = 41")
    await dock.release(context())
    assert "NameError" in (await run(dock, "x")).text


async def test_the_tasks_files_lie_in_the_working_folder(dock: Dock, tmp_path: Path) -> None:
    (tmp_path / "stored").write_text("a,b\n1,2\n")
    at = context(files={"table.csv": str(tmp_path / "stored")})
    assert (await run(dock, "import pandas\nint(pandas.read_csv('table.csv').b.sum())", at)).text == "2"


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        ("1 / 0", ErrorClass.WORLD, "ZeroDivisionError: division by zero"),
        ("exit()", None, "[The code asked to exit with status 0. Variables are kept.]"),
        ("exit(2)", ErrorClass.WORLD, "[The code asked to exit with status 2. Variables are kept.]"),
        (
            "while True: pass",
            ErrorClass.WORLD,
            "[Stopped: the code ran longer than 1 seconds. Variables and files are gone",
        ),
        (
            "import os; os._exit(4)",
            ErrorClass.WORLD,
            "[The interpreter ended, with exit status 4. Variables and files are",
        ),
        (
            "import os; os.abort()",
            ErrorClass.WORLD,
            "[The interpreter ended, killed by signal 6. Variables and files are",
        ),
        ("x = bytearray(1 << 40)", ErrorClass.WORLD, "MemoryError"),
        ("import socket; socket.create_connection(('192.0.2.1', 80))", ErrorClass.WORLD, "Network is unreachable"),
        ("  \n", ErrorClass.CALL, "execute_code needs code: it got none."),
        ("#" * 500_001, ErrorClass.CALL, "The code has 500001 characters; at most 500000 are accepted."),
    ],
)
async def test_whose_doing_it_was(dock: Dock, code: str, error: ErrorClass | None, text: str) -> None:
    found = await run(dock, code, context(policy=ToolSettings(code_seconds=1)))
    assert found.error is error
    assert text in found.text


async def test_much_output_is_cut_and_marked(dock: Dock) -> None:
    found = await run(dock, "print('a' * 5000 + 'ü' * 5000)", context(policy=ToolSettings(code_bytes=1000)))
    assert found.truncated
    assert found.text.startswith("aaa")
    assert found.text.endswith("üüü")
    assert "bytes left out …]" in found.text
    assert len(found.text.encode()) < 1100


@pytest.mark.parametrize(
    "policy", [{"code_seconds": 0}, {"code_seconds": 3000}, {"code_bytes": "many"}, {"code_bytes": 10**7}]
)
def test_settings_that_make_no_sense_are_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"policy\.code_"):
        from_meta({"policy": policy})


async def test_a_restart_is_told(dock: Dock) -> None:
    module = next(module for name, module in sys.modules.items() if name.startswith("toleap_tool_execute_code"))
    result = module._result(Reply(Outcome("done", 0, "5\n", "", 0), "its sandbox had ended"), 30)
    assert result.content[0].text == "[A new session was started: its sandbox had ended. Variables are gone.]\n5"


async def test_it_runs_alone_over_stdio() -> None:
    script = find("tools", "execute_code").path / "server.py"
    async with Client(StdioServerParameters(command=sys.executable, args=[str(script)])) as client:
        tools = await client.list_tools()
        assert [tool.name for tool in tools.tools] == ["execute_code"]
        found = await client.call_tool("execute_code", {"code": "6 * 7"})
        assert [getattr(block, "text", None) for block in found.content] == ["42"]
