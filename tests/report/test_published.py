"""Published numbers: the tracked file, and files that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from toleap.errors import UsageError
from toleap.folders import shipped_root
from toleap.report.published import published_for, read

HEAD = "group,model,benchmark,accuracy_pct,source\n"


def test_the_tracked_file() -> None:
    rows = read(shipped_root() / "results" / "published.csv")
    assert len(rows) == 85
    assert len({(row.model, row.benchmark) for row in rows}) == 85
    assert {row.benchmark: round(100 * row.accuracy, 1) for row in rows if row.model == "AgentCPM-Explore 4B"} == {
        "gaia-text-103": 63.9,
        "browsecomp": 24.1,
        "browsecomp-zh": 29.1,
        "hle": 19.1,
        "frames": 82.7,
        "webwalkerqa": 68.1,
        "seal-0": 40.5,
        "xbench": 70.0,
    }


def test_by_benchmark() -> None:
    rows = published_for("frames")
    assert rows
    assert {row.benchmark for row in rows} == {"frames"}
    assert published_for("nothing published") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD + "g,m,b,much,s\n", "line 2: accuracy_pct 'much' is no percentage"),
        (HEAD + "g,m,b,1,s\ng,m,b,101,s\n", "line 3: accuracy_pct '101' is no percentage"),
        (HEAD + "g,m,b,nan,s\n", "is no percentage"),
        (HEAD + "g,m,b\n", "line 2: needs the columns"),
        ("a,b\n1,2\n", "line 2: needs the columns"),
        (HEAD + '"g', "cannot be read as UTF-8 CSV"),
    ],
)
def test_a_wrong_file_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "published.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_a_file_in_another_encoding_or_none_at_all(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    with pytest.raises(UsageError, match="cannot be read"):
        read(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read"):
        read(path)
