"""toleap: measure, and then improve, small deep-research agents.

The names in ``__all__`` are the public ones; they are loaded on first use, so that the commands start fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toleap.api import Result, arun, compare, read_run, run
    from toleap.benchmark import Benchmark, load_benchmark
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
    from toleap.runs.events import Events
    from toleap.types import CallContext, Ending, Key, Task, ToolCall, ToolResult, Trajectory, Turn, Verdict

from toleap.version import __version__

_HOMES = {
    "toleap.api": ("Result", "arun", "compare", "read_run", "run"),
    "toleap.benchmark": ("Benchmark", "load_benchmark"),
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
    "toleap.runs.events": ("Events",),
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
    "Events",
    "Fault",
    "JudgeError",
    "Key",
    "Result",
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
    "arun",
    "build_table",
    "compare",
    "load_benchmark",
    "read_run",
    "run",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'toleap' has no attribute {name!r}")
