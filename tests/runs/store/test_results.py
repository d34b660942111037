"""What a report is given of a run: raw judge output only where it is needed, second verdicts, and runs of before."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

from toleap.runs.store.reading import read_run
from toleap.runs.store.store import Authority, Planned, Store
from toleap.types import AttemptRow, BenchmarkResult, Ending, Key, Task, Trajectory, Verdict

TASKS = tuple(Task("b", f"t{n}", "question", "gold") for n in range(2))
PLANNED = Planned("b", "Bench", 2, "rev", "rule-1", (), TASKS)
KEY = Key("b", "t0", 0)
RULE = Verdict("wrong", "differs", "rule-1", "x", raw="kept beside")
JUDGED = Verdict("correct", "the same", "judge-1", "x", raw="what the judge wrote")
SECOND = Authority("judge-1", "gpt (toleap prompt)")


async def stored(folder: Path, planned: Planned) -> None:
    with Store(folder) as store:
        await store.plan(planned, 1)
        await store.end(Trajectory(KEY, (), (), Ending.ANSWERED, "x", "x"), RULE)
        await store.put_verdict(KEY, JUDGED)


def part(folder: Path) -> tuple[BenchmarkResult, AttemptRow]:
    (found,) = read_run(folder).benchmarks
    return found, found.rows[0]


async def test_raw_output_is_read_only_where_a_measure_is_made_of_it(tmp_path: Path) -> None:
    await stored(tmp_path / "plain", PLANNED)
    await stored(tmp_path / "measured", replace(PLANNED, measures=("attempted",)))
    assert part(tmp_path / "plain")[1].verdict == replace(RULE, raw=None)
    found, row = part(tmp_path / "measured")
    assert (found.measures, row.verdict) == (("attempted",), RULE)


async def test_a_second_verdict_stands_beside_the_first(tmp_path: Path) -> None:
    await stored(tmp_path, replace(PLANNED, second=SECOND))
    found, row = part(tmp_path)
    assert (found.second_by, row.verdict, row.second) == (
        SECOND.label,
        replace(RULE, raw=None),
        replace(JUDGED, raw=None),
    )
    assert part(tmp_path)[0].rows[1].second is None


async def test_a_later_start_without_a_judge_keeps_the_second_verdicts(tmp_path: Path) -> None:
    await stored(tmp_path, replace(PLANNED, second=SECOND))
    with Store(tmp_path) as store:
        await store.plan(PLANNED, 1)
        assert store.second("b") == SECOND
        await store.set_second("b", Authority("judge-2", "another"))
        assert store.second("b") == Authority("judge-2", "another")
        assert store.scorer("b") == Authority("rule-1")
    assert part(tmp_path)[1].second is None, "the other judge has not been asked"


async def test_whether_a_judge_is_the_owners_goes_with_the_judge(tmp_path: Path) -> None:
    await stored(tmp_path, replace(PLANNED, judged_by="gpt (official prompt)", judge_official=True))
    assert part(tmp_path)[0].judge_official
    with Store(tmp_path) as store:
        assert store.scorer("b") == Authority("rule-1", "gpt (official prompt)", official=True)
        await store.set_scorer("b", Authority("judge-1", "gpt (toleap prompt)"))
    found, row = part(tmp_path)
    assert (found.judged_by, found.judge_official) == ("gpt (toleap prompt)", False)
    assert row.verdict == replace(JUDGED, raw=None)


async def test_a_run_made_before_there_were_reports_is_read_and_goes_on(tmp_path: Path) -> None:
    await stored(tmp_path, PLANNED)
    with contextlib.closing(sqlite3.connect(tmp_path / "run.db")) as database:
        database.execute("DROP TABLE reports")
        database.commit()
    found, row = part(tmp_path)
    assert (found.measures, found.second_by, found.judge_official) == ((), "", False)
    assert (row.verdict, row.second) == (replace(RULE, raw=None), None)
    with Store(tmp_path) as store:
        assert store.second("b") is None
        assert store.scorer("b") == Authority("rule-1")
        await store.set_second("b", SECOND)
    assert part(tmp_path)[1].second == replace(JUDGED, raw=None)
