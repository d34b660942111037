"""Rows into tasks: columns, ids, metadata, attachments, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from toleap.data.attachments import files_folder
from toleap.data.readers import parse
from toleap.data.spec import Data
from toleap.data.tasks import DataFile, read_tasks
from toleap.errors import UsageError
from toleap.types import Task

ROW = {"task_id": "t1", "Question": "Who?", "Final answer": "Ada", "file_name": ""}


def read(
    folder: Path, rows: list[dict[str, Any]], data: dict[str, Any] | None = None, by: tuple[str, ...] = ()
) -> tuple[Task, ...]:
    path = folder / "mini.jsonl"
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(content)
    return read_tasks(
        "mini", DataFile(path, "jsonl", files_folder(path)), [content], Data.model_validate(data or {}), by
    )


def test_agenttoleap_rows(tmp_path: Path) -> None:
    assert read(tmp_path, [ROW]) == (Task("mini", "t1", "Who?", "Ada"),)


def test_nested_columns_aliases_and_defaults(tmp_path: Path) -> None:
    data = {
        "fields": {"question": ["question", "Question"], "answer": "answer"},
        "metadata": {"type": ["info.type", "type"], "lang": "info.lang", "tags": "tags"},
        "defaults": {"lang": "zh"},
    }
    rows = [
        {"Question": "A?", "answer": 1, "info": {"type": "x", "lang": ""}, "tags": ["p", "q"], "level": 2},
        {"Question": "B?", "answer": 2.0, "info": {"type": "y", "lang": "en"}, "tags": [], "level": None},
    ]
    first, second = read(tmp_path, rows, data, ("type", "level"))
    assert first.metadata == {"type": "x", "lang": "zh", "tags": ("p", "q"), "level": "2"}
    assert second.metadata == {"type": "y", "lang": "en", "tags": "", "level": ""}
    assert (first.answer, second.answer) == ("1", "2")
    assert first.id == hashlib.sha256(b"A?").hexdigest()[:12]


def test_ids_are_those_of_the_data_where_it_has_them(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{**ROW, "task_id": 7}, {**ROW, "task_id": "b"}]
    assert [task.id for task in read(tmp_path, rows)] == ["7", "b"]


def test_agenttoleap_file_for_a_benchmark_with_other_columns(tmp_path: Path) -> None:
    data = {
        "fields": {"id": "id", "question": "prompt", "answer": "answer"},
        "decrypt": {"scheme": "xor", "key": "canary", "columns": ["prompt", "answer"]},
    }
    assert read(tmp_path, [ROW], data, ("level",)) == (Task("mini", "t1", "Who?", "Ada"),)


@pytest.mark.parametrize(
    ("rows", "data", "says"),
    [
        ([{"a": 1, "Question": "q"}], {}, "missing column Final answer; the columns are: a, Question"),
        (
            [{"n": {"q": 1}}],
            {"fields": {"question": ["q", "Q"]}},
            "column q or Q, Final answer; the columns are: n.q",
        ),
        ([ROW], {"rows": 2}, "found 1 rows, expected 2"),
        ([ROW], {"sha256": "0" * 64}, "expected 000000000000…"),
        ([ROW, {**ROW, "Question": "Other?"}], {}, "line 1 and line 2 have the same id 't1'"),
        ([{"Question": "q", "Final answer": "1"}] * 2, {}, "line 1 and line 2 have the same id '"),
        ([{**ROW, "Question": " \n"}], {}, "line 1: column Question is empty"),
        ([ROW, {**ROW, "task_id": "u", "Final answer": None}], {}, "line 2: column Final answer is empty"),
        ([ROW, {"task_id": "u", "Question": "q"}], {}, "line 2: column Final answer is empty"),
        ([{**ROW, "task_id": ""}], {}, "line 1: column task_id is empty"),
        ([{**ROW, "task_id": "a\nb"}], {}, "the id must be one line"),
        ([{**ROW, "task_id": "a" * 201}], {}, "at most 200 characters"),
        ([{**ROW, "Question": ["a"]}], {}, "column Question: expected text, found a list"),
        ([{**ROW, "Final answer": {"a": 1}}], {}, "column Final answer: expected text, found an object"),
        ([{**ROW, "Question": "a\x00b"}], {}, "column Question: contains a NUL character"),
        ([{**ROW, "Question": "a\ud800b"}], {}, "column Question: contains half of a surrogate pair"),
    ],
)
def test_what_is_refused(tmp_path: Path, rows: list[dict[str, Any]], data: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, rows, data)
    assert str(tmp_path / "mini.jsonl") in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"q": "!!", "answer": "QQ==", "canary": "k"}, "line 1, column q: cannot be decrypted: not base64"),
        ({"q": "QQ==", "answer": "QQ==", "canary": ""}, "line 1, column q: cannot be decrypted: the canary is empty"),
        (
            {"q": "QQ==", "answer": "/w==", "canary": "\x01"},
            "line 1, column answer: cannot be decrypted: decrypts to bytes",
        ),
        ({"q": "QQ==", "answer": "QQ=="}, "missing column canary; the columns are: q, answer"),
    ],
)
def test_rows_that_do_not_decrypt(tmp_path: Path, row: dict[str, Any], says: str) -> None:
    data = {
        "fields": {"question": "q", "answer": "answer"},
        "decrypt": {"scheme": "xor", "key": "canary", "columns": ["q", "answer"]},
    }
    with pytest.raises(UsageError, match=r"mini.jsonl") as caught:
        read(tmp_path, [row], data)
    assert says in str(caught.value)


def test_attachments_lie_beside_the_data_or_in_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    (task,) = read(tmp_path, [{**ROW, "file_name": "a.csv"}])
    assert [(file.name, file.path) for file in task.attachments] == [("a.csv", tmp_path / "a.csv")]
    (tmp_path / "files" / "deep").mkdir(parents=True)
    (tmp_path / "files" / "deep" / "b.csv").write_text("2")
    (tmp_path / "files" / "c.csv").write_text("3")
    (tmp_path / "files" / "全角　名.csv").write_text("4")
    (task,) = read(tmp_path, [{**ROW, "task_id": "題　一", "file_name": "全角　名.csv"}])
    assert (task.id, task.attachments[0].name) == ("題　一", "全角　名.csv")
    (task,) = read(tmp_path, [{**ROW, "file_name": ["deep/b.csv", "c.csv", "c.csv"]}])
    assert [file.name for file in task.attachments] == ["deep/b.csv", "c.csv"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../secret", "not a plain name"),
        ("files/../../secret", "not a plain name"),
        ("/etc/passwd", "not a plain name"),
        ("..\\secret", "not a plain name"),
        ("a\nb", "not a plain name"),
        ("a\u2028b", "not a plain name"),
        ("gone.csv", "no file 'gone.csv'"),
        ("n" * 300, "no file"),
        ("leads-out", "a link that leads out"),
        ("leads-out-too/secret", "a link that leads out"),
        ("loop", "no file 'loop'"),
        ("folder", "a folder or the data itself"),
        (".", "a folder or the data itself"),
        ("mini.jsonl", "a folder or the data itself"),
        ("alias.jsonl", "a folder or the data itself"),
        ({"a": 1}, "expected text, found an object"),
    ],
)
def test_attachments_never_leave_their_folder(tmp_path: Path, name: Any, says: str) -> None:
    (tmp_path / "secret").write_text("s")
    root = tmp_path / "bench"
    (root / "folder").mkdir(parents=True)
    (root / "leads-out").symlink_to(tmp_path / "secret")
    (root / "leads-out-too").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    (root / "alias.jsonl").symlink_to(root / "mini.jsonl")
    with pytest.raises(UsageError, match=r"line 1, column file_name") as caught:
        read(root, [{**ROW, "file_name": name}])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_path_traversal_corpus(tmp_path: Path, traversals: list[str]) -> None:
    """Names a published list of attacks would try; most name nothing, none may resolve."""
    for name in traversals:
        with pytest.raises(UsageError):
            read(tmp_path, [{**ROW, "file_name": name}])


def test_naughty_strings_survive(tmp_path: Path, naughty: list[str]) -> None:
    rows = [{**ROW, "task_id": str(number), "Question": f"q {text}"} for number, text in enumerate(naughty)]
    tasks = read(tmp_path, rows)
    assert [task.question for task in tasks] == [f"q {text}".strip() for text in naughty]


def test_every_format_gives_the_same_tasks(tmp_path: Path) -> None:
    header, row = "task_id,Question,Final answer\n", '1,"Where, exactly?","a; b"\n'
    files = {
        "csv": header + row,
        "tsv": (header + row).replace(',"', '\t"').replace("n,F", "n\tF").replace("d,Q", "d\tQ"),
        "json": json.dumps([{"task_id": 1, "Question": "Where, exactly?", "Final answer": "a; b"}]),
        "jsonl": json.dumps({"task_id": 1, "Question": "Where, exactly?", "Final answer": "a; b"}),
    }
    for kind, text in files.items():
        assert parse(text.encode(), kind, kind)
        path = tmp_path / f"x.{kind}"
        tasks = read_tasks("mini", DataFile(path, kind, tmp_path), [text.encode()], Data(), ())
        assert tasks == (Task("mini", "1", "Where, exactly?", "a; b"),), kind
