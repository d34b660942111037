"""``toleap run``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from toleap.commands.terminal import Terminal
from toleap.commands.varying import Variant, check_different, variants
from toleap.config import parse_set
from toleap.report.export import export
from toleap.report.render import print_table
from toleap.report.tables import build_table, is_complete
from toleap.runs.interrupts import catching
from toleap.runs.plan import Plan, Request, make_plan, with_model
from toleap.runs.spending import parse_price
from toleap.types import RunResult, Varied

FLAGS = {
    "judge_model": "judge.model",
    "judge_url": "judge.base_url",
    "model": "model",
    "web": "web",
    "base_url": "operation.base_url",
    "max_in_flight": "operation.max_in_flight",
    "token_cap": "operation.token_cap",
    "cost_cap": "operation.cost_cap",
}


class Outcome(NamedTuple):
    """What came of a run, where it is, and why it stopped before everything was played."""

    result: RunResult
    folder: Path
    halted: str | None


def run(options: Mapping[str, Any]) -> int:
    """Carry out ``toleap run``; returns the exit code."""
    said = Console(stderr=True, highlight=False, soft_wrap=True)
    made = variants(_request(options), options["vary"])
    plans = [_plan(variant, said) for variant in made]
    check_different([(variant.values, plan) for variant, plan in zip(made, plans, strict=True)])
    outcomes: list[Outcome] = []
    for group in (*([item] for item in _references(plans[0], made[0].request, options)), plans):
        outcomes += asyncio.run(_play(group, said))
        if outcomes[-1].halted:
            break
    halted = outcomes[-1].halted
    table = build_table([outcome.result for outcome in outcomes], missing=options["missing"])
    if options["as_json"]:
        document = {**table.to_dict(), "halted": halted, "folder": str(outcomes[-1].folder)}
        print(json.dumps(document, ensure_ascii=False, indent=1))  # noqa: T201
    else:
        print_table(table)
    if halted:
        said.print(f"stopped: {halted}", markup=False, style="bold red")
    for outcome in outcomes:
        export(build_table([outcome.result], missing=options["missing"]), outcome.folder)
    complete = is_complete(table) and not any(plan.skipped for plan in plans) and not halted
    return 0 if complete else 1


def _plan(variant: Variant, said: Console) -> Plan:
    plan = make_plan(variant.request, lambda line: said.print(line, markup=False))
    return replace(plan, varied=Varied("", variant.values)) if variant.values else plan


async def _play(plans: Sequence[Plan], said: Console) -> list[Outcome]:
    """Play one plan after the other, several on one server where they ask for the same; a halt ends it.

    Raises:
        KeyboardInterrupt: it was interrupted before it was announced.
    """
    # The tools' libraries take half a second to import: a mistake in the command is answered before that.
    from toleap.runs.run import Run
    from toleap.runs.servers import KeptServer

    outcomes: list[Outcome] = []
    async with KeptServer() as server:
        kept = server if len(plans) > 1 else None
        for plan in plans:
            named = _after(plan, outcomes[0].result.name) if outcomes else plan
            with catching() as interrupts:
                async with Run(named, Terminal(said), server=kept, interrupts=interrupts) as run:
                    await run.play()
                    await run.score()
                    outcomes.append(Outcome(run.result, run.folder, run.halted))
            if run.halted:
                break
    return outcomes


def _after(plan: Plan, first: str) -> Plan:
    """The plan of a variant that is compared with the run called ``first``."""
    return replace(plan, varied=replace(plan.varied, first=first)) if plan.varied else plan


def _request(options: Mapping[str, Any]) -> Request:
    layer = parse_set(options["sets"])
    layer |= {key: options[flag] for flag, key in FLAGS.items() if options[flag] is not None}
    if options["trust"]:
        layer["operation.trust"] = True
    if options["price"] is not None:
        layer["operation.price"] = parse_price(options["price"])
    return Request(
        names=options["benchmarks"],
        everything=options["everything"],
        k=options["k"],
        limit=options["limit"],
        run=options["run_name"],
        results=options["results"],
        preset=options["preset"],
        file=options["config"],
        layer=layer,
        retry_quarantined=options["retry_quarantined"],
    )


def _references(plan: Plan, request: Request, options: Mapping[str, Any]) -> list[Plan]:
    """Plans that play each benchmark's scripted reference over the same tasks, where ``--reference`` asks for it."""
    if not options["reference"] or plan.model.policy is not None:
        return []
    return [
        make_plan(with_model(request, f"scripted:{found.name}/{found.reference}", found), lambda _line: None)
        for found in (item.benchmark for item in plan.benchmarks)
        if found.reference
    ]
