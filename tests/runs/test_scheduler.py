"""What is played, how many at once, and what a failure of ours does to an attempt; and the line that shows it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.commands.terminal import Progress
from toleap.errors import Fault, ServerFault, StoreFault, ToolFault
from toleap.runs.scheduler import Scheduler
from toleap.store.store import Owed
from toleap.types import Key, Turn, Usage, Verdict

KEYS = [Key("b", f"t{number}", 0) for number in range(40)]


@dataclass
class Game:
    """Plays attempts that fail as often as told, and keeps what happened."""

    failures: Mapping[Key, Sequence[BaseException]] = field(default_factory=dict)
    ended: list[Key] = field(default_factory=list)
    played: Counter[Key] = field(default_factory=Counter)
    noted: list[tuple[Key, str, bool]] = field(default_factory=list)
    now: int = 0
    most: int = 0
    blocked: asyncio.Event | None = None

    async def play(self, key: Key) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0)
            if self.blocked is not None:
                await self.blocked.wait()
            self.played[key] += 1
            if self.played[key] <= len(self.failures.get(key, ())):
                raise self.failures[key][self.played[key] - 1]
            self.ended.append(key)
        finally:
            self.now -= 1

    async def note(self, key: Key, reason: str, quarantined: bool) -> None:
        self.noted.append((key, reason, quarantined))

    def scheduler(self, *, at_once: int = 4, limit: int = 3) -> Scheduler:
        return Scheduler(self.play, self.note, at_once, limit)


def owed(count: int, faults: int = 0) -> list[Owed]:
    return [Owed(key, faults) for key in KEYS[:count]]


@given(st.integers(0, 20), st.integers(1, 25))
def test_every_attempt_is_played_once_and_never_more_at_once_than_allowed(count: int, at_once: int) -> None:
    game = Game()
    scheduler = game.scheduler(at_once=at_once)
    asyncio.run(scheduler.run(owed(count)))
    assert sorted(game.ended) == sorted(KEYS[:count]) and set(game.played.values()) <= {1}
    assert game.most == min(count, at_once)
    assert (scheduler.halted, scheduler.in_flight, game.noted) == (None, 0, [])


async def test_one_at_a_time_keeps_the_order() -> None:
    game = Game()
    await game.scheduler(at_once=1).run(owed(9))
    assert game.ended == KEYS[:9]


@given(
    st.dictionaries(
        st.sampled_from(KEYS[:10]),
        st.lists(st.sampled_from([ServerFault("s"), ToolFault("t"), Fault("f"), KeyError("bug")]), max_size=5),
    ),
    st.integers(1, 4),
    st.integers(1, 12),
)
def test_a_fault_is_played_again_up_to_the_limit_and_then_set_aside(
    failures: dict[Key, list[BaseException]], limit: int, at_once: int
) -> None:
    game = Game(failures)
    scheduler = game.scheduler(at_once=at_once, limit=limit)
    asyncio.run(scheduler.run(owed(10)))
    aside = {key for key in KEYS[:10] if len(failures.get(key, ())) >= limit}
    assert set(game.ended) == set(KEYS[:10]) - aside and len(game.ended) == 10 - len(aside)
    assert {key for key, _, quarantined in game.noted if quarantined} == aside
    assert Counter(key for key, *_ in game.noted) == {
        key: min(len(list_), limit) for key, list_ in failures.items() if list_
    }
    assert scheduler.halted is None


async def test_faults_of_earlier_runs_count() -> None:
    game = Game({KEYS[0]: [ToolFault("down")] * 3})
    await game.scheduler(limit=3).run(owed(1, faults=2))
    assert game.noted == [(KEYS[0], "down", True)]


async def test_our_bug_is_a_fault_that_names_itself_and_spares_the_others() -> None:
    game = Game({KEYS[1]: [ZeroDivisionError("division by zero")]})
    await game.scheduler(limit=1).run(owed(5))
    assert game.noted == [(KEYS[1], "our bug: ZeroDivisionError: division by zero", True)]
    assert set(game.ended) == set(KEYS[:5]) - {KEYS[1]}


@pytest.mark.parametrize("fault", [ServerFault("gone", fatal=True), StoreFault("disk full")])
async def test_what_would_fail_every_attempt_halts_the_run_and_counts_against_none(fault: Fault) -> None:
    game = Game({KEYS[2]: [fault]})
    scheduler = game.scheduler(at_once=1)
    await scheduler.run(owed(10))
    assert scheduler.halted == str(fault)
    assert (game.ended, game.noted) == (KEYS[:2], [])
    assert scheduler.in_flight == 0


async def test_a_halt_cancels_what_is_in_flight() -> None:
    game = Game({KEYS[0]: [ServerFault("gone", fatal=True)]}, blocked=asyncio.Event())
    scheduler = game.scheduler(at_once=3)
    running = asyncio.create_task(scheduler.run(owed(10)))
    while game.now < 3:
        await asyncio.sleep(0)
    assert game.blocked is not None
    game.blocked.set()
    await running
    assert scheduler.halted == "gone" and game.now == 0 and KEYS[0] not in game.ended
    assert len(game.played) <= 3


async def test_stopped_it_ends_at_once_with_the_first_reason() -> None:
    game = Game(blocked=asyncio.Event())
    scheduler = game.scheduler(at_once=3)
    running = asyncio.create_task(scheduler.run(owed(10)))
    while game.now < 3:
        await asyncio.sleep(0)
    scheduler.stop("interrupted")
    scheduler.stop("the server ended")
    await running
    assert scheduler.halted == "interrupted"
    assert (game.ended, game.noted, game.now, scheduler.in_flight) == ([], [], 0, 0)


async def test_stopped_before_it_began_it_plays_nothing() -> None:
    game = Game()
    scheduler = game.scheduler()
    scheduler.stop("interrupted")
    await scheduler.run(owed(5))
    assert not game.played


async def test_a_fault_that_cannot_be_noted_is_not_swallowed() -> None:
    game = Game({KEYS[0]: [ToolFault("down")]})

    async def note(_key: Key, _reason: str, _quarantined: bool) -> None:
        raise StoreFault("disk full")

    scheduler = Scheduler(game.play, note, 1, 3)
    with pytest.raises(StoreFault, match="disk full"):
        await scheduler.run(owed(1))


async def test_when_a_fault_cannot_be_noted_the_others_are_stopped_too() -> None:
    game = Game({KEYS[0]: [ToolFault("down")]})

    async def note(_key: Key, _reason: str, _quarantined: bool) -> None:
        raise StoreFault("disk full")

    scheduler = Scheduler(game.play, note, 2, 3)
    with pytest.raises(StoreFault, match="disk full"):
        await scheduler.run(owed(30))
    assert len(game.ended) <= 2
    assert (scheduler.halted, scheduler.in_flight) == ("disk full", 0)


@pytest.mark.parametrize(
    "fault", [ToolFault("the connection closed"), ServerFault("gone", fatal=True), KeyError("x")]
)
async def test_what_fails_because_the_run_is_stopped_is_not_held_against_the_attempt(fault: Exception) -> None:
    game = Game()

    async def play(key: Key) -> None:
        try:
            await game.play(key)
        except asyncio.CancelledError:
            raise fault from None

    game.blocked = asyncio.Event()
    scheduler = Scheduler(play, game.note, 3, 1)
    running = asyncio.create_task(scheduler.run(owed(10)))
    while game.now < 3:
        await asyncio.sleep(0)
    scheduler.stop("interrupted")
    await running
    assert (scheduler.halted, game.noted, len(game.played)) == ("interrupted", [], 0)


async def test_an_attempt_whose_cancellation_becomes_a_fault_ends_its_worker_all_the_same() -> None:
    game = Game(blocked=asyncio.Event())

    async def play(key: Key) -> None:
        try:
            await game.play(key)
        except asyncio.CancelledError:
            raise ToolFault("the connection closed") from None

    scheduler = Scheduler(play, game.note, 2, 3)
    running = asyncio.create_task(scheduler.run(owed(10)))
    while game.now < 2:
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (game.noted, game.now, scheduler.in_flight) == ([], 0, 0)


async def test_an_attempt_that_waited_for_something_cancelled_is_owed_and_the_others_go_on() -> None:
    game = Game({KEYS[1]: [asyncio.CancelledError()], KEYS[3]: [asyncio.CancelledError()] * 9})
    scheduler = game.scheduler(at_once=1)
    await scheduler.run(owed(8))
    assert set(game.ended) == set(KEYS[:8]) - {KEYS[3]}
    assert [(key, quarantined) for key, _, quarantined in game.noted] == [
        (KEYS[1], False), (KEYS[3], False), (KEYS[3], False), (KEYS[3], True),
    ]  # fmt: skip
    assert "our bug" in game.noted[0][1] and scheduler.halted is None


async def test_an_attempt_that_failed_is_played_again_after_all_others() -> None:
    game = Game({KEYS[0]: [ToolFault("down")], KEYS[2]: [ToolFault("down")] * 2})
    await game.scheduler(at_once=1).run(owed(5))
    assert game.ended == [KEYS[1], KEYS[3], KEYS[4], KEYS[0], KEYS[2]]


async def test_stopped_while_a_fault_is_being_noted_it_is_noted_once_and_not_played_again() -> None:
    game = Game({KEYS[0]: [ToolFault("down")] * 3})
    noting, go_on = asyncio.Event(), asyncio.Event()

    async def note(key: Key, reason: str, quarantined: bool) -> None:
        await game.note(key, reason, quarantined)
        noting.set()
        await go_on.wait()

    scheduler = Scheduler(game.play, note, 1, 3)
    running = asyncio.create_task(scheduler.run(owed(1)))
    await noting.wait()
    scheduler.stop("interrupted")
    await running
    assert game.noted == [(KEYS[0], "down", False)] and game.played[KEYS[0]] == 1
    assert scheduler.halted == "interrupted"


@given(st.integers(1, 20), st.integers(1, 6), st.integers(0, 20))
def test_closed_it_begins_nothing_more_and_ends_what_it_began(count: int, at_once: int, room: int) -> None:
    game = Game()
    scheduler = game.scheduler(at_once=at_once)
    scheduler.closed = lambda: "full" if len(game.ended) >= room else None
    asyncio.run(scheduler.run(owed(count)))
    assert len(game.ended) == len(game.played)
    assert min(count, room) <= len(game.ended) <= (room + at_once - 1 if room else 0)
    assert scheduler.halted == (None if len(game.ended) == count else "full")


async def test_closed_a_fault_in_flight_stays_owed_and_an_interrupt_still_stops_it() -> None:
    game = Game({KEYS[0]: [ToolFault("down")]})
    scheduler = game.scheduler(at_once=2)
    scheduler.closed = lambda: "full" if game.played else None
    await scheduler.run(owed(5))
    assert game.played == {KEYS[0]: 1, KEYS[1]: 1} and game.noted == [(KEYS[0], "down", False)]
    assert scheduler.halted == "full"

    game = Game(blocked=asyncio.Event())
    scheduler = game.scheduler(at_once=2)
    scheduler.closed = lambda: "full" if game.now else None
    running = asyncio.create_task(scheduler.run(owed(5)))
    while scheduler.halted is None:
        await asyncio.sleep(0)
    scheduler.stop("interrupted")
    await running
    assert (scheduler.halted, game.ended) == ("interrupted", [])


def test_the_line_before_anything_happened() -> None:
    line = Progress(planned=16).line()
    assert line.startswith("0/16 done · 0 in flight · avg – · 0 turns · 0 tok/s · ")
    assert line.endswith("left –")


def test_the_line_shows_what_counts() -> None:
    progress = Progress(planned=4, faults=2, in_flight=1)
    progress.turn(Turn(0, {}, (), usage=Usage(prompt=500, completion=40)))
    for status in ("correct", "wrong", "unscored"):
        progress.done += 1
        progress.judged(Verdict(status, "", "gaia"))  # type: ignore[arg-type]
    line = progress.line()
    assert line.startswith("3/4 done · 1 in flight · avg 50.0 % · 1 turns · ")
    assert line.endswith(" · 2 faults")
    assert progress.tokens == 40


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 10**7))
def test_the_line_is_one_line_whatever_the_counts(done: int, planned: int, seconds: float) -> None:
    progress = Progress(planned=done + planned, done=done)
    progress.started -= seconds
    assert re.fullmatch(
        r"\d+/\d+ done · 0 in flight · avg – · 0 turns · 0 tok/s · [\d:]+ · left (–|[\d:]+)", progress.line()
    )


def test_hours_are_shown_as_hours() -> None:
    progress = Progress(planned=2, done=1)
    progress.started -= 3_725.5
    assert re.search(r" · 1:02:\d\d · left 1:02:\d\d$", progress.line())
