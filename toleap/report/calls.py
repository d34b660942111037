"""How the attempts of a row went about it: how often calls were repeated, how they were written, what helpers cost.

A *repeat* is a call that names the same tool with equal arguments as an earlier call of the same attempt
(``toleap.store.conduct``). With Cₜ the calls that an attempt made in its turns 1 … t, and Uₜ how many different
ones are among them, its unique-call ratio by turn t is Uₜ / Cₜ. Calls that could not be read are in neither.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from toleap.types import AttemptRow, Conduct

RANGES = ((1, 10), (11, 25), (26, 50), (51, 100), (101, 200), (201, None))
"""Turns, counted from 1, that are looked at together; the last range has no end."""


@dataclass(frozen=True, slots=True)
class TurnRange:
    """The calls that attempts made in some of their turns."""

    first: int
    last: int | None
    attempts: int
    """Attempts that reached its first turn."""
    calls: int
    """Calls they made in these turns."""
    different: float | None
    """The share of these calls that repeats no earlier call of its attempt, in these turns or before."""
    so_far: float | None
    """The mean over these attempts of U / C at the range's last turn, or at their own where that came earlier."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of a row's ended attempts."""

    attempts: int
    calls: int
    different: float | None
    """All different calls of all attempts among all calls of all attempts; None without any call."""
    longest_median: float | None
    """Over attempts: the longest run of turns in which no call was a repeat. Turns without a call do not count."""
    longest: int | None
    ranges: tuple[TurnRange, ...]
    """Only those that an attempt reached."""
    mended: int
    malformed: int
    cut: int
    hidden: int
    unknown: int
    lost: int
    silent: int
    misfit: int
    """Calls that could be read and not be made: arguments that do not fit, too many at once."""


@dataclass(frozen=True, slots=True)
class Helpers:
    """What the auxiliary models of a row's ended attempts did; tokens are means over these attempts."""

    summaries: int
    readings: int
    unread: int
    """Readings that ended as a marked extract, since no model could read the page."""
    unread_share: float | None
    failed_asks: int
    prompt_tokens: float
    completion_tokens: float


def different_by(conduct: Conduct, turn: int) -> float | None:
    """An attempt's unique-call ratio by a turn, counted from 1; None before its first call."""
    calls = sum(conduct.calls[:turn])
    return sum(conduct.new[:turn]) / calls if calls else None


def longest_run(conduct: Conduct) -> int:
    """How many of an attempt's turns with calls stand one behind the other without a repeat among them, at most."""
    longest = run = 0
    for calls, new in zip(conduct.calls, conduct.new, strict=True):
        if calls:
            run = run + 1 if new == calls else 0
            longest = max(longest, run)
    return longest


def calls_of(attempts: Iterable[AttemptRow]) -> Calls | None:
    """The figures of the attempts that ended; None where none has."""
    ended = [attempt.ended for attempt in attempts if attempt.ended is not None]
    conducts = [attempt.conduct for attempt in ended]
    if not ended:
        return None
    calls, new = sum(sum(x.calls) for x in conducts), sum(sum(x.new) for x in conducts)
    runs = [longest_run(conduct) for conduct in conducts]
    unreadable = sum(x.malformed + x.cut + x.hidden + x.lost + x.silent for x in conducts)
    unknown = sum(x.unknown for x in conducts)
    return Calls(
        attempts=len(ended),
        calls=calls,
        different=new / calls if calls else None,
        longest_median=statistics.median(runs) if runs else None,
        longest=max(runs, default=None),
        ranges=tuple(_ranges(conducts)),
        mended=sum(x.mended for x in conducts),
        malformed=sum(x.malformed for x in conducts),
        cut=sum(x.cut for x in conducts),
        hidden=sum(x.hidden for x in conducts),
        unknown=unknown,
        lost=sum(x.lost for x in conducts),
        silent=sum(x.silent for x in conducts),
        misfit=sum(attempt.bad_calls for attempt in ended) - unreadable - unknown,
    )


def helpers_of(attempts: Iterable[AttemptRow]) -> Helpers | None:
    """What auxiliary models did in the attempts that ended; None where none was asked."""
    conducts = [attempt.ended.conduct for attempt in attempts if attempt.ended is not None]
    helped = [conduct for conduct in conducts if conduct.summaries + conduct.readings + conduct.failed_asks]
    if not helped:
        return None
    readings, unread = sum(x.readings for x in helped), sum(x.unread for x in helped)
    return Helpers(
        summaries=sum(x.summaries for x in helped),
        readings=readings,
        unread=unread,
        unread_share=unread / (readings + unread) if readings + unread else None,
        failed_asks=sum(x.failed_asks for x in helped),
        prompt_tokens=sum(x.auxiliary_prompt for x in helped) / len(conducts),
        completion_tokens=sum(x.auxiliary_completion for x in helped) / len(conducts),
    )


def _ranges(conducts: Sequence[Conduct]) -> Iterable[TurnRange]:
    for first, last in RANGES:
        reached = [conduct for conduct in conducts if len(conduct.calls) >= first]
        if not reached:
            return
        calls = sum(sum(conduct.calls[first - 1 : last]) for conduct in reached)
        new = sum(sum(conduct.new[first - 1 : last]) for conduct in reached)
        ratios = [different_by(conduct, last or len(conduct.calls)) for conduct in reached]
        known = [ratio for ratio in ratios if ratio is not None]
        yield TurnRange(
            first=first,
            last=last,
            attempts=len(reached),
            calls=calls,
            different=new / calls if calls else None,
            so_far=statistics.fmean(known) if known else None,
        )
