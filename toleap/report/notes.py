"""The lines below a table: what is missing from a run's row, why, and what to type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from toleap.chat.signs import Sign
from toleap.report.cells import percent, plus_minus
from toleap.report.rows import outcome
from toleap.report.values import Missing, Note, NoteKind, Row
from toleap.types import AttemptRow, BenchmarkResult, CallForm, Ending, RunResult

REASONS = 5
"""Reasons told apart; the rarer ones are counted together."""
_REASON_CHARS = 160
RUN_AGAIN = "run the same command again"
WITH_EXTENT = "run the command again that planned them, with --k {k} or more"
JUDGE = "the answers are kept; the same command scores them once a judge is configured and answers"
BESIDE = "toleap score {run} --judge-model NAME --judge-url URL"
RETRY = "remove the cause and add --retry-quarantined to the same command, or count them as wrong: --missing wrong"


def notes_of(run: RunResult, part: BenchmarkResult, missing: Missing) -> list[Note]:
    """The notes on one run's row, the most frequent reason first."""
    rows = part.rows
    owed = [attempt for attempt in rows if attempt.ended is None]
    unscored = [attempt for attempt in rows if attempt.ended is not None and outcome(attempt) is None]
    late = sum(attempt.ending is Ending.TIME_LIMIT for attempt in rows)
    groups: list[tuple[NoteKind, Counter[str], str]] = [
        ("unscored", _reasons("not scored yet" for a in unscored if a.verdict is None), RUN_AGAIN),
        ("unscored", _reasons(a.verdict.reason for a in unscored if a.verdict is not None), JUDGE),
        ("owed", _reasons(a.fault or "not run yet" for a in owed if not a.quarantined), _to_play(owed)),
        ("quarantined", _reasons(a.fault or "no reason recorded" for a in owed if a.quarantined), RETRY),
    ]
    notes = [
        Note(kind, part.name, run=run.name, text=reason, count=count, fix=fix)
        for kind, reasons, fix in groups
        for reason, count in reasons.items()
    ]
    if part.scorers[0].label:
        judged = sum(outcome(attempt) is not None for attempt in rows)
        notes.append(Note("judge", part.name, run=run.name, text=f"judged by {part.scorers[0].label}", count=judged))
    for place in range(1, len(part.scorers)):
        notes += _beside(run, part, place)
    notes += _signs(run, part)
    if late:
        text = "ended at the wall-clock limit, which depends on the machine"
        notes.append(Note("time_limit", part.name, run=run.name, text=text, count=late))
    if missing == "wrong" and (owed or unscored):
        text = "missing results count as wrong in the headline, as --missing wrong asks"
        notes.append(Note("missing", part.name, run=run.name, text=text, count=len(owed) + len(unscored)))
    return [*notes, *_uneven(run, part, rows)]


def conduct_notes(row: Row) -> Iterable[Note]:
    """What a whole benchmark's row hides: attempts that had a second chance, and pages that nobody could read."""
    if row.retried is not None:
        everyone, unretried = (plus_minus(x.average, x.se) for x in (row.headline, row.retried))
        text = (
            f"attempts were retried after faults of ours: {everyone} over all scored, "
            f"{unretried} over the {row.retried.scored} that never had one (unretried)"
        )
        yield Note("retried", row.subject.benchmark, run=row.subject.run, text=text, count=row.retried.attempts)
    if row.restarts:
        text = "times an attempt began anew, since its turns or a tool's state could not be had again"
        yield Note("restarted", row.subject.benchmark, run=row.subject.run, text=text, count=row.restarts)
    if row.helpers is not None and row.helpers.unread:
        found_readings = row.helpers.readings + row.helpers.unread
        share = percent(row.helpers.unread_share)
        text = f"of {found_readings} readings ({share} %) are an extract instead, since no model could read the page"
        yield Note("reader", row.subject.benchmark, run=row.subject.run, text=text, count=row.helpers.unread)


def _beside(run: RunResult, part: BenchmarkResult, place: int) -> Iterable[Note]:
    """Who gave the verdicts beside the headline's, and why some ended attempts have none."""
    ended = [attempt for attempt in part.rows if attempt.ended is not None]
    judged = sum(outcome(attempt, place) is not None for attempt in ended)
    text = f"second verdicts by {part.scorers[place].label}; the headline is the rule's"
    yield Note("beside", part.name, run=run.name, text=text, count=judged)
    lacking = [attempt.verdicts[place : place + 1] for attempt in ended if outcome(attempt, place) is None]
    missing = (given[0].reason if given and given[0] else "not judged yet" for given in lacking)
    for reason, count in _reasons(missing).items():
        fix = BESIDE.format(run=run.name)
        yield Note(
            "beside", part.name, run=run.name, text=f"without a second verdict: {reason}", count=count, fix=fix
        )


def _signs(run: RunResult, part: BenchmarkResult) -> Iterable[Note]:
    """What attempts show of a server that loses calls or answers: it makes wrong what may have been right."""
    conducts = [attempt.ended.conduct for attempt in part.rows if attempt.ended is not None]
    counted = Counter(Sign(CallForm.MALFORMED, family) for conduct in conducts for family in conduct.families)
    counted[Sign(CallForm.LOST)] = sum(conduct.lost > 0 for conduct in conducts)
    counted[Sign(CallForm.SILENT)] = sum(conduct.swallowed for conduct in conducts)
    for sign, count in counted.items():
        if count:
            text = f"of {len(conducts)} attempts have replies that {sign.text()}"
            yield Note("server", part.name, run=run.name, text=text, count=count, fix=sign.fix())


def _to_play(owed: Iterable[AttemptRow]) -> str:
    """What plays the attempts that are owed: a smaller extent than theirs would leave them out."""
    most = max((attempt.key.attempt + 1 for attempt in owed if not attempt.quarantined), default=1)
    return WITH_EXTENT.format(k=most) if most > 1 else RUN_AGAIN


def _reasons(texts: Iterable[str]) -> Counter[str]:
    """Reasons by their first line, the rare ones together."""
    counts = Counter((text.strip().splitlines() or [""])[0][:_REASON_CHARS] or "no reason given" for text in texts)
    common = Counter(dict(counts.most_common(REASONS)))
    rest = counts.total() - common.total()
    if rest:
        common[f"{len(counts) - REASONS} other reasons"] = rest
    return common


def _uneven(run: RunResult, part: BenchmarkResult, rows: Sequence[AttemptRow]) -> Iterable[Note]:
    """A note where the plan is not k attempts for each task: the average weighs tasks, not attempts."""
    per_task: Mapping[str, int] = Counter(attempt.key.task for attempt in rows)
    uneven = sum(n != part.k for n in per_task.values())
    if uneven:
        text = f"tasks are not planned with {part.k} attempts"
        yield Note("plan", part.name, run=run.name, text=text, count=uneven, fix=RUN_AGAIN)
