"""What becomes of a damaged database beside what the program shows of it (tests/faults/test_store_salvage.py)."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs.store.test_store import OPENING, PLANNED, TURN, trajectory
from toleap.errors import StoreFault, UsageError
from toleap.runs.store import salvage
from toleap.runs.store.reading import read_run
from toleap.runs.store.salvage import mend
from toleap.runs.store.store import Store
from toleap.types import Key, RunResult, Verdict

PAGE = 4096
FACTS = {"settings": {"model": "m"}, "fingerprint": "f"}
KEYS = [Key("b", f"t{n}", 0) for n in range(3)]


async def stored(folder: Path) -> RunResult:
    """A run in which every attempt has ended after three turns and has its verdict."""
    with Store(folder) as store:
        await store.set_meta(FACTS)
        await store.plan(PLANNED, 1)
        for key in KEYS:
            await store.begin(key, OPENING)
            turns = [replace(TURN, index=n, reply={"role": "assistant", "content": f"{n}"}) for n in range(3)]
            for turn in turns:
                await store.put_turn(key, turn)
            ended = replace(trajectory(key), turns=tuple(turns))
            await store.end(ended, Verdict("correct", "equal", "gaia-1"))
    return read_run(folder)


def page_of(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(folder / "run.db")) as database:
        return int(database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0])


def overwritten(folder: Path, table: str) -> None:
    """Destroy the first page of a table."""
    page = page_of(folder, table)
    with (folder / "run.db").open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\x55" * PAGE)


async def test_a_whole_database_is_left_alone(tmp_path: Path) -> None:
    before = await stored(tmp_path)
    assert mend(tmp_path) is None
    assert read_run(tmp_path) == before
    assert not list(tmp_path.glob("*damaged*"))
    assert mend(tmp_path / "none") is None


async def test_lost_verdicts_and_figures_are_given_again_and_lost_attempts_owed(tmp_path: Path) -> None:
    before = await stored(tmp_path / "whole")
    for table, ended, judged in (("conduct", 3, 3), ("verdicts", 3, 0), ("attempts", 0, 0), ("tasks", 3, 3)):
        folder = Path(shutil.copytree(tmp_path / "whole", tmp_path / table))
        overwritten(folder, table)
        with pytest.raises(UsageError, match=r"the toleap run command that made it keeps what is whole"):
            read_run(folder)
        assert mend(folder) is not None
        with Store(folder) as store:
            await store.plan(PLANNED, 1)
            rows = store.result().benchmarks[0].rows
        assert [row.key for row in rows] == KEYS
        assert sum(row.ending is not None for row in rows) == ended
        assert sum(row.verdict is not None for row in rows) == judged
        if ended == judged == 3:
            assert rows == before.benchmarks[0].rows


async def test_turns_before_the_first_lost_one_are_kept_and_a_verdict_without_its_turns_is_not(
    tmp_path: Path,
) -> None:
    await stored(tmp_path)
    with closing(sqlite3.connect(tmp_path / "run.db")) as database:
        database.execute("DELETE FROM turns WHERE (task = 't0' AND idx = 1) OR (task = 't1' AND idx = 2)")
        database.commit()
    overwritten(tmp_path, "reports")
    assert mend(tmp_path) is not None
    with Store(tmp_path) as store:
        counts = [len(found[1]) for key in KEYS if (found := store.trajectory_so_far(key))]
        rows = store.result().benchmarks[0].rows
    assert counts == [1, 2, 3]
    assert [(row.ending is None, row.verdict is None) for row in rows] == [(True, True), (True, True), (False, False)]


async def test_a_run_that_cannot_be_told_from_others_is_not_continued(tmp_path: Path) -> None:
    await stored(tmp_path / "whole")
    for table in ("meta", "benchmarks"):
        folder = Path(shutil.copytree(tmp_path / "whole", tmp_path / table))
        overwritten(folder, table)
        content = (folder / "run.db").read_bytes()
        with pytest.raises(UsageError, match=r"run\.db: damaged, and what was run cannot be read"):
            mend(folder)
        assert (folder / "run.db").read_bytes() == content
        assert not [file.name for file in folder.iterdir() if "damaged" in file.name or "salvage" in file.name]


async def test_another_process_that_writes_the_run_is_not_disturbed(tmp_path: Path) -> None:
    await stored(tmp_path)
    overwritten(tmp_path, "verdicts")
    with Store(tmp_path), pytest.raises(UsageError, match="another process is writing"):
        mend(tmp_path)


async def test_a_salvaged_database_takes_its_place_after_a_kill_before_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await stored(tmp_path)
    overwritten(tmp_path, "conduct")
    with monkeypatch.context() as killed:
        killed.setattr(salvage, "finish", lambda _path: None)
        mend(tmp_path)
    (tmp_path / "run.db-wal").write_bytes(b"the damaged one's")
    with Store(tmp_path) as store:
        assert store.result() == before
    assert not (tmp_path / "run.db.salvaged").exists()


async def test_without_room_for_a_copy_nothing_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await stored(tmp_path)
    overwritten(tmp_path, "verdicts")
    content = (tmp_path / "run.db").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(StoreFault, match=r"damaged .*no copy can be written: No space left"):
        mend(tmp_path)
    assert (tmp_path / "run.db").read_bytes() == content
    assert not list(tmp_path.glob("*damaged*"))
