"""JSON as a model writes it: read strictly, and mended where only one thing can be meant.

What is read can always be sent on and stored as JSON: no NaN, no infinities, no lone surrogates, no key twice, no
endless nesting. Mending changes the structure alone (closing brackets, trailing commas, kinds of quotes, Python's
literals); every string and number stays what was written, and where one would be lost nothing is mended.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import json_repair
import orjson

MOST_CHARACTERS = 10_000_000
MOST_DEPTH = 64
_MOST_PARTS = 1_000
"""Brackets, commas, colons and values that are mended at most: more take longer than a turn may cost."""


class Unreadable(ValueError):
    """A value that cannot be used; the message goes on from "it", for the model."""


class Malformed(Unreadable):
    """What is not JSON, but may be meant as such."""


class CutOff(Malformed):
    """JSON that stops in the middle."""


class Read(NamedTuple):
    """A value, and whether its text had to be mended."""

    value: Any
    mended: bool = False


def strict(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        Malformed: it is no JSON.
        Unreadable: it is JSON that cannot be sent on, or that leaves open what is meant.
    """
    if len(text) > MOST_CHARACTERS:
        raise Unreadable(f"it is longer than {MOST_CHARACTERS} characters")
    try:
        value = _DECODER.decode(text)
    except Unreadable:
        raise
    except json.JSONDecodeError as error:
        near = error.doc[max(error.pos - 20, 0) : error.pos + 20]
        raise Malformed(f"it is not valid JSON ({error.msg} near {near!a})") from error
    except RecursionError as error:
        raise Unreadable("it is nested too deeply") from error
    except ValueError as error:
        raise Unreadable("a number in it has too many digits") from error
    return _sendable(value)


def read_json(text: str, fits: Callable[[Any], bool]) -> Read:
    """The value of a text that is JSON, or that can be mended into a value that ``fits``.

    Raises:
        Unreadable: it is neither, or cannot be sent on.
    """
    try:
        return Read(strict(text))
    except Malformed as error:
        try:
            value = _mended(text)
        except Malformed as why:
            raise (why if isinstance(why, CutOff) else error) from None
        if not fits(value):
            raise
        return Read(_sendable(value), mended=True)


def json_end(text: str, start: int) -> int:
    """Where the object or list that begins at ``start`` (after white space) ends; ``start`` where there is none.

    A closing tag inside one of its strings is not the end of a call.
    """
    space = _SPACE.match(text, start)
    begin = space.end() if space else start
    if not text.startswith(("{", "["), begin):
        return start
    try:
        return _ANY.raw_decode(text, begin)[1]
    except (ValueError, RecursionError):
        return start


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unreadable(f"the key {twice[:80]!a} is there twice")
    return value


def _no_constant(name: str) -> Any:
    raise Unreadable(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Unreadable("a number in it is too large")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
_ANY = json.JSONDecoder()
_SPACE = re.compile(r"\s*")


def _sendable(value: Any) -> Any:
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [child for item in level for child in _children(item)]
        if not level:
            break
    else:
        raise Unreadable("it is nested too deeply")
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise Unreadable(f"it cannot be sent as JSON ({error})") from error
    return value


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        return iter(value.values())
    return iter(value) if isinstance(value, list) else iter(())


_TOKEN = re.compile(
    r"""\s++|(?P<mark>[{}\[\]:,])"""
    r"""|(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+"|'[^'\\]*+(?:\\.[^'\\]*+)*+')"""
    r"""|(?P<literal>(?:-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[Tt]rue|[Ff]alse|null|None)(?!\w|\.))""",
    re.DOTALL,
)
_UNCLEAR = re.compile(r"''|[\[{,:],")
_BETWEEN = frozenset("}],:")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)|\"", re.DOTALL)
_LITERALS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}


def _mended(text: str) -> Any:
    """What a text that is almost JSON means. The library sees its structure, each string and number as a numeral."""
    parts, leaves = _taken_apart(text)
    structure = "".join(parts)
    if structure[-1:] in {",", ":"}:
        raise CutOff(f"it stops after {structure[-1]!r}")
    if _UNCLEAR.search(structure):
        raise Malformed("a value is missing, or a comma between two")
    shape = json_repair.loads(structure.replace("'", '"'), skip_json_loads=True)
    used: list[str] = []
    value = _put_back(shape, leaves, used)
    if used != [part for part in parts if part not in _BETWEEN]:
        raise Malformed("something in it would be lost")
    return value


def _taken_apart(text: str) -> tuple[list[str], list[Any]]:
    parts: list[str] = []
    leaves: list[Any] = []
    position = depth = 0
    while position < len(text):
        if len(parts) > _MOST_PARTS:
            raise Malformed("it is too long to be mended")
        token = _TOKEN.match(text, position)
        if token is None:
            if text[position] in "\"'":
                raise CutOff("it stops in the middle of a string")
            raise Malformed(f"{text[position : position + 20]!a} is no JSON")
        position = token.end()
        if mark := token["mark"]:
            parts.append(mark)
            depth += (mark in "{[") - (mark in "}]")
            if depth > MOST_DEPTH:
                raise Unreadable("it is nested too deeply")
        elif token.lastgroup:
            parts.append(f"'{len(leaves)}'")
            leaves.append(_string(token[0]) if token["string"] else _literal(token[0]))
    return parts, leaves


def _string(token: str) -> Any:
    """A string in either kind of quotes. Line breaks and unknown escapes in it (``\\d``) stay as they are."""
    return json.loads(f'"{_ESCAPE.sub(_escape, token[1:-1])}"', strict=False)


def _escape(match: re.Match[str]) -> str:
    after = match[1]
    if after is None:
        return '\\"'
    if after == "'":
        return "'"
    return match[0] if after[0] in '"\\/bfnrt' or len(after) > 1 else f"\\\\{after}"


def _literal(token: str) -> Any:
    return _LITERALS[token] if token in _LITERALS else strict(token)


def _put_back(shape: Any, leaves: list[Any], used: list[str]) -> Any:
    """The shape with the leaves of the text; ``used`` gets its openings and leaves in the order of the text."""
    if isinstance(shape, dict):
        used.append("{")
        pairs = [(_put_back(key, leaves, used), _put_back(item, leaves, used)) for key, item in shape.items()]
        if not all(isinstance(key, str) for key, _ in pairs):
            raise Malformed("a key is no string")
        return _unique(pairs)
    if isinstance(shape, list):
        used.append("[")
        return [_put_back(item, leaves, used) for item in shape]
    if not isinstance(shape, str) or not shape.isdecimal():
        raise Malformed("a value is missing")
    used.append(f"'{shape}'")
    return leaves[int(shape)]
