"""``toleap table``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from toleap.commands.output import as_json
from toleap.errors import UsageError
from toleap.report.comparison import compare_runs, lines
from toleap.report.published import Published, published_for
from toleap.report.render import print_table, to_markdown
from toleap.report.tables import build_table, is_complete
from toleap.runs.store.database import DATABASE
from toleap.runs.store.reading import holds_run, read_run


def table(options: Mapping[str, Any]) -> int:
    """Carry out ``toleap table``; returns 0 where every row is complete, else 1."""
    folders = _folders(options["runs"], options["results"])
    made = build_table([read_run(folder) for folder in folders], missing=options["missing"])
    published: list[Published] = []
    if options["published"]:
        published = [row for name in dict.fromkeys(row.benchmark for row in made.rows) for row in published_for(name)]
    if options["as_json"]:
        as_json({**made.to_dict(), **({"published": [asdict(row) for row in published]} if published else {})})
    elif options["markdown"]:
        sys.stdout.write(to_markdown(made, published, calls=options["calls"]))
    else:
        print_table(made, published=published, calls=options["calls"])
    return 0 if is_complete(made) else 1


def compare(options: Mapping[str, Any]) -> int:
    """Carry out ``toleap compare``; returns 1 where the runs share no scored task."""
    first, second = (read_run(find_run(name, options["results"])) for name in (options["a"], options["b"]))
    found = compare_runs(first, second)
    if options["as_json"]:
        as_json([asdict(item) for item in found])
    else:
        print(f"{first.name} minus {second.name}, paired by task:")  # noqa: T201
        print("\n".join(lines(found)) or "no benchmark in common")  # noqa: T201
    return 0 if any(item.adjusted_p is not None for item in found) else 1


def _folders(names: Sequence[str], results: Path) -> list[Path]:
    if not names:
        found = sorted(path.parent for path in results.glob(f"*/{DATABASE}") if holds_run(path.parent))
        if not found:
            raise UsageError(f"no runs in {results}/: start one with toleap run, or name the folder with --results")
        return found
    return [find_run(name, results) for name in names]


def find_run(name: str, results: Path) -> Path:
    """The folder of a run, by its name in ``results`` or by its path.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    for path in (results / name, Path(name)):
        if (path / DATABASE).is_file():
            return path
    known = ", ".join(sorted(path.parent.name for path in results.glob(f"*/{DATABASE}"))) or "none"
    raise UsageError(f"no run {name!r} in {results}/: there are {known}")
