"""For a tool's ``server.py``: making its MCP server, and running it alone."""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
from mcp.server.mcpserver import MCPServer

from toleap.dock.context import Defaults
from toleap.errors import UsageError
from toleap.types import CallContext, ToolSettings


def new_server(name: str, instructions: str = "") -> MCPServer[Any]:
    """An empty MCP server. Unlike ``MCPServer(…)`` it leaves this process's logging as it is."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    server = MCPServer[Any](name, instructions=instructions or None, log_level="WARNING")
    root.handlers[:] = handlers
    root.setLevel(level)
    return server


def serve(server: MCPServer[Any], argv: Sequence[str] | None = None) -> None:
    """Run a server alone: over stdio, or with ``--http PORT`` over streamable HTTP on the loopback address.

    Flags fill in the call context for clients that send none in ``_meta``. Over HTTP a client's own context is
    ignored unless ``--trust-clients`` is given, because it can name any file that this process may read.
    """
    parser = _parser(server.name)
    options = parser.parse_args(argv)
    try:
        Defaults.context = _context(options)
    except UsageError as error:
        parser.error(str(error))
    Defaults.trust_clients = options.trust_clients
    if options.http is None:
        server.run("stdio")
    else:
        server.run("streamable-http", host="127.0.0.1", port=options.http, json_response=True)


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description=f"The MCP server {name}, alone.")
    parser.add_argument("--http", type=int, metavar="PORT", help="serve http://127.0.0.1:PORT/mcp instead of stdio")
    parser.add_argument(
        "--corpus",
        default=os.environ.get("TOLEAP_CORPUS"),
        metavar="PATH",
        help="JSONL of url, title, text to answer from (default: $TOLEAP_CORPUS)",
    )
    parser.add_argument("--file", action="append", default=[], metavar="PATH", help="a file that tools may open")
    parser.add_argument("--policy", default="{}", metavar="JSON", help='settings, such as {"results": 5}')
    parser.add_argument("--trust-clients", action="store_true", help="over HTTP, believe the context a client sends")
    return parser


def _context(options: argparse.Namespace) -> CallContext:
    try:
        given = json.loads(options.policy)
        policy = msgspec.convert(given, ToolSettings)
    except msgspec.ValidationError as error:
        raise UsageError(f"--policy: {error}") from error
    except ValueError as error:
        raise UsageError(f"--policy is not JSON: {error}") from error
    known = [setting.name for setting in fields(ToolSettings)]
    unknown = next((name for name in given if name not in known), None)
    if unknown is not None:
        raise UsageError(f"--policy: unknown setting {unknown!r}: there are {', '.join(known)}")
    files = {Path(path).name: str(Path(path).absolute()) for path in options.file}
    return replace(Defaults.context, corpus=options.corpus, files=files, policy=policy)
