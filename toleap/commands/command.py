"""How a command is written: a frozen dataclass whose docstring is its help, whose fields are its options and
arguments, and which is called to be carried out. What it returns is the exit code.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import click

Missing = Literal["report", "wrong"]
"""What attempts that are owed or unscored do to a headline: bounds beside it, or they count as wrong."""


class Command(Protocol):
    """A command with the values of its options."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __call__(self) -> int:
        """Carry it out; returns the exit code."""


def argument(**attributes: Any) -> Any:
    """A field that is filled by position; takes what `click.Argument` takes."""
    return dataclasses.field(metadata={"kind": click.Argument, "flags": (), "attributes": attributes})


def option(*flags: str, setting: str | None = None, **attributes: Any) -> Any:
    """A field that is filled by a flag; takes what `click.Option` takes. ``setting`` is the setting that it gives."""
    return dataclasses.field(
        metadata={"kind": click.Option, "flags": flags, "attributes": attributes, "setting": setting}
    )


def as_json() -> Any:
    """``--json``, beside every table."""
    return option("--json", is_flag=True, help="Print JSON instead of a table.")


def results() -> Any:
    """``--results``: where the runs are."""
    kind: click.Path = click.Path(path_type=Path)
    return option("--results", type=kind, default=Path("results"), show_default=True, help="Folder of the runs.")


def missing() -> Any:
    """``--missing``."""
    return option(
        "--missing",
        type=click.Choice(["report", "wrong"]),
        default="report",
        show_default=True,
        help="wrong: count what is missing as wrong, and say so.",
    )


def sets(example: str) -> Any:
    """``--set KEY=VALUE``, as often as wanted."""
    return option("--set", multiple=True, metavar="KEY=VALUE", help=f"One setting, e.g. {example}.")


def trust(folders: str = "benchmark folders") -> Any:
    """``--trust``."""
    return option("--trust", is_flag=True, help=f"Let Python in {folders} that are not shipped run.")


def judge_model(help: str = "The judge's model.") -> Any:
    """``--judge-model``."""
    return option("--judge-model", setting="judge.model", help=help)


def judge_url() -> Any:
    """``--judge-url``."""
    where = "The judge's ChatCompletions server, e.g. https://api.openai.com/v1."
    return option("--judge-url", setting="judge.base_url", help=where)


def given(command: Command) -> dict[str, Any]:
    """The settings that a command's flags give, by name: a layer above files and presets."""
    flags = [(field.metadata.get("setting"), getattr(command, field.name)) for field in dataclasses.fields(command)]
    return {setting: value for setting, value in flags if setting is not None and value is not None}


def command(name: str, body: Callable[..., Command]) -> click.Command:
    """What click needs to know of a command called ``name``."""

    def carry_out(**values: Any) -> None:
        sys.exit(body(**values)())

    return click.Command(name, callback=carry_out, params=_parameters(body), help=inspect.getdoc(body))


def _parameters(body: Any) -> list[click.Parameter]:
    return [
        field.metadata["kind"]([*field.metadata["flags"], field.name], **field.metadata["attributes"])
        for field in dataclasses.fields(body)
    ]
