"""``toleap data``: the data of benchmarks that cannot be shipped, and the official prompts of their judges."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from toleap.benchmark import load_benchmark
from toleap.commands.command import argument, as_json, command, option, trust
from toleap.commands.output import log, print_json, print_rows
from toleap.errors import UsageError
from toleap.folders import find, find_all
from toleap.provision import imports
from toleap.provision import prepare as preparing

_PROMPT = "judge prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Fetch the official data of benchmarks, check it and keep it in the cache. Needs the web.

    The official prompt of a benchmark's judge is fetched with it, for judge.prompt=official. Gated data (gaia, hle)
    needs accepted terms and HF_TOKEN; status says where. Exit code 1 when one of several could not be fetched, 2 when
    the only one could not.

    \b
    Examples:
      toleap data prepare xbench frames
      HF_TOKEN=hf_… toleap data prepare gaia
      toleap data prepare --all
    """

    names: tuple[str, ...] = argument(nargs=-1)
    everything: bool = option("--all", is_flag=True, help="Every benchmark.")
    again: bool = option("--again", is_flag=True, help="Fetch also what is here already.")
    trust: bool = trust()
    as_json: bool = as_json()

    def __call__(self) -> int:
        """Fetch; returns 1 where something is still missing.

        Raises:
            UsageError: none is named, or the data of the only one that is cannot be prepared.
        """
        if self.everything == bool(self.names):
            raise UsageError("name one or more benchmarks, or --all (toleap data status shows them)")
        names = find_all("benchmarks") if self.everything else dict.fromkeys(self.names)
        rows = [self._prepared(name) for name in names]
        if self.as_json:
            print_json(rows)
        else:
            print_rows(
                ["benchmark", "state", "tasks", _PROMPT, "where"],
                [
                    (
                        row["name"],
                        _prepared_state(row),
                        row["rows"] or "–",
                        row["judge_prompt"] or "–",
                        row["where"] or row["problem"],
                    )
                    for row in rows
                ],
            )
        for row in rows:
            if row["judge_prompt_problem"]:
                log(f"{row['name']}: its judge's official prompt: {row['judge_prompt_problem']}")
        return 1 if any(row["problem"] or row["judge_prompt_problem"] for row in rows) else 0

    def _prepared(self, name: str) -> dict[str, Any]:
        try:
            done = asdict(preparing.prepare(name, again=self.again, trust=self.trust))
        except UsageError as error:
            if len(self.names) == 1:
                raise
            missing = {"name": name, "rows": None, "fetched": False, "where": "", "problem": str(error)}
            return {**missing, "judge_prompt": _prompt_state(name, trust=self.trust), "judge_prompt_problem": ""}
        return {**done, "problem": "", **_fetched_prompt(name, again=self.again, trust=self.trust)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Check the official file of a benchmark (or its parts, in order) and keep it in the cache.

    A JSONL file of task_id, Question, Final answer, file_name is taken for every benchmark.

    \b
    Examples:
      toleap data import xbench DeepSearch-2505.csv
      toleap data import gaia 2023/validation/metadata.parquet
    """

    name: str = argument()
    paths: tuple[Path, ...] = argument(nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
    trust: bool = trust()
    as_json: bool = as_json()

    def __call__(self) -> int:
        """Bring it in and say what it holds; returns 0."""
        done = imports.import_data(self.name, self.paths[0], self.paths[1:], trust=self.trust)
        if self.as_json:
            print_json(asdict(done))
        else:
            sys.stdout.write(f"{done.name}: {done.rows} tasks, {done.attachments} attachments → {done.path}\n")
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """Read the data in the cache again and check it whole; without names, of every benchmark that is ready.

    Digests, rows, columns, every encrypted cell, the attachments, and the judge's official prompt. Exit code 1 when
    something is wrong.

    \b
    Example:
      toleap data verify xbench
    """

    names: tuple[str, ...] = argument(nargs=-1)
    trust: bool = trust()
    as_json: bool = as_json()

    def __call__(self) -> int:
        """Check; returns 1 where something is wrong."""
        checked = [
            (item, _prompt_state(item.name, trust=self.trust))
            for item in preparing.verify(self.names or None, trust=self.trust)
        ]
        if self.as_json:
            print_json([{**asdict(item), "judge_prompt": prompt} for item, prompt in checked])
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
                for item, prompt in checked
            ]
            print_rows(["benchmark", "data", "tasks", "files", "sha256", _PROMPT, "from"], rows)
        return 0 if all(item.ok and prompt != "wrong" for item, prompt in checked) else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Which benchmarks are ready, and what to type for the others.

    \b
    Example:
      toleap data status
    """

    names: tuple[str, ...] = argument(nargs=-1)
    trust: bool = trust()
    as_json: bool = as_json()

    def __call__(self) -> int:
        """Show it; returns 1 where one of those named is not ready.

        Raises:
            UsageError: there is no benchmark of a name given.
        """
        for name in self.names:
            find("benchmarks", name)
        states = [
            (item, _prompt_state(item.name, trust=self.trust))
            for item in imports.status(self.names or None, trust=self.trust)
        ]
        if self.as_json:
            print_json([{**asdict(item), "judge_prompt": prompt} for item, prompt in states])
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
                for item, prompt in states
            ]
            print_rows(["benchmark", "state", "tasks", _PROMPT, "where", "to type"], rows)
        return 0 if all(item.ready for item, _ in states) or not self.names else 1


def _prepared_state(row: Mapping[str, Any]) -> str:
    if row["problem"]:
        return "not ready"
    return "ready, new" if row["fetched"] else "ready"


def _rubric(name: str, *, trust: bool) -> str:
    """The rubric by which a benchmark's answers are judged; empty where none is, or its folder cannot be read."""
    try:
        score = load_benchmark(name, trust=trust).score
    except UsageError:
        return ""
    return (score.rubric or "general") if "judge" in (score.by, score.also) else ""


def _prompt_state(name: str, *, trust: bool) -> str:
    """What the cache holds of the official prompt of a benchmark's judge; empty where it has none to hold."""
    from toleap.scoring.judge import official  # 0.3 s, which help need not wait for

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


group = click.Group(
    "data",
    [command("prepare", Prepare), command("import", Import), command("verify", Verify), command("status", Status)],
    help="""Bring in the data of benchmarks that cannot be shipped, and see what is ready.

    \b
    Examples:
      toleap data status
      toleap data import xbench DeepSearch-2505.csv
    """,
)
