"""Pages about places: islands, towns, lighthouses, markets, and what newspapers and surveys say of them."""

from __future__ import annotations

from collections.abc import Iterator

from .hashed import Draw
from .model import (
    CENSUS_YEARS,
    GOODS,
    MARKET_YEARS,
    Island,
    Lighthouse,
    Market,
    Mayor,
    Ref,
    Town,
    World,
    hundredths,
    slug,
    tenths,
)
from .page import Page, bullets, count, infobox, listed, page, section, table


def place_pages(world: World) -> Iterator[Page]:
    """Every page about a place."""
    for island in world.islands:
        yield _island(world, island)
        yield _provisional(world, island)
        lights = [light for light in world.lighthouses if light.island is island]
        yield _survey(world, island, lights)
        yield _old_survey(world, island, lights)
    for mayor in world.mayors:
        yield _town(world, mayor)
        if mayor.gazetted:
            yield _gazette(world, mayor)
    for light in world.lighthouses:
        yield _lighthouse(world, light)
    for market in world.markets:
        yield _market(world, market)


def market_ref(world: World, town: Town) -> Ref:
    """Where a town's market prices stand."""
    return world.ref("markets", f"prices/{slug(town.page.title)}", f"Market prices: {town.page.title}")


def survey_ref(world: World, island: Island) -> Ref:
    """Where the lighthouse heights now in force stand."""
    return world.ref("pilot", f"survey/2019/{island.name}", f"Lighthouse survey of 2019: {island.name}")


def gazette_ref(world: World, town: Town) -> Ref:
    """Where the newspaper writes about a town's new mayor."""
    return world.ref("gazette", f"mayors/{slug(town.page.title)}", f"New mayor sworn in: {town.page.title}")


def _provisional_ref(world: World, island: Island) -> Ref:
    title = f"Census of 2021, provisional counts: {island.name}"
    return world.ref("gazette", f"census/{island.name}", title)


def _old_survey_ref(world: World, island: Island) -> Ref:
    return world.ref("pilot", f"survey/1968/{island.name}", f"Lighthouse survey of 1968: {island.name}")


def _island(world: World, island: Island) -> Page:
    towns = world.towns_of(island)
    treaties = [treaty.page.link for treaty in world.treaties if island in treaty.islands]
    draw = Draw("island", island.name)
    opening = draw.pick(
        (
            f"{island.name} is one of the {world.name}. People have lived there since {island.settled}.",
            f"{island.name} is an island in the {world.name}, settled in {island.settled}.",
        )
    )
    rises = f"Its highest point, {island.peak}, rises {count(island.peak_height)} m above the sea."
    trade = f"It is best known for its {island.export}, sold on the markets of its {len(towns)} towns."
    rows = [(town.page.link, town.founded) for town in towns]
    return page(
        island.page,
        infobox(
            ("Archipelago", world.name),
            ("Area", f"{tenths(island.area)} km2"),
            ("Highest peak", f"{island.peak} ({count(island.peak_height)} m)"),
            ("Settled", island.settled),
            ("Main export", island.export),
        ),
        f"{opening} {rises} {trade}",
        section("Towns", table(("Town", "Founded"), rows)),
        section("Treaties signed", bullets(treaties)),
        section("See also", bullets([survey_ref(world, island).link, _provisional_ref(world, island).link])),
    )


def _provisional(world: World, island: Island) -> Page:
    rows = [(town.name, count(town.provisional)) for town in world.towns_of(island)]
    return page(
        _provisional_ref(world, island),
        infobox(("Published", "9 June 2021"), ("Status", "provisional")),
        f"The census office has published first counts for {island.name}. They leave out households that answered "
        "late; the final results of the census stand in the articles of the towns and replace these figures.",
        table(("Town", "Inhabitants (provisional)"), rows),
    )


def _survey(world: World, island: Island, lights: list[Lighthouse]) -> Page:
    rows = [(light.page.link, tenths(light.height)) for light in lights]
    return page(
        survey_ref(world, island),
        infobox(("Published", "14 November 2019"), ("Status", "in force")),
        f"All lighthouses of {island.page.link} were measured again by laser in 2019. These heights replace "
        f"those of {_old_survey_ref(world, island).link}.",
        table(("Lighthouse", "Height (m)"), rows),
    )


def _old_survey(world: World, island: Island, lights: list[Lighthouse]) -> Page:
    rows = [(light.name, tenths(light.old_height)) for light in lights]
    return page(
        _old_survey_ref(world, island),
        infobox(("Published", "2 May 1968"), ("Status", "withdrawn")),
        f"Kept for the record. These figures were withdrawn when {survey_ref(world, island).link} appeared.",
        table(("Lighthouse", "Height (m)"), rows),
    )


def _town(world: World, mayor: Mayor) -> Page:
    town = mayor.town
    shown = mayor.former if mayor.gazetted else mayor.current
    revised = "3 February 2017" if mayor.gazetted else "8 April 2024"
    since = mayor.since - 9 if mayor.gazetted else mayor.since
    rows = [(year, count(people)) for year, people in zip(CENSUS_YEARS, town.census, strict=True)]
    links = [museum.page.link for museum in world.museums if museum.town is town]
    links += [market_ref(world, town).link for market in world.markets if market.town is town]
    links += [gazette_ref(world, town).link] if mayor.gazetted else []
    draw = Draw("town", town.page.title)
    quays = draw.pick(("Its harbour is", "The harbour basin is", "At the main quay the harbour is"))
    houses = draw.pick(("slate-roofed houses", "a row of old salt stores", "a long breakwater", "painted boat sheds"))
    return page(
        town.page,
        infobox(
            ("Last revised", revised),
            ("Island", town.island.page.link),
            ("Founded", town.founded),
            ("Mayor", f"{shown.page.link} (since {since})"),
        ),
        f"{town.name} is a town on {town.island.name}, founded in {town.founded} and known for {houses}. "
        f"{quays} {tenths(town.depth)} m deep at low water.",
        section("Population", table(("Census", "Inhabitants"), rows)),
        section("See also", bullets(links)),
    )


def _gazette(world: World, mayor: Mayor) -> Page:
    town = mayor.town
    return page(
        gazette_ref(world, town),
        infobox(("Published", f"12 May {mayor.since}"), ("Section", "Local government")),
        f"{mayor.current.page.link} was sworn in yesterday as mayor of {town.page.link}, succeeding "
        f"{mayor.former.page.link}, who did not stand again. The ceremony took place in the town hall before "
        f"a delegation from the other towns of {town.island.name}.",
    )


def _lighthouse(world: World, light: Lighthouse) -> Page:
    return page(
        light.page,
        infobox(
            ("Last revised", "20 August 2006"),
            ("Island", light.island.page.link),
            ("Built", light.built),
            ("Height", f"{tenths(light.old_height)} m (survey of 1968)"),
            ("Range", f"{light.range_miles} nautical miles"),
        ),
        f"{light.name} is a lighthouse on {light.island.name}, built in {light.built}. Its light is seen from a "
        f"distance of {light.range_miles} nautical miles.",
        f"The island's lighthouses are measured from time to time: {survey_ref(world, light.island).link}.",
    )


def _market(world: World, market: Market) -> Page:
    rows = [(good, *(hundredths(prices[at]) for prices in market.prices)) for at, good in enumerate(GOODS)]
    years = listed([f"June {year}" for year in MARKET_YEARS])
    return page(
        market_ref(world, market.town),
        infobox(("Town", market.town.page.link), ("Island", market.town.island.name), ("Currency", "crowns")),
        f"Average retail prices of a kilogram on the market of {market.town.name} in {years}.",
        table(("Good", *(f"June {year} (crowns per kg)" for year in MARKET_YEARS)), rows),
    )
