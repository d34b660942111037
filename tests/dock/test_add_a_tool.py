"""The example in docs/add-a-tool.md is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toleap.dock import Dock
from toleap.types import CallContext, ErrorClass, ToolCall

PAGE = Path(__file__).parents[2] / "docs" / "add-a-tool.md"


async def test_the_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tools" / "distance"
    folder.mkdir(parents=True)
    code = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert code is not None
    (folder / "server.py").write_text(code.group(1))
    monkeypatch.chdir(tmp_path)
    context = CallContext("run", "atoll", "t", 0)
    async with Dock(["distance"], trust=True) as dock:
        known = await dock.call(ToolCall("1", "distance", {"islands": ["Tarn", "Osk"]}), context)
        unknown = await dock.call(ToolCall("2", "distance", {"islands": "Tarn"}), context)
        parameters = dock.schemas()[0]["function"]["parameters"]
    assert (known.text, known.error) == ("30 km", None)
    assert unknown.error is ErrorClass.WORLD
    assert list(parameters["properties"]) == ["islands"]
