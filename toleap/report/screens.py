"""One run looked at closely, for a terminal. Whatever a model, a page or a judge wrote is shown as text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from toleap.chat.answer import without_thoughts
from toleap.chat.dialects.parts import content_of, thoughts_of
from toleap.report.cells import DASH, clean, lines, number
from toleap.report.inspection import Inspected, changed_settings, environment, standing, tasks_of
from toleap.report.render import grid
from toleap.report.sections import Line, Section
from toleap.scoring.judge.record import read as judging_of
from toleap.types import AttemptRow, BenchmarkResult, CallForm, RunResult, SubCall, ToolCall, ToolResult, Turn

_SIGNS = {"correct": "+", "wrong": "-", "unscored": "?", "owed": ".", "quarantined": "!"}
_COLOURS = {"correct": "green", "wrong": "red", "unscored": "yellow", "owed": "dim", "quarantined": "magenta"}
_SHORT = 160
"""Characters of an answer or a reason beside others."""
_FOLDED = 1_200
"""Characters of a text that are shown while it is not asked for in full; of arguments and thoughts a part."""


def run_screen(run: RunResult, *, full: bool) -> RenderableType:
    """A run: its settings, what it was played with, and a line of signs for each task."""
    settings = run.settings if full else changed_settings(run)
    values = {key: json.dumps(value, ensure_ascii=False, default=str) for key, value in sorted(settings.items())}
    more = len(run.settings) - len(values)
    parts: list[RenderableType] = [
        Text(clean(f"{run.name}: {run.model}, begun {run.created or DASH}, settings {run.fingerprint}"), "bold"),
        _spaced(grid(_pairs("setting", values))),
    ]
    if more:
        parts[-1:] = [grid(_pairs("setting", values)), _spaced(Text(f"{more} more are as usual; --full shows them"))]
    for part in run.benchmarks:
        heading = f"{part.title} ({part.name}), revision {part.revision or DASH}"
        played = {name: " + ".join(versions) for name, versions in environment(part).items()}
        parts += [Text(clean(heading), "bold"), _spaced(grid(_pairs("played with", played))), _spaced(_signs(part))]
    legend = ", ".join(f"{sign} {name}" for name, sign in _SIGNS.items())
    return Group(*parts, Text(f"{legend}; attempts are counted from 0"))


def task_screen(attempts: Sequence[Inspected], *, full: bool) -> RenderableType:
    """A task and its attempts side by side."""
    rows = tuple(
        Line(str(one.row.key.attempt), tuple(_cut(cell, 10 * _SHORT if full else _SHORT) for cell in _cells(one)))
        for one in attempts
    )
    columns = ("ending", "turns", "calls", "answer", "verdict", "why")
    section = Section("attempt", columns, rows, frozenset({"ending", "answer", "verdict", "why"}))
    return Group(*_asked(attempts[0], full=full), _gold(attempts[0]), Text(), grid(section))


def attempt_screen(one: Inspected, *, full: bool) -> RenderableType:
    """An attempt turn by turn, then how it ended and what scorers said."""
    parts = list(_asked(one, full=full))
    for message in one.stored.opening if full else ():
        parts += [Rule(str(message.get("role", "")), align="left"), _text(content_of(message), full=True)]
    for turn in one.stored.turns:
        parts += _turn(turn, full=full)
    return Group(*parts, *_outcome(one, full=full))


def _signs(part: BenchmarkResult) -> RenderableType:
    rows = []
    for task, attempts in tasks_of(part).items():
        stands = [standing(row) for row in attempts]
        scored = stands.count("correct") + stands.count("wrong")
        ended = [row.ended for row in attempts if row.ended is not None]
        turns = number(sum(row.turns for row in ended) / len(ended) if ended else None)
        endings = Counter(row.ending.value for row in ended)
        listed = ", ".join(f"{name} {count}" for name, count in endings.most_common()) or DASH
        signs = "".join(_SIGNS[stand] for stand in stands)
        rows.append(Line(task, (signs, f"{stands.count('correct')} of {scored}", turns, listed)))
    return grid(Section("task", ("attempts", "right", "turns", "endings"), tuple(rows), frozenset({"endings"})))


def _cells(one: Inspected) -> Iterable[str]:
    row = one.row
    yield _ending(row)
    yield str(row.ended.turns if row.ended else len(one.stored.turns))
    yield str(row.ended.tool_calls if row.ended else len(one.stored.calls))
    yield DASH if one.stored.answer is None else one.stored.answer
    yield standing(row)
    yield one.gold.reason(row.verdict) or row.fault or DASH


def _asked(one: Inspected, *, full: bool) -> Iterable[RenderableType]:
    key = one.row.key
    yield Text(clean(f"{key.benchmark}/{key.task}"), style="bold")
    question = one.gold.question or next((content_of(m) for m in one.stored.opening if m.get("role") == "user"), "")
    yield _spaced(_text(question, full=full))


def _turn(turn: Turn, *, full: bool) -> Iterable[RenderableType]:
    usage = turn.usage
    told = (
        f"turn {turn.index + 1} · {turn.seconds:.1f} s · {usage.prompt:,} tokens read, {usage.completion:,} written"
    )
    told += f" · {turn.finish_reason}" if turn.finish_reason not in {"", "stop", "tool_calls"} else ""
    told += f" · forced by {turn.limit.value}" if turn.limit else ""
    yield Rule(Text(clean(told)), align="left", style="dim")
    for subcall in turn.subcalls:
        yield from _subcall(subcall, full=full)
    content = content_of(turn.reply)
    spoken = without_thoughts(content)
    thoughts = [*thoughts_of(turn.reply), *([content.removesuffix(spoken)] if spoken != content else [])]
    if thoughts:
        yield _thoughts("\n".join(thoughts), full=full)
    if spoken.strip():
        yield _text(spoken, full=full)
    for call, result in zip(turn.calls, turn.results, strict=False):
        yield from _call(call, result, full=full)


def _thoughts(thoughts: str, *, full: bool) -> RenderableType:
    if full:
        return Padding(Text(lines(thoughts.strip()), style="dim italic"), (0, 0, 0, 2))
    return Text(f"  thoughts, {len(thoughts):,} characters: {clean(thoughts, _FOLDED // 12)}", style="dim italic")


def _subcall(subcall: SubCall, *, full: bool) -> Iterable[RenderableType]:
    by = f" by {subcall.model}" if subcall.model else ""
    yield Text(clean(f"* {subcall.kind}{by}{'' if subcall.ok else ', which failed'}"), style="cyan")
    if full and subcall.text:
        yield Padding(_text(subcall.text, full=True), (0, 0, 0, 4))


def _call(call: ToolCall, result: ToolResult, *, full: bool) -> Iterable[RenderableType]:
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False, default=str)
    form = "" if call.form is CallForm.PLAIN else f"  [{call.form.value}]"
    written = lines(arguments) if full else clean(arguments, _FOLDED // 4)
    yield Text.assemble(("→ ", "blue"), (clean(call.name), "bold blue"), f" {written}", (form, "yellow"))
    marks = [result.error.value if result.error else "", "cut" if result.truncated else "", "cached" * result.cached]
    told = " · ".join([f"{len(result.text):,} characters, {result.ms / 1000:.1f} s", *filter(None, marks)])
    yield Text(f"← {told}", style="red" if result.error else "dim")
    yield Padding(_text(result.text, full=full), (0, 0, 1, 4))


def _outcome(one: Inspected, *, full: bool) -> Iterable[RenderableType]:
    row = one.row
    stand = standing(row)
    yield Rule(Text.assemble(_ending(row), ": ", (stand, _COLOURS[stand])), align="left")
    yield _labelled("answer", one.stored.answer)
    yield _gold(one)
    if row.fault:
        yield _labelled("fault", row.fault)
    for by, verdict in one.verdicts():
        yield _labelled(f"{verdict.status} by {by}", one.gold.reason(verdict) or f"– ({one.gold.missing})")
        judged = judging_of(verdict) if one.gold.open else None
        if judged is not None:
            yield Padding(_text(judged.output, full=full), (0, 0, 0, 4))


def _gold(one: Inspected) -> Text:
    return _labelled("gold answer", one.gold.answer if one.gold.missing is None else f"– ({one.gold.missing})")


def _ending(row: AttemptRow) -> str:
    if row.ended is None:
        return "not ended"
    return f"{row.ended.ending.value}, forced" if row.ended.forced else row.ended.ending.value


def _pairs(first: str, values: dict[str, str]) -> Section:
    rows = tuple(Line(key, (value,)) for key, value in values.items())
    return Section(first, ("value",), rows, frozenset({"value"}))


def _labelled(label: str, value: str | None) -> Text:
    return Text.assemble((f"{clean(label)}: ", "bold"), lines(value) if value is not None else DASH)


def _text(content: str, *, full: bool) -> Text:
    return Text(lines(content.strip() if full else _cut(content.strip(), _FOLDED)))


def _cut(content: str, limit: int) -> str:
    if len(content) <= limit:
        return content
    return f"{content[:limit]}… ({len(content) - limit:,} more characters; --full shows them)"


def _spaced(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 1, 0), expand=False)
