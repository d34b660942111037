"""What a page says comes to the model, wherever on the page it stands; menus do not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.shapes import PAGES, Page
from toleap.dock.parsers import html
from toleap.dock.parsers.pages import ELSEWHERE

_HUGE = 10**7
_TAGS = [
    "div", "p", "section", "article", "aside", "footer", "header", "figure", "figcaption", "blockquote",
    "pre", "details", "summary", "address", "span", "a", "b", "em", "ul", "li", "ol", "table", "tr",
    "td", "th", "caption", "dl", "dt", "dd", "h2", "button", "fieldset",
]  # fmt: skip
_WORD = "word{:04d}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_fact_of_a_page_is_kept_and_its_menus_are_not(page: Page) -> None:
    text = html(page.html.encode(), _HUGE).text
    shown = " ".join(text.split())
    assert [fact for fact in page.facts if " ".join(fact.split()) not in shown] == []
    assert [menu for menu in page.menus if menu in shown] == []


def test_the_main_part_stands_first_and_is_not_repeated() -> None:
    page = next(page for page in PAGES if page.name.startswith("newspaper"))
    text = html(page.html.encode(), _HUGE).text
    main, _, rest = text.partition(ELSEWHERE)
    assert "A storm took the old breakwater away" in main
    assert "A storm took" not in rest
    assert "740 kg" in rest


def test_a_cut_falls_on_what_stands_elsewhere() -> None:
    page = next(page for page in PAGES if page.name.startswith("newspaper"))
    whole = html(page.html.encode(), _HUGE)
    main = whole.text.partition(ELSEWHERE)[0].rstrip()
    parsed = html(page.html.encode(), len(main))
    assert parsed.text == main
    assert parsed.truncated
    assert not whole.truncated


def test_a_short_line_brings_the_line_that_it_belongs_to() -> None:
    prose = "<p>Ten of the wards of Tarn were drawn anew when the harbour was laid out by the company.</p>" * 3
    page = f"<main>{prose}</main><aside><div>Wards</div><div>eleven</div></aside>"
    text = html(page.encode(), _HUGE).text
    assert "Wards\neleven" in text


def test_words_that_a_style_sheet_sets_apart_are_two() -> None:
    text = html(b"<body><div><span>12</span><span>30</span></div><p>T<span>arn</span></p></body>", _HUGE).text
    assert "12 30" in text
    assert "Tarn" in text


@pytest.mark.parametrize(
    "page", [b"", b"   ", b"\x00\x01", b"<", b"<html></html>", b"<!-- only -->", b"<p", b"plain words"]
)
def test_what_is_hardly_a_page_is_read_as_far_as_it_goes(page: bytes) -> None:
    assert len(html(page, _HUGE).text) <= len(page) + 10


_numbers = st.integers(0, 9999)
_nodes = st.recursive(
    _numbers.map(lambda number: f" {_WORD.format(number)} "),
    lambda inner: st.tuples(st.sampled_from(_TAGS), st.lists(inner, max_size=4)).map(
        lambda made: f"<{made[0]}>{''.join(made[1])}</{made[0]}>"
    ),
    max_leaves=30,
)


@settings(max_examples=150, deadline=None)
@given(body=_nodes, within=st.sampled_from(("{}", "<main>{}</main>", "<article><h1>Tarn</h1>{}</article>")))
def test_no_word_is_lost_however_elements_are_nested(body: str, within: str) -> None:
    page = f"<!doctype html><body>{within.format(body)}<p>The last sentence of the page, word9999.</p></body>"
    text = html(page.encode(), _HUGE).text
    assert set(re.findall(r"word\d{4}", page)) <= set(re.findall(r"word\d{4}", text))
