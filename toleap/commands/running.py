"""``toleap run``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from toleap.config import parse_set
from toleap.report.export import export
from toleap.report.render import print_table
from toleap.report.tables import build_table, is_complete
from toleap.runs.plan import Plan, Request, make_plan, with_model
from toleap.runs.spending import parse_price

if TYPE_CHECKING:
    from toleap.runs.run import Announcement, Outcome

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


def run(options: Mapping[str, Any]) -> int:
    """Carry out ``toleap run``; returns the exit code."""
    said = Console(stderr=True, highlight=False, soft_wrap=True)
    request = _request(options)
    plan = make_plan(request, lambda line: said.print(line, markup=False))
    outcomes: list[Outcome] = []
    for item in (*_references(plan, request, options), plan):
        outcomes.append(_play(item, said, options))
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
    complete = is_complete(table) and not plan.skipped and not halted
    return 0 if complete else 1


def _play(plan: Plan, said: Console, options: Mapping[str, Any]) -> Outcome:
    # The tools' libraries take half a second to import: a mistake in the command is answered before that.
    from toleap.runs.run import execute

    def announce(announcement: Announcement) -> None:
        _announce(announcement, said)

    return asyncio.run(execute(plan, said, announce, retry_quarantined=options["retry_quarantined"]))


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


def _announce(about: Announcement, said: Console) -> None:
    benchmarks = ", ".join(f"{name} ({tasks})" for name, tasks in about.benchmarks.items())
    lines = [
        f"run      {about.run} → {about.folder}",
        f"plan     {benchmarks} × k {about.k} = {about.attempts} attempts, {about.owed} to run now",
        f"model    {about.model}, {about.server}",
        f"tools    {', '.join(about.tools)}",
        f"web      {'; '.join(f'{name}: {web}' for name, web in about.web.items())}",
        f"tokens   at most {about.most_tokens:,} written by the model",
        *([f"cap      {about.cap}"] if about.cap else []),
        *(f"skipped  {name}: {why}" for name, why in about.skipped.items()),
    ]
    said.print("\n".join(lines), markup=False)
