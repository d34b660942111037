"""How fast the harness is: ``make bench``, or ``python tests/bench/run.py [--only A] [--quick] [--repeat 3]``.

Every figure stands beside a floor that was measured in the same minute, and beside its aim. Wall times depend on the
machine and on what else it does; CPU time and ratios depend on that far less. A missed aim is printed as missed and
fails nothing; the exit code is 1 only where a measured program failed. Not covered: a real model server, and other
tools than ``search``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import measure
import world
from rows import ROWS, Figure

_QUICK_TASKS = 25


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = _options(arguments)
    names = options.only or list(ROWS)
    options.folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder.absolute()))
    os.environ["TOLEAP_HOME"] = str(scratch / "home")
    try:
        found = _measure(names, scratch, options)
    except measure.CaseFailed as failure:
        print(f"failed: {failure}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(_as_json(found, options) if options.json else _as_table(found, options))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the harness beside a floor.")
    parser.add_argument("--only", action="append", choices=list(ROWS), help="only this row; may be repeated")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK_TASKS * world.K} episodes")
    parser.add_argument("--repeat", type=int, default=1, help="measure so often and show medians with their range")
    parser.add_argument("--folder", type=Path, default=Path("build"), help="where to work: on a real disk, since "
                        "turns are flushed to it  [default: build]")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def _measure(names: Sequence[str], scratch: Path, options: argparse.Namespace) -> list[list[Figure]]:
    """The figures of the rows, each as the list of its repetitions."""
    made = world.make(scratch, tasks=_QUICK_TASKS if options.quick else world.TASKS)
    measure.run([sys.executable, "-c", _INDEX, str(made.corpus)], scratch)
    repeated: list[list[Figure]] = []
    for turn in range(options.repeat):
        figures: list[Figure] = []
        for name in names:
            print(f"measuring {name}, {turn + 1} of {options.repeat}", file=sys.stderr)
            figures += ROWS[name](made, scratch)
        repeated.append(figures)
    return [list(same) for same in zip(*repeated, strict=True)]


_INDEX = "import sys, pathlib; from toleap.data.corpus import open_corpus; open_corpus(pathlib.Path(sys.argv[1]))"


def _median(figures: Sequence[Figure]) -> Figure:
    floors = [figure.floor for figure in figures if figure.floor is not None]
    value = statistics.median(figure.value for figure in figures)
    return replace(figures[0], value=value, floor=statistics.median(floors) if floors else None)


def _as_table(found: Sequence[Sequence[Figure]], options: argparse.Namespace) -> str:
    titles = ["row", "figure", "toleap", "floor", "ratio", "aim", ""]
    lines, last = [titles], ""
    for same in found:
        figure = _median(same)
        shown = "" if figure.row == last else figure.row
        lines.append([shown, *_cells(figure, same)])
        last = figure.row
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    text = [
        "  ".join(cell.ljust(width) if n < 2 else cell.rjust(width) for n, (cell, width) in enumerate(pairs)).rstrip()
        for pairs in (list(zip(line, widths, strict=True)) for line in lines)
    ]
    return "\n".join([*text, "", _circumstances(options)])


def _cells(figure: Figure, same: Sequence[Figure]) -> list[str]:
    value = _number(figure.value)
    if len(same) > 1:
        value += f" ({_number(min(f.value for f in same))}–{_number(max(f.value for f in same))})"
    floor = "" if figure.floor is None else _number(figure.floor)
    ratio = f"{figure.value / figure.floor:.2f}×" if figure.floor else ""
    aim = "" if figure.aim is None else _number(figure.aim)
    return [figure.what, value, floor, ratio, aim, _judged(figure)]


def _judged(figure: Figure) -> str:
    if figure.aim is None:
        return ""
    return "met" if figure.value <= figure.aim else "missed"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _circumstances(options: argparse.Namespace) -> str:
    episodes = (_QUICK_TASKS if options.quick else world.TASKS) * world.K
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{episodes} episodes of {world.SEARCHES + 1} turns, {measure.LATENCY_MS} ms an answer;"
        f" {os.cpu_count()} cores{load}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    )


def _as_json(found: Sequence[Sequence[Figure]], options: argparse.Namespace) -> str:
    figures = []
    for same in found:
        middle = _median(same)
        figures.append(
            {
                "row": middle.row,
                "figure": middle.what,
                "toleap": middle.value,
                "floor": middle.floor,
                "ratio": middle.value / middle.floor if middle.floor else None,
                "aim": middle.aim,
                "met": None if middle.aim is None else middle.value <= middle.aim,
                "all": [figure.value for figure in same],
            }
        )
    return json.dumps({"circumstances": _circumstances(options), "figures": figures}, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    sys.exit(main())
