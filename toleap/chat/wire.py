"""One ChatCompletions address on the wire: how it is reached, and what comes back as bytes.

Proxies of the environment (``HTTP_PROXY``, ``HTTPS_PROXY``, ``NO_PROXY``) are obeyed, but never for an address on
this machine or in a private network: a model server of one's own is not behind them.
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

import aiohttp

from toleap.chat import refusals
from toleap.chat.streaming import joined
from toleap.chat.waiting import Failed


class Wire:
    """Requests to one address. Use as an async context manager; ``connections`` 0 means any number at once."""

    def __init__(self, base_url: str, *, api_key: str | None = None, connections: int = 0) -> None:
        self.url = f"{base_url.rstrip('/')}/chat/completions"
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # No limit on the whole call: that is ours to set, and would otherwise be silent.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=not is_near(self.url))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session.

        Raises:
            RuntimeError: it is not open.
        """
        if self._session is None:
            raise RuntimeError("the client is used outside its `async with` block")
        return self._session

    async def post(
        self, body: bytes, limit: AbstractAsyncContextManager[object], headers: Mapping[str, str] | None = None
    ) -> bytes:
        """One request, which ``limit`` bounds; the body of an answer, a stream as if it had come in one piece. Its
        connection is closed when this returns or raises.

        Raises:
            ContextOverflow: the prompt does not fit.
            Filtered: a content filter refused it.
            Failed: there is no answer.
        """
        try:
            async with (
                limit,
                self.session.post(self.url, data=body, headers=self._headers | dict(headers or {})) as got,
            ):
                raw = await got.read()
        except aiohttp.ClientConnectionError as error:
            # A connection that cannot be made fails everybody; one that breaks may be this conversation's doing.
            nobody = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            raise Failed(f"{type(error).__name__}: {error}", everybody=nobody) from error
        except aiohttp.ClientError as error:
            raise Failed(f"{type(error).__name__}: {error}") from error
        if got.history and got.method != "POST":
            address = str(got.url).removesuffix("/chat/completions")
            raise Failed(f"it redirects to {address}, which loses the request: use that address", passing=False,
                         everybody=True, status=got.history[0].status)  # fmt: skip
        if got.content_type == "text/event-stream":
            raw = joined(raw)
        refusals.check(got.status, raw, got.headers)
        return raw


def is_near(url: str) -> bool:
    """Whether an address is on this machine or in a private network, or is a bare host name."""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))
    return address.is_loopback or address.is_private or address.is_link_local
