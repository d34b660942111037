"""What becomes of a damaged database beside what the program shows of it (tests/faults/test_store_salvage.py)."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.building import changed, end, plan
from tests.store.test_store import CORRECT, OPENING, TASKS, TURN, trajectory
from toleap.errors import StoreFault, UsageError
from toleap.store import salvage
from toleap.store.reading import read_run
from toleap.store.salvage import mend
from toleap.store.store import Store
from toleap.types import Key, RunResult

PAGE = 4096
KEYS = [Key("b", f"t{n}", 0) for n in range(3)]
LONG = {"role": "user", "content": "".join(chr(33 + n * n * n % 900) for n in range(4_000))}
"""Too long for two records to share a page."""


async def stored(folder: Path) -> RunResult:
    """A run in which every attempt has ended after three turns and has its verdict."""
    with Store(folder) as store:
        await plan(store, TASKS, 1)
        for key in KEYS:
            await store.begin(key, (LONG, *OPENING))
            turns = [replace(TURN, index=n, reply={"role": "assistant", "content": f"{n}"}) for n in range(3)]
            for turn in turns:
                await store.put_turn(key, turn)
            await end(store, replace(trajectory(key), turns=tuple(turns)), CORRECT)
    return read_run(folder)


def overwritten(folder: Path, page: int) -> None:
    """Destroy a page of the file, counted from 1."""
    with (folder / "run.db").open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\x55" * PAGE)


def root_of(folder: Path, name: str) -> int:
    """The first page of the table or of its index."""
    with closing(sqlite3.connect(folder / "run.db")) as database:
        return int(database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0])


async def test_a_whole_database_is_left_alone(tmp_path: Path) -> None:
    before = await stored(tmp_path)
    assert mend(tmp_path) is None
    assert read_run(tmp_path) == before
    assert not list(tmp_path.glob("*damaged*"))
    assert mend(tmp_path / "none") is None


async def test_whichever_page_is_destroyed_what_can_be_read_is_kept_and_the_rest_is_owed(tmp_path: Path) -> None:
    before = await stored(tmp_path / "whole")
    pages = (tmp_path / "whole" / "run.db").stat().st_size // PAGE
    kept = 0
    for page in range(2, pages + 1):
        folder = Path(shutil.copytree(tmp_path / "whole", tmp_path / str(page)))
        overwritten(folder, page)
        try:
            salvaged = mend(folder)
        except UsageError:
            assert page == root_of(tmp_path / "whole", "record"), "only without its root is there nothing to read"
            continue
        assert salvaged is not None and salvaged.kept.name == "run.db.damaged-1"
        with Store(folder) as store:
            await plan(store, TASKS, 1)
            rows = store.result().benchmarks[0].rows
        assert [row.key for row in rows] == KEYS
        for row, was in zip(rows, before.benchmarks[0].rows, strict=True):
            kept += row == was
            assert row.ending is None or replace(row, verdicts=was.verdicts) == was
    assert kept > pages, "most attempts survive the loss of most pages"


async def test_the_index_alone_costs_nothing(tmp_path: Path) -> None:
    before = await stored(tmp_path)
    overwritten(tmp_path, root_of(tmp_path, "record_of"))
    with pytest.raises(UsageError, match=r"the toleap run command that made it keeps what is whole"):
        read_run(tmp_path)
    assert mend(tmp_path) is not None
    assert read_run(tmp_path) == before


async def test_a_record_that_is_not_what_was_written_is_no_reason_to_copy_the_file(tmp_path: Path) -> None:
    await stored(tmp_path)
    assert changed(tmp_path, "UPDATE record SET body = flip(body) WHERE kind = 'verdict'") == 3
    assert mend(tmp_path) is None
    assert [row.verdict for row in read_run(tmp_path).benchmarks[0].rows] == [None] * 3


async def test_a_file_of_which_nothing_can_be_read_is_left_alone(tmp_path: Path) -> None:
    await stored(tmp_path)
    overwritten(tmp_path, root_of(tmp_path, "record"))
    content = (tmp_path / "run.db").read_bytes()
    with pytest.raises(UsageError, match=r"run\.db: damaged, and nothing can be read of it"):
        mend(tmp_path)
    assert (tmp_path / "run.db").read_bytes() == content
    assert not [file.name for file in tmp_path.iterdir() if "damaged" in file.name or "salvage" in file.name]


async def test_another_process_that_writes_the_run_is_not_disturbed(tmp_path: Path) -> None:
    await stored(tmp_path)
    overwritten(tmp_path, root_of(tmp_path, "record_of"))
    with Store(tmp_path), pytest.raises(UsageError, match="another process is writing"):
        mend(tmp_path)


async def test_a_salvaged_database_takes_its_place_after_a_kill_before_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await stored(tmp_path)
    overwritten(tmp_path, root_of(tmp_path, "record_of"))
    with monkeypatch.context() as killed:
        killed.setattr(salvage, "finish", lambda _path: None)
        mend(tmp_path)
    (tmp_path / "run.db-wal").write_bytes(b"the damaged one's")
    with Store(tmp_path) as store:
        assert store.result() == before
    assert not (tmp_path / "run.db.salvaged").exists()


async def test_without_room_for_a_copy_nothing_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await stored(tmp_path)
    overwritten(tmp_path, root_of(tmp_path, "record_of"))
    content = (tmp_path / "run.db").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(StoreFault, match=r"damaged .*no copy can be written: No space left"):
        mend(tmp_path)
    assert (tmp_path / "run.db").read_bytes() == content
    assert not list(tmp_path.glob("*damaged*"))
