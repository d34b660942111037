"""``toleap run``."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console

from toleap.commands.command import (
    Missing,
    argument,
    as_json,
    given,
    judge_model,
    judge_url,
    missing,
    option,
    results,
    sets,
    trust,
)
from toleap.commands.output import print_table
from toleap.commands.terminal import Terminal
from toleap.commands.varying import Variant, check_different, variants
from toleap.layers import parse_set
from toleap.report.export import export
from toleap.report.tables import build_table, is_complete
from toleap.runs.interrupts import catching
from toleap.runs.plan import Plan, Request, make_plan, with_model
from toleap.runs.spending import parse_price
from toleap.types import RunResult, Varied


class Outcome(NamedTuple):
    """What came of a run, where it is, and why it stopped before everything was played."""

    result: RunResult
    folder: Path
    halted: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Run k attempts at every task of one or more benchmarks, and print the table.

    The same command again continues: inside an attempt, at the turn where it stopped. A larger --k or --limit adds
    to the run. Exit code 0 when everything is scored, 1 when something is owed or unscored or --all had to leave out
    a benchmark, 2 when it cannot start.

    \b
    Examples:
      toleap run atoll --limit 6 --k 2
      toleap run atoll --model scripted:oracle
      toleap run xbench --model smollm2-135m --web corpus:pages.jsonl --limit 3 --k 2
      toleap run atoll --set benchmark.atoll.tasks=300 --set agent.max_turns=8
      toleap run atoll --vary agent.policy=keep,keep-n,discard
      toleap run --all --preset agentcpm --base-url http://127.0.0.1:8000/v1
    """

    benchmarks: tuple[str, ...] = argument(nargs=-1)
    everything: bool = option("--all", is_flag=True, help="Every benchmark that is ready; the others are listed.")
    model: str | None = option(
        "--model", setting="model", help="Built-in name, model folder, hub id, or scripted:POLICY."
    )
    base_url: str | None = option(
        "--base-url",
        setting="operation.base_url",
        help="Use a running ChatCompletions server, e.g. http://127.0.0.1:8000/v1.",
    )
    k: int | None = option("--k", type=int, help="Attempts at every task.  [default: 8, or the preset's]")
    limit: int | None = option("--limit", type=int, help="Only the first N tasks of each benchmark.")
    judge_model: str | None = judge_model(
        "Who judges answers that no rule can score; without one they stay unscored."
    )
    judge_url: str | None = judge_url()
    web: str | None = option(
        "--web",
        setting="web",
        help="Where search and pages come from: corpus:PATH (JSONL of url, title, text); a benchmark's own win.",
    )
    max_in_flight: int | None = option(
        "--max-in-flight",
        setting="operation.max_in_flight",
        type=int,
        help="Attempts running at once.  [default: 64]",
    )
    token_cap: int | None = option(
        "--token-cap",
        setting="operation.token_cap",
        type=int,
        help="Begin no attempt once the run's models have written so many tokens.",
    )
    cost_cap: float | None = option(
        "--cost-cap", setting="operation.cost_cap", type=float, help="The same for what they cost, by --price."
    )
    price: str | None = option(
        "--price", metavar="PROMPT,WRITTEN", help="Of a million tokens, e.g. 0.15,0.60; a third is for cached."
    )
    preset: str | None = option("--preset", help="Settings of a published system: agentcpm.")
    config: Path | None = option("--config", type=click.Path(path_type=Path), help="A TOML file of settings.")
    sets: tuple[str, ...] = sets("agent.max_turns=20")
    vary: tuple[str, ...] = option(
        "--vary", multiple=True, metavar="KEY=VALUE,…", help="One run for each value, compared with the first one."
    )
    run_name: str | None = option("--run", help="Name of the run.  [default: model and fingerprint]")
    reference: bool = option(
        "--reference",
        is_flag=True,
        help="Beside a model also play the benchmark's scripted reference, as a yardstick.",
    )
    retry_quarantined: bool = option(
        "--retry-quarantined",
        is_flag=True,
        help="Run attempts again that were set aside after faults of ours.",
    )
    trust: bool = trust("benchmark and tool folders")
    missing: Missing = missing()
    results: Path = results()
    as_json: bool = as_json()

    def __call__(self) -> int:
        """Play, score and print; returns the exit code."""
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        varied = variants(self._request(), self.vary)
        plans = [_plan(variant, console) for variant in varied]
        check_different([(variant.values, plan) for variant, plan in zip(varied, plans, strict=True)])
        outcomes: list[Outcome] = []
        for group in (*([item] for item in self._references(plans[0], varied[0].request)), plans):
            outcomes += asyncio.run(_play(group, console))
            if outcomes[-1].halted:
                break
        halted = outcomes[-1].halted
        table = build_table([outcome.result for outcome in outcomes], missing=self.missing)
        if self.as_json:
            document = {**table.to_dict(), "halted": halted, "folder": str(outcomes[-1].folder)}
            sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
        else:
            print_table(table)
        if halted:
            console.print(f"stopped: {halted}", markup=False, style="bold red")
        for outcome in outcomes:
            export(build_table([outcome.result], missing=self.missing), outcome.folder)
        complete = is_complete(table) and not any(plan.skipped for plan in plans) and not halted
        return 0 if complete else 1

    def _request(self) -> Request:
        layer = parse_set(self.sets) | given(self)
        if self.trust:
            layer["operation.trust"] = True
        if self.price is not None:
            layer["operation.price"] = parse_price(self.price)
        return Request(
            names=self.benchmarks,
            everything=self.everything,
            k=self.k,
            limit=self.limit,
            run=self.run_name,
            results=self.results,
            preset=self.preset,
            file=self.config,
            layer=layer,
            retry_quarantined=self.retry_quarantined,
        )

    def _references(self, plan: Plan, request: Request) -> list[Plan]:
        """Plans that play each benchmark's scripted reference over the same tasks, where it is asked for."""
        if not self.reference or plan.model.policy is not None:
            return []
        return [
            make_plan(with_model(request, f"scripted:{item.name}/{item.reference}", item), lambda _line: None)
            for item in (planned.benchmark for planned in plan.benchmarks)
            if item.reference
        ]


def _plan(variant: Variant, console: Console) -> Plan:
    plan = make_plan(variant.request, lambda line: console.print(line, markup=False))
    return replace(plan, varied=Varied("", variant.values)) if variant.values else plan


async def _play(plans: Sequence[Plan], console: Console) -> list[Outcome]:
    """Play one plan after the other, several on one server where they ask for the same; a halt ends it.

    Raises:
        KeyboardInterrupt: it was interrupted before it was announced.
    """
    # The tools' libraries take half a second to import: a mistake in the command is answered before that.
    from toleap.runs import run as runs
    from toleap.runs.servers import KeptServer

    outcomes: list[Outcome] = []
    async with KeptServer() as server:
        kept = server if len(plans) > 1 else None
        for plan in plans:
            named = _after(plan, outcomes[0].result.name) if outcomes else plan
            with catching() as interrupts:
                async with runs.Run(named, Terminal(console), server=kept, interrupts=interrupts) as run:
                    await run.play()
                    await run.score()
                    outcomes.append(Outcome(run.result, run.folder, run.halted))
            if run.halted:
                break
    return outcomes


def _after(plan: Plan, first: str) -> Plan:
    """The plan of a variant that is compared with the run called ``first``."""
    return replace(plan, varied=replace(plan.varied, first=first)) if plan.varied else plan
