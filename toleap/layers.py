"""Settings from files and flags: flat layers, later ones win, and what is said of a wrong key or value."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from toleap.config import JudgeSettings, Operation, RunConfig, flattened
from toleap.errors import UsageError
from toleap.toml import read_toml

_Known = TypeVar("_Known", bound=BaseModel)


def build(layers: Sequence[Mapping[str, Any]]) -> tuple[RunConfig, Operation]:
    """Lay flat ``{"a.b": value}`` layers over the defaults, later ones winning.

    Raises:
        UsageError: an unknown key (with the nearest one) or a value that does not fit.
    """
    run: dict[str, Any] = {}
    operation: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            _check(key)
            head, _, rest = key.partition(".")
            if head == "operation":
                _put(operation, rest, value)
            elif head != "judge":
                # A table given whole is laid over what is there, as one given key by key is.
                table = flattened({key: value}) if _is_extra(key) else {key: value}
                for name, part in table.items():
                    _put(run, name, part)
    return _valid(RunConfig, run), _valid(Operation, operation, "operation.")


def build_judge(layers: Sequence[Mapping[str, Any]]) -> JudgeSettings:
    """The ``judge.*`` settings of the same layers, later ones winning.

    Raises:
        UsageError: an unknown key or a value that does not fit.
    """
    judge: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            _check(key)
            head, _, rest = key.partition(".")
            if head == "judge":
                judge[rest] = value
    return _valid(JudgeSettings, judge, "judge.")


def parse_set(items: Sequence[str]) -> dict[str, Any]:
    """``["agent.max_turns=5"]`` → ``{"agent.max_turns": 5}``: TOML values, anything else is a string."""
    layer: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {item!r}: write --set key=value, for example --set agent.max_turns=5")
        layer[key.strip()] = _value(text.strip())
    return layer


def parse_values(item: str) -> tuple[str, list[Any]]:
    """``"agent.max_turns=5,10"`` → ``("agent.max_turns", [5, 10])``: TOML values, or strings where one is none.

    Raises:
        UsageError: it is no key with values.
    """
    key, equals, text = item.partition("=")
    if not equals or not key.strip() or not text.strip():
        raise UsageError(f"--vary {item!r}: write --vary key=value,value, for example --vary agent.max_turns=5,10")
    try:
        document = tomllib.loads(f"values = [{text}]")
    except (tomllib.TOMLDecodeError, RecursionError):
        return key.strip(), [_value(part.strip()) for part in text.split(",")]
    return key.strip(), document["values"] if len(document) == 1 else [text]


def read_file(path: Path) -> dict[str, Any]:
    """A TOML file of settings as one flat layer.

    Raises:
        UsageError: the file cannot be read or is no TOML.
    """
    return flattened(read_toml(path))


def differing(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """``key: stored → now`` for every key whose value differs."""
    keys = sorted(set(stored) | set(now))
    return [f"{key}: {stored.get(key)!r} → {now.get(key)!r}" for key in keys if stored.get(key) != now.get(key)]


def known_keys() -> list[str]:
    """Every key that ``--set`` takes, except the free ``benchmark.NAME.OPTION``, ``sampling.extra.FIELD`` and
    ``sampling.fields.FIELD``."""
    run = [key for key in RunConfig().flat() if not key.startswith("benchmark")]
    operation = [f"operation.{name}" for name in Operation.model_fields]
    return [*run, *operation, *(f"judge.{name}" for name in JudgeSettings.model_fields)]


def _valid(model: type[_Known], values: Mapping[str, Any], prefix: str = "") -> _Known:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = prefix + ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"setting {where} = {first.get('input')!r}: {first['msg'].lower().replace('valid tuple', 'valid list')}"
        ) from error


def _check(key: str) -> None:
    known = known_keys()
    if key in known or (key.startswith("benchmark.") and key.count(".") == 2) or _is_extra(key):
        return
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    raise UsageError(f"unknown setting {key!r}: {f'did you mean {near[0]}?' if near else _hint(key, known)}")


def _is_extra(key: str) -> bool:
    return f"{key}.".startswith(("sampling.extra.", "sampling.fields."))


def _hint(key: str, known: Sequence[str]) -> str:
    """The settings of the same section, or the sections."""
    section = key.partition(".")[0]
    same = [name for name in known if name.startswith(f"{section}.")]
    sections = sorted({name.partition(".")[0] for name in known} | {"benchmark.NAME.OPTION"})
    return f"there are {', '.join(same)}" if same else f"settings are of {', '.join(sections)}"


def _value(text: str) -> Any:
    if text in {"none", "None", "null"}:
        return None
    try:
        document = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return document["value"] if len(document) == 1 else text


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *path, leaf = key.split(".")
    for part in path:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise UsageError(f"setting {key}: {part} is {tree!r} already, which has no keys")
    tree[leaf] = value
