"""One published file from its URL: streamed, limited in size, kept only if it has the digest it must have."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path

from toleap.data import cache
from toleap.errors import UsageError

MAX_BYTES = 1 << 30
_PIECE = 1 << 20
_SECONDS = 60


def download(url: str, target: Path, sha256: str | None, otherwise: str, limit: int = MAX_BYTES) -> None:
    """Fetch ``url`` into ``target``, whole or not at all. Proxies are taken from the environment.

    Args:
        sha256: the digest the file must have, if it is known.
        otherwise: what to do without a network, for the message.
        limit: the most bytes it may have.

    Raises:
        UsageError: it cannot be fetched, is larger, or is another file.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as reply, cache.writing(target) as temporary:
            with temporary.open("wb") as file:
                while piece := reply.read(_PIECE):
                    size += len(piece)
                    if size > limit:
                        raise UsageError(f"{url}: larger than {limit >> 20} MiB")
                    digest.update(piece)
                    file.write(piece)
            if sha256 is not None and digest.hexdigest() != sha256:
                actual = digest.hexdigest()
                raise UsageError(
                    f"{url}: its sha256 is {actual[:12]}…, expected {sha256[:12]}…: another file or version"
                )
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UsageError(f"{url} cannot be fetched ({reason}); {otherwise}") from error
