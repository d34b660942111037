"""What a request comes to, before anything starts: benchmarks, tasks, pages, model and settings."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from toleap.benchmark import load_benchmark
from toleap.config import PRESETS, fingerprint
from toleap.errors import UsageError
from toleap.runs import models
from toleap.runs.models import RESEARCH_MODEL
from toleap.runs.plan import Plan, Request, identity, make_plan, revision, run_name, with_model

TASKS = [{"task_id": str(n), "Question": f"What is {n}?", "Final answer": str(n)} for n in range(5)]
PAGES = [{"url": f"https://pages.test/{n}", "title": f"Page {n}", "text": f"It is {n}."} for n in range(3)]
SCRIPTED = {"model": "scripted:turns:turns.json"}


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a benchmark without pages, one with its own, one that waits for data, and a policy."""
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TOLEAP_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    for name, toml in (
        ("bare", ""),
        ("paged", '[web]\ncorpus = "pages.jsonl"\n'),
        ("absent", '[data]\nsource = "hub:owner/absent"\n'),
    ):
        folder = tmp_path / "benchmarks" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.jsonl").write_text(lines(TASKS))
        if toml:
            (folder / "benchmark.toml").write_text(toml)
    (tmp_path / "benchmarks" / "paged" / "pages.jsonl").write_text(lines(PAGES))
    (tmp_path / "pages.jsonl").write_text(lines(PAGES))
    (tmp_path / "turns.json").write_text('[{"role": "assistant", "content": "5"}]')
    return tmp_path


def plan(*names: str, layer: dict[str, Any] | None = None, **more: Any) -> Plan:
    return make_plan(Request(names=names, layer={**SCRIPTED, **(layer or {})}, **more), lambda _line: None)


def number(made: Plan) -> str:
    return fingerprint(identity(made, []))


def test_the_defaults_of_a_plan() -> None:
    made = plan("paged")
    assert (made.k, made.attempts, made.named, made.skipped) == (8, 40, None, ())
    (item,) = made.benchmarks
    assert list(item.tasks) == ["0", "1", "2", "3", "4"]
    assert item.corpus == str(Path.cwd() / "benchmarks" / "paged" / "pages.jsonl")
    assert made.results == Path("results")


def test_a_plan_writes_no_results(workplace: Path) -> None:
    before = sorted(path for path in workplace.rglob("*") if (workplace / "home") not in path.parents)
    plan("paged")
    after = sorted(path for path in workplace.rglob("*") if (workplace / "home") not in path.parents)
    assert [path for path in after if path not in before] == [workplace / "home"]


def test_limit_k_and_names_given_twice() -> None:
    made = plan("paged", "bare", "paged", k=3, limit=2, layer={"web": "corpus:pages.jsonl"})
    assert [(item.benchmark.name, len(item.tasks)) for item in made.benchmarks] == [("paged", 2), ("bare", 2)]
    assert made.attempts == 12
    assert plan("paged", limit=99).attempts == 40


@pytest.mark.parametrize("wrong", [{"k": 0}, {"k": -1}, {"limit": 0}])
def test_extents_begin_at_one(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="give a number from 1 up"):
        plan("paged", **wrong)


def test_one_preset_brings_its_k_and_its_settings_and_flags_win() -> None:
    made = plan("paged", preset="agentcpm")
    expected = {key: value for key, value in PRESETS["agentcpm"].items() if key not in {"k", "agent.context"}}
    flat = made.config.flat()
    assert made.k == PRESETS["agentcpm"]["k"]
    assert {key: flat[key] for key in expected} == expected
    stronger = plan("paged", preset="agentcpm", k=2, layer={"agent.max_turns": 3})
    assert (stronger.k, stronger.config.agent.max_turns) == (2, 3)


def test_a_preset_never_asks_for_more_context_than_the_model_has() -> None:
    own = plan("paged").config.agent.context
    assert plan("paged", preset="agentcpm").config.agent.context == min(own, 131_072)
    assert plan("paged", preset="agentcpm", layer={"agent.context": 4_096}).config.agent.context == 4_096


def test_the_order_of_layers_is_profile_preset_file_flags(workplace: Path) -> None:
    (workplace / "run.toml").write_text("[agent]\nmax_turns = 11\nnoop_limit = 5\n[sampling]\ntemperature = 0.25\n")
    made = plan("paged", preset="agentcpm", file=Path("run.toml"), layer={"agent.noop_limit": 6})
    agent = made.config.agent
    assert (agent.max_turns, agent.noop_limit, made.config.sampling.temperature) == (11, 6, 0.25)
    assert made.config.sampling.max_tokens == PRESETS["agentcpm"]["sampling.max_tokens"]


def test_all_takes_what_is_ready_and_says_why_the_others_are_not() -> None:
    made = make_plan(Request(everything=True, layer={**SCRIPTED, "benchmark.atoll.tasks": 6}), lambda _line: None)
    chosen = [item.benchmark.name for item in made.benchmarks]
    skipped = {item.name: item for item in made.skipped}
    assert "paged" in chosen and "atoll" in chosen
    assert {"bare", "absent"} <= set(skipped) and not set(skipped) & set(chosen)
    assert skipped["absent"].command.startswith("toleap data ") and "absent" in skipped["absent"].reason
    assert skipped["bare"].command == "toleap run bare --web corpus:PATH"


def test_all_leaves_out_a_benchmark_whose_file_is_broken(workplace: Path) -> None:
    (workplace / "benchmarks" / "paged" / "paged.jsonl").write_text('{"Question": "and?"}\n')
    made = make_plan(Request(everything=True, layer={**SCRIPTED, "benchmark.atoll.tasks": 6}), lambda _line: None)
    (broken,) = [item for item in made.skipped if item.name == "paged"]
    assert "paged.jsonl" in broken.reason and broken.command == "toleap data status paged"
    assert "atoll" in [item.benchmark.name for item in made.benchmarks]


def test_all_with_pages_takes_what_has_none_of_its_own() -> None:
    layer = {**SCRIPTED, "benchmark.atoll.tasks": 6, "web": "corpus:pages.jsonl"}
    made = make_plan(Request(everything=True, layer=layer), lambda _line: None)
    assert {"bare", "paged"} <= {item.benchmark.name for item in made.benchmarks}
    corpora = {item.benchmark.name: item.corpus for item in made.benchmarks}
    assert corpora["bare"] == str(Path.cwd() / "pages.jsonl")
    assert corpora["atoll"] != corpora["bare"], "its tasks can be answered from its own pages only"


def test_names_and_all_exclude_each_other_and_one_is_needed() -> None:
    for request in (Request(), Request(names=("paged",), everything=True)):
        with pytest.raises(UsageError, match="--all"):
            make_plan(request, lambda _line: None)


def test_without_pages_a_benchmark_is_refused_with_the_choices() -> None:
    with pytest.raises(UsageError, match=r"bare has no pages of its own .*corpus:PATH.*atoll"):
        plan("bare")


def test_without_data_a_benchmark_is_refused_with_the_command() -> None:
    with pytest.raises(UsageError, match=r"absent.*toleap data "):
        plan("absent", layer={"web": "corpus:pages.jsonl"})


@pytest.mark.parametrize(
    "source", ["pages.jsonl", "corpus:", "corpse:pages.jsonl", "corpus:nowhere", "corpus:benchmarks"]
)
def test_a_web_source_that_is_none(source: str) -> None:
    with pytest.raises(UsageError, match="--web"):
        plan("bare", layer={"web": source})


def test_everything_else_is_checked_before_a_corpus_is_indexed(workplace: Path) -> None:
    (workplace / "benchmarks" / "bare" / "bare.jsonl").write_text("{")
    with pytest.raises(UsageError, match=r"bare\.jsonl"):
        plan("bare", layer={"web": "corpus:pages.jsonl"})
    assert not list((workplace / "home").glob("corpora/*"))


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were to be served; none is, since that would take a model."""
    asked: list[str] = []

    def resolve(name: str, *, log: Any) -> Any:
        asked.append(name)
        raise UsageError(f"cannot serve {name}")

    monkeypatch.setattr(models, "resolve_model", resolve)
    return asked


@pytest.mark.parametrize(
    ("names", "model"),
    [
        (("atoll",), "smollm2-135m"),
        (("paged",), RESEARCH_MODEL),
        (("atoll", "paged"), RESEARCH_MODEL),
        (("paged", "bare"), RESEARCH_MODEL),
    ],
)
def test_the_default_model_is_the_one_that_every_benchmark_names(
    resolved: list[str], names: tuple[str, ...], model: str
) -> None:
    layer = {"web": "corpus:pages.jsonl"} if "bare" in names else {}
    if "atoll" in names:
        layer["benchmark.atoll.tasks"] = 6  # type: ignore[assignment]
    with pytest.raises(UsageError, match="cannot serve"):
        make_plan(Request(names=names, layer=layer), lambda _line: None)
    assert resolved == [model]


def test_a_model_that_is_named_wins_over_the_default(resolved: list[str], workplace: Path) -> None:
    (workplace / "run.toml").write_text('model = "filed"\n')
    for layer, expected in (({"model": "flagged"}, "flagged"), ({}, "filed")):
        with pytest.raises(UsageError, match="cannot serve"):
            make_plan(Request(names=("paged",), file=Path("run.toml"), layer=layer), lambda _line: None)
        assert resolved.pop() == expected


def test_a_policy_is_checked_and_a_policy_file_counts_by_its_content(workplace: Path) -> None:
    first = plan("paged")
    assert (first.model.label, first.model.policy) == ("scripted:turns:turns.json", "turns:turns.json")
    (workplace / "turns.json").write_text('[{"role": "assistant", "content": "6"}]')
    assert number(plan("paged")) != number(first)
    (workplace / "turns.json").write_text("[]")
    with pytest.raises(UsageError, match=r"turns\.json"):
        plan("paged")


async def served(listed: Any) -> TestServer:
    async def answer(_request: web.Request) -> web.Response:
        return listed if isinstance(listed, web.Response) else web.json_response(listed)

    app = web.Application()
    app.router.add_get("/v1/models", answer)
    server = TestServer(app)
    await server.start_server()
    return server


@pytest.mark.parametrize(
    ("listed", "named", "label"),
    [
        ({"data": [{"id": "only"}]}, None, "only"),
        ({"data": [{"id": "a"}, {"id": "b"}]}, "b", "b"),
        ({"data": [{"id": "a"}, {"id": "b"}]}, None, "has several models: give --model one of a, b"),
        ({"data": [{"id": "a"}]}, "b", "has no model 'b': give --model one of a"),
        ({"data": []}, None, "give --model"),
        ({"error": "no"}, "a", "no ChatCompletions server answers"),
        ([], "a", "no ChatCompletions server answers"),
        (web.Response(status=404), "a", "a"),
        (web.Response(status=401), "a", "HTTP 401"),
        (web.Response(body=b"\xff{"), "a", "no ChatCompletions server answers"),
    ],
)
async def test_the_model_of_a_running_server(listed: Any, named: str | None, label: str) -> None:
    server = await served(listed)
    layer: dict[str, Any] = {"operation.base_url": str(server.make_url("/v1"))}
    if named:
        layer["model"] = named
    try:
        made = await asyncio.to_thread(make_plan, Request(names=("paged",), layer=layer), lambda _line: None)
    except UsageError as error:
        assert label in str(error) and "\n" not in str(error)
    else:
        assert (made.model.label, made.config.model, made.model.digest) == (label, label, "unverified")
    finally:
        await server.close()


async def test_a_server_that_speaks_no_http_is_refused() -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        with pytest.raises(UsageError, match="no ChatCompletions server answers at"):
            await asyncio.to_thread(plan, "paged", layer={"operation.base_url": url})


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    server = await served({"data": [{"id": "only"}]})
    layer = {"operation.base_url": str(server.make_url("/v1"))}
    made = await asyncio.to_thread(make_plan, Request(names=("paged",), layer=layer), lambda _line: None)
    assert made.model.label == "only"
    await server.close()


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://127.0.0.1/v1", "file:///etc/passwd", "http://[", "", "http://"]
)
def test_a_base_url_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match=r"base-url|no ChatCompletions server") as caught:
        plan("paged", layer={"operation.base_url": url})
    assert "\n" not in str(caught.value)


def test_what_can_change_a_number_is_in_the_fingerprint_and_nothing_else_is() -> None:
    first = number(plan("paged"))
    assert number(plan("paged", k=3, limit=1, run="mine", results=Path("elsewhere"))) == first
    assert number(plan("paged", layer={"operation.max_in_flight": 1, "operation.patience": 1})) == first
    for key, value in {"agent.max_turns": 3, "sampling.seed": 1, "dock.results": 3, "dock.tools": ["search"]}.items():
        assert number(plan("paged", layer={key: value})) != first, key
    assert fingerprint(identity(plan("paged"), [{"name": "search"}])) != first


def test_where_a_corpus_lies_does_not_count_and_what_it_holds_does(workplace: Path) -> None:
    (workplace / "copy.jsonl").write_text(lines(PAGES))
    (workplace / "other.jsonl").write_text(lines(PAGES[:2]))
    first, copy, other = (plan("bare", layer={"web": f"corpus:{name}.jsonl"}) for name in ("pages", "copy", "other"))
    assert number(first) == number(copy) == number(other)
    revisions = [revision(made.benchmarks[0]) for made in (first, copy, other)]
    assert revisions[0] == revisions[1] != revisions[2]


def test_the_runs_name_is_the_models_and_the_fingerprint_or_the_users() -> None:
    made = plan("paged")
    assert run_name(made, "12345678") == "scripted-turns-turns.json-12345678"
    assert run_name(plan("paged", run="my-run_1.a"), "12345678") == "my-run_1.a"
    odd = replace(made, model=replace(made.model, label="../../x y"))
    assert run_name(odd, "12345678") == "x-y-12345678"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a b", "-a", "a\n", "a\0b", "ä", ".hidden"])
def test_a_name_that_could_leave_the_results_folder_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--run") as caught:
        plan("paged", run=name)
    assert "\n" not in str(caught.value)


def test_a_reference_is_the_same_request_for_one_benchmark_on_a_server_of_its_own(workplace: Path) -> None:
    (workplace / "run.toml").write_text('model = "filed"\n[operation]\nbase_url = "http://127.0.0.1:9/v1"\n')
    asked = Request(names=("paged", "bare"), k=2, limit=3, run="mine", file=Path("run.toml"),
                    layer={"model": "m", "operation.base_url": "http://127.0.0.1:9/v1"})  # fmt: skip
    made = make_plan(with_model(asked, SCRIPTED["model"], load_benchmark("paged")), lambda _line: None)
    assert (made.model.policy, made.model.base_url, made.named) == ("turns:turns.json", None, None)
    assert [item.benchmark.name for item in made.benchmarks] == ["paged"]
    assert (made.k, made.attempts) == (2, 6)


def test_pages_that_no_benchmark_would_use_are_refused() -> None:
    with pytest.raises(UsageError, match="for none of paged"):
        plan("paged", layer={"web": "corpus:pages.jsonl"})


def test_the_most_tokens_is_bounded_by_turns_context_and_total() -> None:
    few = plan("paged", limit=1, k=1, layer={"agent.max_turns": 1, "sampling.max_tokens": 10})
    assert few.most_tokens == 20
    total = plan("paged", limit=1, k=4, layer={"agent.max_total_tokens": 100, "sampling.max_tokens": 10})
    assert total.most_tokens == 4 * 120
    assert plan("paged", k=4).most_tokens == 2 * plan("paged", k=2).most_tokens


def test_options_of_a_benchmark_that_is_not_there_are_a_mistake() -> None:
    with pytest.raises(UsageError, match="unknown benchmark 'pagde': did you mean paged"):
        plan("paged", layer={"benchmark.pagde.tasks": 3})


def test_a_model_without_sight_is_not_measured_on_pictures(workplace: Path) -> None:
    folder = workplace / "benchmarks" / "seen"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    task = {"task_id": "1", "Question": "What is shown?", "Final answer": "a cat", "file_name": "a.png"}
    (folder / "seen.jsonl").write_text(json.dumps(task) + "\n")
    (folder / "benchmark.toml").write_text('text_only = "bare"\n')
    pages = {"web": "corpus:pages.jsonl"}
    with pytest.raises(UsageError, match=r"seen: it has pictures.*toleap run bare"):
        plan("seen", layer=pages)
    assert plan("seen", layer={**pages, "agent.pictures": "ignore"}).attempts == 8
    layer = {**SCRIPTED, "benchmark.atoll.tasks": 6, **pages}
    made = make_plan(Request(everything=True, layer=layer), lambda _line: None)
    skipped = {item.name: item for item in made.skipped}
    assert "pictures" in skipped["seen"].reason and "toleap run bare" in skipped["seen"].command
    assert "bare" in {item.benchmark.name for item in made.benchmarks}
