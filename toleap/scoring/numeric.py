"""A number compared with a number, strictly: the answer must be one number and what belongs to it.

At its edges only may stand

- before it: ``Answer:`` or ``The answer is``, a sign, a currency (``$``, ``US$``, ``EUR``);
- after it: scale words, which multiply (dozen, hundred, thousand, lakh, million, crore, billion, trillion, 万, 百万,
  千万, 亿, 万亿); then a percent sign, a currency, or a unit of at most three words (``km/h``, ``square miles``,
  ``m²``); a full stop.

Inside it: digits, in groups of three where a thousands separator (``,``, ``'`` or a blank, the same one throughout)
is used; a decimal point; an exponent (``1.5e3``, ``1.5 × 10^3``). So ``1,234.5`` is a number; ``1,23``, ``3,14`` and
``1/2`` are none.

An answer with no number, with two, with other words around it, or with a unit that could as well be a scale (``5M``,
``5k``) is wrong, and the reason says so. Units are compared only where the gold answer has one: then an answer with
another unit is wrong, one with none is not. ``5%`` is 5 with the unit percent, not 0.05.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import NamedTuple

from toleap.errors import UsageError
from toleap.scoring.finding import Finding, plain

CODE_VERSION = "1"
"""Raised with every change that can change a verdict; it is part of the scorer's fingerprint."""

_LONGEST = 500
_ZERO = Decimal(0)
_LABEL = re.compile(
    r"(?:(?:the )?(?:final |correct )?answer(?: is ?:? ?| ?[:=] ?)|(?:最终)?答案(?:是|为)? ?:? ?)", re.IGNORECASE
)
_CURRENCY = (
    r"(?:[A-Z]{0,3}[$€£¥₩₹₽₺₫₪฿¢]"
    r"|(?:USD|EUR|GBP|JPY|CNY|RMB|CHF|CAD|AUD|INR|KRW|HKD|TWD|SGD|SEK|NOK|DKK)(?![A-Za-z]))"
)
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?) ?(?P<before>{_CURRENCY}?) ?(?P<inner>[+-]?)"
    r"(?P<digits>[0-9]{1,3}(?:(?P<gap>[,' ])[0-9]{3}(?:(?P=gap)[0-9]{3})*)(?![0-9])|[0-9]+|(?=\.[0-9]))"
    r"(?P<fraction>\.[0-9]+)?"
    r"(?:[eE](?P<e>[+-]?[0-9]{1,4})(?![0-9])| ?[×x] ?10\^\{?(?P<power>[+-]?[0-9]{1,4})\}?(?![0-9]))?"
)
_UNIT = re.compile(rf"%|‰|{_CURRENCY}|[^\W\d_°]*°?[^\W\d_](?:[^\W_]|[°/·'^]|(?<=[\^/\w])-(?=\w))*|°")
_HEDGES = {
    "or",
    "and",
    "but",
    "not",
    "if",
    "is",
    "to",
    "than",
    "least",
    "most",
    "more",
    "less",
    "maybe",
    "或",
    "和",
    "或者",
}
_MORE_DIGITS = re.compile("[eEx×][+-]?[0-9]")
_CHINESE_COUNT = re.compile("[十百千](?![克米瓦卡帕焦伏赫分])")
_MAYBE_SCALES = {"k", "K", "M", "B", "T", "bn", "Bn", "mn", "Mn", "tn", "Tn"}
_SCALES: Mapping[str, int] = {
    **{"dozen": 12, "hundred": 100, "thousand": 10**3, "lakh": 10**5, "million": 10**6, "crore": 10**7},
    **{"billion": 10**9, "trillion": 10**12},
    **{"万": 10**4, "萬": 10**4, "百万": 10**6, "千万": 10**7, "亿": 10**8, "億": 10**8, "万亿": 10**12},
}
_SCALE = re.compile(
    "(?:dozen|hundred|thousand|lakh|million|crore|billion|trillion)s?(?![^\\W\\d_])|万亿|[百千]?[万萬]|[亿億]", re.I
)
_EXACT = Context(prec=12_000, Emax=MAX_EMAX, Emin=MIN_EMIN)


class Number(NamedTuple):
    """A number as it was read: its exact value, and its unit, empty where there is none."""

    value: Decimal
    unit: str


def compare(answer: str, gold: str, tolerance: Decimal = _ZERO) -> Finding:
    """Correct where both numbers are equal, or differ by at most ``tolerance`` times the gold number's size.

    Unscored where the gold answer is no number: that is a mistake of the data, never of the model. Never raises.
    """
    try:
        wanted = read_number(gold)
    except ValueError as error:
        return Finding("unscored", f"the gold answer is no number: {error}")
    try:
        number = read_number(answer)
    except ValueError as error:
        return Finding("wrong", f"not a number: {error}")
    written = f"{number.value} {number.unit}".strip()
    if number.unit and number.unit != wanted.unit and (wanted.unit or number.unit in _MAYBE_SCALES):
        meant = "it may be a unit or a scale" if number.unit in _MAYBE_SCALES else "not that of the gold answer"
        return Finding("wrong", f"the unit {number.unit!r}: {meant}", written)
    if number.value == wanted.value:
        return Finding("correct", "equals the gold number", written)
    if tolerance and _near(number.value, wanted.value, tolerance):
        return Finding("correct", f"within {tolerance} of the gold number", written)
    return Finding("wrong", "differs from the gold number", written)


def read_number(text: str) -> Number:
    """The one number that the text is.

    Raises:
        ValueError: it is none, or not only one; says why.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"longer than {_LONGEST} characters")
    # Two blanks, because one could separate thousands.
    visible = plain(text).replace("\n", "  ").strip("{}")
    visible = visible[_end_of_label(visible) :].strip().removesuffix(".")
    match = _NUMBER.match(visible)
    if match is None:
        raise ValueError("there is no number at its beginning")
    sign, inner = match["sign"], match["inner"]
    if inner and (sign or not match["before"]):
        raise ValueError("it has two signs")
    digits = re.sub("[,' ]", "", match["digits"])
    exponent = match["e"] or match["power"] or "0"
    value = Decimal(f"{sign or inner}{digits or 0}{match['fraction'] or ''}e{exponent}")
    rest = visible[match.end() :]
    if _MORE_DIGITS.match(rest):
        raise ValueError("its notation is unknown")
    factor, unit = _scale_and_unit(rest.strip())
    return Number(_EXACT.multiply(value, factor) if factor != 1 else value, match["before"] + unit)


def read_tolerance(text: str, where: str) -> Decimal:
    """The relative tolerance after ``numeric:``, above 0 and below 1.

    Raises:
        UsageError: it is no such number.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = _ZERO
    if not (value.is_finite() and 0 < value < 1):
        raise UsageError(
            f"{where}: {text!r} is no relative tolerance: write a number above 0 and below 1, as numeric:0.01"
        )
    return value.normalize()


def _end_of_label(text: str) -> int:
    label = _LABEL.match(text)
    return label.end() if label else 0


def _scale_and_unit(text: str) -> tuple[int, str]:
    """What stands behind the digits: the product of its scale words, and the unit after them."""
    factor = 1
    while scale := _SCALE.match(text):
        factor *= _SCALES[scale[0].lower().removesuffix("s")]
        text = text[scale.end() :].strip()
    words = text.split()
    if len(words) > 3 or _CHINESE_COUNT.match(text) or not all(_is_unit(word) for word in words):
        raise ValueError("there is more than a number and its unit")
    unit = " ".join(words)
    return factor, "%" if unit.lower() in {"percent", "per cent"} else unit


def _is_unit(word: str) -> bool:
    fitting = _UNIT.fullmatch(word) is not None and word.lower() not in _HEDGES
    return fitting and all(char in "²³" or unicodedata.category(char) not in {"No", "Nl"} for char in word)


def _near(number: Decimal, wanted: Decimal, tolerance: Decimal) -> bool:
    distance = _EXACT.abs(_EXACT.subtract(number, wanted))
    return distance <= _EXACT.multiply(_EXACT.abs(wanted), tolerance)
