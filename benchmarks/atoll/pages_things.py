"""Pages about things: ships, ferry companies, museums, paintings and treaties."""

from __future__ import annotations

from collections.abc import Iterator

from .hashed import Draw
from .model import TICKETS, Company, Museum, Painting, Ref, Route, Ship, Treaty, World, hundredths, slug, tenths
from .page import MONTHS, Page, bullets, count, infobox, listed, page, section, table


def thing_pages(world: World) -> Iterator[Page]:
    """Every page about a thing."""
    for ship in world.ships:
        yield _ship(world, ship)
        if ship.old_length is not None:
            yield _old_register(world, ship, ship.old_length)
    for company in world.companies:
        yield _company(world, company)
        yield from _timetables(world, company)
    for museum in world.museums:
        yield _museum(world, museum)
        yield _prices(world, museum)
        if museum.old_prices is not None:
            yield _old_prices(world, museum, museum.old_prices)
    for painting in world.paintings:
        yield _painting(painting)
    for treaty in world.treaties:
        yield _treaty(treaty)


def prices_ref(world: World, museum: Museum) -> Ref:
    """Where a museum's prices now in force stand."""
    return world.ref("visit", f"prices/{slug(museum.name)}", f"Admission prices: {museum.name}")


def timetable_ref(world: World, company: Company) -> Ref:
    """Where a company's fares now in force stand."""
    return world.ref("ferries", f"{slug(company.name)}/2024", f"Timetable of the {company.name} from 2024")


def _register_ref(world: World, ship: Ship) -> Ref:
    return world.ref("register", f"1988/{slug(ship.page.title)}", f"Register of shipping 1988: {ship.page.title}")


def _ship(world: World, ship: Ship) -> Page:
    rebuilt = "She has been rebuilt since; the length and the crew given here are the present ones."
    opening = Draw("ship", ship.page.title).pick(
        (
            f"The {ship.name} is a {ship.kind} built at {ship.yard.page.link} and launched in {ship.launched}.",
            f"Launched in {ship.launched} at {ship.yard.page.link}, the {ship.name} is a {ship.kind}.",
        )
    )
    return page(
        ship.page,
        infobox(
            ("Type", ship.kind),
            ("Operator", ship.company.page.link),
            ("Launched", ship.launched),
            ("Length", f"{tenths(ship.length)} m"),
            ("Gross tonnage", count(ship.tonnage)),
            ("Crew", ship.crew),
        ),
        f"{opening} Her first captain was {ship.captain.page.link}.",
        rebuilt if ship.old_length is not None else "",
        section("See also", bullets([_register_ref(world, ship).link] if ship.old_length is not None else [])),
    )


def _old_register(world: World, ship: Ship, length: int) -> Page:
    return page(
        _register_ref(world, ship),
        infobox(
            ("Edition", 1988),
            ("Ship", ship.name),
            ("Length", f"{tenths(length)} m"),
            ("Crew", ship.crew * 4 // 3),
        ),
        "Entry from an old edition of the register, superseded since. The ship was rebuilt later; "
        f"see {ship.page.link} for her present dimensions.",
    )


def _company(world: World, company: Company) -> Page:
    fleet = [ship.page.link for ship in world.ships if ship.company is company]
    return page(
        company.page,
        infobox(
            ("Type", "ferry and shipping company"),
            ("Founded", company.founded),
            ("Founder", company.founder.page.link),
            ("Headquarters", company.seat.page.link),
        ),
        f"The {company.name} was founded in {company.founded} by {company.founder.page.link} and is run "
        f"from {company.seat.page.link}.",
        section("Present fleet", bullets(fleet)),
        section("Fares", bullets([timetable_ref(world, company).link])),
    )


def _timetables(world: World, company: Company) -> Iterator[Page]:
    routes = [route for route in world.routes if route.company is company]
    new = timetable_ref(world, company)
    old = world.ref("ferries", f"{slug(company.name)}/2019", f"Timetable of the {company.name} from 2019")
    yield page(
        new,
        infobox(("Company", company.page.link), ("Valid from", "1 March 2024"), ("Status", "in force")),
        "Fares are for a single journey in either direction, in crowns.",
        _fares([(route, route.fares) for route in routes]),
        f"Earlier fares: {old.link}",
    )
    yield page(
        old,
        infobox(("Company", company.page.link), ("Valid from", "1 March 2019"), ("Status", "superseded")),
        f"This timetable is no longer valid. It was superseded on 1 March 2024 by {new.link}.",
        _fares([(route, route.old_fares) for route in routes]),
    )


def _fares(lines: list[tuple[Route, tuple[int, ...]]]) -> str:
    head = ("From", "To", "Nautical miles", "Minutes", "Adult", "Child", "Car")
    rows = [
        (route.start.name, route.end.name, route.miles, route.minutes, *(hundredths(fare) for fare in fares))
        for route, fares in lines
    ]
    return table(head, rows)


def _museum(world: World, museum: Museum) -> Page:
    hung = [painting.page.link for painting in world.paintings if painting.museum is museum]
    opening = Draw("museum", museum.name).pick(
        (
            f"The {museum.name} stands in {museum.town.page.link} on {museum.town.island.page.link}.",
            f"The {museum.name} is a museum in {museum.town.page.link} on {museum.town.island.page.link}.",
        )
    )
    return page(
        museum.page,
        infobox(("Town", museum.town.page.link), ("Opened", museum.opened), ("Objects", count(museum.objects))),
        f"{opening} Its building was designed by {museum.architect.page.link} and opened in {museum.opened}.",
        section("Paintings", bullets(hung)),
        section("For visitors", bullets([prices_ref(world, museum).link])),
    )


def _price_table(prices: tuple[int, ...]) -> str:
    return table(
        ("Ticket", "Price (crowns)"), [(kind, hundredths(cost)) for kind, cost in zip(TICKETS, prices, strict=True)]
    )


def _prices(world: World, museum: Museum) -> Page:
    return page(
        prices_ref(world, museum),
        infobox(("Museum", museum.page.link), ("Valid from", "1 April 2024"), ("Status", "in force")),
        _price_table(museum.prices),
        "A family ticket admits two adults and up to three children.",
    )


def _old_prices(world: World, museum: Museum, prices: tuple[int, ...]) -> Page:
    ref = world.ref("visit", f"prices/2017/{slug(museum.name)}", f"Admission prices 2017: {museum.name}")
    return page(
        ref,
        infobox(("Museum", museum.page.link), ("Valid from", "1 January 2017"), ("Status", "superseded")),
        f"No longer valid. These prices were superseded on 1 April 2024 by {prices_ref(world, museum).link}.",
        _price_table(prices),
    )


def _painting(painting: Painting) -> Page:
    return page(
        painting.page,
        infobox(
            ("Painter", painting.painter.page.link),
            ("Year", painting.year),
            ("Width", f"{painting.width} cm"),
            ("Height", f"{painting.height} cm"),
        ),
        f"{painting.name} is an oil painting of {painting.year} by {painting.painter.page.link}. "
        f"It hangs in the {painting.museum.page.link}.",
    )


def _treaty(treaty: Treaty) -> Page:
    signed = f"{treaty.day} {MONTHS[treaty.month - 1]} {treaty.year}"
    return page(
        treaty.page,
        infobox(("Signed", signed), ("Subject", treaty.subject), ("Articles", treaty.articles)),
        f"The {treaty.name} was signed at {treaty.town.page.link} on {signed}. Its {treaty.articles} articles settle "
        f"the {treaty.subject} between {listed([island.name for island in treaty.islands])}. "
        f"The talks were mediated by {treaty.mediator.page.link}.",
        section("Signatories", bullets(island.page.link for island in treaty.islands)),
    )
