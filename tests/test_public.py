"""The public names: exactly these, each there, and none of them loaded before it is used."""

from __future__ import annotations

import subprocess
import sys

import toleap

NAMES = {
    "Benchmark", "CallContext", "ContextOverflow", "Ending", "Events", "Fault", "JudgeError", "Key", "Result",
    "RunConfig", "ServerFault", "StoreFault", "Task", "ToleapError", "ToolCall", "ToolFault", "ToolResult",
    "Trajectory", "Turn", "UsageError", "Verdict", "__version__", "arun", "build_table", "compare",
    "load_benchmark", "read_run", "run",
}  # fmt: skip


def test_the_public_names_are_these():
    assert set(toleap.__all__) == NAMES
    assert all(getattr(toleap, name) is not None for name in NAMES)


def test_importing_the_commands_loads_nothing_heavy():
    heavy = ["pydantic", "aiohttp", "mcp", "numpy", "tantivy", "rich", "jinja2", "orjson", "pandas"]
    code = f"import sys, toleap.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
