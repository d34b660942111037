"""The questions' wordings. Filling one makes a question; the same wording, read backwards, takes a question apart.

Scripted policies share this file with the generator: it holds no facts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from string import Formatter

NUMBER = "Answer with the number only."
DECIMALS = "Answer with the number only, with two decimals."
ONE_DECIMAL = "Answer with the number only, rounded to one decimal."
NAME = "Answer with the name only."
FULL_NAME = "Answer with the full name only."


@dataclass(frozen=True, slots=True)
class Template:
    """A kind of question: its level and the ways to word it."""

    level: int
    wordings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a question asks: the kind of question, and what stands in its gaps."""

    template: str
    fields: Mapping[str, str]


TEMPLATES: dict[str, Template] = {
    "town_census": Template(
        1,
        (
            "According to the final results of the census of {year}, how many people lived in the town of {town} on "
            f"the island of {{island}}? {NUMBER}",
            "How many inhabitants did the census of {year} finally count in {town}, a town on the island of "
            f"{{island}}? {NUMBER}",
        ),
    ),
    "museum_price": Template(
        1,
        (
            f"How many crowns does one {{ticket}} ticket for the {{museum}} cost at the prices now in force? {DECIMALS}",
            f"At the prices now in force, what must be paid for one {{ticket}} ticket for the {{museum}}, in crowns? {DECIMALS}",
        ),
    ),
    "ship_figure": Template(
        1,
        (
            f"What is the {{figure}} of the ship {{ship}}? {NUMBER}",
            f"There is a ship called {{ship}}. Look up her {{figure}}. {NUMBER}",
        ),
    ),
    "museum_architect": Template(
        1,
        (
            f"Who designed the building of the {{museum}}? {FULL_NAME}",
            f"Which architect drew the plans for the {{museum}}? {FULL_NAME}",
        ),
    ),
    "market_price": Template(
        1,
        (
            "How many crowns did a kilogram of {good} cost in June {year} on the market of {town}, a town on the "
            f"island of {{island}}? {DECIMALS}",
            "On the market of the town of {town} on {island}, what was the price of a kilogram of {good} in June "
            f"{{year}}, in crowns? {DECIMALS}",
        ),
    ),
    "treaty_town": Template(
        1,
        (
            f"In which town was the {{treaty}} signed? {NAME}",
            f"Name the town in which the islands put their names to the {{treaty}}. {NAME}",
        ),
    ),
    "fare": Template(
        1,
        (
            "What is the {fare} fare in crowns for a single journey with the {company} from {start} to {end}, by the "
            f"timetable now in force? {DECIMALS}",
            "How many crowns does the {company} now charge for a single journey from {start} to {end} at the {fare} "
            f"fare? {DECIMALS}",
        ),
    ),
    "lighthouse_height": Template(
        1,
        (
            "How many metres tall is the {light} on the island of {island}, by the survey now in force? Answer with "
            "the number only, with one decimal.",
            "By the most recent survey, what is the height in metres of the {light} on {island}? Answer with the "
            "number only, with one decimal.",
        ),
    ),
    "birthplace": Template(
        1,
        (
            f"In which town was the {{profession}} {{person}} born? {NAME}",
            f"Name the birthplace of {{person}}, the {{profession}}. {NAME}",
        ),
    ),
    "town_mayor": Template(
        2,
        (
            "Among the towns of the island of {island}, one had the {extreme} population in the census of {year}. Who "
            f"is its mayor today? {FULL_NAME}",
            "Who is today the mayor of the town with the {extreme} population, by the census of {year}, on the island "
            f"of {{island}}? {FULL_NAME}",
        ),
    ),
    "ship_captain": Template(
        2,
        (
            f"Compare the ships {{ships}}. Who was the first captain of the one that {{criterion}}? {FULL_NAME}",
            f"Of the ships {{ships}}, one {{criterion}}. Name her first captain. {FULL_NAME}",
        ),
    ),
    "treaty_island": Template(
        2,
        (
            f"Of all the islands that signed the {{treaty}}, which one {{criterion}}? {NAME}",
            f"Several islands signed the {{treaty}}. Find the one that {{criterion}}. {NAME}",
        ),
    ),
    "ships_in_order": Template(
        2,
        (
            "Put the ships {ships} in the order of their launch, the oldest first. Answer with the names as a comma "
            "separated list.",
            "In which order were the ships {ships} launched, from the first to the last? Answer with the names as a "
            "comma separated list.",
        ),
    ),
    "painting_museum": Template(
        2,
        (
            "Look at all the paintings by the painter {painter}. In which museum does the {criterion} one hang? Answer "
            "with the museum's full name.",
            "Which museum shows the {criterion} of all the paintings by the painter {painter}? Answer with the "
            "museum's full name.",
        ),
    ),
    "company_ship": Template(
        2,
        (
            f"Which ship of the present fleet of the {{company}} {{criterion}}? {NAME}",
            f"In the present fleet of the {{company}}, one ship {{criterion}}. Which one is it? {NAME}",
        ),
    ),
    "museum_architects": Template(
        2,
        (
            f"Of the architects of {{museums}}, who {{criterion}}? {FULL_NAME}",
            f"Find the people who designed {{museums}}. Which of them {{criterion}}? {FULL_NAME}",
        ),
    ),
    "catch_value": Template(
        3,
        (
            "The attached file lists what boats landed at several harbours. What was all the {good} landed at {town} "
            "worth in crowns, at the price of June {year} on the market of {town}, a town on the island of "
            f"{{island}}? {DECIMALS}",
        ),
    ),
    "trip_cost": Template(
        3,
        (
            "{adults} adults and {children} children travel with the {company} from {start} to {end} and back, and "
            "visit the {museum} once. They buy single tickets for each of them at the prices now in force, adult and "
            f"child tickets only. How many crowns do they pay in total? {DECIMALS}",
            "A party of {adults} adults and {children} children goes from {start} to {end} and returns, both with the "
            "{company}; on the way all of them visit the {museum}. What does this cost in crowns, with adult and child "
            f"tickets at the prices now in force? {DECIMALS}",
        ),
    ),
    "visitor_income": Template(
        3,
        (
            "The tourist office of {town} sent the attached workbook, which counts visitors of museums by quarter. Find the museum with the most "
            "visitors in the whole year {year}. If each of them had paid one {ticket} ticket at the prices now in "
            f"force, how many crowns would that have been? {DECIMALS}",
        ),
    ),
    "island_density": Template(
        3,
        (
            "Add up the inhabitants that the census of {year} counted in all the towns of the island of {island}. How "
            f"many is that per square kilometre of the island? {ONE_DECIMAL}",
            "How many inhabitants per square kilometre did the island of {island} have in {year}, if only the people "
            f"counted in its towns by that year's census are taken? {ONE_DECIMAL}",
        ),
    ),
    "unloaded": Template(
        3,
        (
            "The attached logbook says what the {ship} unloaded at each call. How many tonnes did she unload in "
            "total in harbours at least {depth} m deep, by the depths in the towns' articles? Answer with the number "
            "only.",
        ),
    ),
    "growth_gap": Template(
        3,
        (
            "By how many percent did the population of {first} on {first_island} and that of {second} on "
            "{second_island} grow from the census of {start} to that of {end}? Give the difference between the two "
            f"growth rates in percentage points, without a sign. {ONE_DECIMAL}",
        ),
    ),
    "mediator_ages": Template(
        3,
        (
            "Take the mediators of {treaties}. How old was each in the year of signing, counted as that year minus "
            f"the year of birth? Add up the three ages. {NUMBER}",
            "What is the sum of the ages of the mediators of {treaties}, each age being the year of signing minus the "
            f"year of birth? {NUMBER}",
        ),
    ),
}


def read(text: str) -> Reading | None:
    """The question that stands somewhere in ``text``, taken apart; None where there is none of these."""
    for template, pattern in _patterns():
        found = pattern.search(text)
        if found is not None:
            return Reading(template, found.groupdict())
    return None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((name, _pattern(wording)) for name, made in TEMPLATES.items() for wording in made.wordings)


def _pattern(wording: str) -> re.Pattern[str]:
    parts, seen = [], set()
    for literal, gap, _, _ in Formatter().parse(wording):
        parts.append(re.escape(literal))
        if gap is not None:
            parts.append(f"(?P={gap})" if gap in seen else f"(?P<{gap}>[^\\n]+?)")
            seen.add(gap)
    return re.compile("".join(parts))
