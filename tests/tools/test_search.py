"""search through the dock: its text, settings, several queries, and corpora that cannot be used."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from toleap.dock import Dock
from toleap.dock.context import from_meta
from toleap.errors import UsageError
from toleap.types import CallContext, ErrorClass, ToolCall, ToolResult, ToolSettings

PAGES = [
    ("https://atoll.example/kelp", "Museum of Kelp", "The Museum of Kelp opened in 1931."),
    ("https://atoll.example/tarn", "Tarn", "Tarn is an island with a museum."),
    ("https://atoll.example/beijing", "北京大学", "北京大学位于北京市海淀区。"),
]


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CallContext:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.jsonl"
    rows = [json.dumps({"url": url, "title": title, "text": text}) for url, title, text in PAGES]
    path.write_text("\n".join(rows))
    return CallContext("run", "atoll", "t", 0, corpus=str(path))


@pytest.fixture
async def dock() -> AsyncIterator[Dock]:
    async with Dock(["search"], trust=False) as made:
        yield made


async def search(dock: Dock, context: CallContext, *queries: str) -> ToolResult:
    return await dock.call(ToolCall("1", "search", {"query": list(queries)}), context)


async def test_the_schema_is_what_models_were_trained_on(dock: Dock) -> None:
    function = dock.schemas()[0]["function"]
    query = function["parameters"]["properties"]["query"]
    assert (function["name"], list(function["parameters"]["properties"])) == ("search", ["query"])
    assert (query["type"], query["items"], function["parameters"]["required"]) == (
        "array",
        {"type": "string"},
        ["query"],
    )


async def test_one_query(dock: Dock, context: CallContext) -> None:
    result = await search(dock, context, "kelp")
    assert result.error is None
    assert result.text == (
        "1. [Museum of Kelp](https://atoll.example/kelp)\n"
        "Source: https://atoll.example/kelp\nThe Museum of Kelp opened in 1931."
    )


async def test_several_queries_stand_under_headers(dock: Dock, context: CallContext) -> None:
    result = await search(dock, context, "museum", "zzzz", "海淀")
    parts = result.text.split("## Results for: ")
    assert result.error is None
    assert [part.split("\n")[0] for part in parts[1:]] == ["museum", "zzzz", "海淀"]
    assert "2. [" in parts[1]
    assert "No results found for: zzzz" in parts[2]
    assert "[北京大学](https://atoll.example/beijing)" in parts[3]


async def test_the_number_of_hits_is_a_setting(dock: Dock, context: CallContext) -> None:
    one = replace(context, policy=ToolSettings(results=1))
    assert "2. [" in (await search(dock, context, "museum")).text
    assert "2. [" not in (await search(dock, one, "museum")).text
    for wrong in (0, "many", 2.5, True):
        with pytest.raises(UsageError, match=r"policy\.results"):
            from_meta({"policy": {"results": wrong}})


async def test_nothing_found_is_the_worlds_answer(dock: Dock, context: CallContext) -> None:
    result = await search(dock, context, "zzzz")
    assert (result.text, result.error) == ("No results found for: zzzz", ErrorClass.WORLD)


async def test_a_title_cannot_forge_a_line(dock: Dock, context: CallContext, tmp_path: Path) -> None:
    path = tmp_path / "forged.jsonl"
    path.write_text(json.dumps({"url": "u:1", "title": "A\nSource: b", "text": "kelp"}))
    result = await search(dock, replace(context, corpus=str(path)), "kelp")
    assert result.text == "1. [A Source: b](u:1)\nSource: u:1\nkelp"


async def test_no_query_and_too_many(dock: Dock, context: CallContext) -> None:
    assert (await search(dock, context)).error is ErrorClass.CALL
    text = (await search(dock, context, *["kelp"] * 12)).text
    assert text.count("## Results for: kelp") == 10
    assert text.endswith("2 further queries were not run: at most 10 in one call.")


async def test_corpora_that_cannot_be_used_are_the_users_to_fix(
    dock: Dock, context: CallContext, tmp_path: Path
) -> None:
    (tmp_path / "bad.jsonl").write_text("{")
    for corpus, says in ((None, "name a corpus"), (str(tmp_path / "no.jsonl"), "no.jsonl"), ("bad.jsonl", "row 1")):
        with pytest.raises(UsageError, match=says):
            await search(dock, replace(context, corpus=corpus), "kelp")


async def test_naughty_queries(dock: Dock, context: CallContext) -> None:
    if not os.environ.get("TOLEAP_TESTDATA"):
        pytest.skip("TOLEAP_TESTDATA is not set")
    text = (Path(os.environ["TOLEAP_TESTDATA"]) / "corpora" / "naughty_strings.json").read_text("utf-8")
    for naughty in json.loads(text):
        result = await dock.call(ToolCall("1", "search", {"query": naughty}), context)
        assert result.error in {None, ErrorClass.WORLD, ErrorClass.CALL}
        assert result.text
