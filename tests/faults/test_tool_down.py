"""A tool that is down for everybody: the run waits for it, and no attempt is set aside for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.program import Done, Program, database_in, finished, row_of, standing, stopped_at_exit, wait_until
from tests.faults.test_tools import ANSWER, HEAD, calling

SOURCE = """
@server.tool(meta=SOON, structured_output=False,
             annotations=ToolAnnotations(idempotent_hint={repeatable}, open_world_hint=False))
async def odd(ctx: Context[Any, Any]) -> CallToolResult:
    '''Works where nobody has taken it down.'''
    count = Path(__file__).with_name("asked")
    with count.open("a") as handle:
        handle.write("x")
    if Path(__file__).with_name("down").exists() or {also}:
        {down}
    return answer("kelp")
"""
WAYS = {
    "raises": 'raise ZeroDivisionError("a detail")',
    "says so": 'raise ToolFault("the engine is down")',
    "exits": "raise SystemExit(3)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "hangs": "await asyncio.sleep(3600)",
}
WORLD = 'raise ToolError("the shop is closed")'
ATTEMPTS = 5


def prepared(program: Program, way: str, *, repeatable: bool = False, also: str = "False") -> tuple[Path, list[str]]:
    """The file that takes the tool down while it is there, and the command of a run of one task."""
    folder = program.folder / "tools" / "odd"
    folder.mkdir(parents=True)
    (folder / "server.py").write_text(HEAD + SOURCE.format(down=way, repeatable=repeatable, also=also))
    script = program.folder / "turns.json"
    script.write_text(json.dumps([calling("odd"), ANSWER]))
    command = ["run", "atoll", "--model", f"scripted:turns:{script}", "--limit", "1", "--json", "--trust",
               "--k", str(ATTEMPTS), "--set", 'dock.tools=["odd"]', "--set", "operation.fault_limit=2"]  # fmt: skip
    return folder / "down", command


def counts(done: Done) -> tuple[int, int, int]:
    found = row_of(done.json)["counts"]
    return found["scored"], found["owed"], found["quarantined"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("repeatable", [False, True])
def test_the_run_waits_for_a_tool_that_is_down_and_goes_on_by_itself(
    program: Program, way: str, repeatable: bool
) -> None:
    down, command = prepared(program, WAYS[way], repeatable=repeatable)
    down.touch()
    process = program.start(*command)
    asked = down.with_name("asked")
    with stopped_at_exit(process):
        wait_until(
            lambda: asked.exists() and len(asked.read_text()) > ATTEMPTS, "one more try than there are attempts"
        )
        down.unlink()
        done = finished(process)
    assert done.code == 0, done.said
    assert counts(done) == (ATTEMPTS, 0, 0)
    assert "the tool odd is down" in done.err and "the tool odd works again" in done.err


def test_a_tool_that_stays_down_stops_the_run_and_nothing_is_held_against_anybody(program: Program) -> None:
    down, command = prepared(program, WAYS["says so"])
    down.touch()
    done = program.here(*command, "--set", "operation.patience=2")
    assert done.code == 1
    assert counts(done) == (0, ATTEMPTS, 0)
    assert "the tool odd was down for 2 seconds: the engine is down" in done.json["halted"]
    down.unlink()
    done = program.here(*command)
    assert (done.code, counts(done)) == (0, (ATTEMPTS, 0, 0))


@pytest.mark.parametrize("way", ["raises", "says so", "killed"])
def test_calls_that_a_working_tool_cannot_take_are_their_attempts_own(program: Program, way: str) -> None:
    _, command = prepared(program, WAYS[way], repeatable=True, also="context_of(ctx).attempt")
    done = program.here(*command)
    assert done.code == 1
    assert counts(done) == (1, ATTEMPTS - 1, ATTEMPTS - 1)
    assert "is down" not in done.err and done.json["halted"] is None


def test_what_the_world_does_not_give_is_no_outage(program: Program) -> None:
    down, command = prepared(program, WORLD)
    down.touch()
    done = program.here(*command)
    assert (done.code, counts(done)) == (0, (ATTEMPTS, 0, 0))
    assert "is down" not in done.err
    assert {faults for (faults,) in standing(database_in(program.folder), "faults")} == {0}
