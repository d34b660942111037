"""fetch_url through the dock: from a corpus, and live from a site on the loopback address."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from toleap.dock import Dock
from toleap.dock.context import from_meta
from toleap.errors import UsageError
from toleap.types import CallContext, ErrorClass, ToolCall, ToolResult, ToolSettings

HTML = """<!doctype html><html><head><title>Museum of Kelp</title></head><body><nav>Home About</nav><article>
<h1>Museum of Kelp</h1><p>{}</p></article></body></html>"""


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CallContext:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    pages = {"https://a.example/kelp": "Kelp is brown.", "https://a.example/long": "x" * 500}
    path = tmp_path / "c.jsonl"
    path.write_text("\n".join(json.dumps({"url": url, "title": "T", "text": text}) for url, text in pages.items()))
    return CallContext("run", "atoll", "t", 0, corpus=str(path))


@pytest.fixture
async def dock() -> AsyncIterator[Dock]:
    async with Dock(["fetch_url"], trust=False) as made:
        yield made


@pytest.fixture
async def live(context: CallContext) -> AsyncIterator[tuple[CallContext, str]]:
    """A context without a corpus, and the address of a site that it may fetch from."""
    bodies = {
        "/page": (HTML.format("The museum opened in 1931 on Tarn. " * 20).encode(), "text/html"),
        "/plain": ("naïve café".encode("latin-1"), "text/plain"),
        "/empty": (b"", "text/html"),
        "/image": (b"\x89PNG", "image/png"),
        "/garbage": (b"%PDF-1.4 garbage", "application/pdf"),
    }

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/inside":
            raise web.HTTPFound("http://127.0.0.1:80/secret")
        if request.path not in bodies:
            raise web.HTTPNotFound
        body, kind = bodies[request.path]
        return web.Response(body=body, content_type=kind)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    yield replace(context, corpus=None, policy=ToolSettings(allow_hosts=(host,))), f"http://{host}"
    await runner.cleanup()


async def fetch(dock: Dock, context: CallContext, *urls: str) -> ToolResult:
    return await dock.call(ToolCall("1", "fetch_url", {"url": list(urls), "purpose": "to see"}), context)


async def test_the_schema_is_what_models_were_trained_on(dock: Dock) -> None:
    parameters = dock.schemas()[0]["function"]["parameters"]
    assert {name: part["type"] for name, part in parameters["properties"].items()} == {
        "url": "array",
        "purpose": "string",
    }
    assert parameters["required"] == ["url"]


async def test_pages_of_a_corpus(dock: Dock, context: CallContext) -> None:
    result = await fetch(dock, context, "https://a.example/kelp/", "https://a.example/gone")
    assert result.error is None
    assert result.text == (
        "URL: https://a.example/kelp/\nTitle: T\nKelp is brown.\n---\n"
        "URL: https://a.example/gone\nThe page could not be found."
    )


async def test_a_page_that_is_gone_is_the_worlds(dock: Dock, context: CallContext) -> None:
    assert (await fetch(dock, context, "https://a.example/gone")).error is ErrorClass.WORLD


async def test_long_pages_are_cut_with_a_mark(dock: Dock, context: CallContext) -> None:
    result = await fetch(dock, replace(context, policy=ToolSettings(page_chars=100)), "https://a.example/long")
    assert result.truncated
    assert result.text.endswith("x\n[cut: only the first 100 characters are shown]")
    assert "x" * 100 in result.text


async def test_no_address_and_too_many(dock: Dock, context: CallContext) -> None:
    assert (await fetch(dock, context)).error is ErrorClass.CALL
    text = (await fetch(dock, context, *["https://a.example/kelp"] * 11)).text
    assert text.count("Kelp is brown.") == 10
    assert "1 further addresses were not fetched" in text


async def test_live_pages(dock: Dock, live: tuple[CallContext, str]) -> None:
    context, site = live
    result = await fetch(dock, context, f"{site}/page", f"{site}/plain")
    page, plain = result.text.split("\n---\n")
    assert page.startswith(f"URL: {site}/page\nTitle: Museum of Kelp\n")
    assert "opened in 1931" in page
    assert "Home About" not in page
    assert plain.endswith("naïve café")


async def test_live_pages_are_cut(dock: Dock, live: tuple[CallContext, str]) -> None:
    context, site = live
    result = await fetch(dock, replace(context, policy=replace(context.policy, page_chars=50)), f"{site}/page")
    assert result.truncated
    assert "[cut: only the first 50 characters are shown]" in result.text


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/gone", "could not be fetched: HTTP 404"),
        ("/empty", "it has no text"),
        ("/image", "its type is image/png"),
        ("/garbage", "could not be read"),
    ],
)
async def test_what_the_world_does_not_give(dock: Dock, live: tuple[CallContext, str], path: str, says: str) -> None:
    context, site = live
    result = await fetch(dock, context, site + path)
    assert result.error is ErrorClass.WORLD
    assert says in result.text


async def test_our_own_network_is_blocked(dock: Dock, live: tuple[CallContext, str]) -> None:
    context, site = live
    redirected = await fetch(dock, context, f"{site}/inside")
    direct = await fetch(dock, replace(context, policy=ToolSettings()), f"{site}/page", "file:///etc/passwd")
    assert (redirected.error, direct.error) == (ErrorClass.BLOCKED, ErrorClass.BLOCKED)
    assert "not public" in redirected.text
    mixed = await fetch(dock, context, f"{site}/inside", f"{site}/gone")
    assert mixed.error is ErrorClass.WORLD


def test_settings_that_cannot_be_used() -> None:
    for policy in ({"page_chars": 0}, {"allow_hosts": "127.0.0.1"}, {"allow_hosts": [1]}):
        with pytest.raises(UsageError, match=r"policy\."):
            from_meta({"policy": policy})
