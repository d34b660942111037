"""A tool's arguments: how its schema is shown, how what a model wrote is brought into shape and checked.

A model that writes ``"query": "x"`` where a list is due, a list as a JSON string, or a number as a string, means
something that can be done; it is done. Anything else is answered with one sentence that says what is wrong.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

import jsonschema

_KINDS = {
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
}


def cleaned(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as it is shown to a model: without the titles that pydantic adds, keys in a fixed order."""
    order = ("type", "description", "items", "properties", "required")
    kept = {key: _cleaned_value(key, value) for key, value in schema.items() if key != "title"}
    return dict(sorted(kept.items(), key=lambda item: (order.index(item[0]) if item[0] in order else 9, item[0])))


def _cleaned_value(key: str, value: Any) -> Any:
    if key in {"properties", "$defs"} and isinstance(value, Mapping):
        return {name: cleaned(part) if isinstance(part, Mapping) else part for name, part in value.items()}
    if key in {"default", "enum", "const", "examples"}:
        return value
    if isinstance(value, Mapping):
        return cleaned(value)
    if isinstance(value, list):
        return [cleaned(part) if isinstance(part, Mapping) else part for part in value]
    return value


class Arguments:
    """The arguments of one tool: its schema, compiled once.

    ``aliases``: names of arguments in other tool sets → its own, used where the schema knows only these.
    """

    def __init__(self, tool: str, schema: Mapping[str, Any], aliases: Mapping[str, str]) -> None:
        self._tool = tool
        self._aliases = aliases
        self._properties: Mapping[str, Any] = schema.get("properties", {})
        self._required: list[str] = list(schema.get("required", ()))
        self._closed = schema.get("additionalProperties", False) is False
        self._validator = jsonschema.Draft202012Validator(dict(schema))

    def normalised(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What the model meant. Arguments that already fit stay as they are."""
        result: dict[str, Any] = {}
        for name, value in given.items():
            ours = self._aliases.get(name, name)
            rename = name not in self._properties and ours in self._properties and given.get(ours) is None
            target = ours if rename else name
            part = self._properties.get(target, {})
            left_out = target in result or target not in self._required
            if value is None and left_out and part.get("type") != "null":
                continue
            result[target] = _shaped(value, part)
        return result

    def problem(self, arguments: Mapping[str, Any]) -> str | None:
        """One sentence on why the arguments cannot be used, or None."""
        unknown = [name for name in arguments if name not in self._properties]
        if unknown and self._closed:
            return self._unknown(unknown[0])
        missing = [name for name in self._required if name not in arguments]
        if missing:
            return f"{self._tool} needs the argument {missing[0]!r} ({_kind(self._properties.get(missing[0], {}))})."
        error = next(iter(self._validator.iter_errors(dict(arguments))), None)
        return None if error is None else self._sentence(error)

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name, self._properties, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        known = ", ".join(self._properties) or "none"
        return f"{self._tool} has no argument {name[:80]!r}; its arguments are: {known}{hint}"

    def _sentence(self, error: jsonschema.ValidationError) -> str:
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        place = path.lstrip(".") or "arguments"
        if error.validator == "type":
            wanted = _kind(error.schema if isinstance(error.schema, Mapping) else {})
            return f"The argument {place!r} of {self._tool} must be {wanted}, not {_kind_of(error.instance)}."
        return f"The argument {place!r} of {self._tool} cannot be used: {error.message[:200]}."


def _shaped(value: Any, schema: Mapping[str, Any]) -> Any:
    match schema.get("type"):
        case "array":
            items = schema.get("items", {})
            return [_shaped(item, items) for item in _listed(value)]
        case "string":
            return _as_string(value)
        case "integer" | "number" | "boolean" | "object" if isinstance(value, str):
            return _parsed(value, str(schema["type"]))
        case _:
            return value


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, str) and value.lstrip().startswith("["):
        parsed = _json(value)
        if isinstance(parsed, list) and all(isinstance(item, str | int | float) for item in parsed):
            return parsed
    return [value]


def _as_string(value: Any) -> Any:
    if isinstance(value, str):
        # Lone surrogates cannot be sent or stored as UTF-8.
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return _as_string(value[0])
    return value


def _parsed(value: str, kind: str) -> Any:
    parsed = _json(value.strip().lower() if kind == "boolean" else value)
    kinds: dict[str, tuple[type, ...]] = {
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "object": (dict,),
    }
    fits = isinstance(parsed, kinds[kind]) and (kind == "boolean" or not isinstance(parsed, bool))
    return parsed if fits else value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _kind(schema: Mapping[str, Any]) -> str:
    kind = _KINDS.get(str(schema.get("type")), "another value")
    items = schema.get("items")
    if kind == "a list" and isinstance(items, Mapping) and items.get("type") == "string":
        return "a list of strings"
    return kind


def _kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
