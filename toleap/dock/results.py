"""What a tool's answer looks like in MCP, and how the dock reads it back.

An answer is a block of text for each page, mostly one. What kind of answer it is stands in the result's ``_meta``,
under ``toleap``: ``{"error": "world" | "blocked" | "call" | null, "truncated": bool, "reset": bool}``. A server that
knows nothing of toleap marks an error with ``is_error`` only; that is read as the world's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mcp.types import CallToolResult, TextContent

from toleap.dock.decoding import cut
from toleap.types import ErrorClass, ToolResult

META_KEY = "toleap"


def answer(*parts: str, truncated: bool = False) -> CallToolResult:
    """What the model hoped for, in one part or several. ``truncated``: a text was cut, and says so itself."""
    return _result(parts, None, truncated)


def world(*parts: str, truncated: bool = False, reset: bool = False) -> CallToolResult:
    """The world did not give it: the page is gone, nothing was found, the file is broken, the code raised.

    ``reset``: what this stateful tool had kept for the trajectory is gone now; the text must say so.
    """
    return _result(parts, ErrorClass.WORLD, truncated, reset=reset)


def blocked(*parts: str) -> CallToolResult:
    """Our rules refuse it: an address that is not public, a file that is not the task's."""
    return _result(parts, ErrorClass.BLOCKED, False)


def rejected(text: str) -> CallToolResult:
    """The call fits the schema but makes no sense; ``text`` says in one sentence why."""
    return _result((text,), ErrorClass.CALL, False)


def read_result(result: CallToolResult, most: int) -> ToolResult:
    """The ``ToolResult`` that a server's answer stands for; time, attempts and replica are left to the caller.

    ``most`` characters are kept, since a tool that floods the context would end the attempt in the model's name.
    """
    mark = (result.meta or {}).get(META_KEY)
    mark = mark if isinstance(mark, Mapping) else {}
    parts, was_cut = _within(
        (block.text if isinstance(block, TextContent) else f"[{block.type}]" for block in result.content), most
    )
    return ToolResult(
        parts=parts,
        error=_error(mark, result.is_error),
        truncated=was_cut or mark.get("truncated") is True,
        reset=mark.get("reset") is True,
    )


def _within(texts: Iterable[str], most: int) -> tuple[tuple[str, ...], bool]:
    """The texts up to so many characters together, and whether anything is left out."""
    parts: list[str] = []
    was_cut = False
    for text in texts:
        if most <= 0:
            return tuple(parts), True
        part, shorter = cut(_sayable(text), most)
        parts.append(part)
        most -= len(part)
        was_cut = was_cut or shorter
    return tuple(parts), was_cut


def _result(
    parts: Sequence[str], error: ErrorClass | None, truncated: bool, *, reset: bool = False
) -> CallToolResult:
    mark = {"error": error.value if error else None, "truncated": truncated, "reset": reset}
    content = [TextContent(type="text", text=_sayable(text)) for text in parts]
    return CallToolResult(content=[*content], is_error=error is not None, _meta={META_KEY: mark})


def _sayable(text: str) -> str:
    """A lone surrogate can be neither sent to a model nor stored."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _error(mark: Mapping[str, object], is_error: bool) -> ErrorClass | None:
    try:
        return ErrorClass(str(mark.get("error")))
    except ValueError:
        return ErrorClass.WORLD if is_error else None
