"""Solvers for level 3: as in :mod:`solve`, with attachments read and sums left to ``execute_code``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from .reading import UnsureError, csv_rows, number, sheet
from .solve import Fields, admission, market, population, split, timetable, town, treaty
from .steps import Step, Wanted, compute, follow, look_up, open_file

_CALL = re.compile(r"(\w+) \((\w+)\): unloaded (\d+) t\b")


def catch_value(asked: Fields, file: str) -> Step[str]:
    """Sums the landings of one good in one harbour and multiplies by the market's price."""
    text = yield from open_file(file, "all landings")
    rows = [row for row in csv_rows(text) if (row["harbour"], row["good"]) == (asked["town"], asked["good"])]
    if not rows:
        raise UnsureError(f"the attached file lists no {asked['good']} landed at {asked['town']}")
    prices = yield from market(asked["town"], asked["island"])
    price = prices.row(Good=asked["good"])[f"June {asked['year']} (crowns per kg)"]
    kilograms = ", ".join(row["kilograms"] for row in rows)
    return (yield from compute(f"print(f'{{sum([{kilograms}]) * {_cents(price)} / 100:.2f}}')"))


def trip_cost(asked: Fields, file: str) -> Step[str]:  # noqa: ARG001
    """Two journeys and one admission for each traveller."""
    page = yield from timetable(asked["company"])
    route = page.row(From=asked["start"], To=asked["end"])
    prices = yield from admission(asked["museum"])
    terms = []
    for ticket, people in (("adult", asked["adults"]), ("child", asked["children"])):
        entry = _cents(prices.row(Ticket=ticket)["Price (crowns)"])
        terms.append(f"{people} * (2 * {_cents(route[ticket.capitalize()])} + {entry})")
    return (yield from compute(f"print(f'{{({' + '.join(terms)}) / 100:.2f}}')"))


def visitor_income(asked: Fields, file: str) -> Step[str]:
    """Finds the most visited museum in the workbook, then its price."""
    text = yield from open_file(file, "visitors by quarter")
    totals = {
        row["Museum"]: sum(int(row[quarter]) for quarter in ("Q1", "Q2", "Q3", "Q4"))
        for row in sheet(text, asked["year"])
    }
    most = max(totals, key=lambda name: totals[name])
    prices = yield from admission(most)
    price = _cents(prices.row(Ticket=asked["ticket"])["Price (crowns)"])
    return (yield from compute(f"print(f'{{{totals[most]} * {price} / 100:.2f}}')"))


def island_density(asked: Fields, file: str) -> Step[str]:  # noqa: ARG001
    """Sums the census over an island's towns and divides by its area."""
    (island,) = yield from look_up([Wanted(asked["island"], "island", "islands")], "area and towns")
    towns = yield from follow(island.section("Towns"), "population by census")
    people = ", ".join(population(page, asked["year"]) for page in towns)
    return (yield from compute(f"print(f'{{sum([{people}]) / {island.figure('Area')}:.1f}}')"))


def unloaded(asked: Fields, file: str) -> Step[str]:
    """Reads the logbook, then the depth of each harbour in it."""
    text = yield from open_file(file, "all calls and what was unloaded")
    calls = [(name, island, tonnes) for name, island, tonnes in _CALL.findall(text)]
    ports = list(dict.fromkeys((name, island) for name, island, _ in calls))
    if not ports:
        raise UnsureError("the logbook names no harbour")
    found = yield from look_up([town(name, island) for name, island in ports], "depth of the harbour")
    depths = {port: float(_depth(page.text)) for port, page in zip(ports, found, strict=True)}
    deep = [tonnes for name, island, tonnes in calls if depths[name, island] >= float(asked["depth"])]
    return (yield from compute(f"print(sum([{', '.join(deep)}]))"))


def growth_gap(asked: Fields, file: str) -> Step[str]:  # noqa: ARG001
    """Growth of two towns between two censuses."""
    wanted = [town(asked["first"], asked["first_island"]), town(asked["second"], asked["second_island"])]
    found = yield from look_up(wanted, "population by census")
    rates = [f"{population(page, asked['end'])} / {population(page, asked['start'])}" for page in found]
    return (yield from compute(f"print(f'{{abs({rates[0]} - {rates[1]}) * 100:.1f}}')"))


def mediator_ages(asked: Fields, file: str) -> Step[str]:  # noqa: ARG001
    """From the treaties to their mediators to their years of birth."""
    found = yield from look_up([treaty(name) for name in split(asked["treaties"])], "year and mediator")
    years = [page.value("Signed").split()[-1] for page in found]
    people = yield from follow([page.link_after("mediated by") for page in found], "years of birth")
    terms = [f"{year} - {page.figure('Born')}" for year, page in zip(years, people, strict=True)]
    return (yield from compute(f"print({' + '.join(terms)})"))


def _cents(price: str) -> int:
    """A price with two decimals as a whole number of hundredths, so that sums stay exact."""
    return int(price.replace(".", ""))


def _depth(text: str) -> str:
    found = re.search(r"[\d.]+ m deep", text)
    if found is None:
        raise UnsureError("the article gives no depth")
    return number(found[0])


SOLVERS: Mapping[str, Callable[[Fields, str], Step[str]]] = {
    "catch_value": catch_value,
    "trip_cost": trip_cost,
    "visitor_income": visitor_income,
    "island_density": island_density,
    "unloaded": unloaded,
    "growth_gap": growth_gap,
    "mediator_ages": mediator_ages,
}
