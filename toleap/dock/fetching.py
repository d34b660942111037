"""Fetching a page from the live web without being led into our own network.

Every hop: http or https, port 80 or 443, the name resolved, refused unless *every* address is public, and the
connection made to the addresses that were checked. No proxies, cookies or credentials. The body is counted unpacked.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from toleap.dock.addresses import is_public

MOST_BYTES = 10 * 2**20
MOST_HOPS = 6
SECONDS = 30.0
_CONNECT_SECONDS = 10.0
_CHUNK = 2**16
_PORTS = (80, 443)
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; toleap/0.1)",
    "Accept": "text/html,application/xhtml+xml,application/pdf,text/plain;q=0.9,*/*;q=0.5",
    "Accept-Encoding": "gzip, deflate",
}


class Refused(Exception):
    """Our rules forbid this address."""


class Unreachable(Exception):
    """The world does not give this page."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address gave: ``url`` after redirects, the unpacked body, cut at ``MOST_BYTES``."""

    url: str
    content_type: str
    charset: str | None
    body: bytes
    truncated: bool


class _Pinned(AbstractResolver):
    """Answers with the addresses that were checked, so that a second answer of the name server cannot differ."""

    def __init__(self) -> None:
        self.addresses: dict[tuple[str, int], list[ResolveResult]] = {}

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 (aiohttp's signature)
    ) -> list[ResolveResult]:
        pinned = self.addresses.get((host, port))
        if not pinned:
            raise OSError(f"{host} was not checked")
        return pinned

    async def close(self) -> None:
        self.addresses.clear()


async def fetch(url: str, *, allow_hosts: Collection[str] = (), most_bytes: int = MOST_BYTES) -> Fetched:
    """Fetch one page.

    Args:
        url: http or https; without a scheme, https is meant.
        allow_hosts: ``host:port`` pairs that are exempt from the rules on ports and addresses.
        most_bytes: where the unpacked body is cut.

    Raises:
        Refused: the address, or one it redirects to, is against our rules.
        Unreachable: no such host, no answer in time, an HTTP error, too many redirects.
    """
    pinned = _Pinned()
    connector = aiohttp.TCPConnector(resolver=pinned, use_dns_cache=False, force_close=True)
    timeout = aiohttp.ClientTimeout(total=SECONDS, sock_connect=_CONNECT_SECONDS)
    session = aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        headers=_HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )
    async with session:
        try:
            async with asyncio.timeout(SECONDS):
                return await _follow(session, pinned, url=url, allow_hosts=allow_hosts, most_bytes=most_bytes)
        except TimeoutError as error:
            raise Unreachable("it did not answer in time") from error
        except (aiohttp.ClientError, OSError, zlib.error) as error:
            raise Unreachable(" ".join(str(error).split())[:200] or type(error).__name__) from error


async def _follow(
    session: aiohttp.ClientSession, pinned: _Pinned, url: str, allow_hosts: Collection[str], most_bytes: int
) -> Fetched:
    target = _parsed(url)
    for _ in range(MOST_HOPS):
        await _check(target, pinned, allow_hosts)
        async with session.get(target, allow_redirects=False) as response:
            location = response.headers.get("Location")
            if response.status in {301, 302, 303, 307, 308} and location:
                target = _parsed(location, target)
                continue
            if response.status >= 400:
                raise Unreachable(f"HTTP {response.status} {response.reason or ''}".strip())
            body, truncated = await _body(response, most_bytes)
            return Fetched(
                str(target), response.content_type, charset=response.charset, body=body, truncated=truncated
            )
    raise Unreachable(f"more than {MOST_HOPS - 1} redirects")


def _parsed(url: str, base: URL | None = None) -> URL:
    text = url.strip()
    if base is None and "://" not in text:
        text = f"https://{text}"
    try:
        parsed = URL(text) if base is None else base.join(URL(text))
        host, port = parsed.host, parsed.port
    except (ValueError, TypeError) as error:
        raise Unreachable("that is not an address") from error
    if parsed.scheme not in {"http", "https"}:
        raise Refused("only http and https are fetched")
    if not host or not port:
        raise Unreachable("that is not an address")
    if parsed.user is not None or parsed.password is not None:
        raise Refused("addresses with a user name are not fetched")
    return parsed.with_fragment(None)


async def _check(target: URL, pinned: _Pinned, allow_hosts: Collection[str]) -> None:
    """Resolve the host, judge every address, and pin what was judged."""
    host, port = target.raw_host or "", target.port or 0
    allowed = f"{target.host}:{port}" in allow_hosts
    if not allowed and port not in _PORTS:
        raise Refused(f"port {port} is not fetched, only 80 and 443")
    addresses = await _resolved(host, port)
    if not allowed and not all(is_public(address) for _, address in addresses):
        raise Refused("its address is not public")
    pinned.addresses[host, port] = [
        ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
        for family, address in addresses
    ]


async def _resolved(host: str, port: int) -> list[tuple[int, str]]:
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return [(socket.AF_INET if literal.version == 4 else socket.AF_INET6, host)]
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable("there is no such host") from error
    addresses = [(int(family), str(address[0])) for family, _, _, _, address in infos]
    if not addresses:
        raise Unreachable("there is no such host")
    return addresses


async def _body(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    unpack = _unpacker(response.headers.get("Content-Encoding", "").strip().lower())
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += unpack(chunk, most + 1 - len(body))
        if len(body) > most:
            return bytes(body[:most]), True
    return bytes(body), False


class _Inflate:
    """Unpacks gzip and both kinds of deflate, never more bytes than asked for."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(47)
        self._started = False

    def __call__(self, chunk: bytes, most: int) -> bytes:
        try:
            data = self._inflate.decompress(chunk, most)
        except zlib.error:
            if self._started:
                raise
            # Some servers send deflate without its two bytes of header.
            self._inflate = zlib.decompressobj(-15)
            data = self._inflate.decompress(chunk, most)
        self._started = True
        while self._inflate.unconsumed_tail and len(data) < most:
            data += self._inflate.decompress(self._inflate.unconsumed_tail, most - len(data))
        return data


def _as_it_is(chunk: bytes, most: int) -> bytes:
    return chunk[:most]


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    if encoding in {"", "identity"}:
        return _as_it_is
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return _Inflate()
    raise Unreachable(f"it is packed in a way that was not asked for ({encoding[:40]})")
