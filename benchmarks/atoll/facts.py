"""Builds the archipelago of a split and seed, kind after kind, each kind with its own stream of draws."""

from __future__ import annotations

from collections import Counter

from .hashed import Draw
from .model import (
    CENSUS_YEARS,
    EXPORTS,
    GOODS,
    MARKET_YEARS,
    Company,
    Island,
    Lighthouse,
    Market,
    Mayor,
    Museum,
    Painting,
    Person,
    Ref,
    Route,
    Ship,
    Town,
    Treaty,
    World,
    slug,
)
from .names import Names

ISLANDS, COMPANIES, SHIPS, MUSEUMS, TREATIES, LIGHTHOUSES, MARKETS = 24, 12, 60, 40, 26, 48, 36
ARCHITECTS, PAINTERS, DIPLOMATS, ROUTES_EACH, PAINTINGS_EACH = 20, 16, 16, 8, 4
SHARED_TOWNS, SHARED_SHIPS, SHARED_PEOPLE, SHARED_LIGHTS = 6, 12, 10, 4

SHIP_KINDS = ("ferry", "cargo ship", "mail steamer", "survey ship", "passenger ship", "cable ship")
SUBJECTS = ("fishing grounds", "pilotage", "postal service", "quarantine", "lighthouse dues", "salvage", "tolls")
THEMES = ("Whaling", "Navigation", "Folk Art", "Salt", "Natural History", "Lacemaking", "Ships", "Cartography")
SCENES = ("Evening", "Low Tide", "Winter", "The Regatta", "Harvest", "Fog", "The Net Menders", "Midsummer")
TREATY_FORMS = ("Convention", "Accord", "Treaty", "Compact", "Protocol")


class Builder:
    """Makes one world, kind after kind; later kinds refer to earlier ones."""

    def __init__(self, split: str, seed: int) -> None:
        self.split, self.seed = split, seed
        self.names = Names(split, self.draw("names"))
        self.name = self.names.word()
        self.domain = f"{self.name.lower()}.example"
        self.first_names = self.names.words(60)
        self.people: list[Person] = []
        self.person_names: list[str] = []

    def draw(self, *purpose: object) -> Draw:
        """An independent stream of draws for one purpose."""
        return Draw("atoll", 1, self.split, self.seed, *purpose)

    def article(self, title: str) -> Ref:
        """Where the encyclopedia writes about something."""
        return Ref(title, f"https://encyclopedia.{self.domain}/wiki/{slug(title)}")

    def build(self) -> World:
        """The whole world."""
        islands = self._islands()
        place_names, ship_names = self._shared_names()
        towns = self._towns(islands, place_names, ship_names)
        self.towns = towns
        self.namesakes = self._namesakes()
        mayors = self._mayors()
        companies = self._companies()
        ships = self._ships(companies, ship_names, place_names)
        routes = self._routes(companies)
        museums = self._museums()
        return World(
            name=f"{self.name} Islands",
            domain=self.domain,
            split=self.split,
            seed=self.seed,
            islands=tuple(islands),
            towns=tuple(towns),
            mayors=tuple(mayors),
            companies=tuple(companies),
            ships=tuple(ships),
            routes=tuple(routes),
            museums=tuple(museums),
            paintings=tuple(self._paintings(museums)),
            treaties=tuple(self._treaties(islands)),
            lighthouses=tuple(self._lighthouses(islands)),
            markets=tuple(self._markets()),
            people=tuple(self.people),
        )

    def _islands(self) -> list[Island]:
        draw = self.draw("islands")
        made = []
        for name in self.names.words(ISLANDS):
            peak = f"Mount {self.names.word()}"
            area, height = draw.between(412, 9870), draw.between(121, 1480)
            settled = draw.between(1402, 1690)
            made.append(Island(name, self.article(name), area, peak, height, settled, draw.pick(EXPORTS)))
        return made

    def _shared_names(self) -> tuple[list[list[str]], list[str]]:
        """Town names by island, with pairs that share one, and ship names, some of them a town's."""
        draw = self.draw("shared")
        towns = [self.names.words(draw.between(3, 5)) for _ in range(ISLANDS)]
        order = draw.shuffled(range(ISLANDS))
        for pair in range(SHARED_TOWNS):
            towns[order[2 * pair]][0] = towns[order[2 * pair + 1]][0]
        lone = [names[1] for names in towns]
        return towns, draw.sample(lone, SHARED_SHIPS) + self.names.words(SHIPS - SHARED_SHIPS)

    def _towns(self, islands: list[Island], place_names: list[list[str]], ship_names: list[str]) -> list[Town]:
        draw = self.draw("towns")
        uses = Counter([name for names in place_names for name in names] + ship_names)
        made = []
        for island, names in zip(islands, place_names, strict=True):
            for name in names:
                title = f"{name} ({island.name})" if uses[name] > 1 else name
                count, census = draw.between(310, 9400), []
                for _ in CENSUS_YEARS:
                    census.append(count)
                    count = count * draw.between(82, 148) // 100 + draw.between(0, 99)
                provisional = census[-1] * draw.between(93, 98) // 100
                founded = draw.between(island.settled, 1790)
                depth = draw.between(21, 189)
                made.append(Town(name, self.article(title), island, founded, tuple(census), provisional, depth))
        return made

    def _namesakes(self) -> dict[str, list[str]]:
        """Full names that two people of different professions share, by profession."""
        shared = [self._full_name(self.draw("namesake", number)) for number in range(SHARED_PEOPLE)]
        half = SHARED_PEOPLE // 2
        return {"captain": shared[:], "architect": shared[:half], "painter": shared[half:]}

    def _full_name(self, draw: Draw) -> str:
        return f"{draw.pick(self.first_names)} {self.names.word()}"

    def person(self, profession: str, born: tuple[int, int], dies: bool = True) -> Person:
        """A new person born in one of the years ``born`` (both included)."""
        draw = self.draw("person", len(self.people))
        waiting = self.namesakes.get(profession, [])
        shared = bool(waiting)
        name = waiting.pop() if shared else self._full_name(draw)
        page = self.article(f"{name} ({profession})" if shared else name)
        year = draw.between(*born)
        died = year + draw.between(58, 93) if dies else None
        living = died is None or died > 2023
        made = Person(name, page, profession, year, draw.pick(self.towns), None if living else died)
        self.people.append(made)
        return made

    def _mayors(self) -> list[Mayor]:
        draw = self.draw("mayors")
        made = []
        for town in self.towns:
            former = self.person("politician", (1938, 1958), dies=False)
            current = self.person("politician", (1959, 1990), dies=False)
            made.append(Mayor(town, former, current, draw.between(2019, 2023), draw.chance(40)))
        return made

    def _companies(self) -> list[Company]:
        draw = self.draw("companies")
        made = []
        for word in self.names.words(COMPANIES):
            name, founded = f"{word} Line", draw.between(1861, 1948)
            founder = self.person("merchant", (founded - 52, founded - 27))
            made.append(Company(name, self.article(name), founded, founder, draw.pick(self.towns)))
        return made

    def _ships(self, companies: list[Company], names: list[str], place_names: list[list[str]]) -> list[Ship]:
        draw = self.draw("ships")
        places = [name for group in place_names for name in group]
        made = []
        for number, name in enumerate(names):
            page = self.article(f"{name} (ship)" if name in places else name)
            launched, length = draw.between(1884, 2012), draw.between(312, 1890)
            captain = self.person("captain", (launched - 55, launched - 30))
            old_length = length - draw.between(41, 140) if draw.chance(35) else None
            made.append(
                Ship(
                    name=name,
                    page=page,
                    kind=draw.pick(SHIP_KINDS),
                    launched=launched,
                    yard=draw.pick(self.towns),
                    length=length,
                    old_length=old_length,
                    tonnage=length * draw.between(21, 68) // 10,
                    crew=draw.between(11, 148),
                    captain=captain,
                    company=companies[number % COMPANIES],
                )
            )
        return made

    def _lone_towns(self) -> list[Town]:
        """Towns whose name no other town has."""
        uses = Counter(town.name for town in self.towns)
        return [town for town in self.towns if uses[town.name] == 1]

    def _routes(self, companies: list[Company]) -> list[Route]:
        made = []
        for number, company in enumerate(companies):
            draw = self.draw("routes", number)
            ports = draw.sample(self._lone_towns(), 2 * ROUTES_EACH)
            for start, end in zip(ports[::2], ports[1::2], strict=True):
                miles = draw.between(6, 118)
                fares = tuple(_rounded(miles * rate + draw.between(150, 900)) for rate in (23, 11, 58))
                old = tuple(_rounded(fare * draw.between(62, 91) // 100) for fare in fares)
                made.append(Route(company, start, end, miles, miles * draw.between(3, 6), fares, old))
        return made

    def _museums(self) -> list[Museum]:
        draw = self.draw("museums")
        architects = [self.person("architect", (1830, 1965)) for _ in range(ARCHITECTS)]
        made = []
        for number, word in enumerate(self.names.words(MUSEUMS)):
            name = f"{word} Museum of {draw.pick(THEMES)}"
            architect = architects[number % ARCHITECTS]
            adult = draw.between(24, 152) * 25
            prices = (
                adult,
                _rounded(adult * 3 // 4),
                _rounded(adult // 2),
                _rounded(adult * draw.between(22, 29) // 10),
            )
            old = tuple(_rounded(price * draw.between(55, 88) // 100) for price in prices)
            opened = architect.born + draw.between(29, 57)
            objects = draw.between(900, 88000)
            page, town = self.article(name), draw.pick(self._lone_towns())
            made.append(
                Museum(name, page, town, opened, architect, objects, prices, old if draw.chance(50) else None)
            )
        return made

    def _paintings(self, museums: list[Museum]) -> list[Painting]:
        draw = self.draw("paintings")
        made = []
        for _ in range(PAINTERS):
            painter = self.person("painter", (1795, 1950))
            for museum in draw.sample(museums, PAINTINGS_EACH):
                name = f"{draw.pick(SCENES)} at {self.names.word()}"
                year = painter.born + draw.between(21, 57)
                width, height = draw.between(38, 310), draw.between(31, 240)
                made.append(Painting(name, self.article(name), painter, year, width, height, museum))
        return made

    def _treaties(self, islands: list[Island]) -> list[Treaty]:
        draw = self.draw("treaties")
        diplomats = [self.person("diplomat", (1795, 1920)) for _ in range(DIPLOMATS)]
        made = []
        for number, word in enumerate(self.names.words(TREATIES)):
            mediator = diplomats[number % DIPLOMATS]
            name = f"{word} {draw.pick(TREATY_FORMS)}"
            made.append(
                Treaty(
                    name=name,
                    page=self.article(name),
                    subject=draw.pick(SUBJECTS),
                    day=draw.between(1, 28),
                    month=draw.between(1, 12),
                    year=mediator.born + draw.between(31, 57),
                    town=draw.pick(self._lone_towns()),
                    mediator=mediator,
                    islands=tuple(draw.sample(islands, draw.between(3, 5))),
                    articles=draw.between(9, 74),
                )
            )
        return made

    def _lighthouses(self, islands: list[Island]) -> list[Lighthouse]:
        draw = self.draw("lighthouses")
        words = self.names.words(LIGHTHOUSES)
        words[-SHARED_LIGHTS:] = words[:SHARED_LIGHTS]
        uses = Counter(words)
        made = []
        for number, word in enumerate(words):
            name, island = f"Cape {word} Light", islands[number % ISLANDS]
            title = f"{name} ({island.name})" if uses[word] > 1 else name
            height = draw.between(121, 589)
            old = height + draw.pick((-1, 1)) * draw.between(4, 31)
            built, reach = draw.between(1768, 1934), draw.between(9, 31)
            made.append(Lighthouse(name, self.article(title), island, built, height, old, reach))
        return made

    def _markets(self) -> list[Market]:
        draw = self.draw("markets")
        made = []
        for town in draw.sample(self.towns, MARKETS):
            base = [draw.between(90, 6400) for _ in GOODS]
            years = [tuple(price * draw.between(80, 130) // 100 for price in base) for _ in MARKET_YEARS]
            made.append(Market(town, tuple(years)))
        return made


def _rounded(price: int) -> int:
    """A price in hundredths, rounded down to a multiple of five."""
    return price - price % 5


def build_world(split: str, seed: int) -> World:
    """The archipelago of this split and seed; two splits never share a name."""
    return Builder(split, seed).build()
