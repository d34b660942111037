"""How tools are shown to a model, how its calls are read, and how results are handed back.

Whatever a model writes, what goes back into the history is valid for the server: a call that could not be read is
answered with what was wrong with it. What is almost a call is mended only where one thing can be meant; a call that
was cut off is never made.
"""

from __future__ import annotations

from collections.abc import Mapping

from toleap.chat.dialects.blocks import AgentCPM, Hermes
from toleap.chat.dialects.deepseek import DeepSeek
from toleap.chat.dialects.dialect import Dialect, Reading
from toleap.chat.dialects.mirothinker import MiroThinker
from toleap.chat.dialects.native import Native
from toleap.config import DialectName

__all__ = ["Dialect", "DialectName", "Reading", "dialect_for"]

_DIALECTS: Mapping[DialectName, Dialect] = {
    "native": Native(),
    "hermes": Hermes(),
    "agentcpm": AgentCPM(),
    "mirothinker": MiroThinker(),
    "deepseek": DeepSeek(),
}


def dialect_for(name: DialectName) -> Dialect:
    """The dialect of this name."""
    return _DIALECTS[name]
