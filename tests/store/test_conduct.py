"""What an attempt's turns hold: worked figures, what always holds of them, and that they are kept and read again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toleap
from tests.store.building import plan, stored_turn
from toleap.chat.dialects import DialectName, dialect_for
from toleap.store.conduct import conduct_of, identity
from toleap.store.reading import read_run
from toleap.store.store import Store
from toleap.types import (
    AttemptRow,
    CallForm,
    Conduct,
    Ending,
    ErrorClass,
    Key,
    SubCall,
    Task,
    ToolCall,
    ToolResult,
    Trajectory,
    Turn,
    Usage,
)

KEY = Key("b", "t", 0)
TASKS = (Task("b", "t", "question", "gold"),)
TOOLS = ("search", "fetch_url")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


def call(name: str, form: CallForm = CallForm.PLAIN, problem: str | None = None, **arguments: Any) -> ToolCall:
    return ToolCall("id", name, arguments, problem, form)


def turn(index: int, *calls: ToolCall, subcalls: tuple[SubCall, ...] = ()) -> Turn:
    results = tuple(ToolResult.of("x", ErrorClass.CALL if item.problem else None) for item in calls)
    return Turn(index, {}, (), calls, results, subcalls=subcalls)


def test_a_worked_count_of_repeated_calls() -> None:
    found = conduct_of(
        [
            turn(0, call("search", q="a"), call("search", q="b"), call("search", q="a")),
            turn(1, call("search", q="c"), call("fetch_url", q="a")),
            turn(2, call("", CallForm.MALFORMED, "It could not be read."), call("search", q="b")),
            turn(3),
        ]
    )
    assert (found.calls, found.new) == ((3, 2, 1, 0), (2, 2, 0, 0))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": 1, "b": {"c": [1], "d": 2}}', '{"b": {"d": 2.0, "c": [1]}, "a": 1.0}', True),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', False),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": 1}', '{"a": "1"}', False),
        ('{"a": "x "}', '{"a": "x"}', False),
        ('{"a": null}', "{}", False),
        ('{"a": 0.1}', '{"a": 1e-1}', True),
        ('{"a": -0.0}', '{"a": 0}', True),
    ],
)
def test_what_makes_two_calls_the_same(one: str, other: str, same: bool) -> None:
    first, second = (ToolCall(str(n), "search", json.loads(text)) for n, text in enumerate((one, other)))
    assert (identity(first) == identity(second)) is same
    assert identity(first) != identity(replace(first, name="other"))


@given(st.lists(st.lists(st.dictionaries(st.text(max_size=2), JSON, max_size=3), max_size=4), max_size=6))
def test_what_always_holds(turns: list[list[dict[str, Any]]]) -> None:
    played = [turn(n, *(ToolCall("", "search", a) for a in made)) for n, made in enumerate(turns)]
    found = conduct_of(played)
    assert all(0 <= new <= calls for calls, new in zip(found.calls, found.new, strict=True))
    assert sum(found.new) == len({identity(item) for one in played for item in one.calls})
    again = conduct_of([*played, *(replace(one, index=one.index + len(played)) for one in played)])
    assert (again.calls, again.new) == (found.calls * 2, (*found.new, *(0 for _ in turns)))
    assert conduct_of([stored_turn(one) for one in played]) == found, "stored turns give the same"


HERMES = "<tool_call>{}</tool_call>"
GOOD = '{"name": "search", "arguments": {"query": "x"}}'


@pytest.mark.parametrize(
    ("dialect", "text", "forms"),
    [
        ("hermes", HERMES.format(GOOD), ["plain"]),
        ("hermes", HERMES.format(GOOD[:-1]), ["mended"]),
        ("hermes", HERMES.format(GOOD.replace('"', "'")), ["mended"]),
        ("hermes", f"```json\n{GOOD}\n```", ["mended"]),
        ("hermes", HERMES.format(GOOD.replace("search", "find")), ["unknown"]),
        ("hermes", HERMES.format("search for x"), ["malformed"]),
        ("hermes", HERMES.format('{"name": "search", "arguments": {"query": "x'), ["cut"]),
        ("hermes", f"<tool_call>{GOOD}", ["cut"]),
        ("hermes", f"<think>{HERMES.format(GOOD)}</think>", ["hidden"]),
        ("hermes", "".join(map(HERMES.format, (GOOD, GOOD[:-1], "?"))), ["plain", "mended", "malformed"]),
        ("agentcpm", HERMES.format(GOOD[:-1]), ["mended"]),
        ("deepseek", "<｜tool▁call▁begin｜>search<｜tool▁sep｜>{'query': 'x'}<｜tool▁call▁end｜>", ["mended"]),
        ("deepseek", '<｜tool▁call▁begin｜>search<｜tool▁sep｜>{"query": "x"}', ["cut"]),
        (
            "mirothinker",
            "<use_mcp_tool><tool_name>search</tool_name><arguments>{'query': 'x',}</arguments></use_mcp_tool>",
            ["mended"],
        ),
    ],
)  # fmt: skip
def test_how_calls_in_text_were_written(dialect: DialectName, text: str, forms: list[str]) -> None:
    reply = {"role": "assistant", "content": text}
    reading = dialect_for(dialect).read(reply, keep_thoughts=True, turn=0, tools=TOOLS)
    assert [item.form.value for item in reading.calls] == forms
    assert all((item.problem is None) == (item.form in {"plain", "mended", "unknown"}) for item in reading.calls)


def native(*functions: dict[str, Any], cut: bool = False) -> list[str]:
    reply = {"role": "assistant", "content": "", "tool_calls": [{"function": item} for item in functions]}
    reading = dialect_for("native").read(reply, keep_thoughts=True, turn=0, tools=TOOLS, cut=cut)
    return [item.form.value for item in reading.calls]


def test_how_native_calls_were_written() -> None:
    plain = {"name": "search", "arguments": '{"query": "x"}'}
    mended = {"name": "search", "arguments": "{'query': 'x'}"}
    assert native(plain, mended, {"name": "find", "arguments": "{}"}, {"name": "search", "arguments": "x"}) == [
        "plain",
        "mended",
        "unknown",
        "malformed",
    ]
    assert native(plain, plain, cut=True) == ["plain", "cut"]


def test_forms_and_work_beside_the_turns_are_counted() -> None:
    failed, read = SubCall("read", "m", Usage(100, 1), ok=False), SubCall("read", "m", Usage(200, 20))
    extract, summary = SubCall("extract"), SubCall("summary", "m", Usage(400, 50))
    forms = [call("x", form, None if form in {"plain", "mended", "unknown"} else "bad") for form in CallForm]
    found = conduct_of(
        [
            turn(0, *forms, *forms[1:3], subcalls=(failed, read, extract)),
            turn(1, subcalls=(summary, failed, failed, extract, failed, extract)),
            turn(2, subcalls=(replace(summary, ok=False), SubCall("discard"))),
        ]
    )
    assert (found.mended, found.malformed, found.cut, found.hidden, found.unknown) == (2, 2, 1, 1, 1)
    assert (found.summaries, found.readings, found.unread, found.failed_asks) == (1, 1, 2, 5)
    assert (found.auxiliary_prompt, found.auxiliary_completion) == (1400, 124)


async def ended(folder: Path) -> None:
    turns = (turn(0, call("search", q="a"), call("search", CallForm.MENDED, q="a")),)
    with Store(folder) as store:
        await plan(store, TASKS, 2)
        await store.begin(KEY, ())
        await store.fault(KEY, "down", quarantine=False)
        await store.end(Trajectory(KEY, (), turns, Ending.ANSWERED, "x", "x"))


def rows(folder: Path) -> tuple[AttemptRow, ...]:
    (found,) = read_run(folder).benchmarks
    return found.rows


async def test_they_are_stored_with_the_attempt(tmp_path: Path) -> None:
    await ended(tmp_path)
    played, owed = rows(tmp_path)
    assert played.ended is not None
    assert played.ended.conduct == Conduct((2,), (1,), mended=1)
    assert (played.faults, played.ended.versions) == (1, (toleap.__version__,))
    assert (owed.ended, owed.faults) == (None, 0)


async def test_what_happened_to_an_attempt_stays_known(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        await plan(store, TASKS, 2)
        await store.begin(KEY, ())
        await store.begin(KEY, (), restart=True)
        await store.fault(KEY, "down", quarantine=True)
        await store.forgive([KEY])
        await store.end(Trajectory(KEY, (), (), Ending.ANSWERED, "x", "x"))
    played, owed = rows(tmp_path)
    assert played.ended is not None
    assert (played.faults, played.ended.restarts) == (1, 1), "a forgiven fault was one"
    assert (owed.ended, owed.faults) == (None, 0)
