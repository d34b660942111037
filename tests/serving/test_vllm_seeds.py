"""Real vLLM on this machine: long prompts side by side, each drawn with a seed of its own, at a temperature.

The model is a Qwen3 of seven million random weights, made on the spot; what it says means nothing. A CPU build that
prefills such prompts in parts ends with its server.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import Program, database_in, finished, row_of, stopped_at_exit, turns_in
from toleap.data import cache
from toleap.serving.environments import server_environment

CONTEXT = 8_192
TASKS = 16
PROMPT = "kelp " * 1_000
"""5,000 tokens, beside those of the instructions: the tokenizer has one for each byte."""


@pytest.mark.vllm
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_16_long_prompts_in_flight_with_seeds_and_a_temperature(tmp_path: Path) -> None:
    environment = server_environment()
    if environment is None:
        pytest.skip("the model server's environment is not here: make setup")
    maker = Path(__file__).with_name("make_tiny.py")
    size = ["--hidden", "256", "--layers", "8"]
    subprocess.run(
        [environment.python, maker, tmp_path / "tiny", str(CONTEXT), *size], check=True, capture_output=True
    )
    (tmp_path / "benchmarks/letters").mkdir(parents=True)
    rows = [
        {"task_id": str(n), "Question": f"{n}: {PROMPT}", "Final answer": "a", "file_name": ""} for n in range(TASKS)
    ]
    (tmp_path / "benchmarks/letters/letters.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "pages.jsonl").write_text(json.dumps({"url": "https://a.test/", "title": "a", "text": "a"}) + "\n")
    program = Program(tmp_path, cache.home(), {"VLLM_CPU_KVCACHE_SPACE": "2"})
    command = [
        "run",
        "letters",
        "--model",
        str(tmp_path / "tiny"),
        "--web",
        "corpus:pages.jsonl",
        "--k",
        "1",
        "--json",
    ]
    for setting in (f"agent.context={CONTEXT}", "agent.dialect=hermes", "sampling.max_tokens=32", "agent.max_turns=2",
                    "sampling.temperature=1.0", "sampling.seed=7"):  # fmt: skip
        command += ["--set", setting]
    process = program.start(*command, "--max-in-flight", "16", "--set", 'dock.tools=["search"]')
    with stopped_at_exit(process):
        done = finished(process, patience=800)
    assert done.code == 0, done.said
    counts = row_of(done.json, "letters")["counts"]
    assert (counts["scored"], counts["owed"]) == (TASKS, 0)
    assert "died" not in done.err
    turns = turns_in(database_in(tmp_path))
    assert len(turns) >= TASKS and all(turn.usage.prompt > 5_000 for turn in turns)
    assert len({turn.seed for turn in turns}) == len(turns)
