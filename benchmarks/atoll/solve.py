"""Solvers for levels 1 and 2: how a careful reader with search and pages alone answers each kind of question."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from .reading import Link, Page, UnsureError, number
from .steps import Step, Wanted, find_in_force, follow, in_force, look_up

Fields = Mapping[str, str]
Rank = tuple[str, int]
"""An infobox key, and 1 for the highest or -1 for the lowest."""

FIGURES = {
    "year of launch": "Launched",
    "present length in metres": "Length",
    "gross tonnage": "Gross tonnage",
    "present number of crew": "Crew",
}
SHIP_RANKS: Mapping[str, Rank] = {
    "was launched first": ("Launched", -1),
    "is the longest at present": ("Length", 1),
    "has the largest crew": ("Crew", 1),
    "has the highest gross tonnage": ("Gross tonnage", 1),
}
ISLAND_RANKS: Mapping[str, Rank] = {
    "has the largest area": ("Area", 1),
    "has the smallest area": ("Area", -1),
    "has the highest peak": ("Highest peak", 1),
    "was settled first": ("Settled", -1),
}
PAINTING_RANKS: Mapping[str, Rank] = {
    "widest": ("Width", 1),
    "narrowest": ("Width", -1),
    "tallest": ("Height", 1),
    "oldest": ("Year", -1),
}
PERSON_RANKS: Mapping[str, Rank] = {"was born first": ("Born", -1), "was born last": ("Born", 1)}


def town(name: str, island: str) -> Wanted:
    """A town to look up."""
    return Wanted(name, island, "towns")


def ship(name: str) -> Wanted:
    """A ship to look up."""
    return Wanted(name, "ship", "ships")


def museum(name: str) -> Wanted:
    """A museum to look up."""
    return Wanted(name, "museum", "museums")


def treaty(name: str) -> Wanted:
    """A treaty to look up."""
    return Wanted(name, "treaty", "treaties")


def split(names: str) -> list[str]:
    """The names of ``the A, the B and the C``."""
    return [name.removeprefix("the ") for name in re.split(r", | and ", names)]


def bare(title: str) -> str:
    """A title without what tells it from its namesakes."""
    return re.sub(r" \([^)]*\)\Z", "", title)


def best(items: Sequence[tuple[Link, Page]], rank: Rank) -> tuple[Link, Page]:
    """The item whose page has the highest (or lowest) figure."""
    key, sign = rank
    return max(items, key=lambda item: sign * float(item[1].figure(key)))


def population(page: Page, year: str) -> str:
    """A town's inhabitants by one census."""
    return number(page.row(Census=year)["Inhabitants"])


def admission(name: str) -> Step[Page]:
    """A museum's prices in force."""
    return (yield from find_in_force(f"Admission prices: {name}", "Admission prices", name, "prices now in force"))


def timetable(company: str) -> Step[Page]:
    """A ferry company's timetable in force."""
    title = f"Timetable of the {company}"
    return (yield from find_in_force(title, title, company, "fares now in force"))


def market(name: str, island: str) -> Step[Page]:
    """The prices on a town's market."""
    (page,) = yield from look_up([town(name, island)], "the town's market")
    leads = [link for link in page.links if link.title.startswith("Market prices")]
    if not leads:
        raise UnsureError(f"{name} has no market prices")
    (prices,) = yield from follow(leads[:1], "prices on the market")
    return prices


def town_census(asked: Fields) -> Step[str]:
    """The town's article holds the final results."""
    (page,) = yield from look_up([town(asked["town"], asked["island"])], "population by census")
    return population(page, asked["year"])


def museum_price(asked: Fields) -> Step[str]:
    """The price page in force, not the superseded one."""
    prices = yield from admission(asked["museum"])
    return prices.row(Ticket=asked["ticket"])["Price (crowns)"]


def ship_figure(asked: Fields) -> Step[str]:
    """The ship's article, not an old register."""
    (page,) = yield from look_up([ship(asked["ship"])], asked["figure"])
    return page.figure(FIGURES[asked["figure"]])


def museum_architect(asked: Fields) -> Step[str]:
    """The prose of the museum's article."""
    (page,) = yield from look_up([museum(asked["museum"])], "the architect")
    return bare(page.link_after("designed by").title)


def market_price(asked: Fields) -> Step[str]:
    """The market page of the town on the right island."""
    prices = yield from market(asked["town"], asked["island"])
    return prices.row(Good=asked["good"])[f"June {asked['year']} (crowns per kg)"]


def treaty_town(asked: Fields) -> Step[str]:
    """The prose of the treaty's article."""
    (page,) = yield from look_up([treaty(asked["treaty"])], "where it was signed")
    return bare(page.link_after("was signed at").title)


def fare(asked: Fields) -> Step[str]:
    """The timetable in force."""
    page = yield from timetable(asked["company"])
    return page.row(From=asked["start"], To=asked["end"])[asked["fare"].capitalize()]


def lighthouse_height(asked: Fields) -> Step[str]:
    """The newest survey, which the lighthouse's article leads to."""
    wanted = Wanted(asked["light"], asked["island"], "lighthouses")
    (page,) = yield from look_up([wanted], "the newest survey")
    surveys = [link for link in page.links if link.title.startswith("Lighthouse survey")]
    found = yield from follow(surveys, "heights in force")
    rows = [row for row in in_force(found).rows if bare(row["Lighthouse"]) == asked["light"]]
    if len(rows) != 1:
        raise UnsureError("the survey does not list the lighthouse once")
    return rows[0]["Height (m)"]


def birthplace(asked: Fields) -> Step[str]:
    """The person of the right profession."""
    wanted = Wanted(asked["person"], asked["profession"], f"{asked['profession']}s")
    (page,) = yield from look_up([wanted], "birthplace")
    return bare(page.link_after("born in").title)


def town_mayor(asked: Fields) -> Step[str]:
    """Compares the island's towns; a newspaper may know a newer mayor than the town's article."""
    (island,) = yield from look_up([Wanted(asked["island"], "island", "islands")], "the island's towns")
    leads = island.section("Towns")
    found = yield from follow(leads, "population and mayor")
    sign = 1 if asked["extreme"] == "largest" else -1
    page = max(found, key=lambda page: sign * int(population(page, asked["year"])))
    news = [link for link in page.links if link.title.startswith("New mayor sworn in")]
    if not news:
        return bare(page.value("Mayor").partition(" (since")[0])
    (article,) = yield from follow(news, "the new mayor")
    return bare(article.links[0].title)


def ship_captain(asked: Fields) -> Step[str]:
    """Compares the ships' articles."""
    names = split(asked["ships"])
    found = yield from look_up([ship(name) for name in names], "compare the ships")
    _, page = best(_paired(names, found), SHIP_RANKS[asked["criterion"]])
    return bare(page.link_after("first captain was").title)


def treaty_island(asked: Fields) -> Step[str]:
    """Compares the articles of the signatories."""
    (page,) = yield from look_up([treaty(asked["treaty"])], "the signatories")
    leads = page.section("Signatories")
    found = yield from follow(leads, "compare the islands")
    return bare(best(list(zip(leads, found, strict=True)), ISLAND_RANKS[asked["criterion"]])[0].title)


def ships_in_order(asked: Fields) -> Step[str]:
    """Sorts the ships by launch."""
    names = split(asked["ships"])
    found = yield from look_up([ship(name) for name in names], "year of launch")
    ordered = sorted(zip(names, found, strict=True), key=lambda item: int(item[1].figure("Launched")))
    return ", ".join(name for name, _ in ordered)


def painting_museum(asked: Fields) -> Step[str]:
    """Compares a painter's works, then reads where the chosen one hangs."""
    (page,) = yield from look_up([Wanted(asked["painter"], "painter", "painters")], "the painter's works")
    leads = page.section("Known as")
    found = yield from follow(leads, "compare the paintings")
    _, work = best(list(zip(leads, found, strict=True)), PAINTING_RANKS[asked["criterion"]])
    return work.link_after("hangs in the").title


def company_ship(asked: Fields) -> Step[str]:
    """Compares a company's fleet."""
    (page,) = yield from look_up([Wanted(asked["company"], "company", "ferry companies")], "the fleet")
    leads = page.section("Present fleet")
    found = yield from follow(leads, "compare the ships")
    return bare(best(list(zip(leads, found, strict=True)), SHIP_RANKS[asked["criterion"]])[0].title)


def museum_architects(asked: Fields) -> Step[str]:
    """From the museums to their architects to their years of birth."""
    found = yield from look_up([museum(name) for name in split(asked["museums"])], "the architects")
    leads = list(dict.fromkeys(page.link_after("designed by") for page in found))
    people = yield from follow(leads, "years of birth")
    return bare(best(list(zip(leads, people, strict=True)), PERSON_RANKS[asked["criterion"]])[0].title)


def _paired(names: Sequence[str], found: Sequence[Page]) -> list[tuple[Link, Page]]:
    return [(Link(name, page.url), page) for name, page in zip(names, found, strict=True)]


SOLVERS: Mapping[str, Callable[[Fields], Step[str]]] = {
    "town_census": town_census,
    "museum_price": museum_price,
    "ship_figure": ship_figure,
    "museum_architect": museum_architect,
    "market_price": market_price,
    "treaty_town": treaty_town,
    "fare": fare,
    "lighthouse_height": lighthouse_height,
    "birthplace": birthplace,
    "town_mayor": town_mayor,
    "ship_captain": ship_captain,
    "treaty_island": treaty_island,
    "ships_in_order": ships_in_order,
    "painting_museum": painting_museum,
    "company_ship": company_ship,
    "museum_architects": museum_architects,
}
