"""Running code that a model wrote, confined: ``probe`` first, then ``Sandbox().run``.

``docs/sandbox.md`` says what it stops, how, and what it does not.
"""

from toleap.dock.sandbox.chain import Limits
from toleap.dock.sandbox.environment import find_sandbox_environment, make_sandbox_environment
from toleap.dock.sandbox.probing import Check, probe, sandbox_status
from toleap.dock.sandbox.sandbox import Reply, Sandbox
from toleap.dock.sandbox.session import Outcome

__all__ = [
    "Check",
    "Limits",
    "Outcome",
    "Reply",
    "Sandbox",
    "find_sandbox_environment",
    "make_sandbox_environment",
    "probe",
    "sandbox_status",
]
