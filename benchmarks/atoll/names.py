"""Invented names. Every word belongs to exactly one split, so no two splits share a name, whatever their seeds."""

from __future__ import annotations

import hashlib

from .hashed import Draw

SPLITS = ("train", "validation", "test")

_SOUNDS = """
b br c d dr f g gr h j k kl l m n p pr r s sk st t tr v z th
a e i o u ai au ei ou
l r n m s v d k ll rr nn st nd rk lm sh
a en is or an eth um ik os ar el und iss ay ock ane
"""
_ONSETS, _VOWELS, _MIDDLES, _ENDINGS = (tuple(line.split()) for line in _SOUNDS.strip().splitlines())


def split_of(word: str) -> str:
    """The one split that may use this word, decided by the word's hash."""
    return SPLITS[hashlib.sha256(word.lower().encode("ascii")).digest()[0] % len(SPLITS)]


class Names:
    """Fresh words for one world: none is given twice, and none is allowed in another split."""

    def __init__(self, split: str, draw: Draw) -> None:
        self._split = split
        self._draw = draw
        self._given: set[str] = set()

    def word(self) -> str:
        """A capitalised ASCII word of five to eleven letters."""
        while True:
            word = self._invented()
            if 5 <= len(word) <= 11 and word not in self._given and split_of(word) == self._split:
                self._given.add(word)
                return word

    def words(self, count: int) -> list[str]:
        """``count`` fresh words."""
        return [self.word() for _ in range(count)]

    def _invented(self) -> str:
        draw = self._draw
        body = "".join(draw.pick(_ONSETS) + draw.pick(_VOWELS) for _ in range(draw.between(1, 2)))
        return (body + draw.pick(_MIDDLES) + draw.pick(_ENDINGS)).capitalize()
