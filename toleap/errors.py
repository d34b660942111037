"""One error type per owner of a failure.

::

    ToleapError
    ├── UsageError            the user's: bad flag, file, row or key. One line, exit code 2
    ├── Fault                 ours: the attempt is owed and runs again
    │   ├── ServerFault       the model server is gone, refuses or never answers
    │   ├── ToolFault         a tool server or the sandbox is still down after healing
    │   └── StoreFault        a turn could not be made durable
    │       └── TornRecord    what was stored is not what is read: only this attempt is concerned
    ├── ContextOverflow       the model's: the prompt no longer fits its context
    │   └── SuspectedOverflow it may be: sending less will tell
    └── JudgeError            the judge's: the attempt is unscored

What the world does (a page that is gone, a search that finds nothing, code that raises) is no error here: it is
the text of a ``ToolResult``. What the model does wrong in a call is no error either: it is ``ToolCall.problem``.
"""

from __future__ import annotations


class ToleapError(Exception):
    """The root of every error this package raises on purpose."""


class UsageError(ToleapError):
    """Something the user gave cannot be used; the message is one line and names what to change."""


class Fault(ToleapError):
    """An infrastructure failure: never the model's, so the attempt is owed."""


class ServerFault(Fault):
    """The model server failed. ``fatal`` means that waiting cannot help (wrong model name, bad key); ``refused`` that
    it answers others, and this conversation with a refusal that does not say why."""

    def __init__(self, message: str, *, fatal: bool = False, refused: bool = False) -> None:
        super().__init__(message)
        self.fatal = fatal
        self.refused = refused


class ToolFault(Fault):
    """A tool server, the sandbox or a search provider is down after healing. ``outage`` means that it is down for
    everybody, which no attempt can help; ``fatal`` that it stayed so for as long as it is waited for."""

    def __init__(self, message: str, *, outage: bool = False, fatal: bool = False) -> None:
        super().__init__(message)
        self.outage = outage
        self.fatal = fatal


class StoreFault(Fault):
    """The results database could not be written or read."""


class TornRecord(StoreFault):
    """A stored record of one attempt is torn or not what was written."""


class ContextOverflow(ToleapError):
    """The server refused the prompt because it is longer than the model's context."""


class SuspectedOverflow(ContextOverflow):
    """A conversation was refused, or answered with nothing, while others were answered. Where it is answered once it
    is shorter, its context was full; where not, ``fault`` is what happened (None: it had no more to say)."""

    def __init__(self, message: str, fault: ServerFault | None = None) -> None:
        super().__init__(message)
        self.fault = fault


class JudgeError(ToleapError):
    """A judge failed or its output could not be parsed."""
