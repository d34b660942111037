"""What is taken as an answer, seen as a score: the program against a model that writes just this."""

from __future__ import annotations

import pytest

from tests.chat.test_families import WRITTEN
from tests.cli.program import Program, database_in, row_of, turns_in
from tests.faults.small import COMMAND, calling, make_benchmark, playing

BOXED = ("--set", "agent.dialect=mirothinker")


@pytest.mark.parametrize(
    ("said", "options", "average"),
    [
        ("<answer>Ostby</answer> I have put it inside the <answer> tags.", (), 1.0),
        ("<answer>Ostby</answer> <answer></answer>", (), 1.0),
        ("<answer>Ostby<answer>", (), 1.0),
        ("<answer>Ostby</answer></think>", (), 1.0),
        ("hm <answer>Ostby</answer> good.\n</think>\n", (), 1.0),
        (r"<answer>Ostby<\/answer>", (), 1.0),
        ("<answer>Ostby</answer> It stands between <answer> and </answer>.", (), 1.0),
        (r"It is \boxed{Ostby}.", BOXED, 1.0),
        (r"<answer>\boxed{Ostby}</answer>", BOXED, 1.0),
        (r"It is \boxed{Ostby}.", (), 0.0),
    ],
)
def test_an_answer_counts_however_it_is_wrapped(
    program: Program, said: str, options: tuple[str, ...], average: float
) -> None:
    make_benchmark(program.folder, ["Ostby"])
    with playing(program, [{"role": "assistant", "content": said}]) as server:
        done = program.here(*COMMAND, "--k", "1", "--base-url", server.url, *options)
    assert done.code == 0, done.said
    row = row_of(done.json, "mine")
    assert (row["average"], row["behaviour"]["turns"]) == (average, 1.0), "and at once"


@pytest.mark.parametrize("name", ["kimi", "mistral", "hermes", "qwen3-coder"])
def test_a_call_at_a_limit_is_no_answer(program: Program, name: str) -> None:
    make_benchmark(program.folder, ["Ostby"])
    said = {"role": "assistant", "content": WRITTEN[name][0]}
    with playing(program, [calling("search", query=["x"]), said]) as server:
        done = program.here(*COMMAND, "--k", "1", "--base-url", server.url, "--set", "agent.max_turns=1")
    assert done.code == 0, done.said
    turn, forced = turns_in(database_in(program.folder))
    assert (len(turn.calls), forced.messages[-1]["content"]) == (1, "")


def test_the_answer_at_a_limit_counts_also_before_the_end_of_thoughts(program: Program) -> None:
    make_benchmark(program.folder, ["Ostby"])
    said = {"role": "assistant", "content": "hm, so <answer>Ostby</answer>\n</think>"}
    with playing(program, [calling("search", query=["x"]), said]) as server:
        done = program.here(*COMMAND, "--k", "1", "--base-url", server.url, "--set", "agent.max_turns=1")
    assert done.code == 0, done.said
    assert row_of(done.json, "mine")["average"] == 1.0
