"""Runs that are variants of each other (``toleap run --vary``): what each is called, and which is the first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from toleap.types import RunResult


class Pair(NamedTuple):
    """A variant, and the first one, which it is compared with."""

    variant: RunResult
    first: RunResult
    name: str
    first_name: str


def variant_names(runs: Sequence[RunResult]) -> list[str]:
    """For each run what varies, ``policy=keep-n``; empty where no other of the runs is a variant of the same."""
    groups = _groups(runs)
    return [
        ", ".join(
            dict.fromkeys(
                shown(item.values) for item in run.varied if len(groups[_group(item.first, item.values)]) > 1
            )
        )
        for run in runs
    ]


def pairs(runs: Sequence[RunResult]) -> list[Pair]:
    """Every variant with the first one of its ablation, or with the first that is among the runs."""
    compared: list[Pair] = []
    for (first_name, _), members in _groups(runs).items():
        first = next((member for member in members if member[0].name == first_name), members[0])
        compared += [
            Pair(run, first[0], shown(values), shown(first[1])) for run, values in members if run is not first[0]
        ]
    return compared


def shown(values: Mapping[str, Any]) -> str:
    """``policy=keep-n, max_turns=8``: the last part of each key where that is enough to tell them apart."""
    leaves = [key.rpartition(".")[2] for key in values]
    names = [leaf if leaves.count(leaf) == 1 else key for key, leaf in zip(values, leaves, strict=True)]
    return ", ".join(f"{name}={_value(value)}" for name, value in zip(names, values.values(), strict=True))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_Group = tuple[str, tuple[str, ...]]


def _group(first: str, keys: Iterable[str]) -> _Group:
    return first, tuple(sorted(keys))


def _groups(runs: Sequence[RunResult]) -> dict[_Group, list[tuple[RunResult, Mapping[str, Any]]]]:
    groups: dict[_Group, list[tuple[RunResult, Mapping[str, Any]]]] = {}
    for run in runs:
        for item in run.varied:
            groups.setdefault(_group(item.first, item.values), []).append((run, item.values))
    return groups
