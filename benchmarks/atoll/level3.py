"""Level 3: several hops with a calculation, or with an attachment. Answers are exact; rounding ties are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from .attachments import Sheet, csv_bytes, pdf_bytes, xlsx_bytes
from .drafts import Draft, File, Stream, draft
from .hashed import Draw
from .model import (
    CENSUS_YEARS,
    EXPORTS,
    FISH,
    GOODS,
    MARKET_YEARS,
    TICKETS,
    Market,
    Museum,
    Town,
    World,
    hundredths,
    tenths,
)
from .page import MONTHS, listed


def catch_value(world: World, draw: Draw) -> Iterator[Draft]:
    """CSV: what was landed of one good in one harbour, times its price on that town's market."""
    while True:
        market = draw.pick([market for market in world.markets if world.town_name_is_unique(market.town)])
        good, year = draw.pick(FISH), draw.below(len(MARKET_YEARS))
        rows = _landings(world, market, good, draw)
        kilograms = sum(int(row[4]) for row in rows if row[2] == market.town.name and row[3] == good)
        price = market.prices[year][GOODS.index(good)]
        fields = {
            "good": good,
            "year": MARKET_YEARS[year],
            "town": market.town.name,
            "island": market.town.island.name,
        }
        head = ("date", "boat", "harbour", "good", "kilograms")
        file = File("landings", "csv", partial(csv_bytes, [head, *rows]))
        yield draft(fields, hundredths(kilograms * price), file)


def _landings(world: World, market: Market, good: str, draw: Draw) -> list[tuple[str, ...]]:
    others = [town.name for town in world.towns if town.name != market.town.name]
    harbours = [market.town.name, *draw.sample(others, 2)]
    wanted = [(market.town.name, good)] * draw.between(3, 6)
    rest = [(draw.pick(harbours), draw.pick(FISH)) for _ in range(draw.between(14, 22))]
    month, rows = draw.between(4, 9), []
    for harbour, caught in draw.shuffled(wanted + rest):
        day, boat = draw.between(1, 30), f"boat {draw.between(11, 98)}"
        rows.append((f"2024-{month:02d}-{day:02d}", boat, harbour, caught, str(draw.between(12, 940))))
    return sorted(rows)


def trip_cost(world: World, draw: Draw) -> Iterator[Draft]:
    """Fares there and back and one visit to a museum, for a party."""
    adult, child = TICKETS.index("adult"), TICKETS.index("child")
    while True:
        route = draw.pick(world.routes)
        near = [museum for museum in world.museums if museum.town.island is route.end.island]
        adults, children = draw.between(2, 7), draw.between(2, 9)
        if not near:
            continue
        museum = draw.pick(near)
        each_adult = 2 * route.fares[0] + museum.prices[adult]
        each_child = 2 * route.fares[1] + museum.prices[child]
        fields = {
            "adults": adults,
            "children": children,
            "company": route.company.name,
            "start": route.start.name,
            "end": route.end.name,
            "museum": museum.name,
        }
        yield draft(fields, hundredths(adults * each_adult + children * each_child))


def visitor_income(world: World, draw: Draw) -> Iterator[Draft]:
    """XLSX: the most visited museum of a year, its visitors times its admission."""
    years = (2022, 2023)
    while True:
        museums = draw.sample(world.museums, 5)
        visitors = {year: [[draw.between(210, 9400) for _ in range(4)] for _ in museums] for year in years}
        year, ticket = draw.pick(years), draw.below(len(TICKETS) - 1)
        totals = [sum(quarters) for quarters in visitors[year]]
        if totals.count(max(totals)) > 1:
            continue
        best = museums[totals.index(max(totals))]
        head = ["Museum", "Q1", "Q2", "Q3", "Q4"]
        sheets: list[Sheet] = [(str(one), [head, *_lines(museums, visitors[one])]) for one in years]
        file = File("visitors", "xlsx", partial(xlsx_bytes, sheets))
        answer = hundredths(max(totals) * best.prices[ticket])
        yield draft({"town": draw.pick(world.towns).name, "year": year, "ticket": TICKETS[ticket]}, answer, file)


def _lines(museums: Sequence[Museum], visitors: Sequence[Sequence[int]]) -> list[list[str | int]]:
    return [[museum.name, *row] for museum, row in zip(museums, visitors, strict=True)]


def island_density(world: World, draw: Draw) -> Iterator[Draft]:
    """Inhabitants of an island's towns for each square kilometre."""
    pairs = [(island, at) for island in world.islands for at in range(len(CENSUS_YEARS))]
    for island, at in draw.shuffled(pairs):
        people = sum(town.census[at] for town in world.towns_of(island))
        answer = _to_one_decimal(people * 10, island.area)
        if answer is not None:
            yield draft({"year": CENSUS_YEARS[at], "island": island.name}, answer)


def unloaded(world: World, draw: Draw) -> Iterator[Draft]:
    """PDF: tonnes unloaded in the harbours of a logbook that are deep enough."""
    while True:
        towns = draw.sample(world.towns, 5)
        depth = draw.between(60, 140)
        calls = [(draw.pick(towns), draw.between(8, 96)) for _ in range(9)]
        total = sum(tonnes for town, tonnes in calls if town.depth >= depth)
        if total in (0, sum(tonnes for _, tonnes in calls)):
            continue
        ship = draw.pick(world.ships)
        lines = _logbook(ship.name, calls, draw)
        file = File("logbook", "pdf", partial(pdf_bytes, lines))
        yield draft({"ship": ship.name, "depth": tenths(depth)}, total, file)


def _logbook(ship: str, calls: Sequence[tuple[Town, int]], draw: Draw) -> list[str]:
    month = draw.below(len(MONTHS))
    days = sorted(draw.sample(range(1, 29), len(calls)))
    lines = [f"Logbook of the {ship}, {MONTHS[month]} 2023", "Calls in order. Tonnes are metric.", ""]
    for day, (town, tonnes) in zip(days, calls, strict=True):
        goods, water = draw.pick(EXPORTS), draw.between(2, 19)
        lines.append(f"{day} {MONTHS[month]}: {town.name} ({town.island.name}): unloaded {tonnes} t of {goods},")
        lines.append(f"took on {water} t of fresh water.")
    return lines


def growth_gap(world: World, draw: Draw) -> Iterator[Draft]:
    """How far the growth rates of two towns lie apart."""
    while True:
        first, second = draw.sample(world.towns, 2)
        start, end = sorted(draw.sample(range(len(CENSUS_YEARS)), 2))
        a, b = (first.census[start], first.census[end]), (second.census[start], second.census[end])
        above = abs(a[1] * b[0] - b[1] * a[0]) * 100
        answer = _to_one_decimal(above, a[0] * b[0])
        if first.name == second.name or answer is None:
            continue
        fields = {
            "first": first.name,
            "first_island": first.island.name,
            "second": second.name,
            "second_island": second.island.name,
            "start": str(CENSUS_YEARS[start]),
            "end": str(CENSUS_YEARS[end]),
        }
        towns = sorted((first.page.title, second.page.title))
        yield Draft("|".join([*towns, fields["start"], fields["end"]]), fields, answer)


def mediator_ages(world: World, draw: Draw) -> Iterator[Draft]:
    """The ages of three treaties' mediators, added up."""
    while True:
        treaties = draw.sample(world.treaties, 3)
        if len({treaty.mediator.name for treaty in treaties}) < len(treaties):
            continue
        ages = sum(treaty.year - treaty.mediator.born for treaty in treaties)
        key = "|".join(sorted(treaty.name for treaty in treaties))
        yield Draft(key, {"treaties": listed([f"the {treaty.name}" for treaty in treaties])}, str(ages))


def _to_one_decimal(above: int, below: int) -> str | None:
    """above / below rounded to one decimal; None where it lies so near a tie that rounding could be disputed."""
    thousandths = above * 1000 // below
    if 45 <= thousandths % 100 <= 54:
        return None
    return tenths((thousandths + 50) // 100)


STREAMS: dict[str, Stream] = {
    "catch_value": catch_value,
    "trip_cost": trip_cost,
    "visitor_income": visitor_income,
    "island_density": island_density,
    "unloaded": unloaded,
    "growth_gap": growth_gap,
    "mediator_ages": mediator_ages,
}
