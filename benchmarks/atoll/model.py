"""What the archipelago is made of. Facts are integers; the unit is in the field's name or its docstring.

Things are compared by identity (``eq=False``): two towns may share a name and still be two towns.
"""

from __future__ import annotations

from dataclasses import dataclass

CENSUS_YEARS = (1961, 1981, 2001, 2021)
TICKETS = ("adult", "student", "child", "family")
FARES = ("adult", "child", "car")
GOODS = ("smoked eel", "barley flour", "sea salt", "goat cheese", "dried kelp", "cod", "honey", "lamp oil")
FISH = ("smoked eel", "cod", "dried kelp", "sea salt")
MARKET_YEARS = (2021, 2024)
EXPORTS = ("dried fish", "wool", "slate", "barley", "salt", "amber", "timber", "pearls", "copper", "cider")


@dataclass(frozen=True, slots=True)
class Ref:
    """Where something is written about: its page's title and address."""

    title: str
    url: str

    @property
    def link(self) -> str:
        """The Markdown link to the page."""
        return f"[{self.title}]({self.url})"


@dataclass(frozen=True, slots=True, eq=False)
class Island:
    """``area`` is in tenths of a square kilometre, ``peak_height`` in metres."""

    name: str
    page: Ref
    area: int
    peak: str
    peak_height: int
    settled: int
    export: str


@dataclass(frozen=True, slots=True, eq=False)
class Town:
    """``census`` holds inhabitants in the order of ``CENSUS_YEARS``; ``depth``: the harbour's, tenths of a metre."""

    name: str
    page: Ref
    island: Island
    founded: int
    census: tuple[int, ...]
    provisional: int
    depth: int


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """``died`` is None for the living."""

    name: str
    page: Ref
    profession: str
    born: int
    birthplace: Town
    died: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Mayor:
    """Who governs a town. ``gazetted`` means that the town's own page is out of date and a newspaper knows better."""

    town: Town
    former: Person
    current: Person
    since: int
    gazetted: bool


@dataclass(frozen=True, slots=True, eq=False)
class Company:
    """A ferry company."""

    name: str
    page: Ref
    founded: int
    founder: Person
    seat: Town


@dataclass(frozen=True, slots=True, eq=False)
class Ship:
    """Lengths are in tenths of a metre; ``old_length`` is the one before her rebuilding, None if never rebuilt."""

    name: str
    page: Ref
    kind: str
    launched: int
    yard: Town
    length: int
    old_length: int | None
    tonnage: int
    crew: int
    captain: Person
    company: Company


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """A ferry connection; fares in hundredths of a crown, in the order of ``FARES``."""

    company: Company
    start: Town
    end: Town
    miles: int
    minutes: int
    fares: tuple[int, ...]
    old_fares: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Museum:
    """Prices in hundredths of a crown, in the order of ``TICKETS``; ``old_prices`` None if no old page exists."""

    name: str
    page: Ref
    town: Town
    opened: int
    architect: Person
    objects: int
    prices: tuple[int, ...]
    old_prices: tuple[int, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class Painting:
    """``width`` and ``height`` are in centimetres."""

    name: str
    page: Ref
    painter: Person
    year: int
    width: int
    height: int
    museum: Museum


@dataclass(frozen=True, slots=True, eq=False)
class Treaty:
    """An agreement between islands."""

    name: str
    page: Ref
    subject: str
    day: int
    month: int
    year: int
    town: Town
    mediator: Person
    islands: tuple[Island, ...]
    articles: int


@dataclass(frozen=True, slots=True, eq=False)
class Lighthouse:
    """Heights are in tenths of a metre: by the survey of 2019, and by the withdrawn one of 1968."""

    name: str
    page: Ref
    island: Island
    built: int
    height: int
    old_height: int
    range_miles: int


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Prices of a kilogram in hundredths of a crown: by year of ``MARKET_YEARS``, then by ``GOODS``."""

    town: Town
    prices: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """The whole archipelago of one split and seed."""

    name: str
    domain: str
    split: str
    seed: int
    islands: tuple[Island, ...]
    towns: tuple[Town, ...]
    people: tuple[Person, ...]
    mayors: tuple[Mayor, ...]
    companies: tuple[Company, ...]
    ships: tuple[Ship, ...]
    routes: tuple[Route, ...]
    museums: tuple[Museum, ...]
    paintings: tuple[Painting, ...]
    treaties: tuple[Treaty, ...]
    lighthouses: tuple[Lighthouse, ...]
    markets: tuple[Market, ...]

    def towns_of(self, island: Island) -> list[Town]:
        """The towns on an island."""
        return [town for town in self.towns if town.island is island]

    def town_name_is_unique(self, town: Town) -> bool:
        """Whether no other town has this town's name."""
        return sum(other.name == town.name for other in self.towns) == 1

    def ref(self, host: str, path: str, title: str) -> Ref:
        """A page's title and address on one of the archipelago's hosts."""
        return Ref(title, f"https://{host}.{self.domain}/{path}")


def tenths(value: int) -> str:
    """A number of tenths as text, always with one decimal: 1234 → ``123.4``."""
    return f"{value // 10}.{value % 10}"


def hundredths(value: int) -> str:
    """A number of hundredths as text, always with two decimals: 1250 → ``12.50``."""
    return f"{value // 100}.{value % 100:02d}"


def slug(title: str) -> str:
    """The title as the last part of an address."""
    return title.replace(" (", "_").replace(")", "").replace(",", "").replace(":", "").replace(" ", "_")
