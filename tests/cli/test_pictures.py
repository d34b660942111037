"""HLE and GAIA, in their owners' schema, on models that see and that do not: what is said and what is played."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks.official import PNG, gaia, hle, write
from tests.cli.program import NO_CODE, Program, copied, database_in, test_data
from toleap.store.reading import read_trajectories

TURNS = [{"role": "assistant", "content": "<answer>a city</answer>"}]
PAGE = {"url": "https://pages.test/1", "title": "City", "text": "The city."}
BLIND = "it has pictures, and scripted:turns:turns.json does not see"


@pytest.fixture
def official(program: Program, tmp_path: Path) -> Program:
    """The program with HLE and GAIA imported from files in the official schema, and the ids of the text-only part."""
    ids = test_data("gaia_text_103_ids.json")
    named = [(item["task_id"], item["level"]) for item in json.loads(ids.read_text())["ids"]]
    found = Program(program.folder, copied(program.home, tmp_path / "home"))
    for name, path in (
        ("hle", write(tmp_path / "hle", "test-00000-of-00001.parquet", hle())),
        ("gaia", write(tmp_path / "gaia", "metadata.parquet", gaia(named))),
        ("gaia-text-103", ids),
    ):
        done = found.here("data", "import", name, path)
        assert done.code == 0, done.said
    (found.folder / "pages.jsonl").write_text(json.dumps(PAGE) + "\n")
    (found.folder / "turns.json").write_text(json.dumps(TURNS))
    return found


def command(*names: str) -> list[str]:
    model = ("--model", "scripted:turns:turns.json", "--web", "corpus:pages.jsonl")
    return ["run", *names, *model, "--limit", "2", "--k", "1", "--run", "r", *NO_CODE]


def test_all_takes_the_text_only_sets_for_a_model_that_cannot_see_and_says_so(official: Program) -> None:
    done = official(*command("--all"), "--json")
    assert done.code == 1, done.said
    played = {row["benchmark"] for row in done.json["rows"]}
    assert played == {"atoll", "gaia-text-103", "hle-text"}
    for whole, part in (("hle", "hle-text"), ("gaia", "gaia-text-103")):
        (said,) = [line for line in done.err.splitlines() if line.startswith(f"skipped  {whole}: {BLIND}")]
        assert f"toleap run {part}," in said
    stored = read_trajectories(database_in(official.folder).parent)
    turns = Counter(key.benchmark for key, _, turns in stored for _ in turns)
    assert turns == {"atoll": 2, "gaia-text-103": 2, "hle-text": 2}


def test_by_name_they_are_refused_up_front_or_played_by_a_model_that_sees(official: Program) -> None:
    for whole, part in (("hle", "hle-text"), ("gaia", "gaia-text-103")):
        refused = official.here(*command(whole))
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1), refused.said
        assert f"{whole}: {BLIND}" in refused.err and f"type toleap run {part}," in refused.err
    assert not (official.folder / "results").exists()
    (official.folder / "profiles.toml").write_text("[scripted]\nsees_images = true\n")
    done = official(*command("hle", "gaia"), "--json")
    assert {row["benchmark"] for row in done.json["rows"]} == {"hle", "gaia"}, done.said
    begun = list(read_trajectories(database_in(official.folder).parent))
    assert "hle" in {key.benchmark for key, _, _ in begun}
    for _, (_, user), _ in (one for one in begun if one[0].benchmark == "hle"):
        text, picture = user["content"]
        assert "Question" in text["text"] and picture == {"type": "image_url", "image_url": {"url": PNG}}
