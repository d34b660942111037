"""Pages about people, and the pages that only lead elsewhere: lists and disambiguations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .model import Person, Ref, World, slug
from .page import Page, bullets, infobox, page, section

LIST_LENGTH = 40
"""Entries on one list page: a page must stay short enough to be read whole."""


def people_pages(world: World) -> Iterator[Page]:
    """One page for each person, with what he or she did."""
    deeds = _deeds(world)
    for person in world.people:
        yield _person(world, person, deeds.get(person, []))


def leading_pages(world: World) -> Iterator[Page]:
    """Lists of everything, then a disambiguation page for each name that several things share."""
    yield from _lists(world)
    yield from _disambiguations(world)


def _deeds(world: World) -> dict[Person, list[str]]:
    deeds: dict[Person, list[str]] = {}
    for mayor in world.mayors:
        deeds.setdefault(mayor.former, []).append(f"sometime mayor of {mayor.town.page.link}")
        deeds.setdefault(mayor.current, []).append(f"sworn in as mayor of {mayor.town.page.link} in {mayor.since}")
    for company in world.companies:
        deeds.setdefault(company.founder, []).append(f"founder of the {company.page.link}")
    for ship in world.ships:
        deeds.setdefault(ship.captain, []).append(f"first captain of the {ship.page.link}")
    for museum in world.museums:
        deeds.setdefault(museum.architect, []).append(f"architect of the {museum.page.link}")
    for painting in world.paintings:
        deeds.setdefault(painting.painter, []).append(f"painter of {painting.page.link}")
    for treaty in world.treaties:
        deeds.setdefault(treaty.mediator, []).append(f"mediator of the {treaty.page.link}")
    return deeds


def _person(world: World, person: Person, deeds: list[str]) -> Page:
    article = "an" if person.profession[0] in "aeiou" else "a"
    born = f"born in {person.born} in {person.birthplace.page.link} on {person.birthplace.island.name}"
    ended = f", who died in {person.died}" if person.died is not None else ""
    return page(
        person.page,
        infobox(("Profession", person.profession), ("Born", person.born), ("Died", person.died)),
        f"{person.name} is {article} {person.profession} of the {world.name}, {born}{ended}.".replace(
            " is ", " was " if person.died is not None else " is ", 1
        ),
        section("Known as", bullets(deeds)),
    )


def _lists(world: World) -> Iterator[Page]:
    kinds: list[tuple[str, list[Ref]]] = [
        ("islands", [island.page for island in world.islands]),
        ("towns", [town.page for town in world.towns]),
        ("ships", [ship.page for ship in world.ships]),
        ("ferry companies", [company.page for company in world.companies]),
        ("museums", [museum.page for museum in world.museums]),
        ("paintings", [painting.page for painting in world.paintings]),
        ("treaties", [treaty.page for treaty in world.treaties]),
        ("lighthouses", [light.page for light in world.lighthouses]),
    ]
    professions = sorted({person.profession for person in world.people})
    for profession in professions:
        kinds.append((f"{profession}s", [who.page for who in world.people if who.profession == profession]))
    index = []
    for kind, refs in kinds:
        for made in _list(world, kind, refs):
            index.append(f"[{made.title}]({made.url})")
            yield made
    home = world.ref("encyclopedia", "wiki/Main_page", f"Encyclopedia of the {world.name}")
    yield page(home, f"Articles about the {world.name}, in lists.", bullets(index))


def _list(world: World, kind: str, refs: Sequence[Ref]) -> Iterator[Page]:
    ordered = sorted(refs, key=lambda ref: ref.title)
    for part, start in enumerate(range(0, len(ordered), LIST_LENGTH), start=1):
        title = f"List of {kind}, part {part}" if len(ordered) > LIST_LENGTH else f"List of {kind}"
        ref = world.ref("encyclopedia", f"wiki/{slug(title)}", title)
        some = ordered[start : start + LIST_LENGTH]
        yield page(ref, f"The {kind} of the {world.name}.", bullets(one.link for one in some))


def _disambiguations(world: World) -> Iterator[Page]:
    meanings: dict[str, list[str]] = {}
    for town in world.towns:
        meanings.setdefault(town.name, []).append(f"{town.page.link}, a town on {town.island.name}")
    for ship in world.ships:
        meanings.setdefault(ship.name, []).append(f"{ship.page.link}, a {ship.kind}")
    for person in world.people:
        meanings.setdefault(person.name, []).append(f"{person.page.link}, {person.profession}, born in {person.born}")
    for light in world.lighthouses:
        meanings.setdefault(light.name, []).append(f"{light.page.link}, a lighthouse on {light.island.name}")
    for name, lines in meanings.items():
        if len(lines) > 1:
            ref = world.ref("encyclopedia", f"wiki/{slug(name)}", name)
            yield page(ref, f"{name} may refer to:", bullets(lines))
