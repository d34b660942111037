"""What goes wrong on purpose at the scripted server."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

import orjson
from aiohttp import web

from toleap.errors import UsageError
from toleap.serving.completion import error_response

Kind = Literal["status", "reset", "silent", "cut", "half", "html", "empty", "null", "length"]
KINDS: tuple[str, ...] = get_args(Kind)
_EXAMPLE = '{"kind": "silent", "first": 3}'


@dataclass(frozen=True, slots=True)
class Faults:
    """Which requests fail, and how.

    The ``every``-th request fails, or the ``first`` so many, or both; with ``after`` the count begins so many
    requests later, and with ``match`` only requests whose body holds that text are counted. A failed one is answered
    according to its ``kind``:

    - ``status``: with the HTTP ``status``, and ``Retry-After: retry_after`` where that is positive;
    - ``reset``: the connection is reset at once (``status`` 0 means the same);
    - ``silent``: never, until the client hangs up;
    - ``cut``: the headers and half of the body, then the connection is reset;
    - ``half``: half of the body as if it were all; ``html``: a page; ``empty``: a completion without choices;
    - ``null``: the reply's content is null and it calls nothing; ``length``: it was cut off inside its last call.
    """

    every: int = 0
    status: int = 500
    retry_after: float = 0.0
    kind: Kind = "status"
    first: int = 0
    after: int = 0
    match: str = ""

    @classmethod
    def parse(cls, text: str) -> Faults:
        """From JSON such as ``{"every": 7, "status": 429, "retry_after": 0.5}``.

        Raises:
            UsageError: it is something else.
        """
        try:
            given = orjson.loads(text)
            types = {field.name: get_type_hints(cls)[field.name] for field in fields(cls)}
            plan = cls(**{key: types[key](value) if key != "kind" else value for key, value in given.items()})
            if plan.kind not in KINDS or not (plan.every or plan.first):
                raise ValueError(plan.kind)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(
                f"--faults {text!r}: write for example {_EXAMPLE}; kinds are {', '.join(KINDS)}"
            ) from error
        return plan

    def hit(self, number: int) -> bool:
        """Whether the ``number``-th of the requests that are counted fails; numbers begin at 1."""
        later = number - self.after
        return later > 0 and (later <= self.first or bool(self.every and later % self.every == 0))

    @property
    def replaces_reply(self) -> bool:
        """Whether the request is not played at all."""
        return self.kind in {"status", "reset", "silent", "html", "empty"}

    @property
    def breaks_body(self) -> bool:
        """Whether the reply is played, and half of it is sent."""
        return self.kind in {"cut", "half"}


async def fail(request: web.Request, faults: Faults) -> web.StreamResponse:
    """The answer to a request that is not played."""
    if faults.kind == "reset" or (faults.kind == "status" and faults.status == 0):
        return _reset(request)
    if faults.kind == "silent":
        await asyncio.Event().wait()
    if faults.kind == "html":
        return web.Response(text="<html>Welcome to nginx!</html>", content_type="text/html")
    if faults.kind == "empty":
        return web.json_response({"object": "chat.completion", "choices": [], "usage": {"prompt_tokens": 1}})
    headers = {"Retry-After": f"{faults.retry_after:g}"} if faults.retry_after > 0 else {}
    return error_response(faults.status, "a fault on purpose", headers)


def spoilt(completion: dict[str, Any], faults: Faults) -> dict[str, Any]:
    """A completion whose reply says nothing, or was cut off inside its last call."""
    choice = completion["choices"][0]
    message = dict(choice["message"])
    if faults.kind == "null":
        message = {"role": "assistant", "content": None}
        choice = {**choice, "message": message, "finish_reason": "stop"}
        # Nothing but its end was generated: of more, something would be left.
        completion = {**completion, "usage": {**completion["usage"], "completion_tokens": 1}}
    elif faults.kind == "length" and message.get("tool_calls"):
        *before, last = message["tool_calls"]
        function = last["function"]
        half = function["arguments"][: len(function["arguments"]) // 2]
        message["tool_calls"] = [*before, {**last, "function": {**function, "arguments": half}}]
        choice = {**choice, "message": message, "finish_reason": "length"}
    return {**completion, "choices": [choice]}


async def broken(request: web.Request, body: bytes, faults: Faults) -> web.StreamResponse:
    """Half of a body: as if it were all of it, or all that came before the connection broke."""
    half = body[: len(body) // 2]
    if faults.kind == "half":
        return web.Response(body=half, content_type="application/json")
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(half)
    return _reset(request, response)


def _reset(request: web.Request, answer: web.StreamResponse | None = None) -> web.StreamResponse:
    """End the connection with RST, as the kernel does for a process that was killed."""
    if request.transport is not None:
        raw: socket.socket = request.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return answer or web.Response(status=500)
