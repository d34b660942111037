"""The frozen ``CallContext`` on its way to a tool: in MCP's ``_meta``, under ``toleap``, a dict of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec
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
    return asdict(context)


def context_of(ctx: Context[Any, Any]) -> CallContext:
    """The context of the call that ``ctx`` belongs to; the server's defaults where the client sent none.

    Raises:
        UsageError: the client sent one whose fields have the wrong types.
    """
    request = ctx.request_context
    given = (request.meta or {}).get(META_KEY)
    if isinstance(given, CallContext):  # from the dock that runs in this process
        return given
    if given is None or (request.request is not None and not Defaults.trust_clients):
        return Defaults.context
    return from_meta(given)


def from_meta(given: object) -> CallContext:
    """The context that travelled. What it does not say is as this server has it.

    Raises:
        UsageError: a field has the wrong type or is out of its bounds.
    """
    if not isinstance(given, Mapping):
        raise UsageError(f"_meta.{META_KEY} must be an object of the call context's fields")
    default = Defaults.context
    kept = {"corpus": default.corpus, "files": default.files, "policy": asdict(default.policy)}
    try:
        return msgspec.convert({"run": "", "benchmark": "", "task": "", "attempt": 0, **kept, **given}, CallContext)
    except msgspec.ValidationError as error:
        raise UsageError(f"_meta.{META_KEY}: {error}") from error
