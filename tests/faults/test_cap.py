"""A run that may not spend more: it begins no further attempt, ends what it began, and continues when it may."""

from __future__ import annotations

import contextlib
from collections import Counter

import pytest

from tests.cli.program import (
    NO_CODE,
    Program,
    Server,
    comparable,
    database_in,
    durable_turns,
    killed,
    query,
    row_of,
    standing,
    stopped_at_exit,
    turns_in,
    wait_until,
)
from tests.faults.small import ANSWER, COMMAND, calling, make_benchmark, playing
from toleap.store.database import connect
from toleap.store.reading import spent
from toleap.types import Role, Usage

DOWN = """
from toleap.dock import new_server
from toleap.errors import ToolFault

server = new_server("down")

@server.tool()
async def down() -> str:
    \"\"\"Is never there.\"\"\"
    raise ToolFault("the engine is down")
"""
EXTENT = ("--limit", "4", "--k", "4", "--max-in-flight", "2", "--json", *NO_CODE)
PRICED = ("--price", "1,10")


def cost(program: Program) -> dict[Role, Usage]:
    with contextlib.closing(connect(database_in(program.folder), read_only=True)) as database:
        return spent(database)


def written(program: Program) -> int:
    return sum(usage.completion for usage in cost(program).values())


@pytest.mark.parametrize("cap", [("--token-cap", "900"), ("--cost-cap", "0.02", *PRICED)])
def test_capped_a_run_stops_in_good_order_and_a_higher_cap_completes_it(
    program: Program, cap: tuple[str, ...]
) -> None:
    higher = (cap[0], "1000000", *cap[2:])
    (program.folder / "whole").mkdir()
    with Server(program.folder / "asked") as server:
        command = ("run", "atoll", "--base-url", server.url, *EXTENT)
        capped = program.here(*command, *cap)
        asked = server.stats()["requests"]
        again = program.here(*command, *cap)
        assert server.stats()["requests"] == asked
        done = program.here(*command, *higher)
        played = Counter(server.stats()["by_id"])
        whole = Program(program.folder / "whole", program.home).here(*command)
    counts = row_of(capped.json)["counts"]
    assert capped.code == 1 and "is reached" in capped.json["halted"] and cap[0] in capped.json["halted"]
    assert f"stopped: {capped.json['halted']}" in capped.err
    assert counts["scored"] > 0 and counts["owed"] == 16 - counts["scored"] > 0 and counts["quarantined"] == 0
    assert again.code == 1 and again.json["halted"] and row_of(again.json)["counts"] == counts
    assert " done · " not in again.err  # no server is started for it
    assert done.code == 0, done.said
    assert comparable(done.json) == comparable(whole.json)
    assert set(played.values()) == {1}


def test_the_cap_is_announced_with_its_overshoot_and_what_is_in_flight_ends(program: Program) -> None:
    done = program.here("run", "atoll", "--model", "scripted:oracle", *EXTENT, "--token-cap", "700")
    (line,) = [line for line in done.err.splitlines() if line.startswith("cap ")]
    assert "0 of 700 tokens; then the attempts in flight (2) end, with up to " in line
    assert " of 700 tokens" in done.err.split("tok/s", 1)[1]
    begun = query(database_in(program.folder), "SELECT count(*) FROM record WHERE kind = 'opened'")
    assert begun == query(database_in(program.folder), "SELECT count(*) FROM record WHERE kind = 'ended'")
    row = row_of(done.json)
    assert written(program) >= 700 and begun[0][0] == row["counts"]["scored"]


def test_what_is_spent_is_what_the_turns_cost_and_auxiliary_models_count(program: Program) -> None:
    reader = ("--set", "reader.mode=model", "--set", 'reader.models=["scripted"]', "--set", "reader.skip_below=0")
    with Server(program.folder / "asked") as server:
        done = program.here("run", "atoll", "--base-url", server.url, *EXTENT, *reader, "--token-cap", "1000000")
        asked = server.stats()["requests"]
    database = database_in(program.folder)
    assert done.code == 0, done.said
    turns, tokens = map(sum, zip(*standing(database, "turns", "completion_tokens"), strict=True))
    costs = {role: usage.completion for role, usage in cost(program).items()}
    assert costs["model"] == tokens and asked > turns
    assert costs["auxiliary"] > 0


def test_what_a_killed_run_has_spent_is_known(program: Program) -> None:
    with Server(program.folder / "asked", options=("--latency-ms", "25")) as server:
        process = program.start("run", "atoll", "--base-url", server.url, *EXTENT)
        with stopped_at_exit(process):
            wait_until(lambda: len(durable_turns(program.folder)) > 6, "some turns")
            killed(process)
    durable = sum(turn.usage.completion for turn in turns_in(database_in(program.folder)))
    assert written(program) >= durable > 0


def test_replies_that_were_lost_to_faults_of_ours_count_too(program: Program) -> None:
    folder = program.folder / "tools" / "down"
    folder.mkdir(parents=True)
    (folder / "server.py").write_text(DOWN)
    make_benchmark(program.folder, ["Ostby"])
    tool = ("--set", 'dock.tools=["down"]', "--trust", "--max-in-flight", "1")
    with playing(program, [calling("down"), ANSWER]) as server:
        command = (*COMMAND, "--k", "2", "--base-url", server.url, *tool)
        lost = program.here(*command)
        assert server.stats()["requests"] == 6
        spent = written(program)
        capped = program.here(*command, "--token-cap", str(spent // 2), "--results", "capped")
        assert server.stats()["requests"] == 9
    assert lost.code == 1 and row_of(lost.json, "mine")["counts"]["quarantined"] == 2, lost.said
    assert query(database_in(program.folder), "SELECT count(*) FROM record WHERE kind = 'turn'") == [(0,)]
    assert spent > 0 and spent % 6 == 0
    assert capped.code == 1 and "is reached" in capped.json["halted"], capped.said
    assert row_of(capped.json, "mine")["counts"]["quarantined"] == 0


def test_a_cap_that_everything_fits_in_changes_nothing(program: Program) -> None:
    command = ("run", "atoll", "--model", "scripted:oracle", *EXTENT)
    plain = program.here(*command)
    capped = program.here(*command, "--token-cap", "1", "--set", "operation.patience=7")
    assert plain.code == capped.code == 0, capped.said
    assert comparable(plain.json) == comparable(capped.json)
    assert " 0 to run now" in capped.err


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("--token-cap", "0"), "operation.token_cap"),
        (("--cost-cap", "5"), "--price"),
        (("--cost-cap", "5", "--price", "cheap"), "PROMPT,WRITTEN"),
        (("--cost-cap", "5", "--price", "1"), "operation.price"),
    ],
)
def test_a_cap_that_is_none_is_refused_before_anything_is_written(
    program: Program, wrong: tuple[str, ...], says: str
) -> None:
    done = program.here("run", "atoll", "--model", "scripted:oracle", *EXTENT, *wrong)
    assert (done.code, done.out) == (2, "") and says in done.err
    assert len(done.err.splitlines()) == 1 and not (program.folder / "results").exists()
