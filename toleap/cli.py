"""The commands. Nothing heavy is imported until a command needs it, so that ``toleap --help`` is instant.

Exit codes: 0 complete, 1 something is owed, unscored or failed, 2 the command cannot be carried out as given.
"""

from __future__ import annotations

import errno
import io
import sys
from pathlib import Path
from typing import Any

import click

import toleap
from toleap.errors import ToleapError, UsageError

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
_RESULTS = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder of the runs.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(toleap.__version__, prog_name="toleap")
def app() -> None:
    """Measure how well a language-model agent answers deep-research questions.

    \b
    Examples:
      toleap run atoll --limit 6 --k 2          a small real model on the embedded benchmark
      toleap run gaia frames --model PATH       your model, served here
      toleap run --all --base-url http://HOST:8000/v1
      toleap table                              what the runs in results/ gave
    """


@app.command("list")
@click.argument("what", type=click.Choice(["benchmarks", "tools", "models"]), default="benchmarks")
@_JSON
def list_(what: str, as_json: bool) -> None:
    """List the benchmarks (or tools, or model profiles) that can be named here.

    \b
    Examples:
      toleap list
      toleap list tools --json
    """
    from toleap.commands import listing

    listing.show(what, as_json=as_json)


@app.command()
@click.argument("benchmarks", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every benchmark that is ready; the others are listed.")
@click.option("--model", help="Built-in name, model folder, hub id, or scripted:POLICY.")
@click.option("--base-url", help="Use a running ChatCompletions server, e.g. http://127.0.0.1:8000/v1.")
@click.option("--k", type=int, help="Attempts at every task.  [default: 8, or the preset's]")
@click.option("--limit", type=int, help="Only the first N tasks of each benchmark.")
@click.option("--judge-model", help="Who judges answers that no rule can score; without one they stay unscored.")
@click.option("--judge-url", help="The judge's ChatCompletions server, e.g. https://api.openai.com/v1.")
@click.option(
    "--web", help="Where search and pages come from: corpus:PATH (JSONL of url, title, text); a benchmark's own win."
)
@click.option("--max-in-flight", type=int, help="Attempts running at once.  [default: 64]")
@click.option("--token-cap", type=int, help="Begin no attempt once the run's models have written so many tokens.")
@click.option("--cost-cap", type=float, help="The same for what they cost, by --price.")
@click.option("--price", metavar="PROMPT,WRITTEN", help="Of a million tokens, e.g. 0.15,0.60; a third is for cached.")
@click.option("--preset", help="Settings of a published system: agentcpm.")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file of settings.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="One setting, e.g. agent.max_turns=20.")
@click.option(
    "--vary", multiple=True, metavar="KEY=VALUE,…", help="One run for each value, compared with the first one."
)
@click.option("--run", "run_name", help="Name of the run.  [default: model and fingerprint]")
@click.option(
    "--reference",
    is_flag=True,
    help="Beside a model also play the benchmark's scripted reference, as a yardstick.",
)
@click.option(
    "--retry-quarantined", is_flag=True, help="Run attempts again that were set aside after faults of ours."
)
@click.option("--trust", is_flag=True, help="Let Python in benchmark and tool folders that are not shipped run.")
@click.option("--missing", type=click.Choice(["report", "wrong"]), default="report", show_default=True)
@_RESULTS
@_JSON
def run(**options: Any) -> None:
    """Run k attempts at every task of one or more benchmarks, and print the table.

    The same command again continues: inside an attempt, at the turn where it stopped. A larger --k or --limit adds
    to the run. Exit code 0 when everything is scored, 1 when something is owed or unscored or --all had to leave out
    a benchmark, 2 when it cannot start.

    \b
    Examples:
      toleap run atoll --limit 6 --k 2
      toleap run atoll --model scripted:oracle
      toleap run xbench --model smollm2-135m --web corpus:pages.jsonl --limit 3 --k 2
      toleap run atoll --set benchmark.atoll.tasks=300 --set agent.max_turns=8
      toleap run atoll --vary agent.policy=keep,keep-n,discard
      toleap run --all --preset agentcpm --base-url http://127.0.0.1:8000/v1
    """
    from toleap.commands import running

    sys.exit(running.run(options))


@app.command()
@click.argument("model", required=False)
@click.option(
    "--scripted", metavar="POLICY", help="Play a policy: oracle, guesser, turns:PATH, run:NAME, BENCHMARK/POLICY."
)
@click.option("--port", type=int, default=8000, show_default=True, help="0 takes a free one.")
@click.option("--latency-ms", type=float, default=0.0, show_default=True, help="Scripted: time of every answer.")
@click.option("--context", type=int, help="Context length in tokens.  [default: the profile's]")
@_JSON
def serve(**options: Any) -> None:
    """Serve a model (or a scripted policy) in the foreground, until Ctrl-C.

    \b
    Examples:
      toleap serve smollm2-135m
      toleap serve --scripted oracle --port 8001
    """
    from toleap.commands import serving

    sys.exit(serving.serve(options))


@app.command()
@click.argument("runs", nargs=-1)
@click.option("--missing", type=click.Choice(["report", "wrong"]), default="report", show_default=True,
              help="wrong: count what is missing as wrong, and say so.")  # fmt: skip
@click.option("--published", is_flag=True, help="Also show published results of the same benchmarks.")
@click.option("--calls", is_flag=True, help="Also show how often calls were repeated, and how they were written.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@_RESULTS
@_JSON
def table(**options: Any) -> None:
    """Print the result table of some runs (by name or folder), or of every run.

    \b
    Examples:
      toleap table
      toleap table smollm2-135m-1a2b3c4d --json
      toleap table smollm2-135m-1a2b3c4d --calls
    """
    from toleap.commands import tables

    sys.exit(tables.table(options))


@app.command()
@click.argument("run_name", metavar="RUN")
@click.option("--judge-model", help="The judge's model.")
@click.option("--judge-url", help="The judge's ChatCompletions server, e.g. https://api.openai.com/v1.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="One setting, e.g. judge.prompt=official.")
@click.option("--again", is_flag=True, help="Judge everything by another judge; both sets of verdicts are kept.")
@click.option("--agreement", is_flag=True, help="Judge nothing: how far the judges of this run agree.")
@click.option("--trust", is_flag=True, help="Let Python in benchmark folders that are not shipped run.")
@_RESULTS
@_JSON
def score(**options: Any) -> None:
    """Score what a run left unscored; no agent runs.

    \b
    Examples:
      toleap score my-run --judge-model gpt-4.1 --judge-url https://api.openai.com/v1
      toleap score my-run --again --judge-model o3-mini --judge-url https://api.openai.com/v1
      toleap score my-run --agreement
    """
    from toleap.commands import scoring

    sys.exit(scoring.score(options))


@app.command()
@click.argument("a")
@click.argument("b")
@_RESULTS
@_JSON
def compare(**options: Any) -> None:
    """Compare two runs task by task: difference, error, and what could have been detected.

    \b
    Example:
      toleap compare scripted-oracle-1a2b3c4d smollm2-135m-5e6f7a8b
    """
    from toleap.commands import tables

    sys.exit(tables.compare(options))


@app.group()
def data() -> None:
    """Bring in the data of benchmarks that cannot be shipped, and see what is ready.

    \b
    Examples:
      toleap data status
      toleap data import xbench DeepSearch-2505.csv
    """


_TRUST = click.option("--trust", is_flag=True, help="Let Python in benchmark folders that are not shipped run.")


@data.command()
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every benchmark.")
@click.option("--again", is_flag=True, help="Fetch also what is here already.")
@_TRUST
@_JSON
def prepare(names: tuple[str, ...], everything: bool, again: bool, trust: bool, as_json: bool) -> None:
    """Fetch the official data of benchmarks, check it and keep it in the cache. Needs the web.

    The official prompt of a benchmark's judge is fetched with it, for judge.prompt=official. Gated data (gaia, hle)
    needs accepted terms and HF_TOKEN; status says where. Exit code 1 when one of several could not be fetched, 2 when
    the only one could not.

    \b
    Examples:
      toleap data prepare xbench frames
      HF_TOKEN=hf_… toleap data prepare gaia
      toleap data prepare --all
    """
    from toleap.commands import listing

    sys.exit(listing.prepare(names, everything=everything, again=again, trust=trust, as_json=as_json))


@data.command("import")
@click.argument("name")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@_TRUST
@_JSON
def import_(name: str, paths: tuple[Path, ...], trust: bool, as_json: bool) -> None:
    """Check the official file of a benchmark (or its parts, in order) and keep it in the cache.

    A JSONL file of task_id, Question, Final answer, file_name is taken for every benchmark.

    \b
    Examples:
      toleap data import xbench DeepSearch-2505.csv
      toleap data import gaia 2023/validation/metadata.parquet
    """
    from toleap.commands import listing

    listing.import_data(name, paths, trust=trust, as_json=as_json)


@data.command()
@click.argument("names", nargs=-1)
@_TRUST
@_JSON
def verify(names: tuple[str, ...], trust: bool, as_json: bool) -> None:
    """Read the data in the cache again and check it whole; without names, of every benchmark that is ready.

    Digests, rows, columns, every encrypted cell, the attachments, and the judge's official prompt. Exit code 1 when
    something is wrong.

    \b
    Example:
      toleap data verify xbench
    """
    from toleap.commands import listing

    sys.exit(listing.verify(names, trust=trust, as_json=as_json))


@data.command()
@click.argument("names", nargs=-1)
@_TRUST
@_JSON
def status(names: tuple[str, ...], trust: bool, as_json: bool) -> None:
    """Which benchmarks are ready, and what to type for the others.

    \b
    Example:
      toleap data status
    """
    from toleap.commands import listing

    sys.exit(listing.status(names, trust=trust, as_json=as_json))


@app.group()
def new() -> None:
    """Make a folder of your own to start from.

    \b
    Example:
      toleap new benchmark rivers
    """


@new.command("benchmark")
@click.argument("name")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Working folder that gets benchmarks/NAME.  [default: this one]",
)
def new_benchmark(name: str, to: Path) -> None:
    """Write a benchmark that runs at once, on two sample tasks with pages of their own.

    \b
    Example:
      toleap new benchmark rivers
    """
    from toleap.commands import creating

    creating.new_benchmark(name, to)


@app.command()
@click.option("--server", type=click.Choice(["auto", "cpu", "cuda", "none"]), default="auto", show_default=True,
              help="Which build of vLLM the model server gets.")  # fmt: skip
@click.option(
    "--sandbox/--no-sandbox", default=True, show_default=True, help="The sandbox's Python for execute_code."
)
def setup(server: str, sandbox: bool) -> None:
    """Make the model server's and the sandbox's environments, through uv. Doing it again costs nothing.

    \b
    Example:
      toleap setup --server cpu
    """
    from toleap.commands import setting_up

    sys.exit(setting_up.setup(server, sandbox=sandbox))


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
        app.main(standalone_mode=False)
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
