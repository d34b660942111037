"""The user's cache: models, data, indexes and environments, never inside a checkout.

``TOLEAP_HOME`` names it; without that it is the platform's cache folder (XDG: ``~/.cache/toleap``).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from toleap.errors import UsageError


def home() -> Path:
    """The cache's root folder, made if it is missing.

    Raises:
        UsageError: the folder cannot be made.
    """
    named = os.environ.get("TOLEAP_HOME")
    root = Path(named).expanduser().absolute() if named else Path(platformdirs.user_cache_dir("toleap"))
    return _made(root)


def folder(*parts: str) -> Path:
    """A folder below the cache's root, made if it is missing."""
    return _made(home().joinpath(*parts))


@contextlib.contextmanager
def writing(target: Path) -> Iterator[Path]:
    """Write ``target`` whole or not at all: yields a temporary file beside it, renamed when the block succeeds."""
    _made(target.parent)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _made(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {path}: {error.strerror}; set TOLEAP_HOME to another") from error
    return path
