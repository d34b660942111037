"""Words drafts into tasks, in an order whose every beginning is a fair mix of levels and templates."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from . import level1, level2, level3
from .drafts import Draft, File
from .hashed import Draw
from .model import World
from .wordings import TEMPLATES, question

STREAMS = {**level1.STREAMS, **level2.STREAMS, **level3.STREAMS}
REPEATS = 400
"""So many repeated drafts in a row, and a stream counts as exhausted."""


@dataclass(frozen=True, slots=True)
class Made:
    """A finished task: its row without the file's name, which is made of the file's parts and the id."""

    id: str
    template: str
    level: int
    question: str
    answer: str
    file: File | None

    @property
    def file_name(self) -> str:
        """The attachment's name, empty without one."""
        return "" if self.file is None else f"{self.file.stem}-{self.id.rsplit('-', 1)[-1]}.{self.file.ending}"


def tasks(world: World) -> Iterator[Made]:
    """All the tasks of a world, level 1, 2, 3 and round again, until one level has no question left.

    The order depends on the world alone, so the first n are the same however many are taken.
    """
    levels = [_level(world, level) for level in (1, 2, 3)]
    while True:
        for level in levels:
            made = next(level, None)
            if made is None:
                return
            yield made


def template_tasks(world: World, template: str) -> Iterator[Made]:
    """The tasks of one template in their order, none twice."""
    draw = Draw("atoll", 1, world.split, world.seed, "template", template)
    seen: set[str] = set()
    repeats = 0
    for draft in STREAMS[template](world, draw):
        if draft.key in seen:
            repeats += 1
            if repeats >= REPEATS:
                return
            continue
        repeats = 0
        seen.add(draft.key)
        yield _worded(world, template, draft)


def _level(world: World, level: int) -> Iterator[Made]:
    """The tasks of one level: its templates take turns, and drop out when they have nothing new."""
    running = [template_tasks(world, name) for name in STREAMS if TEMPLATES[name].level == level]
    while running:
        left = []
        for stream in running:
            made = next(stream, None)
            if made is not None:
                left.append(stream)
                yield made
        running = left


def _worded(world: World, template: str, draft: Draft) -> Made:
    draw = Draw("atoll", 1, world.split, world.seed, "wording", template, draft.key)
    asked = question(template, draw.pick(TEMPLATES[template].wordings), draft.fields)
    named = f"{world.split}|{world.seed}|{template}|{draft.key}"
    digest = hashlib.sha256(named.encode("utf-8")).hexdigest()[:12]
    made_id = f"atoll-{world.split}-{digest}"
    return Made(made_id, template, TEMPLATES[template].level, asked, draft.answer, draft.file)
