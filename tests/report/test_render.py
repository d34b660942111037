"""What a reader sees: never a bare headline, never a stranger's markup."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.report.builders import benchmark, run
from toleap.report import cells
from toleap.report.export import export
from toleap.report.published import Published
from toleap.report.render import to_json, to_markdown, to_rich
from toleap.report.tables import build_table
from toleap.report.values import Table

HOSTILE = "[bold red]x[/] | `a` <b>y</b> \x1b[31m\x07\u202egnp\n# t \ud800 **z** [l](javascript:1)"


def terminal(table: Table, width: int = 100, published: list[Published] | None = None) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False, color_system=None)
    console.print(to_rich(table, published or []))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def counts(shown: str) -> list[int]:
    """The first row's planned, scored, unscored and owed: the last columns of the first table."""
    lines = shown.splitlines()
    rule = next(n for n, line in enumerate(lines) if line.startswith("─"))
    assert lines[rule - 1].split()[-4:] == ["planned", "scored", "unscored", "owed"]
    return [int(cell) for cell in lines[rule + 1].split()[-4:]]


def test_a_complete_row() -> None:
    table = build_table([run(benchmark("1111", "1101", "0100", "0000", "1010"))])
    for shown in (terminal(table), to_markdown(table)):
        assert "50.0 ± 17.7" in shown
        assert "66.7" in shown
        assert "incomplete" not in shown
    assert counts(terminal(table)) == [20, 20, 0, 0]
    assert "| 20 | 20 | 0 | 0 |" in to_markdown(table)


@pytest.mark.parametrize("missing", ["report", "wrong"])
def test_an_incomplete_row_never_shows_a_bare_headline(missing: str) -> None:
    table = build_table([run(benchmark("11uo", "0000"))], missing=missing)  # type: ignore[arg-type]
    headline = "50.0 ± 50.0" if missing == "report" else "25.0 ± 25.0"
    line = next(line for line in to_markdown(table).splitlines() if headline in line)
    assert f"{headline} [25.0, 50.0] incomplete" in line
    assert ("missing as wrong" in line) is (missing == "wrong")
    shown = terminal(table)
    assert all(part in shown for part in (headline, "[25.0, 50.0]", "incomplete"))
    assert counts(shown) == [8, 6, 1, 1]
    assert "b · run-a: 1 unscored: judge failed → the answers are kept" in shown
    assert "run the command again that planned them, with --k 4 or more" in shown


def test_undefined_values_are_dashes() -> None:
    table = build_table([run(benchmark("1o"))])
    assert "100.0 ± – [50.0, 100.0] incomplete" in to_markdown(table)
    assert "nan" not in (terminal(table) + to_markdown(table) + to_json(table)).lower()
    assert cells.percent(float("nan")) == cells.percent(None) == cells.number(None) == "–"


def test_a_row_with_nothing_scored_has_bounds_only() -> None:
    assert "– [0.0, 100.0] incomplete" in to_markdown(build_table([run(benchmark("oo"))]))
    assert "nothing planned" in terminal(build_table([run(benchmark())]))
    assert "no results" in terminal(build_table([]))
    assert to_markdown(build_table([])) == "no results\n"


def test_a_part_of_a_benchmark_is_shown_as_one() -> None:
    table = build_table([run(benchmark("1", "0", tasks_total=60))])
    assert "2 of 60" in terminal(table)
    assert "| 2 of 60 |" in to_markdown(table)


def test_two_runs_of_one_model_are_told_apart() -> None:
    shown = to_markdown(build_table([run(benchmark("1")), run(benchmark("0"), name="run-b")]))
    assert "tiny · run-a" in shown
    assert "tiny · run-b" in shown
    assert "run-a" not in to_markdown(build_table([run(benchmark("1"))]))


def test_flags_stand_on_the_row() -> None:
    runs = [run(benchmark("1")), run(benchmark("0"), name="run-b", settings={"agent.max_turns": 1})]
    table = build_table([*runs, run(benchmark("1"), name="o", model="oracle", scripted=True)])
    shown = terminal(table)
    assert "settings differ" in shown
    assert "scripted" in shown
    line = next(line for line in to_markdown(table).splitlines() if "tiny · run-b" in line)
    assert "*settings differ*" in line


@pytest.mark.parametrize("k", [1, 8, 64])
def test_the_terminal_table_fits_a_hundred_columns(k: int) -> None:
    part = benchmark(*["10u1" * (k // 4) or "1"] * 20, tasks_total=1266, breakdown=("level",))
    shown = terminal(build_table([run(part, model="openbmb/AgentCPM-Explore"), run(part, name="run-b")]))
    assert max(map(len, shown.splitlines())) <= 100
    assert f"pass@{k}" in shown
    assert counts(shown) == ([20, 20, 0, 0] if k == 1 else [20 * k, 15 * k, 5 * k, 0])


def test_a_hostile_name_is_shown_and_does_nothing() -> None:
    part = benchmark("1u", title=HOSTILE, metadata={"t0": {"level": HOSTILE}}, breakdown=("level",))
    late = replace(part.rows[1], ended=None, verdicts=(), fault=HOSTILE)
    table = build_table([run(replace(part, rows=(part.rows[0], late)), name=HOSTILE, model=HOSTILE)])
    shown = terminal(table, width=400)
    assert "[bold red]x[/]" in shown, "markup is text"
    markdown = to_markdown(table)
    for output in (shown, markdown):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e\ud800]", output)
    assert "<b>" not in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in rows}
    assert columns == {10, 8}, "the score table's and the behaviour table's"
    assert json.loads(to_json(table))["rows"][0]["model"] == HOSTILE


@given(st.text(st.characters(exclude_categories=())))
def test_cleaned_text_is_one_visible_line(raw: str) -> None:
    shown = cells.clean(raw, 50)
    assert len(shown) <= 50
    assert len(shown.splitlines()) <= 1
    assert shown.isprintable() or "\N{IDEOGRAPHIC SPACE}" in shown
    shown.encode("utf-8")


@given(st.text(st.sampled_from("|`*_[]<>\\&a \n")) | st.text(st.characters(exclude_categories=())))
def test_escaped_text_opens_no_cell_and_no_tag(raw: str) -> None:
    escaped = cells.markdown(raw)
    plain = re.sub(r"\\(.)", "", escaped)
    assert not set(plain) & set("|`*_[]<>\\")


def test_json_says_what_the_table_says() -> None:
    table = build_table([run(benchmark("1u", "00", breakdown=("level",)))])
    found = json.loads(to_json(table))
    assert found == json.loads(json.dumps(table.to_dict()))
    assert (found["complete"], found["missing"]) == (False, "report")
    assert found["rows"][0]["counts"] == {
        "planned": 4, "scored": 3, "unscored": 1, "owed": 0, "quarantined": 0, "complete": False,
    }  # fmt: skip
    assert found["rows"][0]["group"] is None
    assert found["rows"][1]["group"] == {"column": "level", "value": "–"}


def test_published_numbers_stand_apart() -> None:
    table = build_table([run(benchmark("1"))])
    rows = [Published("g", "Other | model", "b", 0.639, "a paper"), Published("g", "Else", "c", 0.1, "p")]
    shown, markdown = terminal(table, published=rows), to_markdown(table, rows)
    assert "published elsewhere" in shown
    assert "63.9" in shown
    assert "| **Other \\| model** | 63.9 | a paper |" in markdown
    assert "Else" not in shown + markdown


def test_export_writes_both_files(tmp_path: Path) -> None:
    table = build_table([run(benchmark("1"), model=HOSTILE)])
    markdown, data = export(table, tmp_path / "run")
    assert markdown.read_text(encoding="utf-8") == to_markdown(table)
    assert json.loads(data.read_text(encoding="utf-8")) == table.to_dict()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["table.json", "table.md"]
