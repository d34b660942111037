"""How values are written in a table, and what keeps text from others harmless in one."""

from __future__ import annotations

import math
import re
import unicodedata

from toleap.report.values import Headline, Note, Row
from toleap.scoring.measures import Figure

DASH = "–"
"""Stands for every value that is not defined."""
_SAID = frozenset(
    {"plan", "time_limit", "missing", "judge", "beside", "retried", "restarted", "reader", "version", "server"}
)
"""Kinds of notes whose text says what they are about."""
_BLANKS = re.compile(r"\s+")
_MARKDOWN = re.compile(r"[\\`*_\[\]|~$#!]")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def clean(text: str, limit: int = 200) -> str:
    """One line of visible characters: blanks collapsed, control and format characters replaced, cut at ``limit``.

    Terminal escapes, bidirectional overrides and lone surrogates do not survive.
    """
    line = _BLANKS.sub(" ", text[: 4 * limit]).strip()
    visible = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(x).startswith("C") else x for x in line)
    return visible if len(visible) <= limit else visible[: limit - 1] + "…"


def lines(text: str) -> str:
    """Text as it is, with its lines, but nothing in it that could do anything to a terminal."""
    expanded = text.replace("\r\n", "\n").expandtabs(4)
    return "".join(
        x if x == "\n" or unicodedata.category(x)[0] != "C" else "\N{REPLACEMENT CHARACTER}" for x in expanded
    )


def markdown(text: str, limit: int = 200) -> str:
    """Text that Markdown shows as it is, inside a table cell too."""
    escaped = _MARKDOWN.sub(lambda match: "\\" + match.group(), clean(text, limit))
    return "".join(_HTML.get(x, x) for x in escaped)


def percent(value: float | None) -> str:
    """A fraction as percent with one decimal, or a dash."""
    return DASH if value is None or math.isnan(value) else f"{100 * value:.1f}"


def number(value: float | None) -> str:
    """A mean with one decimal, without decimals from 1,000 on, or a dash."""
    if value is None or math.isnan(value):
        return DASH
    return f"{value:.1f}" if value < 1000 else f"{value:,.0f}"


def plus_minus(value: float | None, se: float | None) -> str:
    """``50.0 ± 17.7``: an average and its standard error in percent, or a dash."""
    return DASH if value is None else f"{percent(value)} ± {percent(se)}"


def average(row: Row) -> str:
    """The headline. While anything is missing it never stands alone: the bounds and the word follow."""
    headline = row.headline
    if row.counts.complete:
        return plus_minus(headline.average, headline.se)
    missing = "incomplete" if row.counts.planned else "nothing planned"
    return "\n".join([plus_minus(headline.average, headline.se), *_bounds(headline), missing])


def beside(headline: Headline | None) -> str:
    """A headline by another scorer, with its own count, and its bounds while any verdict is missing."""
    if headline is None:
        return DASH
    return "\n".join([plus_minus(headline.average, headline.se), *_bounds(headline), f"{headline.scored} scored"])


def _bounds(headline: Headline) -> list[str]:
    return [f"[{percent(headline.bounds[0])}, {percent(headline.bounds[1])}]"] if headline.bounds else []


def rests_on(figure: Figure) -> str:
    """How many verdicts a measure is made of; where it has no value, why."""
    count = f"{figure.verdicts:,}" + (f" of {figure.verdicts + figure.unread:,}" if figure.unread else "")
    return count if figure.value is not None else f"{count}: {figure.reason}"


def unofficial(row: Row) -> str | None:
    """What must stand beside published numbers where this row's judge is not the owner's; None where it is."""
    judge = row.headline
    if not row.whole or not judge.judged_by or judge.judge_official:
        return None
    return f"published numbers used the owner's judge; this row was judged by {judge.judged_by}"


def tasks(row: Row) -> str:
    """``10 of 60`` where fewer tasks are planned than there are."""
    extent = row.extent
    known = extent.tasks_total in {None, extent.tasks}
    return str(extent.tasks) if known else f"{extent.tasks} of {extent.tasks_total}"


def endings(row: Row) -> str:
    """How the ended attempts ended, the forced answers last."""
    parts = [f"{name} {n}" for name, n in row.behaviour.endings.items()]
    if row.behaviour.forced:
        parts.append(f"forced {row.behaviour.forced}")
    return ", ".join(parts) or DASH


def name(row: Row, *, with_run: bool) -> str:
    """The model, what varies, and its run where several rows would read the same; for a sub-row, its group."""
    subject = row.subject
    if subject.group is not None:
        return f"{subject.group.column} {subject.group.value}"
    return " · ".join(part for part in (subject.model, subject.variant, subject.run if with_run else "") if part)


def flags(row: Row) -> tuple[str, ...]:
    """A row's flags; ``incomplete`` stands beside the headline already."""
    return tuple(flag for flag in row.flags if flag != "incomplete")


def note(line: Note) -> str:
    """A note as one line: where, how many, why, and what to type."""
    where = " · ".join(part for part in (line.benchmark, line.run) if part)
    count = "" if line.count is None else f"{line.count} "
    kind = "" if line.kind in _SAID else f"{line.kind}: "
    fix = f" → {line.fix}" if line.fix else ""
    return f"{where}: {count}{kind}{line.text}{fix}"
