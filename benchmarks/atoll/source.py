"""The embedded benchmark's data: a fictional archipelago's web pages, and questions about it, made from a seed.

The loader calls :func:`build`; the same options give the same bytes on every machine.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from toleap.errors import UsageError

from .facts import build_world
from .model import World
from .names import SPLITS
from .page import Page
from .pages_people import leading_pages, people_pages
from .pages_places import place_pages
from .pages_things import thing_pages
from .tasks import Made, tasks

DEFAULTS: Mapping[str, Any] = {"split": "validation", "seed": 2026, "tasks": 60}


_MOST_TASKS = 1_000_000
"""More than any world has."""


def build(options: Mapping[str, Any], into: Path) -> None:
    """Write ``tasks.jsonl``, ``corpus.jsonl`` and ``files/`` into the empty folder ``into``.

    Args:
        options: ``split`` (train, validation or test), ``seed`` (an integer), ``tasks`` (how many, at least 1).
        into: the folder to write into.

    Raises:
        UsageError: an option is unknown or has a value that cannot be used.
    """
    split, seed, wanted = _checked(options)
    world = build_world(split, seed)
    made = list(itertools.islice(tasks(world), min(wanted, _MOST_TASKS)))
    if len(made) < wanted:
        raise UsageError(
            f"option tasks = {wanted}: this world has only {len(made)} tasks; ask for fewer, or another seed"
        )
    _write_lines(into / "tasks.jsonl", (_row(task) for task in made))
    _write_lines(into / "corpus.jsonl", ({"url": p.url, "title": p.title, "text": p.text} for p in pages(world)))
    (into / "files").mkdir(exist_ok=True)
    for task in made:
        if task.file is not None:
            (into / "files" / task.file_name).write_bytes(task.file.content())


def pages(world: World) -> Iterator[Page]:
    """Every page of the archipelago's web, in a fixed order."""
    yield from place_pages(world)
    yield from thing_pages(world)
    yield from people_pages(world)
    yield from leading_pages(world)


@lru_cache(maxsize=4)
def sample(split: str, seed: int, count: int) -> tuple[Made, ...]:
    """The first ``count`` tasks of a world, or all of them where it has fewer, without writing anything."""
    return tuple(itertools.islice(tasks(build_world(split, seed)), count))


def _checked(options: Mapping[str, Any]) -> tuple[str, int, int]:
    for name in options:
        if name not in DEFAULTS:
            raise UsageError(f"unknown option {name!r}: there are {', '.join(DEFAULTS)}")
    split, seed, wanted = (options.get(name, default) for name, default in DEFAULTS.items())
    if split not in SPLITS:
        raise UsageError(f"option split = {split!r}: must be one of {', '.join(SPLITS)}")
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise UsageError(f"option seed = {seed!r}: must be an integer")
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 1:
        raise UsageError(f"option tasks = {wanted!r}: must be an integer of at least 1")
    return str(split), seed, wanted


def _row(task: Made) -> dict[str, str]:
    return {
        "task_id": task.id,
        "Question": task.question,
        "Final answer": task.answer,
        "file_name": task.file_name,
        "Level": str(task.level),
        "template": task.template,
    }


def _write_lines(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(lines.encode("utf-8"))
