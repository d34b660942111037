"""The floor: the same requests from the least code that can make them, with no tools, no store and no checks.

``python floor.py URL CONVERSATION EPISODES IN_FLIGHT OUT`` plays the episodes with aiohttp and orjson, and writes
each finished conversation as one line of JSON.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import orjson


async def episode(session: aiohttp.ClientSession, url: str, said: dict[str, Any], out: BinaryIO) -> None:
    """Five requests with a growing history."""
    messages = [{"role": "system", "content": said["system"]}, {"role": "user", "content": said["question"]}]
    tools = [{"type": "function", "function": {"name": "search"}}]
    for result in [*said["results"], None]:
        body = orjson.dumps({"model": "scripted", "messages": messages, "tools": tools})
        async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
            reply = orjson.loads(await response.read())["choices"][0]["message"]
        messages.append(reply)
        if result is not None:
            call = reply["tool_calls"][0]["id"]
            messages.append({"role": "tool", "tool_call_id": call, "content": result})
    out.write(orjson.dumps(messages) + b"\n")


async def play(url: str, said: dict[str, Any], episodes: int, in_flight: int, out: BinaryIO) -> None:
    """All episodes, ``in_flight`` at once."""
    left = iter(range(episodes))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def work() -> None:
            for _ in left:
                await episode(session, f"{url}/chat/completions", said, out)

        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(work())


def main() -> None:
    """The command line."""
    url, conversation, episodes, in_flight, target = sys.argv[1:]
    said = orjson.loads(Path(conversation).read_bytes())
    with Path(target).open("wb") as out:
        asyncio.run(play(url, said, int(episodes), int(in_flight), out))


if __name__ == "__main__":
    main()
