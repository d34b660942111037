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
WIDE_SEARCHES = 12
WIDE_RESULTS = 100
"""Twelve answers of a hundred hits make a history of 128K tokens in few turns."""
FULL = "full"
FULL_TASKS = 2
FULL_SEARCHES = 20
_FULL_QUESTION = 430_000
"""Bytes: with it a history is as long as 128K tokens in its first turn."""
_HIT_BYTES = 410
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
    hits: int = RESULTS
    benchmark: str = NAME


@dataclass(frozen=True)
class World:
    """Where the files are. ``episodes`` is how many attempts the measured run plays."""

    folder: Path
    corpus: Path
    short: Script
    long: Script
    wide: Script
    full: Script
    tasks: int

    @property
    def episodes(self) -> int:
        return self.tasks * K


def make(folder: Path, *, tasks: int = TASKS) -> World:
    """Write the benchmark folder, the corpus and the script into ``folder``."""
    draw = random.Random(7)
    words = _words(draw)
    questions = [f"What stands at the end of pier {number}?" for number in range(TASKS)]
    _write_benchmark(folder / "benchmarks" / NAME, questions)
    filling = " ".join(draw.choices(words, k=_FULL_QUESTION // 7))[:_FULL_QUESTION]
    _write_benchmark(folder / "benchmarks" / FULL, [f"{filling} {question}" for question in questions[:FULL_TASKS]])
    _write_corpus(folder / "pages.jsonl", draw, words)
    short, long = (_script(folder, searches, draw, words) for searches in (SEARCHES, LONG_SEARCHES))
    wide = _script(folder, WIDE_SEARCHES, draw, words, hits=WIDE_RESULTS)
    full = _script(folder, FULL_SEARCHES, draw, words, benchmark=FULL, question=_FULL_QUESTION)
    return World(folder, folder / "pages.jsonl", short, long, wide, full, tasks)


def _script(
    folder: Path, searches: int, draw: random.Random, words: list[str], *,
    hits: int = RESULTS, benchmark: str = NAME, question: int = 300,
) -> Script:  # fmt: skip
    files = folder / f"turns-{searches}.json", folder / f"conversation-{searches}.json"
    script = Script(searches, *files, hits, benchmark)
    queries = [" ".join(draw.sample(words, 4)) for _ in range(searches)]
    script.turns.write_text(json.dumps([*map(_asks, queries), {"content": f"<answer>{_ANSWER}</answer>"}]))
    size = hits * _HIT_BYTES
    results = [" ".join(draw.choices(words, k=size // 5))[:size] for _ in queries]
    said = {"system": "s" * 1_500, "question": "q" * question, "results": results}
    script.conversation.write_text(json.dumps(said))
    return script


def _words(draw: random.Random) -> list[str]:
    letters = "abcdefghijklmnoprstuvw"
    return sorted({"".join(draw.choices(letters, k=draw.randint(3, 10))) for _ in range(4_000)})


def _write_benchmark(folder: Path, questions: list[str]) -> None:
    folder.mkdir(parents=True)
    with (folder / f"{folder.name}.jsonl").open("w") as file:
        for number, question in enumerate(questions):
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
