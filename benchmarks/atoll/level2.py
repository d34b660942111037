"""Level 2: several hops with a comparison. Draws that leave the comparison open (a tie) are passed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from .drafts import Draft, Stream, draft
from .hashed import Draw
from .model import CENSUS_YEARS, Island, Painting, Person, Ship, World
from .page import listed

T = TypeVar("T")

SHIP_CRITERIA: dict[str, Callable[[Ship], int]] = {
    "was launched first": lambda ship: -ship.launched,
    "is the longest at present": lambda ship: ship.length,
    "has the largest crew": lambda ship: ship.crew,
    "has the highest gross tonnage": lambda ship: ship.tonnage,
}
ISLAND_CRITERIA: dict[str, Callable[[Island], int]] = {
    "has the largest area": lambda island: island.area,
    "has the smallest area": lambda island: -island.area,
    "has the highest peak": lambda island: island.peak_height,
    "was settled first": lambda island: -island.settled,
}
PAINTING_CRITERIA: dict[str, Callable[[Painting], int]] = {
    "widest": lambda painting: painting.width,
    "narrowest": lambda painting: -painting.width,
    "tallest": lambda painting: painting.height,
    "oldest": lambda painting: -painting.year,
}
PERSON_CRITERIA: dict[str, Callable[[Person], int]] = {
    "was born first": lambda person: -person.born,
    "was born last": lambda person: person.born,
}


def town_mayor(world: World, draw: Draw) -> Iterator[Draft]:
    """The mayor of an island's largest or smallest town; some articles are out of date."""
    mayors = {mayor.town: mayor.current for mayor in world.mayors}
    asked = [
        (island, at, extreme, sign)
        for island in world.islands
        for at in range(len(CENSUS_YEARS))
        for extreme, sign in (("largest", 1), ("smallest", -1))
    ]
    for island, at, extreme, sign in draw.shuffled(asked):
        towns = world.towns_of(island)
        best = _only_best(towns, [sign * town.census[at] for town in towns])
        if best is not None:
            yield draft({"island": island.name, "extreme": extreme, "year": CENSUS_YEARS[at]}, mayors[best].name)


def ship_captain(world: World, draw: Draw) -> Iterator[Draft]:
    """The first captain of the ship, of three, that goes beyond the others."""
    while True:
        ships = draw.sample(world.ships, 3)
        criterion = draw.pick(list(SHIP_CRITERIA))
        best = _only_best(ships, [SHIP_CRITERIA[criterion](ship) for ship in ships])
        if best is not None:
            yield _unordered({"criterion": criterion, "ships": _names(ships)}, ships, best.captain.name)


def treaty_island(world: World, draw: Draw) -> Iterator[Draft]:
    """One of the islands that signed a treaty."""
    pairs = [(treaty, criterion) for treaty in world.treaties for criterion in ISLAND_CRITERIA]
    for treaty, criterion in draw.shuffled(pairs):
        best = _only_best(treaty.islands, [ISLAND_CRITERIA[criterion](island) for island in treaty.islands])
        if best is not None:
            yield draft({"treaty": treaty.name, "criterion": criterion}, best.name)


def ships_in_order(world: World, draw: Draw) -> Iterator[Draft]:
    """Four ships in the order of their launch."""
    while True:
        ships = draw.sample(world.ships, 4)
        if len({ship.launched for ship in ships}) == len(ships):
            ordered = sorted(ships, key=lambda ship: ship.launched)
            answer = ", ".join(ship.name for ship in ordered)
            yield _unordered({"ships": _names(ships)}, ships, answer)


def painting_museum(world: World, draw: Draw) -> Iterator[Draft]:
    """Where a painter's widest (narrowest, tallest, oldest) painting hangs."""
    painters = [person for person in world.people if person.profession == "painter"]
    pairs = [(painter, criterion) for painter in painters for criterion in PAINTING_CRITERIA]
    for painter, criterion in draw.shuffled(pairs):
        works = [work for work in world.paintings if work.painter is painter]
        best = _only_best(works, [PAINTING_CRITERIA[criterion](work) for work in works])
        if best is not None:
            yield draft({"criterion": criterion, "painter": painter.name}, best.museum.name)


def company_ship(world: World, draw: Draw) -> Iterator[Draft]:
    """One ship of a company's fleet."""
    pairs = [(company, criterion) for company in world.companies for criterion in SHIP_CRITERIA]
    for company, criterion in draw.shuffled(pairs):
        fleet = [ship for ship in world.ships if ship.company is company]
        best = _only_best(fleet, [SHIP_CRITERIA[criterion](ship) for ship in fleet])
        if best is not None:
            yield draft({"company": company.name, "criterion": criterion}, best.name)


def museum_architects(world: World, draw: Draw) -> Iterator[Draft]:
    """The eldest or youngest of three museums' architects."""
    while True:
        museums = draw.sample(world.museums, 3)
        criterion = draw.pick(list(PERSON_CRITERIA))
        architects = [museum.architect for museum in museums]
        best = _only_best(architects, [PERSON_CRITERIA[criterion](one) for one in architects])
        if best is not None:
            names = listed([f"the {museum.name}" for museum in museums])
            key = "|".join([criterion, *sorted(museum.name for museum in museums)])
            yield Draft(key, {"museums": names, "criterion": criterion}, best.name)


def _only_best(items: Sequence[T], values: Sequence[int]) -> T | None:
    """The item with the highest value, None where two share it."""
    top = max(values)
    return items[values.index(top)] if values.count(top) == 1 else None


def _names(ships: Sequence[Ship]) -> str:
    return listed([ship.name for ship in ships])


def _unordered(fields: dict[str, str], ships: Sequence[Ship], answer: str) -> Draft:
    """A draft about a set of ships: naming them in another order asks the same."""
    key = "|".join([fields.get("criterion", ""), *sorted(ship.name for ship in ships)])
    return Draft(key, fields, answer)


STREAMS: dict[str, Stream] = {
    "town_mayor": town_mayor,
    "ship_captain": ship_captain,
    "treaty_island": treaty_island,
    "ships_in_order": ships_in_order,
    "painting_museum": painting_museum,
    "company_ship": company_ship,
    "museum_architects": museum_architects,
}
