"""``toleap run --vary``: one request becomes one for each value, or for each combination of several."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from toleap.errors import UsageError
from toleap.layers import parse_values
from toleap.runs.plan import Plan, Request, identity


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the runs of an ablation: what varies, with its values here, and what is asked for."""

    values: Mapping[str, Any]
    request: Request


def variants(request: Request, items: Sequence[str]) -> list[Variant]:
    """The requests that ``--vary KEY=VALUE,VALUE`` makes of one; the first values are those of the first.
    Without any it is the request as it is.

    Raises:
        UsageError: a key is given twice, has fewer than two values, or has one of them twice.
    """
    varied: dict[str, list[Any]] = {}
    for item in items:
        key, values = parse_values(item)
        if key in varied or key in request.layer:
            raise UsageError(f"--vary {key}: the setting is given twice")
        written = [json.dumps(value, sort_keys=True) for value in values]
        if len(values) < 2:
            raise UsageError(f"--vary {item}: give two values or more, for example --vary agent.policy=keep,discard")
        if len(set(written)) < len(written):
            raise UsageError(f"--vary {item}: a value is there twice")
        varied[key] = values
    combined = [dict(zip(varied, values, strict=True)) for values in itertools.product(*varied.values())]
    return [Variant(values, _request(request, values)) for values in combined]


def check_different(plans: Sequence[tuple[Mapping[str, Any], Plan]]) -> None:
    """Refuse variants that would be one and the same run.

    Raises:
        UsageError: what varies between two of them cannot change a number, and no name keeps them apart.
    """
    for (one, first), (other, second) in itertools.combinations(plans, 2):
        # What the tools say of themselves follows from the settings, so it need not be known here.
        if first.named is None and identity(first, ()) == identity(second, ()):
            differing = [key for key in one if one[key] != other[key]]
            values = " and ".join(json.dumps([item[key] for key in differing])[1:-1] for item in (one, other))
            raise UsageError(
                f"--vary {', '.join(differing)}: {values} are the same run, since this cannot change its result; "
                "give --run NAME to play them apart"
            )


def _request(request: Request, values: Mapping[str, Any]) -> Request:
    if not values:
        return request
    named = None if request.run is None else f"{request.run}-{_slug(values)}"
    return replace(request, layer={**request.layer, **values}, run=named)


def _slug(values: Mapping[str, Any]) -> str:
    parts = [f"{key.rpartition('.')[2]}-{value}" for key, value in values.items()]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts)).strip("-.")
