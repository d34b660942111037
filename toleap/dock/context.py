"""The frozen ``CallContext`` on its way to a tool: in MCP's ``_meta``, under ``toleap``, a dict of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.mcpserver import Context

from toleap.errors import UsageError
from toleap.types import CallContext

META_KEY = "toleap"


class Defaults:
    """What a server that runs alone falls back on, and whose word it takes for the rest.

    ``trust_clients`` False: the context that an HTTP client sends is ignored, since it could name any file of this
    machine. Over stdio and in-process the client is the one who started the server, and is believed.
    """

    context = CallContext(run="", benchmark="", task="", attempt=0)
    trust_clients = False


def to_meta(context: CallContext) -> dict[str, Any]:
    """The context as it travels."""
    return {
        "run": context.run,
        "benchmark": context.benchmark,
        "task": context.task,
        "attempt": context.attempt,
        "corpus": context.corpus,
        "files": dict(context.files),
        "policy": dict(context.policy),
    }


def context_of(ctx: Context[Any, Any]) -> CallContext:
    """The context of the call that ``ctx`` belongs to; the server's defaults where the client sent none.

    Raises:
        UsageError: the client sent one whose fields have the wrong types.
    """
    request = ctx.request_context
    given = (request.meta or {}).get(META_KEY)
    if given is None or (request.request is not None and not Defaults.trust_clients):
        return Defaults.context
    if not isinstance(given, Mapping):
        raise UsageError(f"_meta.{META_KEY} must be an object of the call context's fields")
    return from_meta(given)


def from_meta(given: Mapping[str, Any]) -> CallContext:
    """The context that travelled.

    Raises:
        UsageError: a field has the wrong type.
    """
    default = Defaults.context
    corpus = _field(given, "corpus", (str, type(None)), default.corpus)
    files = _field(given, "files", (Mapping,), default.files)
    if not all(isinstance(part, str) for item in files.items() for part in item):
        raise UsageError(f"_meta.{META_KEY}.files must map names to paths")
    return CallContext(
        run=_field(given, "run", (str,), ""),
        benchmark=_field(given, "benchmark", (str,), ""),
        task=_field(given, "task", (str,), ""),
        attempt=_field(given, "attempt", (int,), 0),
        corpus=corpus,
        files=files,
        policy=_field(given, "policy", (Mapping,), default.policy),
    )


def _field(given: Mapping[str, Any], name: str, types: tuple[type, ...], default: Any) -> Any:
    value = given.get(name, default)
    if not isinstance(value, types):
        raise UsageError(f"_meta.{META_KEY}.{name} has the wrong type ({type(value).__name__})")
    return value
