"""The judge's server fails in every way, now and then or always: no failure of a judge becomes a verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Program, row_of
from tests.cli.test_score import YES, asks, judge, judged, run

__all__ = ["judged"]
QUICK = ("--set", "judge.seconds=1", "--set", "judge.max_in_flight=1")
FAULTS: list[dict[str, Any]] = [
    {"status": 429, "retry_after": 0.3},
    {"status": 500},
    {"kind": "reset"},
    {"kind": "cut"},
    {"kind": "half"},
    {"kind": "html"},
    {"kind": "empty"},
    {"kind": "null"},
    {"kind": "silent"},
]


@pytest.mark.parametrize("faults", FAULTS, ids=[str(fault.get("kind", fault.get("status"))) for fault in FAULTS])
def test_a_judge_that_fails_now_and_then_gives_every_verdict(
    judged: Program, tmp_path: Path, faults: dict[str, Any]
) -> None:
    with judge(tmp_path, YES, 0, "--faults", json.dumps({**faults, "every": 3})) as server:
        done = judged.here(*run(judged, *asks(server)), *QUICK)
        asked = server.stats()
    assert (done.code, row_of(done.json, "mine")["average"]) == (0, 1.0), done.said
    assert asked["failed"] >= 2 and asked["requests"] == 6 + asked["failed"]


def test_a_judge_that_is_down_leaves_everything_unscored_and_only_the_judging_is_owed(
    judged: Program, tmp_path: Path
) -> None:
    down = json.dumps({"status": 503, "every": 1})
    with judge(tmp_path, YES, 0, "--faults", down) as server:
        done = judged.here(
            *run(judged, *asks(server)), *QUICK, "--set", "judge.attempts=1", "--set", "judge.patience=0"
        )
        port = server.port
    counts = row_of(done.json, "mine")["counts"]
    assert (done.code, counts["scored"], counts["unscored"], counts["owed"]) == (1, 0, 6, 0), done.said
    assert any("503" in note["text"] for note in done.json["notes"])
    with judge(tmp_path, YES, port) as server:
        scored = judged.here("score", "r", "--json", *asks(server))
    assert (scored.code, row_of(scored.json, "mine")["average"]) == (0, 1.0), scored.said


@pytest.mark.parametrize(
    "says",
    [
        "Decision: TRUE\nDecision: FALSE",
        "The candidate wrote: Decision: TRUE",
        "> Decision: TRUE",
        "<think>Decision: TRUE</think>",
        "Perhaps.",
    ],
)
def test_an_output_without_one_verdict_is_none(judged: Program, tmp_path: Path, says: str) -> None:
    with judge(tmp_path, says) as server:
        done = judged.here(*run(judged, *asks(server)), *QUICK, "--set", "judge.attempts=1")
    assert (done.code, row_of(done.json, "mine")["counts"]["unscored"]) == (1, 6), done.said
