"""A database that is torn: the same command keeps what can be read of it, and plays the rest again."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import NO_CODE, Program, Server, comparable, database_in, durable_turns
from tests.faults.forking import Forks, forks

PAGE = 4096


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server") / "asked") as started:
        yield started


@pytest.fixture(scope="module")
def forked(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with forks(Program(tmp_path_factory.mktemp("forks"), home), {}) as made:
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


def table_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the table says but for how often attempts began anew, which is true."""
    notes = [note for note in document["notes"] if note["kind"] != "restarted"]
    rows = [{**row, "restarts": 0} for row in document["rows"]]
    return {**comparable(document), "rows": rows, "notes": notes}


def test_cut_off_at_any_page_the_same_command_keeps_what_can_be_read(
    forked: Forks, server: Server, whole: Path, tmp_path: Path
) -> None:
    table = table_of(forked.run(whole, command(server)).json)
    size = database_in(whole).stat().st_size
    turns, kept = len(durable_turns(whole)), 0
    for cut in range(PAGE, size, PAGE):
        folder = Path(shutil.copytree(whole, tmp_path / str(cut)))
        database = database_in(folder)
        with database.open("r+b") as file:
            file.truncate(cut)
        shown = forked.run(folder, ["table"])
        assert (shown.code, shown.out, shown.err.count("\n")) == (2, "", 1), shown.said
        assert "run.db: cannot be read: database disk image is malformed; the toleap run command" in shown.err
        before = server.stats()["requests"]
        done = forked.run(folder, command(server))
        asked = server.stats()["requests"] - before
        if done.code == 2:
            assert "nothing can be read of it any more" in done.err and done.err.count("\n") == 1
            assert asked == 0 and database.stat().st_size == cut
            assert not list(database.parent.glob("*damaged*"))
            continue
        assert database.with_name("run.db.damaged-1").stat().st_size == cut
        assert (done.code, table_of(done.json)) == (0, table), f"{cut}: {done.said}"
        assert "warning" in done.err and "run.db.damaged-1" in done.err
        kept += asked < turns
    assert kept > 2, "where some pages are gone, not everything is asked again"


def test_pages_overwritten_in_the_middle_lose_only_what_was_on_them(
    forked: Forks, server: Server, whole: Path, tmp_path: Path
) -> None:
    table = table_of(forked.run(whole, command(server)).json)
    content = database_in(whole).read_bytes()
    noise = random.Random(7).randbytes(PAGE)
    for page in range(1, len(content) // PAGE):
        folder = Path(shutil.copytree(whole, tmp_path / str(page)))
        database_in(folder).write_bytes(content[: page * PAGE] + noise + content[(page + 1) * PAGE :])
        done = forked.run(folder, command(server))
        assert "Traceback" not in done.err
        if done.code == 2:
            assert done.err.count("\n") == 1, done.said
        else:
            assert (done.code, table_of(done.json)) == (0, table), f"{page}: {done.said}"
