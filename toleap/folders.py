"""Finding benchmark and tool folders: the working folder, then ``$TOLEAP_PATH``, then what is shipped.

The folder's name is the benchmark's (or tool's) name; the first match wins. Before what is shipped come benchmarks
that installed packages offer by an entry point of the group ``toleap.benchmarks``: its name is the benchmark's name,
its value the package whose folder is the benchmark's folder. Listing imports nothing, those packages included.
"""

from __future__ import annotations

import difflib
import functools
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toleap.errors import UsageError

Kind = Literal["benchmarks", "tools"]

ENTRY_POINTS = "toleap.benchmarks"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


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
    by_name: dict[str, Folder] = {}
    for folder in _in_order(kind):
        by_name.setdefault(folder.name, folder)
    return dict(sorted(by_name.items()))


def find(kind: Kind, name: str) -> Folder:
    """The folder called ``name``.

    Raises:
        UsageError: there is none; the message names the nearest name.
    """
    known = find_all(kind)
    if name in known:
        return known[name]
    if kind == "benchmarks":
        for offer in _offers():
            if offer.name == name:
                problem = f"the installed package {offer.package} says it is in {offer.value!r}"
                raise UsageError(f"benchmark {name!r}: {problem}, which is no folder of a package")
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known) or 'none'}"
    raise UsageError(f"unknown {kind.removesuffix('s')} {name!r}: {hint}")


def _in_order(kind: Kind) -> Iterator[Folder]:
    extra = [Path(part) / kind for part in os.environ.get("TOLEAP_PATH", "").split(os.pathsep) if part]
    for place in (Path.cwd() / kind, *extra):
        yield from _inside(place, kind)
    if kind == "benchmarks":
        yield from (Folder(offer.name, offer.path, shipped=False) for offer in _offers() if offer.path)
    yield from _inside(shipped_root() / kind, kind)


def _inside(place: Path, kind: Kind) -> Iterator[Folder]:
    if not place.is_dir():
        return
    is_shipped = place.resolve() == (shipped_root() / kind).resolve()
    for path in sorted(place.iterdir()):
        if path.is_dir() and not path.name.startswith((".", "_")):
            yield Folder(path.name, path, is_shipped)


@dataclass(frozen=True, slots=True)
class _Offer:
    """What an installed package's entry point says; ``path`` is None where it leads nowhere."""

    name: str
    package: str
    value: str
    path: Path | None


def _offers() -> tuple[_Offer, ...]:
    """Sorted by package, so that which of two offers of one name wins does not depend on a folder's order."""
    return _offers_on((str(Path.cwd()), *sys.path))


@functools.lru_cache(maxsize=4)
def _offers_on(_search_path: tuple[str, ...]) -> tuple[_Offer, ...]:
    from importlib import metadata

    offers = []
    for package in metadata.distributions():
        try:
            if ENTRY_POINTS not in (package.read_text("entry_points.txt") or ""):
                continue
            points, name = package.entry_points.select(group=ENTRY_POINTS), str(package.metadata["Name"])
        except (TypeError, ValueError):
            # The metadata of a package that is none of ours is damaged: not a reason to stop here.
            continue
        offers += [_Offer(point.name, name, point.value, _package_folder(point.value)) for point in points]
    return tuple(sorted((offer for offer in offers if _NAME.fullmatch(offer.name)), key=lambda offer: offer.package))


def _package_folder(value: str) -> Path | None:
    """The folder of ``package`` or ``package.inner``, or the one that the module ``package.inner`` lies in.

    Only the first part is looked up by Python's finders, since they would import it to look up the rest.
    """
    top, *inner = (part.strip() for part in value.partition(":")[0].split("."))
    if not all(part.isidentifier() for part in (top, *inner)):
        return None
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for location in (spec and spec.submodule_search_locations) or ():
        path = Path(location, *inner)
        if path.is_dir():
            return path
        if inner and path.with_name(f"{inner[-1]}.py").is_file():
            return path.parent
    return None
