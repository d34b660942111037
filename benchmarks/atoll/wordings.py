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
TWO_DECIMALS = "Answer with the number only, with two decimals."
ONE_DECIMAL = "Answer with the number only, rounded to one decimal."
NAME = "Answer with the name only, without anything in brackets."
FULL_NAME = "Answer with the full name only, without anything in brackets."
LIST = "Answer with the names as a comma separated list, without anything in brackets."


@dataclass(frozen=True, slots=True)
class Template:
    """A kind of question: its level, the ways to word it, and the form that its answer must have."""

    level: int
    form: str
    wordings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a question asks: the kind of question, and what stands in its gaps."""

    template: str
    fields: Mapping[str, str]


TEMPLATES: dict[str, Template] = {
    "town_census": Template(
        1,
        NUMBER,
        (
            "According to the final results of the census of {year}, how many people lived in the town of {town} "
            "on the island of {island}?",
            "How many inhabitants did the census of {year} finally count in {town}, a town on {island}?",
        ),
    ),
    "museum_price": Template(
        1,
        TWO_DECIMALS,
        (
            "How many crowns does one {ticket} ticket for the {museum} cost at the prices now in force?",
            "At the prices now in force, what must be paid for one {ticket} ticket for the {museum}, in crowns?",
        ),
    ),
    "ship_figure": Template(
        1,
        NUMBER,
        ("What is the {figure} of the ship {ship}?", "There is a ship called {ship}. What is her {figure}?"),
    ),
    "museum_architect": Template(
        1,
        FULL_NAME,
        ("Who designed the building of the {museum}?", "Which architect drew the plans for the {museum}?"),
    ),
    "market_price": Template(
        1,
        TWO_DECIMALS,
        (
            "How many crowns did a kilogram of {good} cost in June {year} on the market of {town}, a town on the "
            "island of {island}?",
            "On the market of the town of {town} on {island}, what was the price of a kilogram of {good} in June "
            "{year}, in crowns?",
        ),
    ),
    "treaty_town": Template(
        1,
        NAME,
        ("In which town was the {treaty} signed?", "What is the name of the town where the {treaty} was signed?"),
    ),
    "fare": Template(
        1,
        TWO_DECIMALS,
        (
            "What is the {fare} fare in crowns for a single journey with the {company} from {start} to {end}, by the "
            "timetable now in force?",
            "How many crowns does the {company} now charge for a single journey from {start} to {end} at the {fare} "
            "fare?",
        ),
    ),
    "lighthouse_height": Template(
        1,
        "Answer with the number only, with one decimal.",
        (
            "How many metres tall is the {light} on the island of {island}, by the survey now in force?",
            "By the most recent survey, what is the height in metres of the {light} on {island}?",
        ),
    ),
    "birthplace": Template(
        1,
        NAME,
        (
            "In which town was the {profession} {person} born?",
            "What is the birthplace of {person}, the {profession}?",
        ),
    ),
    "town_mayor": Template(
        2,
        FULL_NAME,
        (
            "Among the towns of the island of {island}, one had the {extreme} population in the census of {year}. "
            "Who is its mayor today?",
            "Who is today the mayor of the town with the {extreme} population, by the census of {year}, on the "
            "island of {island}?",
        ),
    ),
    "ship_captain": Template(
        2,
        FULL_NAME,
        (
            "Compare the ships {ships}. Who was the first captain of the one that {criterion}?",
            "Of the ships {ships}, one {criterion}. Who was her first captain?",
        ),
    ),
    "treaty_island": Template(
        2,
        NAME,
        (
            "Of all the islands that signed the {treaty}, which one {criterion}?",
            "Several islands signed the {treaty}. Which of them {criterion}?",
        ),
    ),
    "ships_in_order": Template(
        2,
        LIST,
        (
            "Put the ships {ships} in the order of their launch, the oldest first.",
            "In which order were the ships {ships} launched, from the first to the last?",
        ),
    ),
    "painting_museum": Template(
        2,
        "Answer with the museum's full name.",
        (
            "Look at all the paintings by the painter {painter}. In which museum does the {criterion} one hang?",
            "Which museum shows the {criterion} of all the paintings by the painter {painter}?",
        ),
    ),
    "company_ship": Template(
        2,
        NAME,
        (
            "Of all the ships in the present fleet of the {company}, which one {criterion}?",
            "In the present fleet of the {company}, one ship {criterion}. Which one is it?",
        ),
    ),
    "museum_architects": Template(
        2,
        FULL_NAME,
        (
            "Of the architects of {museums}, who {criterion}?",
            "Find the people who designed {museums}. Which of them {criterion}?",
        ),
    ),
    "catch_value": Template(
        3,
        TWO_DECIMALS,
        (
            "The attached file lists what boats landed at several harbours. What was all the {good} landed at "
            "{town} worth in crowns, at the price of June {year} on the market of {town}, a town on {island}?",
            "Boats landed what the attached file lists. Take all the {good} landed at {town}, a town on the island "
            "of {island}, and its price on the market of {town} in June {year}. How many crowns was it worth?",
        ),
    ),
    "trip_cost": Template(
        3,
        TWO_DECIMALS,
        (
            "Suppose that {adults} adults and {children} children travel with the {company} from {start} to {end} "
            "and back, and visit the {museum} once. All of them need single tickets, adult or child, at the prices "
            "now in force. How many crowns do they pay in total?",
            "A party of {adults} adults and {children} children goes from {start} to {end} and returns, both with "
            "the {company}; on the way all of them visit the {museum}. What does this cost in crowns, with adult and "
            "child tickets at the prices now in force?",
        ),
    ),
    "visitor_income": Template(
        3,
        TWO_DECIMALS,
        (
            "The tourist office of {town} sent the attached workbook, which counts visitors of museums by quarter. "
            "Find the museum with the most visitors in the whole year {year}. If each of them had paid one {ticket} "
            "ticket at the prices now in force, how many crowns would that have been?",
            "In the attached workbook from the tourist office of {town}, find the museum that had the most visitors "
            "in {year}, all quarters together. How many crowns would its visitors of that year have paid with one "
            "{ticket} ticket each, at the prices now in force?",
        ),
    ),
    "island_density": Template(
        3,
        ONE_DECIMAL,
        (
            "Add up the inhabitants that the census of {year} counted in all the towns of the island of {island}. "
            "How many is that per square kilometre of the island?",
            "How many inhabitants per square kilometre did the island of {island} have in {year}, if only the people "
            "counted in its towns by that year's census are taken?",
        ),
    ),
    "unloaded": Template(
        3,
        NUMBER,
        (
            "The attached logbook says what the {ship} unloaded at each call. How many tonnes did she unload in "
            "total in harbours at least {depth} m deep, by the depths in the towns' articles?",
            "Going by the attached logbook of the {ship} and by the depths in the towns' articles, how many tonnes "
            "did she unload in harbours that are {depth} m deep or deeper?",
        ),
    ),
    "growth_gap": Template(
        3,
        ONE_DECIMAL,
        (
            "By how many percent did the population of {first} on {first_island} and that of {second} on "
            "{second_island} grow from the census of {start} to that of {end}? Give the difference between the two "
            "growth rates in percentage points, without a sign.",
            "Compare {first} on {first_island} with {second} on {second_island}: how many percentage points lie "
            "between the growth rates of their populations from the census of {start} to that of {end}?",
        ),
    ),
    "mediator_ages": Template(
        3,
        NUMBER,
        (
            "Take the mediators of {treaties}. How old was each in the year of signing, counted as that year minus "
            "the year of birth? Add up the three ages.",
            "What is the sum of the ages of the mediators of {treaties}, each age being the year of signing minus "
            "the year of birth?",
        ),
    ),
}


def question(template: str, wording: str, fields: Mapping[str, str]) -> str:
    """The question: a wording with its gaps filled, and the form of the answer."""
    return f"{wording.format(**fields)} {TEMPLATES[template].form}"


def read(text: str) -> Reading | None:
    """The question that stands somewhere in ``text``, taken apart; None where there is none of these."""
    for template, pattern in _patterns():
        found = pattern.search(text)
        if found is not None:
            return Reading(template, found.groupdict())
    return None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (name, _pattern(f"{wording} {made.form}")) for name, made in TEMPLATES.items() for wording in made.wordings
    )


def _pattern(wording: str) -> re.Pattern[str]:
    parts: list[str] = []
    seen: set[str] = set()
    for literal, gap, _, _ in Formatter().parse(wording):
        parts.append(re.escape(literal))
        if gap is not None:
            parts.append(f"(?P={gap})" if gap in seen else f"(?P<{gap}>[^\\n]+?)")
            seen.add(gap)
    return re.compile("".join(parts))
