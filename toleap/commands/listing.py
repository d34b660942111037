"""``toleap list`` and ``toleap data``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from toleap.benchmark import load_benchmark
from toleap.chat.profiles import all_profiles
from toleap.commands.output import as_json as print_json
from toleap.commands.output import as_table
from toleap.data import imports
from toleap.data import prepare as preparing
from toleap.errors import UsageError
from toleap.folders import find, find_all

_PROMPT = "judge prompt"


def show(what: str, *, as_json: bool) -> None:
    """List benchmarks, tools or model profiles. Reads no data and runs no code of theirs."""
    rows = _LISTS[what]()
    if as_json:
        print_json(rows)
    else:
        as_table(list(rows[0]) if rows else [what], [list(row.values()) for row in rows])


def prepare(names: Sequence[str], *, everything: bool, again: bool, trust: bool, as_json: bool) -> int:
    """Fetch the data of these benchmarks and the official prompts of their judges; returns 1 where something is
    still missing.

    Raises:
        UsageError: none is named, or the data of the only one that is cannot be prepared.
    """
    if everything == bool(names):
        raise UsageError("name one or more benchmarks, or --all (toleap data status shows them)")
    rows: list[dict[str, Any]] = []
    for name in find_all("benchmarks") if everything else dict.fromkeys(names):
        try:
            done = asdict(preparing.prepare(name, again=again, trust=trust))
            rows.append({**done, "problem": "", **_fetched_prompt(name, again=again, trust=trust)})
        except UsageError as error:
            if len(names) == 1:
                raise
            rows.append({"name": name, "rows": None, "fetched": False, "where": "", "problem": str(error)})
            rows[-1] |= {"judge_prompt": _prompt_state(name, trust=trust), "judge_prompt_problem": ""}
    _show_prepared(rows, as_json=as_json)
    return 1 if any(row["problem"] or row["judge_prompt_problem"] for row in rows) else 0


def verify(names: Sequence[str], *, trust: bool, as_json: bool) -> int:
    """Check the data of these benchmarks (or of all that are ready) again; returns 1 where something is wrong."""
    found = [(item, _prompt_state(item.name, trust=trust)) for item in preparing.verify(names or None, trust=trust)]
    if as_json:
        print_json([{**asdict(item), "judge_prompt": prompt} for item, prompt in found])
    else:
        rows = [
            (
                item.name,
                "whole" if item.ok else "wrong",
                item.rows or "–",
                "–" if item.attachments is None else item.attachments,
                item.sha256[:12] or "–",
                prompt or "–",
                item.source if item.ok else item.problem,
            )
            for item, prompt in found
        ]
        as_table(["benchmark", "data", "tasks", "files", "sha256", _PROMPT, "from"], rows)
    return 0 if all(item.ok and prompt != "wrong" for item, prompt in found) else 1


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
    found = [(item, _prompt_state(item.name, trust=trust)) for item in imports.status(names or None, trust=trust)]
    if as_json:
        print_json([{**asdict(item), "judge_prompt": prompt} for item, prompt in found])
    else:
        rows = [
            (
                item.name,
                "ready" if item.ready else "not ready",
                item.rows or "–",
                prompt or "–",
                item.where or item.problem,
                item.command,
            )
            for item, prompt in found
        ]
        as_table(["benchmark", "state", "tasks", _PROMPT, "where", "to type"], rows)
    return 0 if all(item.ready for item, _ in found) or not names else 1


def _rubric(name: str, *, trust: bool) -> str:
    """The rubric by which a benchmark's answers are judged; empty where none is, or its folder cannot be read."""
    try:
        score = load_benchmark(name, trust=trust).score
    except UsageError:
        return ""
    return (score.rubric or "general") if "judge" in (score.by, score.also) else ""


def _prompt_state(name: str, *, trust: bool) -> str:
    """What the cache holds of the official prompt of a benchmark's judge; empty where it has none to hold."""
    from toleap.scoring.judge import official  # 0.3 s, which a list of models need not wait for

    rubric = _rubric(name, trust=trust)
    return official.state(rubric) if rubric and rubric != "general" else ""


def _fetched_prompt(name: str, *, again: bool, trust: bool) -> dict[str, Any]:
    """Fetch the official prompt of a benchmark's judge; without it the data can still be used."""
    from toleap.scoring.judge import official

    problem = ""
    try:
        official.fetch(_rubric(name, trust=trust), again=again)
    except UsageError as error:
        problem = str(error)
    return {"judge_prompt": _prompt_state(name, trust=trust), "judge_prompt_problem": problem}


def _show_prepared(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
    else:
        as_table(
            ["benchmark", "state", "tasks", _PROMPT, "where"],
            [
                (
                    row["name"],
                    _prepared(row),
                    row["rows"] or "–",
                    row["judge_prompt"] or "–",
                    row["where"] or row["problem"],
                )
                for row in rows
            ],
        )
    said = Console(stderr=True, highlight=False, soft_wrap=True)
    for row in rows:
        if row["judge_prompt_problem"]:
            said.print(f"{row['name']}: its judge's official prompt: {row['judge_prompt_problem']}", markup=False)


def _prepared(row: Mapping[str, Any]) -> str:
    if row["problem"]:
        return "not ready"
    return "ready, new" if row["fetched"] else "ready"


def _benchmarks() -> list[dict[str, Any]]:
    rows = []
    for name, folder in find_all("benchmarks").items():
        try:
            item = load_benchmark(name)
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
