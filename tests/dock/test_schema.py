"""Arguments: what a model meant is done, what it got wrong is said in one sentence, schemas are shown clean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.dock.schema import Arguments, cleaned

SEARCH = {
    "type": "object",
    "properties": {"query": {"type": "array", "items": {"type": "string"}}},
    "required": ["query"],
}
FETCH = {
    "type": "object",
    "properties": {
        "url": {"type": "array", "items": {"type": "string"}},
        "purpose": {"type": "string", "default": ""},
        "n": {"type": "integer"},
        "x": {"type": "number"},
        "deep": {"type": "boolean"},
        "more": {"type": "object"},
    },
    "required": ["url"],
}
ALIASES = {"urls": "url", "goal": "purpose"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("given_arguments", "meant"),
    [
        ({"url": "a"}, {"url": ["a"]}),
        ({"url": '["a", "b"]'}, {"url": ["a", "b"]}),
        ({"url": "[not json"}, {"url": ["[not json"]}),
        ({"url": '["a", {"b": 1}]'}, {"url": ['["a", {"b": 1}]']}),
        ({"url": ["a", 3]}, {"url": ["a", "3"]}),
        ({"url": 7}, {"url": ["7"]}),
        ({"urls": ["a"], "goal": "why"}, {"url": ["a"], "purpose": "why"}),
        ({"url": ["a"], "goal": "x", "purpose": "y"}, {"url": ["a"], "goal": "x", "purpose": "y"}),
        ({"url": ["a"], "purpose": None}, {"url": ["a"]}),
        ({"urls": ["a"], "url": None}, {"url": ["a"]}),
        ({"url": ["a"], "purpose": ["why"]}, {"url": ["a"], "purpose": "why"}),
        ({"url": ["a"], "n": "3", "x": "2.5", "deep": "True"}, {"url": ["a"], "n": 3, "x": 2.5, "deep": True}),
        ({"url": ["a"], "n": "three"}, {"url": ["a"], "n": "three"}),
        ({"url": ["a"], "more": '{"k": 1}'}, {"url": ["a"], "more": {"k": 1}}),
        ({"url": ["\ud800"]}, {"url": ["?"]}),
    ],
)
def test_what_a_model_meant(given_arguments: dict[str, Any], meant: dict[str, Any]) -> None:
    assert Arguments("fetch_url", FETCH, ALIASES).normalised(given_arguments) == meant


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "search needs the argument 'query' (a list of strings)."),
        (
            {"query": ["a"], "qery": 1},
            "search has no argument 'qery'; its arguments are: query; did you mean 'query'?",
        ),
        ({"query": ["a"], "zzz": 1}, "search has no argument 'zzz'; its arguments are: query."),
        ({"query": 3}, "The argument 'query' of search must be a list of strings, not a number."),
        ({"query": [{}]}, "The argument 'query[0]' of search must be a string, not an object."),
        ({"query": [None]}, "The argument 'query[0]' of search must be a string, not null."),
        ({"query": ["a"]}, None),
    ],
)
def test_what_is_wrong_is_said(arguments: dict[str, Any], sentence: str | None) -> None:
    assert Arguments("search", SEARCH, {"q": "query"}).problem(arguments) == sentence


@given(st.dictionaries(st.sampled_from([*FETCH["properties"], "goal", "q", "other"]), JSON, max_size=5))
def test_any_arguments_are_judged_and_bringing_into_shape_is_done_once(arguments: dict[str, Any]) -> None:
    checker = Arguments("fetch_url", FETCH, ALIASES)
    shaped = checker.normalised(arguments)
    assert checker.normalised(shaped) == shaped
    problem = checker.problem(shaped)
    assert problem is None or "\n" not in problem.replace("\\n", "")


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_arguments_that_fit_stay_as_they_are(urls: list[str], purpose: str) -> None:
    arguments = {"url": urls, "purpose": purpose}
    checker = Arguments("fetch_url", FETCH, ALIASES)
    assert checker.normalised(arguments) == arguments
    assert checker.problem(arguments) is None


def test_schemas_are_shown_without_titles_but_keep_an_argument_called_title() -> None:
    schema = {
        "title": "fnArguments",
        "required": ["title"],
        "type": "object",
        "properties": {
            "title": {"title": "Title", "type": "string"},
            "tags": {"title": "Tags", "type": "array", "items": {"title": "Tag", "type": "string"}, "default": []},
        },
    }
    assert json.dumps(cleaned(schema)) == json.dumps(
        {
            "type": "object",
            "properties": {
                "title": {"type": "string"},
                "tags": {"type": "array", "items": {"type": "string"}, "default": []},
            },
            "required": ["title"],
        }
    )
