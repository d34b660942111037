"""TOML files that people write: read one way everywhere, a byte order mark or not."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from toleap.errors import UsageError


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a file.

    Raises:
        UsageError: it cannot be read, is no UTF-8 or no TOML; names the file and the line.
    """
    content = ""
    try:
        content = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(content)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 (byte {error.start})") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problem = " ".join(str(error).split()).replace(
            "at end of document", f"at the end, line {len(content.splitlines()) or 1}"
        )
        raise UsageError(f"{path}: not TOML: {problem}") from error
