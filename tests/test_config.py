"""Settings: layers, ``--set``, what differs, and fingerprints that do not move by themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from toleap.config import PRESETS, Operation, RunConfig, fingerprint
from toleap.errors import UsageError
from toleap.layers import build, differing, known_keys, parse_set, read_file

VALUES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text()
SETTINGS = st.dictionaries(st.text(min_size=1), VALUES, max_size=8)


def test_defaults_need_no_layer() -> None:
    config, operation = build([])
    assert config == RunConfig() and operation == Operation()
    assert config.agent.max_turns == 200 and operation.base_url is None


def test_later_layers_win_key_by_key() -> None:
    config, operation = build(
        [
            {"agent.max_turns": 5, "sampling.temperature": 0.5, "operation.patience": 1},
            {"agent.max_turns": 7, "benchmark.atoll.tasks": 300},
            {"operation.patience": 2, "benchmark.atoll.seed": 1, "model": "m"},
        ]
    )
    assert (config.agent.max_turns, config.sampling.temperature, config.model) == (7, 0.5, "m")
    assert config.benchmark == {"atoll": {"tasks": 300, "seed": 1}}
    assert operation.patience == 2


def test_none_turns_a_limit_off() -> None:
    config, _ = build([{"agent.max_tool_calls": 5}, {"agent.max_tool_calls": None}])
    assert config.agent.max_tool_calls is None


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"agent.max_turn": 1}, "unknown setting 'agent.max_turn': did you mean agent.max_turns?"),
        ({"operation.max_inflight": 1}, "did you mean operation.max_in_flight?"),
        ({"zzz": 1}, "unknown setting 'zzz': settings are of agent, benchmark.NAME.OPTION, dock, "),
        ({"agent.zzzzzzzzzzz": 1}, "unknown setting 'agent.zzzzzzzzzzz': there are agent.context, "),
        ({"agent": {}}, "unknown setting 'agent'"),
        ({"benchmark.atoll": 1}, "unknown setting 'benchmark.atoll'"),
        ({"agent.max_turns": 0}, "setting agent.max_turns = 0: "),
        ({"agent.dialect": "morse"}, "setting agent.dialect = 'morse': "),
        ({"sampling.temperature": "hot"}, "setting sampling.temperature = 'hot': "),
        ({"operation.max_in_flight": 0}, "max_in_flight = 0: "),
    ],
)
def test_a_setting_that_is_unknown_or_does_not_fit(layer: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        build([layer])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.sampled_from(known_keys()), VALUES | st.lists(st.text(), max_size=3))
def test_any_value_of_any_key_fits_or_is_a_usage_error_in_one_line(key: str, value: Any) -> None:
    try:
        config, operation = build([{key: value}])
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(config, RunConfig) and isinstance(operation, Operation)


@given(st.lists(st.text(max_size=30), max_size=3))
def test_any_set_option_is_a_layer_or_a_usage_error_in_one_line(items: list[str]) -> None:
    try:
        layer = parse_set(items)
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert all(key.strip() == key != "" for key in layer)


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("k=5", 5),
        ("k = 0.5 ", 0.5),
        ("k=true", True),
        ("k=none", None),
        ("k=null", None),
        ('k=["a", "b"]', ["a", "b"]),
        ('k="5"', "5"),
        ("k=", ""),
        ("k=scripted:oracle", "scripted:oracle"),
        ("k=a=b", "a=b"),
        ("k=1\nother = 2", "1\nother = 2"),
        (f"k={'[' * 5000}", "[" * 5000),
    ],
)
def test_set_takes_toml_values_and_anything_else_is_text(item: str, value: Any) -> None:
    assert parse_set([item]) == {"k": value}


def test_a_later_set_wins_and_a_set_without_a_key_is_refused() -> None:
    assert parse_set(["a=1", "a=2"]) == {"a": 2}
    for item in ("agent.max_turns", "=5", " =5"):
        with pytest.raises(UsageError, match="--set key=value"):
            parse_set([item])


def test_a_file_is_a_flat_layer(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('model = "m"\n[agent]\nmax_turns = 5\n[benchmark.atoll]\ntasks = 3\n')
    assert read_file(path) == {"model": "m", "agent.max_turns": 5, "benchmark.atoll.tasks": 3}


@pytest.mark.parametrize("content", [b"a = = 1", b"\xff\xfe", b"[a", b"a = 1\na = 2", b"\x00", b"a = " + b"[" * 5000])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"run\.toml: not (?:TOML|UTF-8)") as caught:
        read_file(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_is_a_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.toml", tmp_path):
        with pytest.raises(UsageError, match=path.name):
            read_file(path)


def test_a_whole_configuration_survives_its_file(tmp_path: Path) -> None:
    config, _ = build(
        [{"agent.max_turns": 5, "dock.tools": ["search"], "benchmark.atoll.tasks": 3, "web": "corpus:p"}]
    )
    path = tmp_path / "run.toml"
    path.write_text(tomli_w.dumps(config.model_dump(exclude_none=True)))
    assert build([read_file(path)])[0] == config


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_fits(preset: str) -> None:
    layer = dict(PRESETS[preset])
    assert isinstance(layer.pop("k"), int)
    flat = build([layer])[0].flat()
    assert {key: flat[key] for key in layer} == layer


def test_every_scoring_setting_is_in_the_flat_form_once_and_operation_is_not() -> None:
    flat = RunConfig().flat()
    assert list(flat) == sorted(flat)
    assert {"model", "web", "sampling.seed", "agent.context", "dock.results"} <= set(flat)
    assert not [key for key in flat if key.startswith("operation") or "in_flight" in key]
    free = ("operation.", "judge.")
    assert {key for key in known_keys() if not key.startswith(free)} == set(flat) - {"benchmark"}


@given(SETTINGS)
def test_a_fingerprint_does_not_depend_on_the_order(settings: dict[str, Any]) -> None:
    assert fingerprint(settings) == fingerprint(dict(reversed(settings.items())))
    assert len(fingerprint(settings)) == 8 and int(fingerprint(settings), 16) >= 0


@given(SETTINGS, st.text(min_size=1), VALUES)
def test_a_fingerprint_depends_on_every_value(settings: dict[str, Any], key: str, value: Any) -> None:
    changed = {**settings, key: [value]}
    assert fingerprint(changed) != fingerprint(settings)


def test_the_fingerprint_of_given_settings_is_the_same_everywhere() -> None:
    assert fingerprint({"agent.max_turns": 5, "model": "m", "web": None, "sampling.temperature": 1.0}) == "58970258"


@given(SETTINGS, SETTINGS)
def test_differing_names_exactly_the_keys_whose_values_differ(stored: dict[str, Any], now: dict[str, Any]) -> None:
    named = differing(stored, now)
    expected = sorted(key for key in {*stored, *now} if stored.get(key) != now.get(key))
    assert [line.startswith(f"{key}: ") for line, key in zip(named, expected, strict=True)] == [True] * len(named)
    assert differing(stored, stored) == []


def test_a_difference_is_told_with_both_values() -> None:
    assert differing({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": None}) == ["b: 2 → 3"]


def test_extra_fields_of_the_request_are_laid_over_each_other_and_are_in_the_fingerprint() -> None:
    table = parse_set(['sampling.extra={chat_template_kwargs={enable_thinking=false}, tool_choice="auto"}'])
    single = parse_set(["sampling.extra.tool_choice=required", "sampling.extra.chat_template_kwargs.budget=9"])
    extra = build([table, single])[0].sampling.extra
    assert extra == {"chat_template_kwargs": {"enable_thinking": False, "budget": 9}, "tool_choice": "required"}
    scoring = build([table, single])[0].scoring()
    assert scoring["sampling.extra.chat_template_kwargs.enable_thinking"] is False
    assert build([single, parse_set(["sampling.extra.tool_choice=none"])])[0].sampling.extra.keys() == {
        "chat_template_kwargs"
    }
    assert build([{"sampling.extra": {}}])[0].scoring() == RunConfig().scoring()


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (["sampling.extra.temperature=1"], "temperature is not for extra: it has a setting"),
        (["sampling.extra.messages=[]"], "toleap sets it"),
        (["sampling.extra=5"], "sampling.extra = 5"),
        (["sampling.extra.a=1", "sampling.extra.a.b=2"], "sampling.extra.a.b: a is 1 already"),
        (["sampling.extras.a=1"], "unknown setting 'sampling.extras.a'"),
    ],
)
def test_what_cannot_be_an_extra_field_is_refused_in_one_line(items: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        build([parse_set([item]) for item in items])
    assert "\n" not in str(caught.value)
