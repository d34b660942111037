"""``toleap list`` and ``toleap data``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from toleap.benchmark import load
from toleap.chat.profiles import all_profiles
from toleap.commands.output import as_json as print_json
from toleap.commands.output import as_table
from toleap.data import imports
from toleap.errors import UsageError
from toleap.folders import find, find_all


def show(what: str, *, as_json: bool) -> None:
    """List benchmarks, tools or model profiles. Reads no data and runs no code of theirs."""
    rows = _LISTS[what]()
    if as_json:
        print_json(rows)
    else:
        as_table(list(rows[0]) if rows else [what], [list(row.values()) for row in rows])


def import_data(name: str, path: Path, *, trust: bool, as_json: bool) -> None:
    """Bring a benchmark's official file into the cache, and say what was found."""
    done = imports.import_data(name, path, trust=trust)
    if as_json:
        print_json(asdict(done))
    else:
        print(f"{done.name}: {done.rows} tasks, {done.attachments} attachments → {done.path}")  # noqa: T201


def status(names: Sequence[str], *, trust: bool, as_json: bool) -> int:
    """Show which benchmarks are ready; returns 1 where one of those named is not.

    Raises:
        UsageError: there is no benchmark of a name given.
    """
    for name in names:
        find("benchmarks", name)
    found = imports.status(names or None, trust=trust)
    if as_json:
        print_json([asdict(item) for item in found])
    else:
        rows = [
            (
                item.name,
                "ready" if item.ready else "not ready",
                item.rows or "–",
                item.where or item.problem,
                item.command,
            )
            for item in found
        ]
        as_table(["benchmark", "state", "tasks", "where", "to type"], rows)
    return 0 if all(item.ready for item in found) or not names else 1


def _benchmarks() -> list[dict[str, Any]]:
    rows = []
    for name, folder in find_all("benchmarks").items():
        try:
            item = load(name)
            ready = item.ready()
            state, title = ("ready" if ready else ready.command), item.title
        except UsageError as error:
            state, title = str(error), "–"
        rows.append({"benchmark": name, "title": title, "state": state, "from": _origin(folder.shipped, folder.path)})
    return rows


def _tools() -> list[dict[str, Any]]:
    return [
        {"tool": name, "from": _origin(folder.shipped, folder.path)} for name, folder in find_all("tools").items()
    ]


def _models() -> list[dict[str, Any]]:
    return [
        {
            "profile": profile.name,
            "dialect": profile.dialect,
            "context": profile.context,
            "tokens a call": profile.max_tokens,
            "turns": profile.max_turns,
            "temperature": profile.temperature,
        }
        for profile in all_profiles().values()
    ]


def _origin(shipped: bool, path: Path) -> str:
    return "shipped" if shipped else str(path)


_LISTS: Mapping[str, Callable[[], list[dict[str, Any]]]] = {
    "benchmarks": _benchmarks,
    "tools": _tools,
    "models": _models,
}
