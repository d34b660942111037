"""``toleap new benchmark``: a folder that runs at once, to be filled with tasks of one's own."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template

import click

from toleap.commands.command import argument, command, option
from toleap.data.manifest import making
from toleap.errors import UsageError
from toleap.folders import find_all

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TEMPLATES = Path(__file__).parent / "templates" / "benchmark"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBenchmark:
    """Write a benchmark that runs at once, on two sample tasks with pages of their own.

    \b
    Example:
      toleap new benchmark rivers
    """

    name: str = argument()
    to: Path = option(
        "--to",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(),
        help="Working folder that gets benchmarks/NAME.  [default: this one]",
    )

    def __call__(self) -> int:
        """Write it, whole or not at all, and say what to type next.

        Raises:
            UsageError: the name cannot be one, is taken, or the folder cannot be written.
        """
        target = self.to / "benchmarks" / self.name
        self._check(target)
        files = _files(self.name)
        try:
            with making(target) as folder:
                for name, content in files.items():
                    (folder / name).write_text(content, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {target}: {error.strerror}") from error
        enter = [] if self.to.resolve() == Path.cwd().resolve() else [f"  cd {shlex.quote(str(self.to))}"]
        lines = [f"made {target}: {', '.join(files)}", "Type next:", *enter]
        lines += [f"  toleap data status {self.name}", f"  toleap run {self.name} --k 2"]
        sys.stdout.write("\n".join(lines) + "\n")
        return 0

    def _check(self, target: Path) -> None:
        if not _NAME.fullmatch(self.name):
            allowed = "up to 64 letters (a-z), digits, '-' and '_', a letter or a digit first"
            raise UsageError(f"a benchmark cannot be called {self.name!r}: use {allowed}")
        if target.exists() or target.is_symlink():
            raise UsageError(f"{target} is there already: choose another name, or delete it first")
        known = find_all("benchmarks").get(self.name)
        if known is not None:
            raise UsageError(f"there is a benchmark {self.name} already, in {known.path}: choose another name")


def _files(name: str) -> dict[str, str]:
    """The template's files by the name they get: ``$name`` is the benchmark's, and so is that of its tasks."""
    templates = {path.name: path.read_text(encoding="utf-8") for path in sorted(_TEMPLATES.iterdir())}
    tasks = templates.pop("tasks.jsonl")
    return {f"{name}.jsonl": tasks} | {
        file: Template(text).safe_substitute(name=name) for file, text in templates.items()
    }


group = click.Group(
    "new",
    [command("benchmark", NewBenchmark)],
    help="""Make a folder of your own to start from.

    \b
    Example:
      toleap new benchmark rivers
    """,
)
