"""Model profiles: how a model is asked and served, chosen by its exact name from ``profiles.toml``."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toleap.config import DialectName
from toleap.errors import UsageError
from toleap.toml import read_toml

_SHIPPED = Path(__file__).resolve().parent / "profiles.toml"


class Profile(BaseModel):
    """One model's settings, frozen. ``name`` is the profile's, not the model's. None leaves a setting alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    aliases: tuple[str, ...] = ()
    dialect: DialectName = "native"
    tool_call_parser: str = "hermes"
    reasoning_parser: str = ""
    context: int = Field(default=32_768, ge=256)
    temperature: float | None = Field(default=1.0, ge=0, le=5)
    top_p: float | None = Field(default=1.0, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    presence_penalty: float = Field(default=0.0, ge=-2, le=2)
    max_tokens: int = Field(default=8_192, ge=1)
    max_turns: int = Field(default=100, ge=1)
    results: int = Field(default=10, ge=1, le=100)
    page_chars: int = Field(default=20_000, ge=100)
    sees_images: bool = False
    serve: tuple[str, ...] = ()
    fields: dict[str, str] = Field(default_factory=dict)
    """Under which names fields of the request go to this model's servers, ``none`` where they are refused."""

    def settings(self) -> dict[str, Any]:
        """The profile as a layer of run settings: ``{"sampling.temperature": 1.0, …}``."""
        return {
            "sampling.temperature": self.temperature,
            "sampling.top_p": self.top_p,
            "sampling.top_k": self.top_k,
            "sampling.presence_penalty": self.presence_penalty,
            "sampling.max_tokens": self.max_tokens,
            "agent.dialect": self.dialect,
            "agent.context": self.context,
            "agent.max_turns": self.max_turns,
            "dock.results": self.results,
            "dock.page_chars": self.page_chars,
            **{f"sampling.fields.{name}": named for name, named in self.fields.items()},
        }


def profile_for(model: str) -> Profile:
    """The profile whose name or alias equals the model's name or its last path component, else ``default``.

    A model written ``scripted:POLICY`` has the profile ``scripted``. Tables of a ``profiles.toml`` in the working
    folder come first.

    Raises:
        UsageError: the working folder's file cannot be read, or one of its settings does not fit.
    """
    scheme, colon, _ = model.partition(":")
    names = {scheme if colon else model, model.rstrip("/").rpartition("/")[2]}
    profiles = all_profiles()
    for profile in profiles.values():
        if names & {profile.name, *profile.aliases}:
            return profile
    return profiles["default"]


def all_profiles() -> dict[str, Profile]:
    """Every profile by name: the working folder's first, then the shipped ones that it does not replace."""
    own = Path.cwd() / "profiles.toml"
    shipped = _shipped()
    if not own.is_file():
        return shipped
    tables = _tables(own)
    base = {**shipped["default"].model_dump(exclude={"name"}), **tables.get("default", {})}
    return _profiles(own, tables, base) | {name: value for name, value in shipped.items() if name not in tables}


@functools.cache
def _shipped() -> dict[str, Profile]:
    tables = _tables(_SHIPPED)
    return _profiles(_SHIPPED, tables, tables["default"])


def _tables(path: Path) -> dict[str, Mapping[str, Any]]:
    tables = read_toml(path)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {name} is no table; settings stand below a [model name]")
    return tables


def _profiles(path: Path, tables: Mapping[str, Mapping[str, Any]], base: Mapping[str, Any]) -> dict[str, Profile]:
    profiles = {}
    for name, table in tables.items():
        try:
            profiles[name] = Profile.model_validate({**base, "aliases": (), **table, "name": name})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UsageError(f"{path}: [{name}] {where} = {first.get('input')!r}: {first['msg'].lower()}") from error
    return profiles
