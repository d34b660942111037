"""The prompts of the loop: system prompts by name, and the request for a forced answer."""

from __future__ import annotations

from pathlib import Path

from toleap.errors import UsageError

_FOLDER = Path(__file__).parent


def prompt(name: str) -> str:
    """The text of a prompt.

    Raises:
        UsageError: there is none of this name.
    """
    path = _FOLDER / f"{name}.jinja"
    known = sorted(file.stem for file in _FOLDER.glob("*.jinja"))
    if name not in known:
        raise UsageError(f"unknown prompt {name!r} (agent.prompt): there are {', '.join(known)}")
    return path.read_text(encoding="utf-8").strip()
