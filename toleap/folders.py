"""Finding benchmark and tool folders: the working folder, then ``$TOLEAP_PATH``, then what is shipped.

The folder's name is the benchmark's (or tool's) name; the first match wins. Listing imports nothing.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toleap.errors import UsageError

Kind = Literal["benchmarks", "tools"]


@dataclass(frozen=True, slots=True)
class Folder:
    """One benchmark or tool folder. ``shipped`` ones may run their Python, others only with ``--trust``."""

    name: str
    path: Path
    shipped: bool


def shipped_root() -> Path:
    """The folder that holds the shipped ``benchmarks/`` and ``tools/``: in the wheel, or the checkout."""
    package = Path(__file__).resolve().parent
    bundled = package / "_bundled"
    return bundled if bundled.is_dir() else package.parent


def find_all(kind: Kind) -> dict[str, Folder]:
    """Every folder of this kind by name, sorted by name."""
    found: dict[str, Folder] = {}
    shipped = (shipped_root() / kind).resolve()
    for place in _places(kind):
        if not place.is_dir():
            continue
        is_shipped = place.resolve() == shipped
        for path in sorted(place.iterdir()):
            if path.is_dir() and not path.name.startswith((".", "_")):
                found.setdefault(path.name, Folder(path.name, path, is_shipped))
    return dict(sorted(found.items()))


def find(kind: Kind, name: str) -> Folder:
    """The folder called ``name``.

    Raises:
        UsageError: there is none; the message names the nearest name.
    """
    known = find_all(kind)
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
    raise UsageError(f"unknown {kind.removesuffix('s')} {name!r}: {hint}")


def _places(kind: Kind) -> list[Path]:
    extra = [Path(part) / kind for part in os.environ.get("TOLEAP_PATH", "").split(os.pathsep) if part]
    return [Path.cwd() / kind, *extra, shipped_root() / kind]
