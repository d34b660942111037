"""``execute_code``: run Python in the trajectory's own sandbox.

Run it alone over stdio with ``python tools/execute_code/server.py``, over HTTP with ``--http 8003``. Variables stay
from call to call. Other languages, packages beyond the sandbox's, and the network are not covered.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field

from toleap.dock import answer, context_of, new_server, rejected, serve, world
from toleap.dock import sandbox as confinement
from toleap.dock.sandbox import Outcome, Reply, Sandbox

MOST_CODE = 500_000
server = new_server("execute_code")

# A call may wait for others of its trajectory and for its turn; how long code runs is limited by the sandbox.
_DEADLINE = 1800
_ABOUT = {"deadline": _DEADLINE, "aliases": ["PythonInterpreter", "python"]}
_sandbox = Sandbox()


async def probe() -> None:
    """Return if the sandbox holds; raises ``UsageError`` or ``ToolFault`` otherwise."""
    await confinement.probe()


async def release(session: str) -> None:
    """The trajectory has ended: its variables and files go."""
    await _sandbox.release(session)


async def close() -> None:
    """End every sandbox."""
    await _sandbox.close()


@server.tool(
    annotations=ToolAnnotations(read_only_hint=False, idempotent_hint=False, open_world_hint=False),
    meta={"toleap": _ABOUT},
    structured_output=False,
)
async def execute_code(
    code: Annotated[str, Field(description="Python source. What it prints is returned.")], ctx: Context[Any, Any]
) -> CallToolResult:
    """Run Python code and return what it prints, then the value of its last line.

    Variables, imports and files stay for the next call. numpy, pandas, scipy, sympy, matplotlib, pillow, openpyxl,
    xlrd, python-docx, python-pptx, pypdf, beautifulsoup4 and lxml are installed. There is no network. The task's
    attached files lie in the working folder, read-only.
    """
    context = context_of(ctx)
    if not code.strip():
        return rejected("execute_code needs code: it got none.")
    if len(code) > MOST_CODE:
        return rejected(f"The code has {len(code)} characters; at most {MOST_CODE} are accepted.")
    seconds, size = context.policy.code_seconds, context.policy.code_bytes
    files = {name: Path(path) for name, path in context.files.items()}
    reply = await _sandbox.run(context.session, code, seconds=seconds, output_bytes=size, files=files)
    return _result(reply, seconds)


def _result(reply: Reply, seconds: int) -> CallToolResult:
    outcome = reply.outcome
    parts = []
    if reply.restarted:
        parts.append(f"[A new session was started: {reply.restarted}. Variables are gone.]")
    parts.append(_output(outcome))
    parts.append(_ending(outcome, seconds))
    text = "\n".join(part for part in parts if part) or "[The code printed nothing.]"
    cut = outcome.left_out > 0
    good = outcome.end == "done" or (outcome.end == "exited" and outcome.status == 0)
    return answer(text, truncated=cut) if good else world(text, truncated=cut, reset=not outcome.alive)


def _output(outcome: Outcome) -> str:
    between = f"\n[… {outcome.left_out} bytes left out …]\n" if outcome.left_out else ""
    return f"{outcome.head}{between}{outcome.tail}".rstrip("\n")


def _ending(outcome: Outcome, seconds: int) -> str:
    """What has to be said about how the code ended, beyond its output."""
    gone = "Variables and files are gone; the next call starts a new session."
    match outcome.end:
        case "done" | "raised":
            return ""
        case "exited":
            return f"[The code asked to exit with status {outcome.status}. Variables are kept.]"
        case "timeout":
            return f"[Stopped: the code ran longer than {seconds} seconds. {gone}]"
        case "memory":
            return f"[Stopped: the code used too much memory. {gone}]"
        case "inodes":
            return f"[Stopped: the code made too many files. {gone}]"
        case _:
            return f"[The interpreter ended, {_status(outcome.status)}. {gone}]"


def _status(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"with exit status {status}"


if __name__ == "__main__":
    serve(server)
