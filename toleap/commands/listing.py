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
from toleap.data import prepare as preparing
from toleap.errors import UsageError
from toleap.folders import find, find_all


def show(what: str, *, as_json: bool) -> None:
    """List benchmarks, tools or model profiles. Reads no data and runs no code of theirs."""
    rows = _LISTS[what]()
    if as_json:
        print_json(rows)
    else:
        as_table(list(rows[0]) if rows else [what], [list(row.values()) for row in rows])


def prepare(names: Sequence[str], *, everything: bool, again: bool, trust: bool, as_json: bool) -> int:
    """Fetch the data of these benchmarks; returns 1 where one of several could not be.

    Raises:
        UsageError: none is named, or the only one that is cannot be prepared.
    """
    if everything == bool(names):
        raise UsageError("name one or more benchmarks, or --all (toleap data status shows them)")
    rows: list[dict[str, Any]] = []
    for name in find_all("benchmarks") if everything else dict.fromkeys(names):
        try:
            rows.append({**asdict(preparing.prepare(name, again=again, trust=trust)), "problem": ""})
        except UsageError as error:
            if len(names) == 1:
                raise
            rows.append({"name": name, "rows": None, "fetched": False, "where": "", "problem": str(error)})
    if as_json:
        print_json(rows)
    else:
        as_table(
            ["benchmark", "state", "tasks", "where"],
            [(row["name"], _prepared(row), row["rows"] or "–", row["where"] or row["problem"]) for row in rows],
        )
    return 1 if any(row["problem"] for row in rows) else 0


def verify(names: Sequence[str], *, trust: bool, as_json: bool) -> int:
    """Check the data of these benchmarks (or of all that are ready) again; returns 1 where something is wrong."""
    found = preparing.verify(names or None, trust=trust)
    if as_json:
        print_json([asdict(item) for item in found])
    else:
        rows = [
            (
                item.name,
                "whole" if item.ok else "wrong",
                item.rows or "–",
                "–" if item.attachments is None else item.attachments,
                item.sha256[:12] or "–",
                item.source if item.ok else item.problem,
            )
            for item in found
        ]
        as_table(["benchmark", "data", "tasks", "files", "sha256", "from"], rows)
    return 0 if all(item.ok for item in found) else 1


def import_data(name: str, paths: Sequence[Path], *, trust: bool, as_json: bool) -> None:
    """Bring a benchmark's official file (or its parts) into the cache, and say what was found."""
    done = imports.import_data(name, paths[0], paths[1:], trust=trust)
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


def _prepared(row: Mapping[str, Any]) -> str:
    if row["problem"]:
        return "not ready"
    return "ready, new" if row["fetched"] else "ready"


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
