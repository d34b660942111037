"""Building the result table: rows, what is missing from them, and what makes them incomparable.

Nothing here formats anything; ``toleap.report.render`` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from toleap.report.comparison import compare_variants
from toleap.report.differences import Entry, differences
from toleap.report.notes import conduct_notes, notes_of
from toleap.report.rows import rows_of
from toleap.report.values import Missing, Note, Row, Table, is_complete
from toleap.report.variants import variant_names
from toleap.types import RunResult

__all__ = ["Missing", "Note", "Row", "Table", "build_table", "is_complete"]


def build_table(runs: Sequence[RunResult], *, missing: Missing = "report") -> Table:
    """The table of some runs.

    The average of a row is over tasks: each task's mean over its scored attempts. Tasks with nothing scored are left
    out, the row is marked incomplete and has bounds over all planned attempts.

    Raises:
        ValueError: an attempt occurs twice in a benchmark's rows.
    """
    ordered = [*(run for run in runs if not run.scripted), *(run for run in runs if run.scripted)]
    names = dict(zip(map(id, ordered), variant_names(ordered), strict=True))
    rows: list[Row] = []
    notes: list[Note] = []
    compared: list[Note] = []
    for name in dict.fromkeys(part.name for run in ordered for part in run.benchmarks):
        parts = [(run, part) for run in ordered for part in run.benchmarks if part.name == name]
        blocks = [rows_of(run, part, missing, names[id(run)]) for run, part in parts]
        marks, notes_between = differences(
            [Entry(run, rows[0]) for (run, _), rows in zip(parts, blocks, strict=True)]
        )
        for block, mark in zip(blocks, marks, strict=True):
            rows += [replace(row, flags=(*row.flags, *mark.flags), differs=mark.differs) for row in block]
        for (run, part), block in zip(parts, blocks, strict=True):
            notes += [*notes_of(run, part, missing), *conduct_notes(block[0])]
        compared += notes_between
    return Table(tuple(rows), (*notes, *_merged(compared)), missing, compare_variants(ordered))


def _merged(notes: Iterable[Note]) -> list[Note]:
    """Notes that say the same of several benchmarks, said once."""
    names: dict[Note, list[str]] = {}
    for note in notes:
        names.setdefault(replace(note, benchmark=""), []).append(note.benchmark)
    return [replace(note, benchmark=", ".join(where)) for note, where in names.items()]
