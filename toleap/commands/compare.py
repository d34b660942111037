"""``toleap compare``."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from toleap.commands.command import argument, as_json, results
from toleap.commands.output import print_json
from toleap.commands.stored import run_folder
from toleap.report.comparison import compare_runs, lines
from toleap.store.reading import read_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """Compare two runs task by task: difference, error, and what could have been detected.

    \b
    Example:
      toleap compare scripted-oracle-1a2b3c4d smollm2-135m-5e6f7a8b
    """

    a: str = argument()
    b: str = argument()
    results: Path = results()
    as_json: bool = as_json()

    def __call__(self) -> int:
        """Print the comparison; returns 1 where the runs share no scored task."""
        first, second = (read_run(run_folder(name, self.results)) for name in (self.a, self.b))
        comparisons = compare_runs(first, second)
        if self.as_json:
            print_json([asdict(item) for item in comparisons])
        else:
            text = "\n".join(lines(comparisons)) or "no benchmark in common"
            sys.stdout.write(f"{first.name} minus {second.name}, paired by task:\n{text}\n")
        return 0 if any(item.adjusted_p is not None for item in comparisons) else 1
