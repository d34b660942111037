"""Each tool runs alone: a real process, spoken to by an ordinary MCP client over stdio and HTTP."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from toleap.dock.results import read_result
from toleap.folders import shipped_root
from toleap.types import ErrorClass


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "c.jsonl"
    path.write_text('{"url": "https://a.example/kelp", "title": "Kelp", "text": "Kelp is brown."}\n')
    return path


def command(tool: str, *flags: str) -> list[str]:
    return [str(shipped_root() / "tools" / tool / "server.py"), *flags]


def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "TOLEAP_HOME": str(tmp_path / "home")}


@pytest.mark.parametrize(
    ("tool", "flags", "meta", "arguments", "text"),
    [
        ("search", ["--corpus"], False, {"query": ["kelp"]}, "1. [Kelp](https://a.example/kelp)"),
        ("search", [], True, {"query": ["kelp"]}, "1. [Kelp](https://a.example/kelp)"),
        ("fetch_url", ["--corpus"], False, {"url": ["https://a.example/kelp"]}, "Kelp is brown."),
        ("read_file", ["--file"], False, {"uri": "c.jsonl"}, '"title": "Kelp"'),
        ("read_file", [], True, {"uri": "mine"}, '"title": "Kelp"'),
    ],
)
async def test_over_stdio(
    tool: str, flags: list[str], meta: bool, arguments: dict[str, Any], text: str, corpus: Path, tmp_path: Path
) -> None:
    arguments_of_process = command(tool, *flags, *([str(corpus)] if flags else []))
    server = StdioServerParameters(command=sys.executable, args=arguments_of_process, env=environment(tmp_path))
    context = {"toleap": {"corpus": str(corpus), "files": {"mine": str(corpus)}}}
    async with Client(server) as client:
        assert [listed.name for listed in (await client.list_tools()).tools] == [tool]
        result = await client.call_tool(tool, arguments, meta=context if meta else None)  # type: ignore[arg-type]
    assert isinstance(result, CallToolResult)
    read = read_result(result, 1000)
    assert read.error is None
    assert text in read.text


async def test_world_and_blocked_can_be_told_apart_by_any_client(tmp_path: Path, corpus: Path) -> None:
    server = StdioServerParameters(command=sys.executable, args=command("read_file"), env=environment(tmp_path))
    async with Client(server) as client:
        blocked = await client.call_tool("read_file", {"uri": "/etc/passwd"})
        context: Any = {"toleap": {"files": {"a.png": str(corpus)}}}
        world = await client.call_tool("read_file", {"uri": "a.png"}, meta=context)
    assert (read_result(blocked, 1000).error, read_result(world, 1000).error) == (
        ErrorClass.BLOCKED,
        ErrorClass.WORLD,
    )
    assert blocked.is_error


@asynccontextmanager
async def over_http(tmp_path: Path, tool: str, *flags: str) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command(tool, "--http", str(port), *flags), env=environment(tmp_path),
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            while not await listening(port):
                assert process.returncode is None
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        await process.wait()


async def listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@pytest.mark.parametrize("trusted", [False, True])
async def test_over_http_a_client_names_files_only_where_it_is_trusted(
    tmp_path: Path, corpus: Path, trusted: bool
) -> None:
    context: Any = {"toleap": {"files": {"mine": str(corpus)}}}
    async with (
        over_http(tmp_path, "read_file", *(["--trust-clients"] if trusted else [])) as url,
        Client(url) as client,
    ):
        result = read_result(await client.call_tool("read_file", {"uri": "mine"}, meta=context), 1000)
    assert result.error is (None if trusted else ErrorClass.BLOCKED)


async def test_flags_that_cannot_be_used(tmp_path: Path) -> None:
    for flags in (["--policy", "{"], ["--policy", "[1]"], ["--policy", '{"page_char": 5}']):
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command("search", *flags), env=environment(tmp_path), stderr=asyncio.subprocess.PIPE
        )
        _, error = await process.communicate()
        assert process.returncode == 2
        assert flags[0] in error.decode()
