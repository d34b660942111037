"""Files of a run are torn or changed under our feet: no number is ever made of what was not written."""

from __future__ import annotations

import contextlib
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.program import NO_CODE, Program, Server, comparable, database_in, row_of
from tests.faults.forking import Forks, forks
from tests.faults.test_disk import shim
from tests.store.building import changed
from toleap.errors import StoreFault, UsageError
from toleap.report.tables import build_table
from toleap.store.reading import read_run
from toleap.store.store import Store

__all__ = ["shim"]
PAGE = 4096
HEADER, FRAME = 32, 24 + PAGE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server") / "asked") as started:
        yield started


@pytest.fixture(scope="module")
def forked(home: Path, shim: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    folder = tmp_path_factory.mktemp("forks")
    with forks(Program(folder, home), {"LD_PRELOAD": str(shim), "SHIM_SYNC_OF": "run.db"}) as made:
        yield made


def command(server: Server) -> list[str]:
    return ["run", "atoll", "--base-url", server.url, "--limit", "2", "--k", "2", "--json", *NO_CODE]


@pytest.fixture(scope="module")
def whole(forked: Forks, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working folder of a run that has ended undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    done = forked.run(folder, command(server))
    assert done.code == 0, done.said
    return folder


def test_cut_off_at_every_page_of_the_log_a_run_ends_with_the_same_table(
    forked: Forks, server: Server, whole: Path, tmp_path: Path
) -> None:
    table = comparable(forked.run(whole, command(server)).json)
    killed = tmp_path / "killed"
    killed.mkdir()
    assert forked.run(killed, command(server), {"SHIM_KILL_AFTER": "12"}).code == -signal.SIGKILL
    log = database_in(killed).with_name("run.db-wal").stat().st_size
    frames = (log - HEADER) // FRAME
    assert frames > 10
    last = [HEADER + frame * FRAME for frame in range(frames - 10, frames)]
    for size in sorted({0, HEADER, *last, *(at + 24 for at in last), *(at + 1000 for at in last)}):
        folder = Path(shutil.copytree(killed, tmp_path / f"cut-{size}"))
        with database_in(folder).with_name("run.db-wal").open("r+b") as file:
            file.truncate(size)
        done = forked.run(folder, command(server))
        assert (done.code, comparable(done.json)) == (0, table), f"{size}: {done.said}"


def test_a_damaged_record_is_owed_again_and_the_others_stay(
    forked: Forks, server: Server, whole: Path, tmp_path: Path
) -> None:
    table = comparable(forked.run(whole, command(server)).json)
    asked = server.stats()["requests"]
    broken = "UPDATE record SET body = flip(body) WHERE"
    damages = {
        f"{broken} kind = 'ended' AND attempt = 0": 2,
        f"{broken} kind = 'ended'": 4,
        f"{broken} kind = 'verdict' AND attempt = 1": 0,
        "DELETE FROM record WHERE kind = 'ended' AND attempt = 0": 2,
        "DELETE FROM record WHERE kind = 'verdict'": 0,
        "UPDATE record SET seal = CAST('x' AS BLOB) WHERE kind = 'ended' AND attempt = 1": 2,
        "UPDATE record SET attempt = 65 WHERE kind = 'ended' AND attempt = 1": 2,
        "UPDATE record SET task = task || CAST(x'ff' AS TEXT) WHERE kind = 'verdict' AND attempt = 1": 0,
        "UPDATE record SET kind = 'turn' WHERE kind = 'ended' AND attempt = 1": 2,
        f"{broken} kind IN ('ended', 'turn') AND attempt = 0": 2,
    }
    for number, (change, owed) in enumerate(damages.items()):
        folder = Path(shutil.copytree(whole, tmp_path / str(number)))
        assert changed(database_in(folder).parent, change)
        shown = forked.run(folder, ["table", "--json"])
        counts = row_of(shown.json)["counts"]
        assert (shown.code, counts["scored"]) == (1, 2 if "attempt =" in change else 0), shown.said
        assert counts["owed"] == owed
        done = forked.run(folder, command(server))
        assert (done.code, comparable(done.json)) == (0, table), f"{change}: {done.said}"
    # Lost turns are played again; where they are whole, an attempt ends again without a question.
    assert server.stats()["requests"] > asked


def test_a_damaged_plan_is_shown_by_nobody_and_made_good_by_the_same_command(
    forked: Forks, server: Server, whole: Path, tmp_path: Path
) -> None:
    table = comparable(forked.run(whole, command(server)).json)
    changes = (
        "UPDATE record SET body = flip(body) WHERE kind = 'planned'",
        "UPDATE record SET body = flip(body) WHERE kind = 'run'",
        "UPDATE record SET body = flip(body) WHERE kind = 'benchmark'",
        "UPDATE record SET task = task || CAST(x'ff' AS TEXT) WHERE kind = 'planned'",
        "DELETE FROM record WHERE kind = 'run'",
        "DELETE FROM record WHERE kind = 'benchmark'",
        "DELETE FROM record WHERE kind = 'planned' AND task = (SELECT min(task) FROM record WHERE kind = 'planned')",
        "UPDATE record SET kind = 'spent' WHERE kind = 'planned'",
    )
    for number, change in enumerate(changes):
        folder = Path(shutil.copytree(whole, tmp_path / str(number)))
        assert changed(database_in(folder).parent, change)
        shown = forked.run(folder, ["table"])
        assert (shown.code, shown.out, shown.err.count("\n")) == (2, "", 1), shown.said
        assert "the record " in shown.err and "the toleap run command that made it" in shown.err
        done = forked.run(folder, command(server))
        assert (done.code, comparable(done.json)) == (0, table), f"{change}: {done.said}"


def _numbers(folder: Path) -> dict[str, Any]:
    return comparable(build_table([read_run(folder)]).to_dict())


@settings(max_examples=150, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_bits_flipped_anywhere_never_change_a_number_unseen(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = database_in(whole).parent
    before = _numbers(folder)
    content = bytearray((folder / "run.db").read_bytes())
    places = data.draw(st.lists(st.integers(0, 8 * len(content) - 1), min_size=1, max_size=4, unique=True))
    for place in places:
        content[place // 8] ^= 1 << place % 8
    changed = tmp_path_factory.mktemp("flipped") / folder.name
    changed.mkdir()
    (changed / "run.db").write_bytes(content)
    try:
        found = _numbers(changed)
    except UsageError:
        return
    after = {str(row["group"]): row for row in found["rows"]}
    for row in before["rows"]:
        now = after.get(str(row["group"]))
        missing = now is None or any(now["counts"][name] for name in ("owed", "unscored"))
        assert missing or now == row
    with contextlib.suppress(UsageError, StoreFault), Store(changed) as store:
        store.result()
