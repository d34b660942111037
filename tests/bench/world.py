"""The working folder that the benchmark runs in: tasks, pages to search, and what the scripted model says.

Everything is made from one seed, so two machines measure the same work.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

NAME = "bench"
TASKS = 125
K = 8
SEARCHES = 4
LONG_SEARCHES = 200
RESULTS = 5
"""Hits in one search answer: five of about 400 bytes make the 2 kB that a search hands back."""
_PAGES = 2_000
_PAGE_WORDS = 300
_ANSWER = "the lighthouse"


@dataclass(frozen=True)
class Script:
    """What the scripted model says: so many searches, each in a turn of its own, then the answer."""

    searches: int
    turns: Path
    conversation: Path
    """For the floor: the opening messages, and tool answers of the size that the search gives."""


@dataclass(frozen=True)
class World:
    """Where the files are. ``episodes`` is how many attempts the measured run plays."""

    folder: Path
    corpus: Path
    short: Script
    long: Script
    tasks: int

    @property
    def episodes(self) -> int:
        return self.tasks * K


def make(folder: Path, *, tasks: int = TASKS) -> World:
    """Write the benchmark folder, the corpus and the script into ``folder``."""
    draw = random.Random(7)
    words = _words(draw)
    _write_benchmark(folder / "benchmarks" / NAME)
    _write_corpus(folder / "pages.jsonl", draw, words)
    short, long = (_script(folder, searches, draw, words) for searches in (SEARCHES, LONG_SEARCHES))
    return World(folder, folder / "pages.jsonl", short, long, tasks)


def _script(folder: Path, searches: int, draw: random.Random, words: list[str]) -> Script:
    script = Script(searches, folder / f"turns-{searches}.json", folder / f"conversation-{searches}.json")
    queries = [" ".join(draw.sample(words, 4)) for _ in range(searches)]
    script.turns.write_text(json.dumps([*map(_asks, queries), {"content": f"<answer>{_ANSWER}</answer>"}]))
    results = [" ".join(draw.choices(words, k=400))[:2_050] for _ in queries]
    script.conversation.write_text(json.dumps({"system": "s" * 1_500, "question": "q" * 300, "results": results}))
    return script


def _words(draw: random.Random) -> list[str]:
    letters = "abcdefghijklmnoprstuvw"
    return sorted({"".join(draw.choices(letters, k=draw.randint(3, 10))) for _ in range(4_000)})


def _write_benchmark(folder: Path) -> None:
    folder.mkdir(parents=True)
    with (folder / f"{NAME}.jsonl").open("w") as file:
        for number in range(TASKS):
            question = f"What stands at the end of pier {number}?"
            answer = _ANSWER if number % 2 else "a crane"
            row = {"task_id": f"t{number:03}", "Question": question, "Final answer": answer, "file_name": ""}
            file.write(json.dumps(row) + "\n")


def _write_corpus(path: Path, draw: random.Random, words: list[str]) -> None:
    with path.open("w") as file:
        for number in range(_PAGES):
            title = " ".join(draw.choices(words, k=4))
            text = " ".join(draw.choices(words, k=_PAGE_WORDS))
            url = f"https://example.org/{words[number]}/{number}"
            file.write(json.dumps({"url": url, "title": title, "text": text}) + "\n")


def _asks(query: str) -> dict[str, object]:
    function = {"name": "search", "arguments": json.dumps({"query": [query]})}
    return {"content": f"I look for {query}.", "tool_calls": [{"type": "function", "function": function}]}
