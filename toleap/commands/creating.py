"""``toleap new benchmark``: a folder that runs at once, to be filled with tasks of one's own."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

from toleap.data.manifest import making
from toleap.errors import UsageError
from toleap.folders import find_all

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

_TASKS = (
    {
        "task_id": "sample-1",
        "Question": "Who kept the lighthouse of Port Ellary when it got a new lamp?",
        "Final answer": "Ines Tolvanen",
        "file_name": "",
    },
    {
        "task_id": "sample-2",
        "Question": "How many metres taller is the lighthouse of Port Ellary than that of Skerry Head?",
        "Final answer": "14",
        "file_name": "",
    },
)
_PAGES = (
    {
        "url": "http://ellary.example/lighthouse",
        "title": "Port Ellary lighthouse",
        "text": "The lighthouse of Port Ellary is 41 metres tall. Built in 1871, it got a new lamp in 1934.",
    },
    {
        "url": "http://ellary.example/keepers",
        "title": "Keepers of the Port Ellary lighthouse",
        "text": "Aron Velt kept the light from 1902 to 1928. Ines Tolvanen followed him and stayed until 1951.",
    },
    {
        "url": "http://ellary.example/skerry-head",
        "title": "Skerry Head lighthouse",
        "text": "The lighthouse of Skerry Head, 27 metres tall, has stood at the mouth of the bay since 1888.",
    },
    {
        "url": "http://ellary.example/harbour",
        "title": "Port Ellary harbour",
        "text": "The harbour of Port Ellary has two piers and a fish market. A ferry leaves for Skerry Head at noon.",
    },
)

_TOML = """\
title = "{name}"
language = "en"                    # ISO 639 code; mul for several

[data]
source = "jsonl:{name}.jsonl"      # or csv:, tsv:, json:, xlsx:, with a path relative to this folder
# rows = 100                       # would refuse a file with more or fewer

[web]
corpus = "corpus.jsonl"            # the pages that search and fetch_url answer from

[score]
by = "gaia"                        # or exact, numeric, choice, judge, python:scorer.py
"""

_PROMPT = """\
Answer the question below. Use the tools to find and check what you need.

Question: {{ question }}
{% if files %}

These files belong to the question; read them by name:
{% for name in files %}
- {{ name }}
{% endfor %}
{% endif %}

When you are done, write the final answer inside <answer></answer>: as short as possible, only what was asked for.
"""

_README = """\
# {name}

What it measures, in a sentence or two.

**Source.** Where the tasks come from, their licence, how to cite them. The two tasks that are here now are samples
about a place that does not exist: they need two pages each.

| file | what it is |
| --- | --- |
| `benchmark.toml` | where the tasks are, how they are scored |
| `{name}.jsonl` | a task per line: `task_id`, `Question`, `Final answer`, `file_name` (a file beside it, or empty) |
| `corpus.jsonl` | a page per line: `url`, `title`, `text` |
| `prompt.jinja` | how a task is put to the model; it never sees the answer |

```
toleap data status {name}
toleap run {name} --k 2
```

**Published scores.** None yet.
"""


def new_benchmark(name: str, to: Path) -> None:
    """Write ``benchmarks/NAME`` into the working folder ``to``, whole or not at all, and say what to type next.

    Raises:
        UsageError: the name cannot be one, is taken, or the folder cannot be written.
    """
    target = to / "benchmarks" / _checked(name, to)
    try:
        with making(target) as folder:
            for file, content in _files(name).items():
                (folder / file).write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from error
    go = [] if to.resolve() == Path.cwd().resolve() else [f"  cd {shlex.quote(str(to))}"]
    lines = [f"made {target}: {', '.join(_files(name))}", "Type next:", *go]
    lines += [f"  toleap data status {name}", f"  toleap run {name} --k 2"]
    sys.stdout.write("\n".join(lines) + "\n")


def _checked(name: str, to: Path) -> str:
    if not _NAME.fullmatch(name):
        allowed = "up to 64 letters (a-z), digits, '-' and '_', a letter or a digit first"
        raise UsageError(f"a benchmark cannot be called {name!r}: use {allowed}")
    taken = to / "benchmarks" / name
    if taken.exists() or taken.is_symlink():
        raise UsageError(f"{taken} is there already: choose another name, or delete it first")
    known = find_all("benchmarks").get(name)
    if known is not None:
        raise UsageError(f"there is a benchmark {name} already, in {known.path}: choose another name")
    return name


def _files(name: str) -> dict[str, str]:
    return {
        "benchmark.toml": _TOML.format(name=name),
        f"{name}.jsonl": _lines(_TASKS),
        "corpus.jsonl": _lines(_PAGES),
        "prompt.jinja": _PROMPT,
        "README.md": _README.format(name=name),
    }


def _lines(rows: tuple[dict[str, str], ...]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
