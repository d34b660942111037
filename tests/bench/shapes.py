"""Pages as sites make them, each with what it says (``facts``) and with the menus around it (``menus``).

The words are made up; the markup has the shapes of encyclopedias, museums, shops, offices, newspapers, forums and
handbooks.
"""

# ruff: noqa: E501 - markup is read as it stands
from __future__ import annotations

from typing import NamedTuple

_SENTENCE = (
    "The harbour of Tarn was laid out by the company in the years after the great flood, and most of the quays that are "
    "seen today were finished under its second director, who had learned the trade on the other side of the sound."
)
_MORE = (
    "Ships from all the islands called here in summer, so that the town soon had a customs house, two schools and a yard "
    "where the smaller boats were mended before the ice came.",
    "When the railway reached the coast the ferries lost half of their passengers, but the fish market grew, and with it "
    "the streets behind the church that are named after the first captains.",
    "A storm took the old breakwater away in one night; the new one is longer by a third and carries the lamp that had "
    "stood on the northern rock until then.",
)
_PROSE = f"<p>{_SENTENCE}</p>" + "".join(f"<p>{text}</p>" for text in _MORE)


class Page(NamedTuple):
    """One page. ``facts``: each stands on it, and each must come to the model; ``menus``: these must not."""

    name: str
    html: str
    facts: tuple[str, ...]
    menus: tuple[str, ...] = ()


def _menu(words: str, count: int = 30) -> str:
    return "<ul>" + "".join(f'<li><a href="/{n}">{words} {n}</a></li>' for n in range(count)) + "</ul>"


def _site(body: str, *, main: bool = True, foot: str = "", head: str = "") -> str:
    opened, closed = ("<main>", "</main>") if main else ('<div id="content">', "</div>")
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>Tarn</title>{head}"
        '<style>.tab{display:none}</style><script>window.state={"secret":"not shown"}</script></head><body>'
        f"<header><nav>{_menu('Section')}</nav></header>{opened}{body}{closed}"
        f'<footer><div class="footer-nav">{_menu("Imprint", 8)}</div>{foot}</footer></body></html>'
    )


def _table(*rows: tuple[str, ...], caption: str = "", kind: str = "wikitable") -> str:
    head, *rest = rows
    cells = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rest)
    title = f"<caption>{caption}</caption>" if caption else ""
    return f'<table class="{kind}">{title}<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>'


_INFOBOX = (
    '<table class="infobox vcard"><tr><th colspan=2>Tarn</th></tr><tr><td colspan=2><img src=a.jpg alt="The old lamp">'
    '<div class="infobox-caption">The lamp in 1934</div></td></tr><tr><th>Population (2011)</th><td>4,213</td></tr>'
    "<tr><th>Harbour master</th><td>Ada Brill<sup><a href=#n2>[2]</a></sup></td></tr>"
    "<tr><th>Area</th><td>77.5 km<sup>2</sup></td></tr></table>"
)
_FACTS_BESIDE = ("The old lamp", "The lamp in 1934", "Population (2011)", "4,213", "Ada Brill", "77.5 km²")

PAGES = (
    Page("encyclopedia, infobox in the text",
         _site(f"<h1>Tarn</h1>{_INFOBOX}{_PROSE}<h2>Mayors</h2><ul><li><a href=/o>Olin Reth</a> (1901–1907)</li>"
               "<li><a href=/p>Pia Sund</a> (1907–1912)</li></ul><h2>Notes</h2><ol class=references><li id=n2>Register of "
               "Offices, p. 118</li></ol>", main=False),
         (*_FACTS_BESIDE, "Olin Reth", "(1907–1912)", "Register of Offices, p. 118", _MORE[2]), ("Section 3", "Imprint 2")),
    Page("encyclopedia, infobox in an aside",
         _site(f"<article><h1>Tarn</h1><aside class=infobox>{_INFOBOX}</aside>{_PROSE}</article>"),
         (*_FACTS_BESIDE, _SENTENCE), ("Section 3", "Imprint 2")),
    Page("facts beside the text as terms",
         _site(f"<article><h1>Tarn</h1>{_PROSE}</article><aside><h3>Key facts</h3><dl><dt>Founded</dt><dd>1612</dd>"
               "<dt>Depth at low water</dt><dd>3.4 m</dd><dt>Sister ports</dt><dd>Hale</dd><dd>Ostby</dd></dl></aside>"),
         ("Founded: 1612", "Depth at low water: 3.4 m", "Hale", "Ostby", "Key facts"), ("Section 3",)),
    Page("newspaper, captions, byline, comments",
         _site(f"<article><header><h1>Lamp lit again</h1><p class=byline>By Runa Holt, <time datetime=2019-05-03>3 May 2019"
               f"</time></p></header>{_PROSE}<figure><img src=b.jpg><figcaption>Keeper Jon Aas with the lens of 1815. Photo: "
               "E. Vik</figcaption></figure><div class=gallery><figure><figcaption>The stair has 214 steps</figcaption>"
               "</figure></div><footer>Corrected on 6 May: the lens weighs 740 kg</footer></article><section id=comments "
               "class=comments><p>My grandfather Per Lie kept it until 1956.</p></section>"),
         ("Runa Holt", "3 May 2019", "Jon Aas with the lens of 1815", "214 steps", "740 kg", "Per Lie kept it until 1956"),
         ("Section 3", "Imprint 2")),
    Page("museum, tabs of which one is open",
         _site("<h1>Museum of Kelp</h1><ul role=tablist><li><button role=tab>About</button></li><li><button role=tab>Opening "
               f"hours</button></li></ul><div role=tabpanel class='tab-pane active'>{_PROSE}</div><div role=tabpanel "
               "class=tab-pane style='display:none'><p>Closed on Mondays; last entry 16:40</p></div><div role=tabpanel hidden>"
               "<p>Adults 9 crowns</p></div><div class='panel collapse' aria-hidden=true><h3>Wards</h3><p>eleven</p></div>"
               "<details><summary>Where is the lift?</summary><p>Behind room 12</p></details>"),
         ("Opening hours", "last entry 16:40", "Adults 9 crowns", "Wards", "eleven", "Where is the lift?", "Behind room 12"),
         ("Section 3",)),
    Page("office, address in the footer",
         _site(f"<h1>Office of Pilots</h1>{_PROSE}", foot="<address>Quay 7, Tarn</address><p>Telephone 555-0199</p>"
               "<p>Registered as no. 88412 on 3 May 1977</p>"),
         ("Quay 7, Tarn", "555-0199", "no. 88412"), ("Section 3", "Imprint 2")),
    Page("statistics, tables with captions and sums",
         _site("<h1>Landings</h1><p>Tonnes by year and port.</p>" + _table(("Year", "Tarn", "Hale"), ("1901", "17", "1,204"),
               ("1902", "18", "990"), caption="Landings by port") + "<table><thead><tr><th rowspan=2>Port</th><th colspan=2>"
               "Boats</th></tr><tr><th>small</th><th>large</th></tr></thead><tbody><tr><td>Tarn</td><td>31</td><td>4</td></tr>"
               "</tbody><tfoot><tr><td>Total</td><td>57</td><td>9</td></tr></tfoot></table>" + _PROSE),
         ("Landings by port", "1,204", "990", "31", "57", "Total", "small"), ("Section 3",)),
    Page("shop, what a thing is made of",
         _site("<h1>Dory 14</h1><p>A rowing boat for two.</p><dl class=specs><dt>Length</dt><dd>4.27 m</dd><dt>Oars</dt><dd>two, "
               "ash</dd></dl><div class=price><span>Price</span><span>1,890 crowns</span></div><div class=grid><div class=cell>"
               "<div>Weight</div><div>61 kg</div></div><div class=cell><div>Built by</div><div>Sund &amp; Reth</div></div></div>"
               f"<div class=accordion><h3><button>Delivery</button></h3><div class=hidden>Within 19 days</div></div>{_PROSE}"),
         ("Length", "4.27 m", "two, ash", "Price", "1,890 crowns", "Weight", "61 kg", "Sund & Reth", "Delivery",
          "Within 19 days"), ("Section 3",)),
    Page("handbook, code and notes",
         _site(f"<article><h1>tide</h1>{_PROSE}<pre><code>def tide(hour):\n    return 3.1 * hour  # metres\n</code></pre><p>Call "
               "<code>tide(hour=6)</code> first.</p><div class=admonition><p>Since 2.4 it returns floats.</p></div><table><tr><th>"
               "flag</th><th>meaning</th></tr><tr><td><code>--low</code></td><td>ebb only</td></tr></table></article>"),
         ("    return 3.1 * hour", "tide(hour=6)", "Since 2.4 it returns floats", "--low", "ebb only"), ("Section 3",)),
    Page("list of many links",
         _site("<h1>Ships built at Tarn</h1><ul>" + "".join(f"<li><a href=/s{n}>Vessel No{n}x</a></li>" for n in range(40))
               + "</ul>"),
         tuple(f"Vessel No{n}x" for n in range(40)), ("Section 3",)),
    Page("search results as cards",
         _site("".join(f"<div class=card><a href=/b{n}><h3>Boat {n}</h3></a><span class=meta>Launched {1800 + n}</span><p>Owner: "
                       f"family {n}</p></div>" for n in range(12))),
         tuple(word for n in range(12) for word in (f"Launched {1800 + n}", f"family {n}")), ("Section 3",)),
    Page("laid out with tables",
         f"<html><body><table><tr><td width=150><div class=menu>{_menu('Go to')}</div></td><td><h1>Tarn</h1>{_PROSE}<b>The bell "
         "weighs 318 kg.</b><table border=1><tr><td>Cast by</td><td>N. Orre</td></tr></table></td></tr></table></body></html>",
         ("The bell weighs 318 kg", "Cast by", "N. Orre", _SENTENCE), ("Go to 3",)),
    Page("forum",
         _site("".join(f"<div class=post><div class=author>user{n}</div><div class=body><p>{text}</p><blockquote>I counted {n}7 "
                       "gulls</blockquote></div></div>" for n, text in enumerate(_MORE))),
         ("user0", "user2", "I counted 07 gulls", "I counted 27 gulls", *_MORE), ("Section 3",)),
    Page("formulas, powers and indices",
         _site(f"<h1>Light</h1>{_PROSE}<p>The lamp gives 10<sup>9</sup> candela at 6 m<sup>−2</sup>, and H<sub>2</sub>O freezes.</p>"
               '<p>With <math alttext="E = mc^2"><mi>E</mi><mo>=</mo><mi>m</mi></math> in mind.</p>'),
         ("10⁹ candela", "6 m⁻²", "H2O", "E = mc^2"), ("Section 3",)),
    Page("Chinese encyclopedia",
         _site("<h1>塔恩</h1><aside class=infobox><table><tr><th>人口</th><td>4213人</td></tr><tr><th>市长</th><td>李白</td></tr></table>"
               "</aside><p>塔恩是一座位于北海岸的港口城市,十九世纪的旅行者多次描述过它的码头和灯塔。城市的鱼市每年吸引许多游客。</p><figure>"
               "<figcaption>1815年的灯塔</figcaption></figure>", foot="<p>地址:码头路7号</p>"),
         ("4213人", "李白", "1815年的灯塔", "码头路7号", "港口城市"), ("Section 3",)),
    Page("a menu of dishes is no menu",
         _site("<h1>The Anchor</h1><div class=menu><h2>Menu</h2><ul><li>Cod soup 74 crowns</li><li>Eel pie 91 crowns</li></ul></div>"
               f"{_PROSE}<div class=sidebar><h3>Tonight</h3><p>Singer: Ida Moe</p></div>"),
         ("Cod soup 74 crowns", "Eel pie 91 crowns", "Ida Moe"), ("Section 3",)),
    Page("banner about cookies, and a notice",
         _site(f"<h1>Tarn</h1>{_PROSE}<div class='notice popup'>The ferry runs at 6.15 only.</div>")
         .replace("<body>", "<body class=has-cookie-bar><div id=cookie-banner>We value your privacy <a href=/c>Options</a></div>"),
         ("The ferry runs at 6.15 only", _SENTENCE), ("We value your privacy", "Section 3")),
    Page("a drawing with words",
         _site(f"<h1>Depths</h1>{_PROSE}<svg viewBox='0 0 9 9'><title>icon</title><text x=1>North 8.2 m</text><text>South 5.9 m</text>"
               "</svg><p>Flag: <img src=f.png alt='Blue field, white gull'></p>"),
         ("North 8.2 m", "South 5.9 m", "Blue field, white gull"), ("Section 3",)),
    Page("hardly anything", "<html><body><div>Depth at the pier: 42 feet</div></body></html>", ("Depth at the pier: 42 feet",)),
    Page("only where no scripts run", "<html><body><noscript><p>The pier opens at 5.</p></noscript></body></html>",
         ("The pier opens at 5.",)),
)  # fmt: skip
