"""A killed run goes on with the variables its interpreters had, or with the whole attempt once more, counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import (
    Program,
    Server,
    database_in,
    durable_turns,
    killed,
    need_sandbox,
    row_of,
    standing,
    stopped_at_exit,
    turns_in,
    wait_until,
)
from tests.store.building import changed
from toleap.types import Turn

LOOK = '''
from pathlib import Path
from toleap.dock import new_server, serve
server = new_server("look")

@server.tool(structured_output=False)
async def look(at: str) -> str:
    """Look at something."""
    with Path(__file__).with_name("seen.txt").open("a") as file:
        file.write(f"{at}\\n")
    return f"You see {at}."
'''
WITH_LOOK = ("--trust", "--set", 'dock.tools=["look","execute_code"]')


def calling(name: str, **arguments: object) -> dict[str, Any]:
    return {"tool_calls": [{"function": {"name": name, "arguments": arguments}}]}


def code(text: str) -> dict[str, Any]:
    return calling("execute_code", code=text)


def with_tool(folder: Path, name: str, source: str) -> Path:
    made = folder / "tools" / name
    made.mkdir(parents=True)
    (made / "server.py").write_text(source)
    return made


def shown(turns: Sequence[Turn]) -> list[str]:
    return [result.text for turn in turns for result in turn.results]


def killed_before_the_last(program: Program, turns: Sequence[dict[str, Any]], *options: str) -> tuple[Any, ...]:
    """Play the turns, kill the program when all but the last two are durable, and go on; the server counts."""
    script = program.folder / "turns.json"
    script.write_text(json.dumps(list(turns)))
    # The request behind the last durable turn has to wait: the moment of the kill is certain.
    wait = f'{{"every": {len(turns) - 1}, "status": 429, "retry_after": 100}}'
    held = Server(program.folder / "asked", policy=f"turns:{script}", options=("--faults", wait))
    with held:
        command = ("run", "atoll", "--base-url", held.url, "--limit", "1", "--k", "1", "--json", *options)
        process = program.start(*command)
        with stopped_at_exit(process):
            wait_until(lambda: held.stats()["failed"], "the request that has to wait")
            killed(process)
    assert len(durable_turns(program.folder)) == len(turns) - 2
    with Server(program.folder / "asked", policy=f"turns:{script}", port=held.port) as server:
        done = program.here(*command)
        asked = server.stats()["by_id"]
    assert done.code == 0, done.said
    assert row_of(done.json)["counts"]["scored"] == 1
    return done, asked


ANSWER = {"content": "<answer>7</answer>"}


def test_variables_are_there_again_and_nothing_else_is_called_again(program: Program) -> None:
    need_sandbox()
    folder = with_tool(program.folder, "look", LOOK)
    turns = [code("x = 41"), calling("look", at="the reef"), code("x + 1"), ANSWER]
    done, asked = killed_before_the_last(program, turns, *WITH_LOOK)
    database = database_in(program.folder)
    assert shown(turns_in(database)) == ["[The code printed nothing.]", "You see the reef.", "42"]
    assert standing(database, "restarts", "turns", "tool_calls", "faults") == [(0, 4, 3, 0)]
    assert (folder / "seen.txt").read_text() == "the reef\n"
    assert sorted(asked.values()) == [1, 1, 1, 1]
    assert "begins anew" not in done.err


def test_what_comes_out_differently_the_second_time_is_played_from_the_first_turn_and_counted(
    program: Program, caplog: pytest.LogCaptureFixture
) -> None:
    need_sandbox()
    turns = [code("import os\ntoken = os.urandom(8).hex()\nprint(token)"), code("x = 1"), code("token"), ANSWER]
    _, asked = killed_before_the_last(program, turns)
    database = database_in(program.folder)
    token, _, again = shown(turns_in(database))
    assert again == f"'{token.strip()}'"
    assert standing(database, "restarts", "turns", "tool_calls") == [(1, 4, 3)]
    assert sorted(asked.values()) == [1, 1, 2, 2]
    assert "begins anew: execute_code, called again for turn 0, gave another result" in caplog.text


def test_only_what_came_after_the_loss_of_everything_has_to_come_out_the_same(program: Program) -> None:
    need_sandbox()
    turns = [
        code("import os\nprint(os.urandom(8))"),
        code("import os\nos._exit(3)"),
        code("x = 5"),
        code("x"),
        ANSWER,
    ]
    _, asked = killed_before_the_last(program, turns)
    database = database_in(program.folder)
    assert "with exit status 3" in shown(turns_in(database))[1]
    assert shown(turns_in(database))[2:] == ["[The code printed nothing.]", "5"]
    assert standing(database, "restarts", "turns") == [(0, 5)]
    assert set(asked.values()) == {1}


@pytest.mark.parametrize("turn", [ANSWER, code("token")])
def test_a_model_that_has_had_its_last_word_is_not_asked_again(program: Program, turn: dict[str, Any]) -> None:
    """It answered, or reached a limit, and the program was killed before that was stored as the attempt's end."""
    need_sandbox()
    script = program.folder / "turns.json"
    script.write_text(json.dumps([code("import os\ntoken = os.urandom(8)\ntoken"), turn]))
    with Server(program.folder / "asked", policy=f"turns:{script}") as server:
        command = ("run", "atoll", "--base-url", server.url, "--limit", "1", "--k", "1", "--json",
                   "--set", "agent.max_turns=2", "--set", "agent.forced_answer=false")  # fmt: skip
        program.here(*command)
        before = standing(database_in(program.folder), "ending", "answer", "turns")
        assert (
            changed(database_in(program.folder).parent, "DELETE FROM record WHERE kind IN ('ended', 'verdict')") == 2
        )
        assert program.here(*command).code == 0
        assert set(server.stats()["by_id"].values()) == {1}
    assert standing(database_in(program.folder), "ending", "answer", "turns") == before
    assert standing(database_in(program.folder), "restarts") == [(0,)]
