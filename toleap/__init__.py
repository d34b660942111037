"""toleap: measure, and then improve, small deep-research agents.

The names in ``__all__`` are the public ones; they are loaded on first use, so that the commands start fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toleap.benchmark import Benchmark, load
    from toleap.config import RunConfig
    from toleap.errors import (
        ContextOverflow,
        Fault,
        JudgeError,
        ServerFault,
        StoreFault,
        ToleapError,
        ToolFault,
        UsageError,
    )
    from toleap.report.tables import build_table
    from toleap.runs.store.reading import read_run
    from toleap.types import CallContext, Ending, Key, Task, ToolCall, ToolResult, Trajectory, Turn, Verdict

__version__ = "0.1.0"

_HOMES = {
    "toleap.benchmark": ("Benchmark", "load"),
    "toleap.config": ("RunConfig",),
    "toleap.errors": (
        "ContextOverflow",
        "Fault",
        "JudgeError",
        "ServerFault",
        "StoreFault",
        "ToleapError",
        "ToolFault",
        "UsageError",
    ),
    "toleap.report.tables": ("build_table",),
    "toleap.runs.store.reading": ("read_run",),
    "toleap.types": (
        "CallContext",
        "Ending",
        "Key",
        "Task",
        "ToolCall",
        "ToolResult",
        "Trajectory",
        "Turn",
        "Verdict",
    ),
}

__all__ = [
    "Benchmark",
    "CallContext",
    "ContextOverflow",
    "Ending",
    "Fault",
    "JudgeError",
    "Key",
    "RunConfig",
    "ServerFault",
    "StoreFault",
    "Task",
    "ToleapError",
    "ToolCall",
    "ToolFault",
    "ToolResult",
    "Trajectory",
    "Turn",
    "UsageError",
    "Verdict",
    "__version__",
    "build_table",
    "load",
    "read_run",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'toleap' has no attribute {name!r}")
