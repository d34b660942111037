"""A long conversation with a real vLLM: 200 turns in a row, up to a full context of 32K tokens.

The model is a Qwen3 with random weights, made on the spot; structured output makes it call a tool in every turn.
What is said means nothing: the server's own validation, template, grammar and prefix cache are what is tested.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.program import Program, database_in, finished, row_of, standing, stopped_at_exit, turns_in
from toleap.data import cache
from toleap.serving.environments import server_environment
from toleap.types import Turn

CONTEXT = 32_768
TURNS = 200
SERVED = [
    "--tool-strict-level", "parameter", "--max-num-seqs", "4",
]  # fmt: skip
TOOL = '''
from typing import Literal
from mcp.types import CallToolResult, ToolAnnotations
from toleap.dock import answer, new_server

server = new_server("look")


@server.tool(annotations=ToolAnnotations(open_world_hint=False), structured_output=False)
async def look(at: Literal["a", "b", "c", "d", "e", "f", "g", "h"]) -> CallToolResult:
    """Look at a letter."""
    return answer(f"{at}, " * LENGTH)
'''
RESULT_LENGTH = 40
CALL_LOOK = 'sampling.extra.tool_choice={type = "function", function = {name = "look"}}'


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A working folder with the model, its profile, a benchmark of one question and a tool."""
    environment = server_environment()
    if environment is None:
        pytest.skip("the model server's environment is not here: make setup")
    maker = Path(__file__).with_name("make_tiny.py")
    subprocess.run([environment.python, maker, tmp_path / "tiny", str(CONTEXT)], check=True, capture_output=True)
    served = "\n".join(f"  '{part}'," for part in SERVED)
    (tmp_path / "profiles.toml").write_text(f"[tiny]\ntool_call_parser = 'hermes'\nserve = [\n{served}\n]\n")
    for folder in ("tools/look", "benchmarks/letters"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tools/look/server.py").write_text(TOOL.replace("LENGTH", str(RESULT_LENGTH)))
    row = {"task_id": "1", "Question": "Which letter?", "Final answer": "a", "file_name": ""}
    (tmp_path / "benchmarks/letters/letters.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "pages.jsonl").write_text(json.dumps({"url": "https://a.test/", "title": "a", "text": "a"}) + "\n")
    return tmp_path


def share_cached(turns: Sequence[Turn]) -> float:
    return sum(turn.usage.cached for turn in turns) / sum(turn.usage.prompt for turn in turns)


@pytest.mark.vllm
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_200_turns_and_a_context_of_32k_on_a_real_server(workplace: Path) -> None:
    program = Program(workplace, cache.home(), {"VLLM_CPU_KVCACHE_SPACE": "1"})
    settings = (
        'dock.tools=["look"]', f"agent.max_turns={TURNS}", f"agent.context={CONTEXT}", "sampling.max_tokens=256",
        f"agent.repetition_limit={TURNS}", CALL_LOOK,
    )  # fmt: skip
    command = ["run", "letters", "--model", str(workplace / "tiny"), "--web", "corpus:pages.jsonl", "--trust"]
    command += ["--k", "1", "--json", *(part for setting in settings for part in ("--set", setting))]
    process = program.start(*command)
    with stopped_at_exit(process):
        done = finished(process, patience=800)
    assert done.code == 0, done.said
    assert row_of(done.json, "letters")["counts"]["scored"] == 1
    database = database_in(workplace)
    assert standing(database, "ending", "tool_calls", "bad_calls", "faults") == [("turn_limit", TURNS, 0, 0)]
    turns = turns_in(database)
    assert len(turns) == TURNS + 1
    assert 0.9 * CONTEXT < turns[-1].usage.prompt < CONTEXT
    cached = share_cached(turns[1:])
    print(f"{cached:.1%} of the prompts came from the prefix cache, {turns[-1].usage.prompt} tokens in the last one")
    assert cached > 0.9
