"""Measures and second verdicts through the command: in a run, later, again by another judge, and without any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import NO_CODE, Done, Program, Server, database_in, query, row_of
from toleap.store.reading import read_state
from toleap.store.state import verdicts_of

ANSWER = "It is the town.\n<answer>Ostby town</answer>\nConfidence: 80%"
TASKS = [{"task_id": f"t{n}", "Question": f"Where is {n}?", "Final answer": "Ostby"} for n in range(2)]
AGREES = "reasoning: the same place.\ncorrect: yes\nconfidence: 80%\nverdict: correct"
DENIES = "reasoning: another place.\ncorrect: no\nconfidence: 80%\nverdict: incorrect"
SURE = '[score]\nby = "judge"\nrubric = "browsecomp"\njudge_sees = "response"\n[report]\nmeasures = {}\n'
TWICE = '[score]\nby = "exact"\nalso = "judge"\nrubric = "general"\n'
MEASURES = '["calibration_rms", "calibration_rms_all_bins", "calibration_ece_5", "attempted"]'


@pytest.fixture
def both(program: Program) -> Program:
    """The program with two benchmarks: one judged, with measures; one scored by a rule, and also judged."""
    for name, toml in (("sure", SURE.format(MEASURES)), ("twice", TWICE)):
        folder = program.folder / "benchmarks" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(task) + "\n" for task in TASKS))
        (folder / "benchmark.toml").write_text(toml)
    (program.folder / "pages.jsonl").write_text('{"url": "https://a.test/", "title": "A", "text": "b"}\n')
    (program.folder / "model.json").write_text(json.dumps([{"role": "assistant", "content": ANSWER}]))
    return program


def judge(folder: Path, says: str) -> Server:
    policy = folder / "judge.json"
    policy.write_text(json.dumps([{"role": "assistant", "content": says}]))
    return Server(folder / "judge.log", f"turns:{policy}")


def asks(server: Server) -> list[str]:
    return ["--judge-model", "scripted", "--judge-url", server.url]


def run(program: Program, *names: str, judged: tuple[str, ...] | list[str] = ()) -> Done:
    model = ("--model", "scripted:turns:model.json")
    return program(
        "run", *names, "--k", "2", "--run", "r", "--web", "corpus:pages.jsonl", *model, *NO_CODE, "--json", *judged
    )


def shown(done: Done, name: str) -> tuple[float | None, float | None, int | None]:
    """A row's headline, its second headline and how many verdicts that rests on."""
    row: dict[str, Any] = row_of(done.json, name)
    second = row["beside"][0] if row["beside"] else {"average": None, "scored": None}
    return row["average"], second["average"], second["scored"]


def test_a_run_with_measures_and_a_second_verdict(both: Program, tmp_path: Path) -> None:
    with judge(tmp_path, AGREES) as server:
        done = run(both, "sure", "twice", judged=asks(server))
        assert done.code == 0, done.said
        assert server.stats()["requests"] == 8
        again = run(both, "sure", "twice", judged=asks(server))
        assert (again.code, server.stats()["requests"]) == (0, 8), "every verdict is asked for once"
    assert shown(done, "sure") == (1.0, None, None)
    assert shown(done, "twice") == (0.0, 1.0, 4)
    measures = {item["name"]: item for item in row_of(done.json, "sure")["measures"]}
    assert {name: item["value"] and round(item["value"], 9) for name, item in measures.items()} == {
        "calibration_rms": None,
        "calibration_rms_all_bins": 0.2,
        "calibration_ece_5": 0.2,
        "accuracy_given_attempted": 1.0,
        "f1": 1.0,
    }
    assert {item["verdicts"] for item in measures.values()} == {4}
    table = both.here("table", "r", "--format", "md", "--published").out
    assert "| RMS calibration error, official | – | 4: it needs 100 verdicts with a confidence |" in table
    assert "| 0.0 ± 0.0 | 100.0 ± 0.0 4 scored |" in table
    assert table == both.here("table", "r", "--format", "md").out, "nothing was published for these"


VERDICTS = "SELECT task, attempt, seal FROM record WHERE kind = 'verdict'"


def test_without_a_judge_nothing_changes_and_the_second_verdict_comes_later(both: Program, tmp_path: Path) -> None:
    done = run(both, "twice")
    assert done.code == 0, "no judge is needed"
    assert shown(done, "twice") == (0.0, None, None)
    rule = query(database_in(both.folder), VERDICTS)
    with judge(tmp_path, AGREES) as server:
        scored = both("score", "r", "--json", *asks(server))
    assert scored.code == 0, scored.said
    assert shown(scored, "twice") == (0.0, 1.0, 4)
    assert "scripted (toleap prompt) was asked about 4 attempts" in scored.err
    assert shown(run(both, "twice"), "twice") == (0.0, 1.0, 4), "the same command without a judge keeps them"
    assert set(rule) < set(query(database_in(both.folder), VERDICTS))
    (pair,) = both.here("score", "r", "--agreement", "--json").json
    assert (pair["both"], pair["raw"]) == (4, 0.0)


def test_a_second_judge_that_fails_leaves_the_headline_alone(both: Program, tmp_path: Path) -> None:
    with judge(tmp_path, "I would rather not say.") as server:
        done = run(both, "twice", judged=asks(server))
    assert done.code == 0, done.said
    assert shown(done, "twice") == (0.0, None, 0)
    assert row_of(done.json, "twice")["counts"]["unscored"] == 0
    assert any("without a second verdict" in note["text"] for note in done.json["notes"])
    with judge(tmp_path, AGREES) as server:
        assert shown(run(both, "twice", judged=asks(server)), "twice") == (0.0, 1.0, 4)


def test_a_judge_that_repeats_the_gold_answer_does_not_bring_it_into_tables(both: Program, tmp_path: Path) -> None:
    with judge(tmp_path, "correct: maybe, the gold answer is Ostby\nconfidence: Ostby") as server:
        done = run(both, "sure", "twice", judged=asks(server))
    assert (done.code, row_of(done.json, "sure")["counts"]["unscored"]) == (1, 4), done.said
    shown = [
        done.out,
        done.err,
        both.here("table", "r", "--format", "md").out,
        both.here("score", "r", "--agreement").out,
    ]
    shown += [(both.folder / "results" / "r" / name).read_text() for name in ("table.md", "table.json", "run.toml")]
    assert not [text for text in shown if "Ostby" in text]


def test_another_second_judge_is_asked_only_when_told(both: Program, tmp_path: Path) -> None:
    with judge(tmp_path, AGREES) as server:
        run(both, "twice", judged=asks(server))
    with judge(tmp_path, DENIES) as server:
        other = ["score", "r", "--json", *asks(server), "--set", "judge.seed=7"]
        refused = both(*other)
        assert (refused.code, "--again" in refused.err, server.stats()["requests"]) == (2, True, 0)
        again = both(*other, "--again")
    assert shown(again, "twice") == (0.0, 0.0, 4)
    state = read_state(database_in(both.folder).parent)
    given = [len(verdicts) for verdicts in verdicts_of(state, "twice").values()]
    assert given == [4, 4, 4], "all three sets are kept"


def test_a_setting_of_the_second_verdict_does_not_make_it_another_benchmark(both: Program) -> None:
    toml = both.folder / "benchmarks" / "twice" / "benchmark.toml"
    toml.write_text('[score]\nby = "exact"\n')
    revision = row_of(run(both, "twice").json, "twice")["revision"]
    toml.write_text(TWICE)
    assert row_of(run(both, "twice").json, "twice")["revision"] == revision


def test_scoring_again_gives_an_earlier_run_the_measures_that_its_benchmark_names_now(
    both: Program, tmp_path: Path
) -> None:
    toml = both.folder / "benchmarks" / "sure" / "benchmark.toml"
    toml.write_text(SURE.format("[]"))
    with judge(tmp_path, AGREES) as server:
        assert row_of(run(both, "sure", judged=asks(server)).json, "sure")["measures"] == []
        toml.write_text(SURE.format('["calibration_ece_5"]'))
        assert row_of(both.here("table", "r", "--json").json, "sure")["measures"] == []
        scored = both("score", "r", "--json", *asks(server))
        assert (scored.code, server.stats()["requests"]) == (0, 4), "made of the verdicts there are"
        (figure,) = row_of(scored.json, "sure")["measures"]
        assert (figure["name"], round(figure["value"], 9), figure["verdicts"]) == ("calibration_ece_5", 0.2, 4)
        assert row_of(both.here("table", "r", "--json").json, "sure")["measures"] == [figure]
        toml.write_text(SURE.format('["calibration_rsm"]'))
        refused = both.here("score", "r", *asks(server))
    assert (refused.code, "unknown measure 'calibration_rsm'" in refused.err) == (2, True)


def test_a_measure_that_is_none_is_refused_before_anything_starts(both: Program) -> None:
    (both.folder / "benchmarks" / "sure" / "benchmark.toml").write_text(SURE.format('["calibration_rsm"]'))
    done = both.here("run", "sure", "--model", "scripted:turns:model.json", "--web", "corpus:pages.jsonl")
    assert done.code == 2
    assert "benchmark.toml: report.measures: unknown measure 'calibration_rsm'" in done.err
    assert "did you mean 'calibration_rms'?" in done.err
    assert not (both.folder / "results").exists()


def test_our_prompt_is_marked_beside_published_numbers(both: Program, tmp_path: Path) -> None:
    (both.folder / "benchmarks" / "sure").rename(both.folder / "benchmarks" / "frames")
    (both.folder / "benchmarks" / "frames" / "sure.jsonl").rename(
        both.folder / "benchmarks" / "frames" / "frames.jsonl"
    )
    with judge(tmp_path, AGREES) as server:
        assert run(both, "frames", judged=asks(server)).code == 0
    mark = "published numbers used the owner's judge; this row was judged by scripted (toleap prompt)"
    assert mark in " ".join(both.here("table", "r", "--published").out.split())
    assert "published numbers" not in both.here("table", "r").out
