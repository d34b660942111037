"""Model profiles: found by exact name, shadowed by the user's own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from toleap.chat.profiles import all_profiles, profile_for
from toleap.errors import UsageError
from toleap.layers import build


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        ("smollm2-135m", "smollm2-135m"),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "smollm2-135m"),
        ("openbmb/AgentCPM-Explore", "AgentCPM-Explore"),
        ("/models/AgentCPM-Explore/", "AgentCPM-Explore"),
        ("Qwen/Qwen3-4B-Thinking-2507", "Qwen3-4B-Thinking-2507"),
        ("Qwen3-4B-Instruct-2507", "Qwen3-4B-Instruct-2507"),
        ("scripted:oracle", "scripted"),
        ("scripted:bench/oracle", "scripted"),
        ("gpt-4.1", "gpt-4.1"),
        ("gpt-4.12", "default"),
        ("my-AgentCPM-Explore", "default"),
        ("AgentCPM-Explore/checkpoint-100", "default"),
        ("", "default"),
    ],
)
def test_names_match_whole(model: str, profile: str) -> None:
    assert profile_for(model).name == profile


def test_every_profile_is_a_valid_layer_of_settings() -> None:
    for profile in all_profiles().values():
        run, _ = build([profile.settings()])
        assert run.sampling.temperature == profile.temperature
        assert run.agent.context == profile.context
        assert profile.max_tokens < profile.context


def test_the_built_in_model_stays_short() -> None:
    profile = profile_for("smollm2-135m")
    assert profile.context <= 8192
    assert profile.results * profile.page_chars < 4 * profile.context


def test_the_working_folder_adds_and_replaces(working_folder: Path) -> None:
    (working_folder / "profiles.toml").write_text(
        '[mine]\naliases = ["other"]\nmax_turns = 3\n["AgentCPM-Explore"]\ntemperature = 0.5\n'
    )
    assert profile_for("org/mine").max_turns == 3
    assert profile_for("other").max_turns == 3
    assert profile_for("mine").context == profile_for("unknown").context
    assert profile_for("AgentCPM-Explore").temperature == 0.5
    assert profile_for("smollm2-135m").name == "smollm2-135m"


def test_an_own_alias_wins_over_a_shipped_name(working_folder: Path) -> None:
    (working_folder / "profiles.toml").write_text('[mine]\naliases = ["smollm2-135m"]\n')
    assert profile_for("smollm2-135m").name == "mine"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("[mine]\ntemprature = 1\n", "temprature"),
        ("[mine]\ntemperature = 9\n", "temperature"),
        ("temperature = 1\n", "temperature"),
        ("[mine", "not TOML"),
        ('[mine]\ndialect = "latin"\n', "dialect"),
    ],
)
def test_a_mistake_is_named_with_its_file(content: str, named: str, working_folder: Path) -> None:
    (working_folder / "profiles.toml").write_text(content)
    with pytest.raises(UsageError, match=named) as caught:
        profile_for("mine")
    assert "profiles.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
