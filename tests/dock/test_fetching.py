"""Fetching against a site of our own: what is refused, on every hop, and what is cut."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from toleap.dock.addresses import is_public
from toleap.dock.fetching import Fetched, Refused, Unreachable, fetch

PAGE = b"<html><body>" + b"The museum opened in 1931. " * 100
ENCODED = {
    "gzip": gzip.compress(PAGE),
    "deflate": zlib.compress(PAGE),
    "raw": zlib.compress(PAGE)[2:-4],
}


class Site:
    """A web site on the loopback address, at a port that was free."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async def answer(request: web.Request) -> web.StreamResponse:
        made.asked.append(request.path)
        made.headers = dict(request.headers)
        match request.path.split("/")[1]:
            case "page":
                return web.Response(body=PAGE, content_type="text/html", charset="utf-8")
            case "packed":
                kind = request.path.split("/")[2]
                name = "deflate" if kind == "raw" else kind
                return web.Response(
                    body=ENCODED[kind], headers={"Content-Encoding": name, "Content-Type": "text/html"}
                )
            case "bomb":
                body = gzip.compress(b"\0" * (100 * 2**20))
                return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "text/html"})
            case "brotli":
                return web.Response(body=b"xx", headers={"Content-Encoding": "br"})
            case "broken":
                return web.Response(body=b"not gzip at all", headers={"Content-Encoding": "gzip"})
            case "to":
                raise web.HTTPFound(request.query["url"])
            case "cookie":
                response = web.HTTPFound("/page")
                response.set_cookie("id", "1")
                raise response
            case "loop":
                raise web.HTTPFound("/loop")
            case "endless":
                stream = web.StreamResponse()
                await stream.prepare(request)
                while True:
                    await stream.write(b"x" * 2**16)
            case "short":
                request.transport.close()  # type: ignore[union-attr]
                return web.Response()
            case _:
                raise web.HTTPNotFound
        raise web.HTTPNotFound

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    made = Site(f"127.0.0.1:{listener.getsockname()[1]}")
    yield made
    await runner.cleanup()


async def get(site: Site, path: str, **options: Any) -> Fetched:
    return await fetch(site.url(path), allow_hosts=[site.host], **options)


async def test_a_page_of_an_allowed_host(site: Site) -> None:
    fetched = await get(site, "/page#part")
    assert (fetched.body, fetched.content_type, fetched.charset, fetched.truncated) == (
        PAGE,
        "text/html",
        "utf-8",
        False,
    )
    assert fetched.url == site.url("/page")


@pytest.mark.parametrize("kind", sorted(ENCODED))
async def test_packed_pages_are_unpacked(site: Site, kind: str) -> None:
    assert (await get(site, f"/packed/{kind}")).body == PAGE


async def test_a_gzip_bomb_is_cut(site: Site) -> None:
    fetched = await get(site, "/bomb", most_bytes=1000)
    assert (len(fetched.body), fetched.truncated) == (1000, True)


async def test_a_page_without_end_is_cut(site: Site) -> None:
    assert len((await get(site, "/endless", most_bytes=200_000)).body) == 200_000


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/gone", "HTTP 404 Not Found"),
        ("/loop", "more than 5 redirects"),
        ("/brotli", "not asked for"),
        ("/broken", "decompressing"),
        ("/short", "isconnected"),
    ],
)
async def test_what_the_world_does_not_give(site: Site, path: str, says: str) -> None:
    with pytest.raises(Unreachable, match=says) as caught:
        await get(site, path)
    assert str(caught.value)


async def test_loopback_is_refused_unless_allowed(site: Site) -> None:
    with pytest.raises(Refused, match="port"):
        await fetch(site.url("/page"))
    for url in ("http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://2130706433/", "http://0x7f.1/"):
        with pytest.raises((Refused, Unreachable)):
            await fetch(url)
    assert site.asked == []


async def test_every_hop_is_checked(site: Site) -> None:
    port = int(site.host.split(":")[1])
    for target in (
        f"http://localhost:{port}/page",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
        "file:///etc/passwd",
    ):
        with pytest.raises(Refused):
            await get(site, f"/to?url={target}")
    assert site.asked == ["/to"] * 4
    assert (await get(site, "/to?url=/page")).url == site.url("/page")


async def test_a_name_with_one_address_that_is_not_public_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def two(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", ("8.8.8.8", 80)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", two)
    with pytest.raises(Refused, match="not public"):
        await fetch("http://two.example/")


async def test_the_connection_is_made_to_the_address_that_was_checked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers differently the second time gets no second question."""
    asked = []
    port = int(site.host.split(":")[1])

    async def rebinding(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, 1, 6, "", ("127.0.0.1" if len(asked) == 1 else "192.0.2.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", rebinding)
    fetched = await fetch(f"http://mine.example:{port}/page", allow_hosts=[f"mine.example:{port}"])
    assert fetched.body == PAGE
    assert asked == ["mine.example"]


async def test_nothing_of_ours_is_sent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    await get(site, "/cookie")
    assert not {"Cookie", "Authorization", "Referer"} & set(site.headers)


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "javascript://x", "http://me:secret@a.example/", "http://a.example:22/", "gopher://x:70/"],
)
async def test_what_we_refuse_before_asking(url: str) -> None:
    with pytest.raises(Refused):
        await fetch(url)


async def test_url_cases_never_raise_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.environ.get("TOLEAP_TESTDATA"):
        pytest.skip("TOLEAP_TESTDATA is not set")

    async def nobody(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    async def no_connection(*_: object, **__: object) -> None:
        raise OSError("no network in tests")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody)
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", no_connection)
    monkeypatch.setattr("aiohappyeyeballs.start_connection", no_connection)
    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", no_connection)
    cases = json.loads((Path(os.environ["TOLEAP_TESTDATA"]) / "corpora" / "urls.json").read_text("utf-8"))
    for case in cases:
        if isinstance(case, dict):
            with pytest.raises((Refused, Unreachable)):
                await fetch(case["input"])


_PRIVATE = """
0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1
192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1
2001:db8::1 2002:7f00:1::1 2002:808:808::1 3fff::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1
2600::1%1 localhost 1 127.1 0x7f.1 08.8.8.8 8.8.8.8/8
"""


@pytest.mark.parametrize("address", [*_PRIVATE.split(), ""])
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450::1", "172.32.0.1"]
)
def test_addresses_that_are(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4, network="10.0.0.0/8"), st.text())
def test_a_mapped_address_is_judged_by_what_it_maps_to(private: object, text: str) -> None:
    assert not is_public(f"::ffff:{private}")
    is_public(text)
