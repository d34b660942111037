"""The scripted policies of atoll, played against the real search ranking and plain stand-ins for the other tools."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import openpyxl
import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toleap.chat.dialects import Reading, dialect_for
from toleap.data.corpus import Corpus, open_corpus
from toleap.data.prompt import render
from toleap.folders import shipped_root
from toleap.scoring.gaia import is_correct
from toleap.types import ToolResult

FOLDER = shipped_root() / "benchmarks" / "atoll"
NAME = "toleap_benchmark_atoll"
Row = dict[str, str]
TOOLS = [
    {"type": "function", "function": {"name": name}} for name in ("search", "fetch_url", "read_file", "execute_code")
]


@pytest.fixture(scope="module")
def source() -> Iterator[ModuleType]:
    """The source, loaded as the loader does; its neighbours leave with it."""
    spec = importlib.util.spec_from_file_location(
        NAME, FOLDER / "source.py", submodule_search_locations=[str(FOLDER)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    yield module
    for known in [key for key in sys.modules if key == NAME or key.startswith(f"{NAME}.")]:
        del sys.modules[known]


@pytest.fixture(scope="module")
def policies(source: ModuleType) -> ModuleType:
    return importlib.import_module(f"{NAME}.policies")


class Tools:
    """The four tools over one built folder; ``results`` is how many hits a query gives."""

    def __init__(self, folder: Path, corpus: Corpus, results: int) -> None:
        self.folder = folder
        self.corpus = corpus
        self.results = results
        self.broken: dict[str, str] = {}

    def run(self, call: dict[str, Any]) -> str:
        return self.answer(call["function"]["name"], json.loads(call["function"]["arguments"]))

    def answer(self, name: str, arguments: dict[str, Any]) -> str:
        made: dict[str, Callable[..., str]] = {
            "search": self.search,
            "fetch_url": self.fetch_url,
            "read_file": self.read_file,
            "execute_code": self.execute_code,
        }
        return self.broken.get(name) or made[name](**arguments)

    def search(self, query: list[str]) -> str:
        lines = []
        for text in query:
            lines.append(f"Results for: {text}")
            for number, hit in enumerate(self.corpus.search(text, self.results), start=1):
                lines.append(f"{number}. [{hit.title}]({hit.url})\nSource: {hit.url}\n{hit.snippet}")
        return "\n".join(lines)

    def fetch_url(self, url: list[str], purpose: str) -> str:
        assert purpose
        found = ((one, self.corpus.page(one)) for one in url)
        return "\n---\n".join(
            f"URL: {one}\nError: no such page" if page is None else f"URL: {one}\nTitle: {page.title}\n{page.text}"
            for one, page in found
        )

    def read_file(self, uri: str, purpose: str) -> str:
        assert purpose
        path = self.folder / "files" / uri
        if path.suffix == ".csv":
            return path.read_text("utf-8")
        if path.suffix == ".xlsx":
            return _workbook(path)
        pages = pypdf.PdfReader(path).pages
        return "\n".join(f"## Page {number}\n{page.extract_text()}" for number, page in enumerate(pages, start=1))

    def execute_code(self, code: str) -> str:
        """In this process where the code is one of the oracle's sums, which the small alphabet guarantees."""
        assert set(code) <= set("printsumabsf0123456789+-*/.,:()[]{}' ") and code.startswith("print(")
        out: list[str] = []
        exec(code, {"__builtins__": {"print": lambda text: out.append(str(text)), "sum": sum, "abs": abs}})
        return "\n".join(out) + "\n"


def _workbook(path: Path) -> str:
    book = openpyxl.load_workbook(path, data_only=True)
    parts = []
    for sheet in book.worksheets:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(sheet.iter_rows(values_only=True))
        parts.append(f"## Sheet: {sheet.title}\n{out.getvalue()}")
    return "\n".join(parts)


def opening(row: Row) -> list[dict[str, Any]]:
    """The messages that a run begins with."""
    path = FOLDER / "prompt.jinja"
    files = [row["file_name"]] if row["file_name"] else []
    text = render(path.read_text("utf-8"), path, {"question": row["Question"], "files": files, "language": "en"})
    return [{"role": "system", "content": "You are a helper."}, {"role": "user", "content": text}]


def native(messages: list[dict[str, Any]], reply: dict[str, Any], texts: list[str]) -> None:
    messages.append(reply)
    for call, text in zip(reply["tool_calls"], texts, strict=True):
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})


def play(policy: Any, row: Row, tools: Tools) -> tuple[str | None, int]:
    """The final answer (None where there are no answer tags) and the number of turns."""
    messages = opening(row)
    for turn in range(1, 21):
        reply = policy.reply(json.loads(json.dumps(messages)), TOOLS)
        if not reply["tool_calls"]:
            return _answer(reply["content"]), turn
        native(messages, reply, [tools.run(call) for call in reply["tool_calls"]])
    raise AssertionError(f"no answer after 20 turns: {row['Question']}")


def _answer(text: str) -> str | None:
    _, opened, rest = text.rpartition("<answer>")
    return rest.partition("</answer>")[0] if opened else None


@pytest.fixture(scope="module")
def built(source: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row], Corpus]:
    """300 validation tasks and their corpus, indexed."""
    folder = tmp_path_factory.mktemp("atoll")
    source.build({"tasks": 300}, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLEAP_HOME", str(tmp_path_factory.mktemp("home")))
        corpus = open_corpus(folder / "corpus.jsonl")
    return folder, _rows(folder), corpus


def _rows(folder: Path) -> list[Row]:
    return [json.loads(line) for line in (folder / "tasks.jsonl").read_text("utf-8").splitlines()]


def _wrong(policy: Any, rows: list[Row], tools: Tools) -> list[tuple[str, str, str | None]]:
    played = [(row, play(policy, row, tools)[0]) for row in rows]
    return [
        (row["Question"], row["Final answer"], got) for row, got in played if not is_correct(got, row["Final answer"])
    ]


@pytest.mark.parametrize("results", [1, 3, 10])
def test_oracle_solves_three_hundred(built: Any, policies: ModuleType, results: int) -> None:
    folder, rows, corpus = built
    assert _wrong(policies.POLICIES["oracle"](), rows, Tools(folder, corpus, results)) == []


def test_oracle_plays_where_tools_and_results_are_text(built: Any, policies: ModuleType) -> None:
    folder, rows, corpus = built
    tools = Tools(folder, corpus, 10)
    dialect = dialect_for("hermes")
    for row in rows[:12]:
        messages = opening(row)
        messages[0]["content"] = dialect.system("You are a helper.", TOOLS)
        while calls := (reading := _hermes_turn(policies, messages)).calls:
            texts = [tools.answer(call.name, dict(call.arguments)) for call in calls]
            messages.append(reading.sent)
            results = [ToolResult.of(text) for text in texts]
            messages += [dialect.hand_back(*pair) for pair in zip(calls, results, strict=True)]
        assert is_correct(_answer(reading.text), row["Final answer"]), row["Question"]


def _hermes_turn(policies: ModuleType, messages: list[dict[str, Any]]) -> Reading:
    reply = policies.POLICIES["oracle"]().reply(messages, [])
    assert reply["tool_calls"] == []
    return dialect_for("hermes").read(reply, keep_thoughts=True, turn=len(messages))


@pytest.mark.parametrize("options", [{"split": "train", "seed": 11}, {"split": "test", "seed": -3}])
def test_oracle_solves_other_worlds(
    source: ModuleType, policies: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    (tmp_path / "built").mkdir()
    source.build({**options, "tasks": 138}, tmp_path / "built")
    rows = _rows(tmp_path / "built")
    tools = Tools(tmp_path / "built", open_corpus(tmp_path / "built" / "corpus.jsonl"), 10)
    assert _wrong(policies.POLICIES["oracle"](), rows, tools) == []


def test_oracle_needs_several_turns_where_there_are_several_hops(built: Any, policies: ModuleType) -> None:
    folder, rows, corpus = built
    tools = Tools(folder, corpus, 10)
    turns = [play(policies.POLICIES["oracle"](), row, tools)[1] for row in rows[:30]]
    assert min(turns) >= 3 and max(turns) <= 9


@pytest.mark.parametrize("tool", ["search", "fetch_url", "read_file", "execute_code"])
def test_oracle_says_so_when_a_tool_fails(built: Any, policies: ModuleType, tool: str) -> None:
    folder, rows, corpus = built
    tools = Tools(folder, corpus, 10)
    tools.broken[tool] = "Error: the tool is not available"
    row = next(row for row in rows if row["template"] == "catch_value")
    messages = opening(row)
    oracle = policies.POLICIES["oracle"]()
    while (reply := oracle.reply(messages, TOOLS))["tool_calls"]:
        native(messages, reply, [tools.run(call) for call in reply["tool_calls"]])
    assert reply["content"].startswith("I could not determine the answer")


MARKS = st.sampled_from(
    (
        "URL: https://x.example/a",
        "\n",
        "1. [A](https://x.example/a)",
        ", ",
        "Status: in force",
        "## Towns",
        "| a | b |",
        "\x00",
        "\r",
        '"',
        "date,boat,harbour,good,kilograms",
        "## Sheet: 2022",
        "may refer to:",
        "0",
    )
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 45), texts=st.lists(st.lists(MARKS | st.text(max_size=20)).map("".join), max_size=12))
def test_oracle_never_breaks_down_over_strange_results(
    built: Any, policies: ModuleType, place: int, texts: list[str]
) -> None:
    _, rows, _ = built
    messages = opening(rows[place])
    oracle = policies.POLICIES["oracle"]()
    waiting = list(texts)
    while (reply := oracle.reply(messages, TOOLS))["tool_calls"]:
        if not waiting:
            return
        native(messages, reply, [waiting.pop() if waiting else "" for _ in reply["tool_calls"]])
    assert "could not determine" in reply["content"] or "<answer>" in reply["content"]


def test_oracle_answers_when_an_answer_is_demanded(built: Any, policies: ModuleType) -> None:
    folder, rows, corpus = built
    tools = Tools(folder, corpus, 10)
    messages = opening(rows[1])
    oracle = policies.POLICIES["oracle"]()
    reply = oracle.reply(messages, TOOLS)
    assert "could not determine" in oracle.reply(messages, [])["content"]
    native(messages, reply, [tools.run(call) for call in reply["tool_calls"]])
    messages.append({"role": "user", "content": "Give your final answer now."})
    assert oracle.reply(messages, TOOLS)["tool_calls"] == []


def test_oracle_does_not_know_other_questions(policies: ModuleType) -> None:
    reply = policies.POLICIES["oracle"]().reply([{"role": "user", "content": "What is 2 + 2?"}], TOOLS)
    assert reply["tool_calls"] == [] and "could not determine" in reply["content"]


def test_oracle_is_a_pure_function_of_the_messages(built: Any, policies: ModuleType) -> None:
    _, rows, _ = built
    for row in rows[:12]:
        first, second = (policies.POLICIES["oracle"]().reply(opening(row), TOOLS) for _ in range(2))
        assert first == second and first["tool_calls"]


def test_a_real_interpreter_agrees_with_the_stand_in(built: Any, policies: ModuleType) -> None:
    folder, rows, corpus = built
    tools = Tools(folder, corpus, 10)
    codes: list[str] = []

    def spied(code: str) -> str:
        codes.append(code)
        return Tools.execute_code(tools, code)

    tools.execute_code = spied  # type: ignore[method-assign]
    for row in [row for row in rows if row["Level"] == "3"][:14]:
        play(policies.POLICIES["oracle"](), row, tools)
    for code in codes[:7]:
        done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == Tools.execute_code(tools, code)


def test_guesser_stays_under_ten_percent(built: Any, policies: ModuleType) -> None:
    folder, rows, corpus = built
    guesser = policies.POLICIES["guesser"]()
    tools = Tools(folder, corpus, 10)
    got = [play(guesser, row, tools) for row in rows]
    assert all(turns == 1 and answer for answer, turns in got)
    right = sum(is_correct(answer, row["Final answer"]) for (answer, _), row in zip(got, rows, strict=True))
    assert right < 30
