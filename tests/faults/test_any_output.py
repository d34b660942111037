"""Whatever a model says, every attempt ends once or is owed for a failure that is ours, and its history re-parses.

Everything but the endpoint is real: the client, the loop in every dialect and under every policy, the dock and its
tools, the scheduler, the store, the scorer and the table. ``HYPOTHESIS_PROFILE=deep`` draws more than CI does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.agent.outputs import NEVER, UNCLEAR, Said, calling, scripts, written
from tests.agent.strict import Refused, check_request
from tests.cli.program import standing
from tests.store.building import plan
from toleap.agent.auxiliary import Auxiliary
from toleap.agent.loop import Player
from toleap.chat.client import Chat, Patience
from toleap.chat.dialects import dialect_for
from toleap.chat.dialects.json_values import MOST_CHARACTERS
from toleap.chat.signs import Watch
from toleap.config import Agent, Reader, Sampling
from toleap.dock.dock import Dock
from toleap.report.tables import build_table
from toleap.runs.evaluation import Evaluation
from toleap.runs.events import Events
from toleap.runs.plan import PlannedBenchmark
from toleap.runs.scheduler import Scheduler
from toleap.runs.spending import Meter
from toleap.runs.verdict_queue import VerdictQueue
from toleap.scoring.scorers import scorer_for
from toleap.store.reading import read_trajectories
from toleap.store.store import Store
from toleap.types import CallContext, Ending, RunResult, ScoredBy, Task, ToolCall, ToolResult, ToolSettings, Turn

DIALECTS = ("native", "hermes", "agentcpm", "mirothinker", "deepseek")
POLICIES = ("keep", "keep-n", "discard", "summarise")
FAULT_LIMIT = 3
EXAMPLES = {"ci": 150, "deep": 5_000}[os.environ.get("HYPOTHESIS_PROFILE", "ci")]
ANSWER = Said("said", {"role": "assistant", "content": "<answer>Oak</answer>"})
TASK = Task("bench", "t", "Who?", "Oak")


@dataclass(repr=False)
class World:
    """The endpoint, which follows a script for each attempt, and the dock with what it was asked to do."""

    url: str = ""
    dock: Any = None
    scripts: Sequence[Sequence[Said]] = ()
    helper: Sequence[Said] = ()
    refused: list[str] = field(default_factory=list)
    made: list[ToolCall] = field(default_factory=list)
    given: dict[int, list[Said]] = field(default_factory=dict)
    asked: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        try:
            body = check_request(await request.read())
        except Refused as error:
            self.refused.append(str(error))
            return web.Response(status=400, text="refused")
        said = self._next(body["model"], request.headers.get("X-Request-Id", ""))
        return web.Response(status=said.status, body=said.body(), content_type="application/json")

    def _next(self, model: str, name: str) -> Said:
        if not name:  # the client's own question whether the server works for others
            return ANSWER
        if model == "helper":
            self.asked += 1
            return self.helper[(self.asked - 1) % len(self.helper)] if self.helper else ANSWER
        attempt = int(name.split("-")[1])
        given = self.given.setdefault(attempt, [])
        script = self.scripts[attempt]
        given.append(script[len(given)] if len(given) < len(script) else ANSWER)
        return given[-1]

    async def call(self, call: ToolCall, context: CallContext) -> ToolResult:
        """The dock's ``call``, noted."""
        self.made.append(call)
        return await self.dock.call(call, context)  # type: ignore[no-any-return]

    def keeps_state(self, name: str) -> bool:
        return bool(self.dock.keeps_state(name))

    async def release(self, context: CallContext) -> None:
        await self.dock.release(context)


@dataclass(frozen=True)
class Played:
    """What is in the store when everything has been played."""

    result: RunResult
    faults: dict[int, tuple[int, str | None]]
    turns: dict[int, list[Turn]]
    halted: str | None


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@contextlib.asynccontextmanager
async def living(corpus: Path) -> AsyncIterator[World]:
    page = {"url": "https://oak.example/", "title": "Oak", "text": "Oak has a mayor. " * 40}
    corpus.write_text(json.dumps(page) + "\n")
    world = World()
    app = web.Application(client_max_size=2**30)
    app.router.add_post("/v1/chat/completions", world.handle)
    async with TestServer(app) as server, Dock(("search", "fetch_url", "read_file"), trust=False) as dock:
        world.url, world.dock = str(server.make_url("/v1")), dock
        yield world


@pytest.fixture(scope="module")
def world(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    corpus = tmp_path_factory.mktemp("web") / "pages.jsonl"
    made = living(corpus)
    yield runner.run(made.__aenter__()), str(corpus)
    runner.run(made.__aexit__(None, None, None))


async def play(world: World, corpus: str, dialect: str, agent: Agent, folder: Path) -> Played:
    """Play one attempt for every script of the world."""
    schemas, spoken = world.dock.schemas(), dialect_for(dialect)
    names = world.dock.names()
    scorer, meter = scorer_for("gaia"), Meter()
    counted = meter.counter("model")
    async with (
        Chat(world.url, "m", counted=counted, patience=Patience(0)) as chat,
        Chat(world.url, "helper", patience=Patience(0)) as helper,
    ):
        auxiliary = Auxiliary([helper], Reader(models=("helper",), context=2_048, max_tokens=512))
        tools = spoken.request_tools(schemas)
        player = Player(chat, spoken, Sampling(max_tokens=256), agent, tools, "now", auxiliary, names=names)
        with Store(folder) as store:
            await plan(store, [TASK], len(world.scripts), scorers=(ScoredBy(scorer.fingerprint),))
            verdicts = VerdictQueue(store)
            evaluation = Evaluation(
                run="r",
                benchmarks={"bench": PlannedBenchmark(Asked(), {"t": TASK}, (scorer,), corpus, "")},  # type: ignore[arg-type]
                player=player,
                dock=world,
                store=store,
                events=Events(),
                system=spoken.system("Find out.", schemas),
                policy=ToolSettings(results=3, page_chars=500),
                verdicts=verdicts,
                meter=meter,
                watch=Watch(print),
            )

            async def note(key: Any, reason: str, quarantine: bool) -> None:
                await store.fault(key, reason, quarantine=quarantine)

            scheduler = Scheduler(evaluation.play, note, 8, FAULT_LIMIT)
            await scheduler.run(store.owed(["bench"]))
            await verdicts.finish()
            return Played(store.result(), *stored(folder), scheduler.halted)


class Asked:
    """A benchmark as playing needs it."""

    def render_prompt(self, task: Task) -> str:
        return task.question


def stored(folder: Path) -> tuple[dict[int, tuple[int, str | None]], dict[int, list[Turn]]]:
    faults = {a: (n, why) for a, n, why in standing(folder / "run.db", "attempt", "faults", "fault")}
    turns: dict[int, list[Turn]] = {attempt: [] for attempt in faults}
    return faults, turns | {key.attempt: list(turns) for key, _, turns in read_trajectories(folder)}


def check(world: World, played: Played) -> None:
    """What holds whatever was said."""
    assert world.refused == []
    assert played.halted is None
    (part,) = played.result.benchmarks
    for row in part.rows:
        broken = [said for said in world.given.get(row.key.attempt, ()) if said.kind == "broken"]
        # A refusal, or a reply given up, may be a full context: that one is answered when less is sent.
        certain = sum(said.status not in {400, 422, 500} and b"abort" not in (said.raw or b"") for said in broken)
        faults, why = played.faults[row.key.attempt]
        assert not (why or "").startswith("our bug"), why
        if all(said.kind != "broken" for said in world.helper):
            assert certain <= faults <= len(broken), why
        assert (row.ending is None) == row.quarantined == (faults >= FAULT_LIMIT)
        assert (row.verdict is None) == (row.ending is None)
    whole = next(row for row in build_table([played.result]).rows if row.subject.group is None)
    counts = whole.counts
    assert counts.planned == len(part.rows) == counts.scored + counts.unscored + counts.owed
    turns = [turn for attempt in played.turns.values() for turn in attempt]
    wanted = [call for turn in turns for call in turn.calls[:32] if call.problem is None]
    assert sorted(map(repr, world.made)) == sorted(map(repr, wanted))
    assert not any(call.problem or NEVER in json.dumps(call.arguments) for call in world.made)


CASES = st.tuples(
    st.sampled_from(DIALECTS),
    st.builds(
        Agent,
        policy=st.sampled_from(POLICIES),
        context=st.sampled_from([3_000, 8_000, 131_072]),
        policy_at=st.sampled_from([0.2, 0.8]),
        keep_results=st.integers(0, 2),
        thoughts=st.sampled_from(["keep", "drop"]),
        max_turns=st.integers(1, 6),
        noop_limit=st.integers(1, 4),
        repetition_limit=st.integers(2, 3),
        forced_answer=st.booleans(),
    ),
    st.lists(scripts, min_size=1, max_size=3),
    scripts,
)


@pytest.mark.slow
@pytest.mark.timeout(0 if EXAMPLES > 1_000 else 300)
@settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES < 1_000,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=(Phase.generate, Phase.shrink),
)
@given(CASES)
def test_any_output_ends_every_attempt_once(
    runner: asyncio.Runner, world: tuple[World, str], case: tuple[str, Agent, list[list[Said]], list[Said]]
) -> None:
    there, corpus = world
    dialect, agent, there.scripts, there.helper = case
    there.refused, there.made, there.given, there.asked = [], [], {}, 0
    with tempfile.TemporaryDirectory() as folder:
        played = runner.run(asyncio.wait_for(play(there, corpus, dialect, agent, Path(folder) / "r"), 60))
    check(there, played)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_arguments_without_one_meaning_are_answered_and_never_used(
    runner: asyncio.Runner, world: tuple[World, str], tmp_path: Path, dialect: str
) -> None:
    there, corpus = world
    there.scripts, there.helper = [[calling(dialect, text) for text in UNCLEAR]], []
    there.refused, there.made, there.given, there.asked = [], [], {}, 0
    agent = Agent(noop_limit=99, repetition_limit=99)
    played = runner.run(asyncio.wait_for(play(there, corpus, dialect, agent, tmp_path / "r"), 60))
    check(there, played)
    assert there.made == []
    assert [len(turn.results) for turn in played.turns[0]] == [*[1] * len(UNCLEAR), 0]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("length", [9_900_000, 10_000_100])
def test_an_argument_of_ten_megabytes_ends_nothing_but_its_own_attempt(
    runner: asyncio.Runner, world: tuple[World, str], tmp_path: Path, dialect: str, length: int
) -> None:
    there, corpus = world
    text = json.dumps({"path": "x" * length})
    function = {"name": "read_file", "arguments": text}
    said: dict[str, Any] = {"role": "assistant", "content": written(dialect, "read_file", text)}
    if dialect == "native":
        said = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": function}]}
    there.scripts, there.helper = [[Said("said", said)], [ANSWER]], []
    there.refused, there.made, there.given, there.asked = [], [], {}, 0
    played = runner.run(asyncio.wait_for(play(there, corpus, dialect, Agent(), tmp_path / "r"), 60))
    check(there, played)
    assert [len(turns[0].results) for turns in played.turns.values()] == [1, 0]
    # What cannot be read goes back as a native call without its arguments, and in the text as it was written.
    kept = dialect != "native" or length < MOST_CHARACTERS
    first = Ending.CONTEXT_LIMIT if kept else Ending.ANSWERED
    assert [row.ending for row in played.result.benchmarks[0].rows] == [first, Ending.ANSWERED]
