"""Prompts: a template of the benchmark's folder, filled with the question and never with its answer."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from toleap.errors import UsageError

DEFAULT = Path(__file__).with_name("prompt.jinja")

_RENDERING = (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError)
"""What a template's own expressions can raise beside jinja2's errors."""


def prompt_path(folder: Path) -> Path:
    """The folder's ``prompt.jinja``, or the shipped default."""
    own = folder / "prompt.jinja"
    return own if own.is_file() else DEFAULT


def render(text: str, path: Path, values: Mapping[str, Any]) -> str:
    """The filled template, without white space around it.

    Raises:
        UsageError: the template is wrong or asks for something that is not in ``values``; names file and line.
    """
    template = _compiled(text, path)
    try:
        return template.render(values).strip()
    except _RENDERING as error:
        line = _line(error.__traceback__, str(path))
        raise UsageError(f"{path}, line {line}: {type(error).__name__}: {error}") from error


def used_names(text: str, path: Path) -> set[str]:
    """The names that the template takes from its values.

    Raises:
        UsageError: the template is wrong; names file and line.
    """
    try:
        return meta.find_undeclared_variables(_environment().parse(text))
    except TemplateSyntaxError as error:
        raise UsageError(f"{path}, line {error.lineno}: {error.message}") from error


def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@functools.lru_cache(maxsize=64)
def _compiled(text: str, path: Path) -> Template:
    environment = _environment()
    try:
        code = environment.compile(text, filename=str(path))
    except TemplateSyntaxError as error:
        raise UsageError(f"{path}, line {error.lineno}: {error.message}") from error
    return Template.from_code(environment, code, environment.make_globals(None))


def _line(traceback: TracebackType | None, filename: str) -> int:
    """The innermost line of the template that the error came from; jinja2 puts it into the traceback."""
    line = 1
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == filename:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
