"""Row H: how long a table of many stored attempts takes to read, beside reading the same rows and doing nothing.

``python fold.py FOLDER ATTEMPTS`` makes the run where it is not there yet, and prints seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from toleap.store.database import DATABASE, connect, create, insert
from toleap.store.reading import read_run
from toleap.store.records import (
    Answered,
    Benchmark,
    Given,
    Opened,
    Planned,
    Played,
    Record,
    Run,
    sealed,
)
from toleap.store.state import FOLDED
from toleap.types import Conduct, Ending, Key, ScoredBy, Turn, Usage, Verdict

K = 8
TURNS = 10
RULE = ScoredBy("gaia-0123456789ab")
RESPONSE = "The answer follows from the second page, which names the town. <answer>Ostby</answer> " * 6


def records(attempts: int) -> Iterator[Record]:
    """A finished run: 8 attempts at each task, each of 10 turns of which the last is stored here."""
    yield sealed(Key("", "", 0), Run("m", False, "f", "2026", {}))
    yield sealed(Key("b", "", 0), Benchmark(0, "B", attempts // K, "r", ("level",), (RULE,)))
    for place in range(attempts // K):
        yield sealed(Key("b", f"task-{place}", 0), Planned(place, K, {"level": place % 3}))
    conduct = Conduct((1,) * (TURNS - 1) + (0,), (1,) * (TURNS - 1) + (0,))
    opening = ({"role": "system", "content": RESPONSE * 4}, {"role": "user", "content": "Which town?"})
    for number in range(attempts):
        key = Key("b", f"task-{number // K}", number % K)
        yield sealed(key, Opened(f"{number:016x}", "f/r", "0.1.0", 0, opening))
        reply = {"role": "assistant", "content": RESPONSE}
        yield sealed(key, Played(f"{number:016x}", Turn(TURNS - 1, reply, (reply,), usage=Usage(9_000, 200))))
        ended = Answered(
            origin="f/r", digest=f"{number:024x}", ending=Ending.ANSWERED, forced=False, turns=TURNS,
            tool_calls=TURNS - 1, bad_calls=0, prompt_tokens=50_000, completion_tokens=2_000, seconds=12.5,
            restarts=0, versions=("0.1.0",), conduct=conduct, ended="2026", answer="Ostby", response=RESPONSE,
        )  # fmt: skip
        yield sealed(key, ended)
        status = "correct" if number % 3 else "wrong"
        verdict = Verdict(status, "differs from the gold answer", RULE.fingerprint, "Ostby")  # type: ignore[arg-type]
        yield sealed(key, Given(ended.digest, verdict, "2026"))


def main() -> None:
    """The command line."""
    folder, attempts = Path(sys.argv[1]), int(sys.argv[2])
    path = folder / DATABASE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with closing(connect(path)) as database:
            create(database)
            database.execute("BEGIN")
            insert(database, records(attempts))
            database.execute("COMMIT")
    kinds = ", ".join(f"'{kind.value}'" for kind in FOLDED)
    started = time.perf_counter()
    with closing(connect(path, read_only=True)) as database:
        rows = sum(1 for _ in database.execute(f"SELECT * FROM record WHERE kind IN ({kinds})"))
    read = time.perf_counter()
    result = read_run(folder)
    folded = time.perf_counter()
    scored = sum(row.verdict is not None for row in result.benchmarks[0].rows)
    print(json.dumps({"attempts": scored, "rows": rows, "floor": read - started, "fold": folded - read}))


if __name__ == "__main__":
    main()
