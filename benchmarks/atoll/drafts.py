"""A question before it is worded, and the streams of them that every kind of question is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from .hashed import Draw
from .model import World


@dataclass(frozen=True, slots=True)
class File:
    """An attachment: the first part and the ending of its name, and how to make its bytes when they are needed."""

    stem: str
    ending: str
    content: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Draft:
    """What fills a wording's gaps, and the answer.

    ``key`` says what is asked whatever the wording, so that nothing is asked twice.
    """

    key: str
    fields: Mapping[str, str]
    answer: str
    file: File | None = None


Stream = Callable[[World, Draw], Iterator[Draft]]
"""Drafts in the order of the draws. A stream may repeat itself, end, or never end."""


def draft(fields: Mapping[str, object], answer: object, file: File | None = None) -> Draft:
    """A draft whose key is its fields, in their order."""
    texts = {name: str(value) for name, value in fields.items()}
    return Draft("|".join(texts.values()), texts, str(answer), file)
