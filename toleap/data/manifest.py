"""What was imported for a benchmark: the folder in the cache, and the manifest that says which file counts."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from toleap.data import cache
from toleap.errors import UsageError

FILE = "manifest.json"


class Manifest(BaseModel):
    """One import. ``folder`` is below the benchmark's data folder and holds the file under its original name.

    ``more`` are the file's further parts with their digests; ``source`` says where all was fetched from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str
    file: str
    sha256: str
    rows: int
    attachments: int
    date: str
    more: Mapping[str, str] = {}
    source: str = ""


def data_folder(name: str) -> Path:
    """``$TOLEAP_HOME/data/<benchmark>``, made if it is missing."""
    return cache.folder("data", name)


def images_folder(name: str) -> Path:
    """Where pictures from inside the benchmark's rows are kept; not made here."""
    return data_folder(name) / "images"


def read_manifest(name: str) -> Manifest | None:
    """What was imported for the benchmark, or None.

    Raises:
        UsageError: the manifest is damaged.
    """
    path = data_folder(name) / FILE
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        raise UsageError(f"{path} is damaged; type: toleap data import {name} PATH") from error


def write_manifest(name: str, manifest: Manifest) -> None:
    """Make this import the one that counts, in one step."""
    with cache.writing(data_folder(name) / FILE) as temporary:
        temporary.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


@contextlib.contextmanager
def making(target: Path) -> Iterator[Path]:
    """Make the folder ``target`` whole or not at all: yields one beside it, renamed when the block succeeds.

    Where another process was faster, its folder stays: both were made from the same content.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
