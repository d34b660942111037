"""The client side of the tool layer: finds tool folders, loads their MCP servers and calls them for the agent.

======================  =========================================================================================
``Dock``                the tools of a run: ``schemas()``, ``call()``, ``release()``
``Backend``             what the dock asks of one tool server, wherever it runs
``ToolSpec``            one tool as a server declares it
``new_server``          for a tool's ``server.py``: an empty MCP server
``serve``               for a tool's ``server.py``: run it alone, over stdio or HTTP
``context_of``          for a tool: the ``CallContext`` of the call it is answering
``answer``              for a tool: a result that is what the model hoped for
``world``               for a tool: the world did not give it (page gone, nothing found, file broken)
``blocked``             for a tool: our rules refuse it
``rejected``            for a tool: the call itself makes no sense
======================  =========================================================================================

Importing this package imports no MCP: the names above are loaded when they are first used, because the worker
processes and the sandbox live below it and must start fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toleap.dock.backend import Backend, ToolSpec
    from toleap.dock.context import context_of
    from toleap.dock.dock import Dock
    from toleap.dock.results import answer, blocked, rejected, world
    from toleap.dock.serving import new_server, serve

__all__ = [
    "Backend",
    "Dock",
    "ToolSpec",
    "answer",
    "blocked",
    "context_of",
    "new_server",
    "rejected",
    "serve",
    "world",
]

_HOMES = {
    "Backend": "backend",
    "ToolSpec": "backend",
    "Dock": "dock",
    "context_of": "context",
    "answer": "results",
    "blocked": "results",
    "rejected": "results",
    "world": "results",
    "new_server": "serving",
    "serve": "serving",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'toleap.dock' has no attribute {name!r}")
    return getattr(importlib.import_module(f"toleap.dock.{_HOMES[name]}"), name)
