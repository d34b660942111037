"""Reading a number or list from ``CallContext.policy``, the settings of the tools for a run."""

from __future__ import annotations

from toleap.errors import UsageError
from toleap.types import CallContext


def whole_number(context: CallContext, name: str, default: int, *, least: int = 1) -> int:
    """The setting ``policy[name]``.

    Raises:
        UsageError: it is not a whole number of at least ``least``.
    """
    value = context.policy.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"policy.{name} must be a whole number of at least {least}, not {value!r}")
    return value


def strings(context: CallContext, name: str) -> tuple[str, ...]:
    """The setting ``policy[name]``, a list of strings; empty where it is not set.

    Raises:
        UsageError: it is something else.
    """
    value = context.policy.get(name, ())
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"policy.{name} must be a list of strings, not {value!r}")
    return tuple(value)
