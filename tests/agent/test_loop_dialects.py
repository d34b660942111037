"""The loop and the dialects: what is mended is made, what was cut off is not, and the model is told."""

from __future__ import annotations

import pytest
from aiohttp import web

from toleap.agent.conversation import Conversation
from toleap.agent.loop import Attempt, Player
from toleap.chat.client import Chat, Patience
from toleap.chat.dialects import dialect_for
from toleap.config import Agent, Sampling
from toleap.types import CallContext, Ending, Key, ToolResult

KEY = Key("bench", "task", 0)
OPENING = ({"role": "system", "content": "s"}, {"role": "user", "content": "q"})


class Tools:
    def __init__(self):
        self.made = []

    async def call(self, call, context):
        self.made.append((call.name, dict(call.arguments)))
        return ToolResult.of("found")


def saying(text, finish_reason="stop"):
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    return lambda _: web.json_response({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 9}})


async def play(server, dialect):
    async def save(key, turn):
        pass

    tools = Tools()
    async with Chat(server.url, "m", patience=Patience(0.1)) as chat:
        player = Player(
            chat, dialect_for(dialect), Sampling(), Agent(), None, "now", names={"search", "execute_code"}
        )
        talk, context = Conversation(OPENING), CallContext("run", *KEY)
        return tools.made, await Attempt(KEY, talk, player=player, dock=tools, context=context, save=save).play()


@pytest.mark.parametrize("dialect", ["native", "hermes", "agentcpm", "mirothinker", "deepseek"])
async def test_a_bare_call_is_mended_and_one_that_was_cut_off_is_not_made(dialect, endpoint):
    call = "{'name': 'search', 'arguments': {'query': ['x'],}}"
    server = await endpoint(saying(call), saying(call, "length"), saying("<answer>1</answer>"))
    made, done = await play(server, dialect)
    assert made == [("search", {"query": ["x"]})]
    assert (done.ending, done.answer) == (Ending.ANSWERED, "1")
    assert "cut off" in server.requests[2]["messages"][-1]["content"]


async def test_a_turn_lost_in_thoughts_goes_on(endpoint):
    thought = '<think>so <tool_call>{"name": "search", "arguments": {}}</tool_call>'
    server = await endpoint(saying(thought), saying("<answer>1</answer>"))
    made, done = await play(server, "agentcpm")
    assert (made, done.answer) == ([], "1")
    assert "inside your thoughts" in server.requests[1]["messages"][-1]["content"]
