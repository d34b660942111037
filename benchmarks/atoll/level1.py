"""Level 1: one hop. Every stream is all the questions of its kind, shuffled."""

from __future__ import annotations

from collections.abc import Iterator

from .drafts import Draft, Stream, draft
from .hashed import Draw
from .model import CENSUS_YEARS, FARES, GOODS, MARKET_YEARS, TICKETS, World, hundredths, tenths


def town_census(world: World, draw: Draw) -> Iterator[Draft]:
    """Inhabitants of a town; provisional counts contradict the final ones of the last census."""
    pairs = [(town, at) for town in world.towns for at in range(len(CENSUS_YEARS))]
    for town, at in draw.shuffled(pairs):
        fields = {"year": CENSUS_YEARS[at], "town": town.name, "island": town.island.name}
        yield draft(fields, town.census[at])


def museum_price(world: World, draw: Draw) -> Iterator[Draft]:
    """Admission now in force; half of the museums also have a page of superseded prices."""
    pairs = [(museum, at) for museum in world.museums for at in range(len(TICKETS))]
    for museum, at in draw.shuffled(pairs):
        yield draft({"ticket": TICKETS[at], "museum": museum.name}, hundredths(museum.prices[at]))


def ship_figure(world: World, draw: Draw) -> Iterator[Draft]:
    """A ship's measure; some ships share their name with a town, some have an old register entry."""
    triples = []
    for ship in world.ships:
        triples.append((ship, "year of launch", str(ship.launched)))
        triples.append((ship, "present length in metres", tenths(ship.length)))
        triples.append((ship, "gross tonnage", str(ship.tonnage)))
        triples.append((ship, "present number of crew", str(ship.crew)))
    for ship, figure, answer in draw.shuffled(triples):
        yield draft({"figure": figure, "ship": ship.name}, answer)


def museum_architect(world: World, draw: Draw) -> Iterator[Draft]:
    """Who designed a museum: it stands only in the article's prose."""
    for museum in draw.shuffled(world.museums):
        yield draft({"museum": museum.name}, museum.architect.name)


def market_price(world: World, draw: Draw) -> Iterator[Draft]:
    """One cell of a market's table."""
    cells = [
        (market, year, good)
        for market in world.markets
        for year in range(len(MARKET_YEARS))
        for good in range(len(GOODS))
    ]
    for market, year, good in draw.shuffled(cells):
        town = market.town
        fields = {"good": GOODS[good], "year": MARKET_YEARS[year], "town": town.name, "island": town.island.name}
        yield draft(fields, hundredths(market.prices[year][good]))


def treaty_town(world: World, draw: Draw) -> Iterator[Draft]:
    """Where a treaty was signed."""
    for treaty in draw.shuffled(world.treaties):
        yield draft({"treaty": treaty.name}, treaty.town.name)


def fare(world: World, draw: Draw) -> Iterator[Draft]:
    """One cell of the timetable in force; an older timetable contradicts it."""
    pairs = [(route, at) for route in world.routes for at in range(len(FARES))]
    for route, at in draw.shuffled(pairs):
        names = {"company": route.company.name, "start": route.start.name, "end": route.end.name}
        yield draft({"fare": FARES[at], **names}, hundredths(route.fares[at]))


def lighthouse_height(world: World, draw: Draw) -> Iterator[Draft]:
    """The height by the survey in force; the lighthouse's own article gives the withdrawn one."""
    for light in draw.shuffled(world.lighthouses):
        yield draft({"light": light.name, "island": light.island.name}, tenths(light.height))


def birthplace(world: World, draw: Draw) -> Iterator[Draft]:
    """Where somebody was born; some share their name with somebody of another profession."""
    for person in draw.shuffled(world.people):
        yield draft({"profession": person.profession, "person": person.name}, person.birthplace.name)


STREAMS: dict[str, Stream] = {
    "town_census": town_census,
    "museum_price": museum_price,
    "ship_figure": ship_figure,
    "museum_architect": museum_architect,
    "market_price": market_price,
    "treaty_town": treaty_town,
    "fare": fare,
    "lighthouse_height": lighthouse_height,
    "birthplace": birthplace,
}
