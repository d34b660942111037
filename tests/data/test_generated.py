"""Python sources: run once per version, whole or not at all, and only where they are trusted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from toleap.benchmark import load_benchmark
from toleap.data.manifest import data_folder, making
from toleap.errors import UsageError

Make = Callable[..., Path]

TOML = """
[data]
source = "python:source.py"
options = { split = "test", tasks = 2, hard = false, share = 0.5 }
[web]
corpus = "corpus.jsonl"
"""
FACTS = "CAPITAL = 'Port Sel'\n"
SOURCE = """
import json
from .facts import CAPITAL

def build(options, into):
    with open(into.parent / "runs", "a") as log:
        log.write("x")
    (into / "files").mkdir()
    (into / "files" / "a.csv").write_text("1")
    with open(into / "tasks.jsonl", "w") as file:
        for number in range(options["tasks"]):
            row = {"task_id": f"{options['split']}-{number}", "Question": f"Capital {number}?",
                   "Final answer": CAPITAL, "file_name": "a.csv"}
            file.write(json.dumps(row) + "\\n")
    (into / "corpus.jsonl").write_text('{"url": "http://a", "title": "t", "text": "x"}\\n')
"""


def runs(name: str = "made") -> int:
    log = data_folder(name) / "runs"
    return len(log.read_text()) if log.exists() else 0


@pytest.fixture
def folder(make: Make) -> Path:
    return make("made", TOML, {"source.py": SOURCE, "facts.py": FACTS})


def test_made_on_first_use_and_then_kept(folder: Path) -> None:
    benchmark = load_benchmark("made", trust=True)
    assert benchmark.ready()
    assert runs() == 0
    assert [task.id for task in benchmark.tasks()] == ["test-0", "test-1"]
    assert benchmark.tasks()[0].answer == "Port Sel"
    assert benchmark.corpus is not None
    built = benchmark.corpus.parent
    assert benchmark.tasks()[0].attachments[0].path == (built / "files" / "a.csv").resolve()
    assert load_benchmark("made", trust=True).tasks() == benchmark.tasks()
    assert runs() == 1
    assert load_benchmark("made", trust=True).ready().where == str(built)


def test_options_are_part_of_what_it_is(folder: Path) -> None:
    default = load_benchmark("made", trust=True)
    other = load_benchmark("made", trust=True, options={"tasks": "3", "split": "train", "share": 1, "hard": "true"})
    assert other.options == {"split": "train", "tasks": 3, "hard": True, "share": 1.0}
    assert [task.id for task in other.tasks()] == ["train-0", "train-1", "train-2"]
    assert other.revision != default.revision
    assert runs() == 2
    assert load_benchmark("made", options={"split": 2023}).options["split"] == "2023"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"task": 3}, "benchmark made has no option 'task': its options are: split, tasks, hard, share"),
        ({"tasks": "many"}, "made: option tasks: 'many' is not int, e.g. 2"),
        ({"tasks": True}, "made: option tasks: True is not int"),
        ({"tasks": 1.5}, "made: option tasks: 1.5 is not int"),
        ({"hard": 1}, "made: option hard: 1 is not bool"),
        ({"hard": "yes"}, "made: option hard: 'yes' is not bool"),
        ({"split": True}, "made: option split: True is not str"),
    ],
)
def test_wrong_options(folder: Path, options: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        load_benchmark("made", trust=True, options=options)


def test_changed_code_is_made_again(folder: Path) -> None:
    first = load_benchmark("made", trust=True)
    assert first.tasks()[0].answer == "Port Sel"
    (folder / "facts.py").write_text("CAPITAL = 'Old Harbour'\n")
    second = load_benchmark("made", trust=True)
    assert second.tasks()[0].answer == "Old Harbour"
    assert first.revision != second.revision


def test_code_needs_trust(folder: Path) -> None:
    benchmark = load_benchmark("made")
    state = benchmark.ready()
    assert (state.ready, state.command) == (False, "--trust")
    with pytest.raises(UsageError, match=r"source.py is Python .* add --trust"):
        benchmark.tasks()
    with pytest.raises(UsageError, match="--trust"):
        _ = benchmark.corpus
    assert runs() == 0


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def build(options, into): pass\n", "wrote no tasks.jsonl"),
        ("x = 1\n", "has no function build"),
        ("def build(:\n", "cannot be imported: SyntaxError: invalid syntax"),
        ("from .nothing import x\n", "cannot be imported: ModuleNotFoundError: No module named"),
    ],
)
def test_sources_that_do_not_work(make: Make, source: str, says: str) -> None:
    make("made", TOML, {"source.py": source})
    with pytest.raises(UsageError, match=says) as caught:
        load_benchmark("made", trust=True).tasks()
    assert "source.py" in str(caught.value)


def test_nothing_is_left_of_a_source_that_raised(make: Make) -> None:
    source = "def build(options, into):\n    (into / 'tasks.jsonl').write_text('{')\n    raise KeyError('bug')\n"
    make("made", TOML, {"source.py": source})
    with pytest.raises(KeyError, match="bug"):
        load_benchmark("made", trust=True).tasks()
    assert list(data_folder("made").iterdir()) == []


@pytest.mark.parametrize("script", ["gone.py", "../made/source.py"])
def test_the_source_is_a_file_of_the_folder(make: Make, script: str) -> None:
    make("made", f'[data]\nsource = "python:{script}"\n', {"source.py": SOURCE})
    benchmark = load_benchmark("made", trust=True)
    assert not benchmark.ready()
    with pytest.raises(UsageError, match=r"which its benchmark.toml names"):
        benchmark.tasks()


def test_two_processes_at_once(make: Make, workplace: Path) -> None:
    """Each waits inside ``build`` until the other is there too, so both really make it."""
    source = SOURCE.replace(
        "    (into /",
        "    import os, time\n    (into.parent.parent / f'here-{os.getpid()}').touch()\n"
        "    while len(list(into.parent.parent.glob('here-*'))) < 2: time.sleep(0.01)\n    (into /",
        1,
    )
    make("made", TOML, {"source.py": source, "facts.py": FACTS})
    code = "from toleap.benchmark import load_benchmark; print(len(load_benchmark('made', trust=True).tasks()))"
    children = [
        subprocess.Popen([sys.executable, "-c", code], cwd=workplace, env=os.environ.copy(), stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    assert [child.communicate(timeout=60)[0] for child in children] == [b"2\n", b"2\n"]
    assert sorted(path.name[:6] for path in data_folder("made").iterdir()) == ["built-", "runs"]


def test_making_is_all_or_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), making(tmp_path / "x" / "y") as into:
        (into / "half").touch()
        raise ValueError("no")
    assert list((tmp_path / "x").iterdir()) == []
    for content in ("first", "second"):
        with making(tmp_path / "x" / "y") as into:
            (into / "file").write_text(content)
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["y"]
    assert (tmp_path / "x" / "y" / "file").read_text() == "first"
