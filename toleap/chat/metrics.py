"""What a vLLM server says of its own work in ``/metrics``."""

from __future__ import annotations

import re
from dataclasses import dataclass

import aiohttp

_TOKENS = re.compile(rb"^vllm:(?:generation|prompt)_tokens_total(?:\{.*\})? (\S+)", re.MULTILINE)
_REQUESTS = re.compile(rb"^vllm:num_requests_(?:running|waiting)(?:\{.*\})? (\S+)", re.MULTILINE)
_PATIENCE = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Work:
    """``tokens`` read and written since the server started, and the ``requests`` that run or wait in it."""

    tokens: float
    requests: float


def metrics_url(base_url: str) -> str | None:
    """Where a vLLM server with this base URL has its metrics; None where the URL is not of vLLM's form."""
    root, version, rest = base_url.rstrip("/").rpartition("/v1")
    return f"{root}/metrics" if version and not rest else None


async def read_work(session: aiohttp.ClientSession, url: str) -> Work | None:
    """What the server has done so far; None where it does not say.

    Raises:
        aiohttp.ClientError, TimeoutError: it does not answer.
    """
    async with session.get(url, timeout=_PATIENCE) as response:
        body = await response.read() if response.status == 200 else b""
    try:
        tokens = [float(value) for value in _TOKENS.findall(body)]
        requests = [float(value) for value in _REQUESTS.findall(body)]
    except ValueError:
        return None
    return Work(sum(tokens), sum(requests)) if tokens and requests else None
