"""The official schema of each benchmark: made-up rows in the columns, types and file format of what is published."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]
GOLD = "GOLD-ANSWER"
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\nmade up").decode()


@dataclass(frozen=True)
class Official:
    """One benchmark's file. ``needed`` is a column it cannot do without; ``secret`` one that is encrypted."""

    name: str
    file: str
    rows: Callable[[], Rows]
    needed: str
    secret: str | None = None
    count: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What the first task's metadata must be."""


def hidden(text: str, canary: str, hashed: bool) -> str:
    key = hashlib.sha256(canary.encode()).digest() if hashed else canary.encode()
    return base64.b64encode(bytes(a ^ b for a, b in zip(text.encode(), cycle(key), strict=False))).decode()


def gaia(ids: list[tuple[str, str]] | None = None) -> Rows:
    """165 rows; those of ``ids`` (id, level) are among them."""
    rest = {"1": 53, "2": 86, "3": 26}
    chosen = list(ids or [])
    for _, level in chosen:
        rest[level] -= 1
    chosen += [(f"id-{level}-{n}", level) for level, count in rest.items() for n in range(count)]
    names = {len(chosen) - n: f"file-{n}.{('xlsx', 'png', 'txt')[n % 3]}" for n in range(1, 39)}
    return [
        {
            "task_id": name,
            "Question": f"Question {n}?",
            "Level": level,
            "Final answer": GOLD,
            "file_name": names.get(n, ""),
            "file_path": f"2023/validation/{names[n]}" if n in names else "",
            "Annotator Metadata": {"Steps": f"1. {GOLD}", "Number of steps": "1", "Tools": "None"},
        }
        for n, (name, level) in enumerate(chosen)
    ]


def hle() -> Rows:
    return [
        {
            "id": f"{n:024x}",
            "question": f"Question {n}?",
            "image": PNG if n < 342 else "",
            "image_preview": {"bytes": b"\x89PNG", "path": None} if n < 342 else None,
            "answer": GOLD,
            "answer_type": ("exactMatch", "multipleChoice")[n % 2],
            "author_name": "A",
            "rationale": GOLD,
            "rationale_image": None if n else {"bytes": b"\x89PNG", "path": None},
            "raw_subject": "Chess",
            "category": f"Category {n % 8}",
            "canary": "hle:made-up",
        }
        for n in range(2500)
    ]


def browsecomp() -> Rows:
    return [
        {
            "problem": hidden(f"Question {n}?", f"canary {n}", True),
            "answer": hidden(GOLD, f"canary {n}", True),
            "problem_topic": ("Music", "Art")[n % 2],
            "canary": f"canary {n}",
        }
        for n in range(1266)
    ]


def browsecomp_zh() -> Rows:
    return [
        {
            **{
                column: hidden(text, f"canary {n}", True)
                for column, text in (("Topic", f"话题{n % 11}"), ("Question", f"问题{n}？"), ("Answer", GOLD))
            },
            "canary": f"canary {n}",
        }
        for n in range(289)
    ]


def frames() -> Rows:
    kinds = ("Multiple constraints", "Numerical reasoning | Multiple constraints", "Tabular reasoning")
    links = {f"wikipedia_link_{n}": "https://en.wikipedia.org/wiki/X" for n in range(1, 11)}
    return [
        {
            "": str(n),
            "Prompt": f'Question "{n}",\nwhich?',
            "Answer": GOLD,
            **links,
            "wikipedia_link_11+": "",
            "reasoning_types": kinds[(n + 1) % 3],
            "wiki_links": "['https://en.wikipedia.org/wiki/X']",
        }
        for n in range(824)
    ]


def webwalkerqa() -> Rows:
    levels = ["easy"] * 80 + ["medium"] * 140 + ["hard"] * 120
    return [
        {
            "question": f"Question {kind} {n}?",
            "answer": GOLD,
            "root_url": "https://example.com/",
            "info": {
                "domain": "conference",
                "difficulty_level": level,
                "golden_path": [f"root->{GOLD}"],
                "lang": "" if n < 29 else ("zh", "en")[n % 2],
                "source_website": ["https://example.com/a"],
                "type": kind,
            },
        }
        for kind in ("single_source", "multi_source")
        for n, level in enumerate(levels)
    ]


def xbench(first: int) -> Rows:
    return [
        {
            "id": str(n),
            **{
                column: hidden(text, f"xbench {n}", False)
                for column, text in (("prompt", f"问题{n}？"), ("answer", GOLD), ("reference_steps", "步骤"))
            },
            "canary": f"xbench {n}",
        }
        for n in range(first, first + 100)
    ]


def seal() -> Rows:
    return [
        {
            "id": f"seal-{n}",
            "question": f"Question {n}?",
            "answer": GOLD,
            "urls": ["https://example.com/a"],
            "freshness": ("never-changing", "slow-changing", "fast-changing")[n % 3],
            "question_types": ["advanced reasoning", "temporal tracking"][: 1 + n % 2],
            "effective_year": "before 2024",
            "search_results": "results",
            "topic": "Sports",
            "canary": "sealqa:made-up",
        }
        for n in range(111)
    ]


ALL = [
    Official("gaia", "metadata.parquet", gaia, "Level", count=165, metadata={"Level": "1"}),
    Official(
        "hle",
        "test-00000-of-00001.parquet",
        hle,
        "image",
        count=2500,
        metadata={"category": "Category 0", "answer_type": "exactMatch", "raw_subject": "Chess", "image": "yes"},
    ),
    Official(
        "browsecomp", "browse_comp_test_set.csv", browsecomp, "canary", "answer", 1266, metadata={"topic": "Music"}
    ),
    Official("browsecomp-zh", "test.parquet", browsecomp_zh, "Topic", "Topic", 289, metadata={"Topic": "话题0"}),
    Official("browsecomp-zh", "encrypted.xlsx", browsecomp_zh, "Topic", "Question", 289, metadata={"Topic": "话题0"}),
    Official(
        "frames",
        "test.tsv",
        frames,
        "reasoning_types",
        count=824,
        metadata={"reasoning_types": ("Numerical reasoning", "Multiple constraints")},
    ),
    Official(
        "webwalkerqa",
        "main-00000-of-00001.jsonl",
        webwalkerqa,
        "root_url",
        count=680,
        metadata={
            "type": "single_source",
            "difficulty": "easy",
            "lang": "zh",
            "domain": "conference",
            "root_url": "https://example.com/",
        },
    ),
    Official("xbench", "DeepSearch.csv", lambda: xbench(1), "reference_steps", "prompt", 100),
    Official("xbench-2510", "train.parquet", lambda: xbench(101), "canary", "reference_steps", 100),
    Official(
        "seal-0",
        "seal-0.parquet",
        seal,
        "question_types",
        count=111,
        metadata={
            "freshness": "never-changing",
            "question_types": ("advanced reasoning",),
            "effective_year": "before 2024",
            "topic": "Sports",
        },
    ),
]


def write(folder: Path, name: str, rows: Rows) -> Path:
    """The rows in the format that the name's suffix stands for; GAIA's attachments beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    _WRITERS[path.suffix](path, rows)
    for row in rows:
        if row.get("file_name"):
            (folder / row["file_name"]).write_text(f"content of {row['file_name']}")
    return path


def _parquet(path: Path, rows: Rows) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def _separated(delimiter: str) -> Callable[[Path, Rows], None]:
    def save(path: Path, rows: Rows) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        path.write_bytes(text.getvalue().encode("utf-8-sig"))

    return save


def _xlsx(path: Path, rows: Rows) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in [list(rows[0]), *(list(row.values()) for row in rows)]:
        sheet.append(row)
    book.save(path)


def _jsonl(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


_WRITERS: Mapping[str, Callable[[Path, Rows], None]] = {
    ".parquet": _parquet,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".xlsx": _xlsx,
    ".jsonl": _jsonl,
}
