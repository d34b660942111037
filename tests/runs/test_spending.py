"""What a run has cost: counted at the wire, stored with the turns, and held against its cap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.store.building import plan
from toleap.agent.auxiliary import Auxiliary, Wanted
from toleap.chat.client import Chat
from toleap.config import Operation, Reader
from toleap.errors import UsageError
from toleap.layers import build
from toleap.runs.spending import Cap, Meter, cap_of, parse_price
from toleap.store.store import Store
from toleap.types import Key, Task, Turn, Usage

KEY = Key("b", "t", 0)
TASK = Task("b", "t", "?", "!")
USAGES = st.builds(Usage, st.integers(1, 10**6), st.integers(0, 10**6))


def metered(model: Usage, auxiliary: Usage = Usage()) -> Meter:  # noqa: B008 - it is frozen
    return Meter({"model": model, "auxiliary": auxiliary})


@given(st.lists(st.tuples(st.sampled_from(["model", "auxiliary"]), USAGES, st.booleans())))
def test_what_is_taken_is_what_was_counted(replies: list[tuple[Any, Usage, bool]]) -> None:
    meter, taken = Meter(), Meter()
    counters = {role: meter.counter(role) for role in ("model", "auxiliary")}
    for role, usage, take in [*replies, ("model", Usage(), True)]:
        counters[role](usage)
        for saved, spent in meter.take().items() if take else ():
            taken.counter(saved)(spent)
    assert taken.spent == meter.spent and meter.take() == {}
    assert sum(usage.completion for usage in meter.spent.values()) == sum(usage.completion for _, usage, _ in replies)


@pytest.mark.parametrize(
    ("settings", "meter", "says"),
    [
        ({}, metered(Usage(10**9, 10**9)), None),
        ({"token_cap": 1_000}, metered(Usage(10**9, 999)), None),
        ({"token_cap": 1_000}, metered(Usage(5, 1_000)), "the cap of 1,000 tokens is reached (1,000 are written)"),
        ({"token_cap": 1_000}, metered(Usage(5, 400), Usage(5, 700)), "(1,100 are written); raise it (--token-cap)"),
        ({"cost_cap": 2.0, "price": [1.0, 4.0]}, metered(Usage(10**6, 249_999)), None),
        ({"cost_cap": 2.0, "price": [1.0, 4.0]}, metered(Usage(10**6, 250_000)), "the cap of 2.00 is reached"),
        ({"cost_cap": 2.0, "price": [1.0, 4.0, 0.1]}, metered(Usage(10**6, 250_000, 10**6)), None),
        ({"cost_cap": 2.0, "price": [1.0, 4.0]}, metered(Usage(10**6, 0), Usage(10**6, 0)), "it cost 2.00"),
        (
            {"cost_cap": 2.0, "price": [1.0, 4.0], "auxiliary_price": [0.0, 0.0]},
            metered(Usage(10**6, 0), Usage(10**7, 0)),
            None,
        ),
        ({"token_cap": 10, "cost_cap": 2.0, "price": [0.0, 0.0]}, metered(Usage(0, 10)), "10 tokens"),
    ],
)
def test_when_a_cap_is_reached(settings: dict[str, Any], meter: Meter, says: str | None) -> None:
    reason = cap_of(Operation(**settings)).reached(meter)
    assert (reason is None) == (says is None)
    assert says is None or says in str(reason)


def test_a_server_that_counts_nothing_cannot_be_capped() -> None:
    meter = Meter()
    meter.counter("model")(Usage())
    assert "counts no tokens" in str(Cap(tokens=10**9).reached(meter))
    assert Cap().reached(meter) is None


def test_a_cap_is_shown_with_what_lies_beyond_it() -> None:
    cap = cap_of(Operation(token_cap=5_000, cost_cap=3, price=(2, 4)))
    assert cap.shown(metered(Usage(250_000, 1_000))) == "1,000 of 5,000 tokens · cost 0.504 of 3.00"
    assert cap.most_beyond(Usage(10**6, 1_000), 3) == "3,000 tokens or 6.01"
    assert Cap().shown(Meter()) == ""


@pytest.mark.parametrize("text", ["", "a", "1,b", "0.15;0.6"])
def test_prices_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="PROMPT,WRITTEN"):
        parse_price(text)
    assert parse_price("0.15, 0.60,0.07") == [0.15, 0.6, 0.07]


@pytest.mark.parametrize("price", [[1.0], [1.0, 2.0, 3.0, 4.0], [1.0, -2.0], "1,2"])
def test_prices_that_do_not_fit_are_named(price: Any) -> None:
    with pytest.raises(UsageError, match=r"operation\.price"):
        build([{"operation.price": price}])


def test_a_cap_on_the_cost_needs_prices() -> None:
    with pytest.raises(UsageError, match="--price"):
        cap_of(Operation(cost_cap=1))


async def test_every_reply_counts_once_and_an_answer_that_is_none_does_not(endpoint: Any) -> None:
    meter = Meter()
    server = await endpoint(web.Response(status=500), {"role": "assistant", "content": "yes"})
    async with Chat(server.url, "m", counted=meter.counter("model")) as chat:
        await chat.ask([b"{}"], {})
        await chat.ask([b"{}"], {})
    assert meter.spent == {"model": Usage(200, 20), "auxiliary": Usage()}


async def test_the_replies_of_an_auxiliary_model_count_also_where_they_are_no_use(endpoint: Any) -> None:
    meter = Meter()
    server = await endpoint({"role": "assistant", "content": "no use"})
    async with Chat(server.url, "m", counted=meter.counter("auxiliary")) as chat:
        asked = await Auxiliary([chat, chat], Reader()).ask(Wanted("read", "page", lambda _: None, 0))
    assert asked.text is None
    assert meter.spent == {"model": Usage(), "auxiliary": Usage(200, 20)}


async def test_what_is_stored_adds_up_over_starts(tmp_path: Path) -> None:
    for start in (1, 2):
        with Store(tmp_path) as store:
            await plan(store, [TASK], 1)
            await store.begin(KEY, ())
            await store.put_turn(KEY, Turn(0, {}, ()), {"model": Usage(10, 2, 4)})
            await store.spend({"auxiliary": Usage(1, 1)})
            assert store.spent() == {
                "model": Usage(10 * start, 2 * start, 4 * start), "auxiliary": Usage(start, start),
            }  # fmt: skip
