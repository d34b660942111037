"""The program: which commands there are, and what becomes of their errors.

A command's module is imported when the command is used, so that ``toleap --help`` is instant.

Exit codes: 0 complete, 1 something is owed, unscored or failed, 2 the command cannot be carried out as given.
"""

from __future__ import annotations

import errno
import importlib
import io
import sys
from pathlib import Path
from typing import NamedTuple

import click

from toleap.commands.command import command
from toleap.errors import ToleapError, UsageError
from toleap.version import __version__


class _Listed(NamedTuple):
    """A command that is known by name only, until it is used."""

    body: str
    """Its class or its group, in the module of `toleap.commands` that is called as it is."""
    summary: str


_COMMANDS = {
    "run": _Listed("Run", "Run k attempts at every task of some benchmarks."),
    "table": _Listed("ShowTable", "Print the result table of runs."),
    "show": _Listed("Show", "Show a run, a task's attempts, or one attempt turn by turn."),
    "compare": _Listed("Compare", "Compare two runs task by task."),
    "score": _Listed("Score", "Score what a run left unscored; no agent runs."),
    "list": _Listed("List", "List the benchmarks (or model profiles) there are."),
    "data": _Listed("group", "Bring in the data of benchmarks, and see what is ready."),
    "tools": _Listed("group", "The tools that an agent is given."),
    "new": _Listed("group", "Make a folder of your own to start from."),
    "serve": _Listed("Serve", "Serve a model (or a scripted policy)."),
    "setup": _Listed("Setup", "Make the model server's and the sandbox's environments."),
}


class _Program(click.Group):
    """The commands of `_COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"toleap.commands.{cmd_name}")
        body = getattr(module, _COMMANDS[cmd_name].body)
        return body if isinstance(body, click.Command) else command(cmd_name, body)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, listed.summary) for name, listed in _COMMANDS.items()])


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="toleap")
def app() -> None:
    """Measure how well a language-model agent answers deep-research questions.

    \b
    Examples:
      toleap run atoll --limit 6 --k 2          a small real model on the embedded benchmark
      toleap run gaia frames --model PATH       your model, served here
      toleap run --all --base-url http://HOST:8000/v1
      toleap table                              what the runs in results/ gave
    """


def _one_line(mistake: click.ClickException) -> str:
    context = mistake.ctx if isinstance(mistake, click.UsageError) else None
    command = context.command_path if context else "toleap"
    return f"{' '.join(mistake.format_message().split()).rstrip('.')}; see {command} --help"


_TOO_MANY_FILES = {errno.EMFILE, errno.ENFILE}


def main() -> None:
    """The program: a user's mistake is one line on stderr and exit code 2, a failure of ours is exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks is no reason to show no table at all.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        _in_a_folder()
        app.main(prog_name="toleap", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.exceptions.NoArgsIsHelpError as question:
        question.show()
        sys.exit(2)
    except click.ClickException as mistake:
        click.echo(f"error: {_one_line(mistake)}", err=True)
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except UsageError as mistake:
        click.echo(f"error: {mistake}", err=True)
        sys.exit(2)
    except ToleapError as failure:
        click.echo(f"failed: {failure}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        advice = "; raise the limit of open files: ulimit -n 4096" if error.errno in _TOO_MANY_FILES else ""
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"failed: {where}{error.strerror or error}{advice}", err=True)
        sys.exit(1)


def _in_a_folder() -> None:
    """Refuse to work nowhere.

    Raises:
        UsageError: the working folder is gone.
    """
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise UsageError("the working folder was deleted meanwhile: cd to another one") from error
