"""What makes the rows of a benchmark incomparable: other settings, another revision of the data, another scorer,
another version of toleap.

Each run is compared with the first one given. A scripted run's settings say nothing about a model, so they are
compared with those of scripted runs only; its data and its scorer are compared with everyone's.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toleap.report.values import Flag, Note, NoteKind, Row
from toleap.types import RunResult

_NOT_SET = "not set"


@dataclass(frozen=True, slots=True)
class Entry:
    """One run's whole-benchmark row, beside the run."""

    run: RunResult
    row: Row


@dataclass(frozen=True, slots=True)
class Marks:
    """What an entry's rows get: flags, and the settings that differ."""

    flags: tuple[Flag, ...]
    differs: tuple[str, ...]


def differences(entries: Sequence[Entry]) -> tuple[list[Marks], list[Note]]:
    """The marks of each entry of one benchmark, in order, and a note for every difference."""
    peers = [next(other for other in entries if other.run.scripted == entry.run.scripted) for entry in entries]
    settings = [_differing(entry, peer) for entry, peer in zip(entries, peers, strict=True)]
    scorers = [entry.row.provenance.scorers for entry in entries if entry.row.provenance.scorers]
    versions = [entry.row.provenance.versions for entry in entries if entry.row.provenance.versions]
    marks = [
        Marks(tuple(_flags(entry, entries[0], scorers=scorers, versions=versions, differs=differs)), differs)
        for entry, differs in zip(entries, settings, strict=True)
    ]
    return marks, list(_notes(entries, marks))


def _flags(
    entry: Entry,
    first: Entry,
    scorers: Sequence[tuple[str, ...]],
    versions: Sequence[tuple[str, ...]],
    differs: Sequence[str],
) -> Iterable[Flag]:
    if differs:
        yield "settings differ"
    if entry.row.provenance.revision != first.row.provenance.revision:
        yield "revision differs"
    if len(entry.row.provenance.scorers) > 1:
        yield "mixed scorers"
    if entry.row.provenance.scorers and entry.row.provenance.scorers != scorers[0]:
        yield "scorer differs"
    if len(entry.row.provenance.versions) > 1:
        yield "mixed versions"
    if entry.row.provenance.versions and entry.row.provenance.versions != versions[0]:
        yield "version differs"
    if any(len(seen) > 1 for _, seen in entry.row.provenance.surroundings):
        yield "mixed surroundings"
    if _unlike(first.row, entry.row):
        yield "surroundings differ"


def _unlike(first: Row, other: Row) -> list[str]:
    """The components that both rows were played with, in other versions. A scripted run needs no server."""
    ours, theirs = dict(first.provenance.surroundings), dict(other.provenance.surroundings)
    return [name for name in ours if name in theirs and ours[name] != theirs[name]]


def _differing(entry: Entry, first: Entry) -> tuple[str, ...]:
    """The settings that matter for the benchmark and are not the first run's. Models may differ, and usually do."""
    ours, theirs = (_relevant(x.run.settings, x.row.subject.benchmark) for x in (entry, first))
    keys = {key for key in ours.keys() | theirs.keys() if ours.get(key, _NOT_SET) != theirs.get(key, _NOT_SET)}
    if entry.run.model != first.run.model:
        keys = {key for key in keys if not _is_the_models(key)}
    return tuple(sorted(keys))


def _relevant(settings: Mapping[str, Any], benchmark: str) -> dict[str, str]:
    """Settings as comparable text, without those of other benchmarks (``benchmark.<name>.…``)."""
    mine = f"benchmark.{benchmark}."
    return {
        key: json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
        for key, value in settings.items()
        if not key.startswith("benchmark.") or key.startswith(mine)
    }


def _is_the_models(key: str) -> bool:
    return key == "model" or key.startswith(("model.", "model_"))


def _notes(entries: Sequence[Entry], marks: Sequence[Marks]) -> Iterable[Note]:
    for key in sorted({key for mark in marks for key in mark.differs}):
        values = [(_relevant(x.run.settings, x.row.subject.benchmark).get(key, _NOT_SET), _name(x)) for x in entries]
        yield _note("settings", entries, key, values)
    flags = {flag for mark in marks for flag in mark.flags}
    if "revision differs" in flags:
        values = [(entry.row.provenance.revision or _NOT_SET, _name(entry)) for entry in entries]
        yield _note("revision", entries, "revision of data, prompt and scoring", values)
    if flags & {"scorer differs", "mixed scorers"}:
        values = [(" + ".join(x.row.provenance.scorers), _name(x)) for x in entries if x.row.provenance.scorers]
        yield _note("scorer", entries, "scorer", values)
    if flags & {"surroundings differ", "mixed surroundings"}:
        for name in sorted({name for entry in entries for name, _ in entry.row.provenance.surroundings}):
            values = [(" + ".join(dict(x.row.provenance.surroundings)[name]), _name(x))
                     for x in entries if name in dict(x.row.provenance.surroundings)]  # fmt: skip
            if len({value for value, _ in values}) > 1 or any(" + " in value for value, _ in values):
                yield _note("version", entries, name, values)
    if flags & {"version differs", "mixed versions"}:
        values = [(" + ".join(x.row.provenance.versions), _name(x)) for x in entries if x.row.provenance.versions]
        yield _note("version", entries, "played by toleap", values)


def _name(entry: Entry) -> str:
    return entry.row.subject.variant or entry.run.name


def _note(kind: NoteKind, entries: Sequence[Entry], what: str, named: Sequence[tuple[str, str]]) -> Note:
    values: dict[Hashable, list[str]] = {}
    for value, run in named:
        values.setdefault(value, []).append(run)
    text = "; ".join(f"{value} ({', '.join(runs)})" for value, runs in values.items())
    return Note(kind, entries[0].row.subject.benchmark, "", f"{what}: {text}")
