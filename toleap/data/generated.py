"""Tasks made by a benchmark's own Python: ``source.py`` is run once per version of its code and options."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toleap.data.manifest import data_folder, making
from toleap.errors import UsageError
from toleap.folder_code import check_trust, digest, import_script
from toleap.folders import Folder

TASKS = "tasks.jsonl"

_building = threading.Lock()


def built_folder(folder: Folder, script: str, options: Mapping[str, Any]) -> Path:
    """Where the tasks of this code with these options are (or will be); the name says what they were made from."""
    made_from = digest(folder.path, json.dumps([script, dict(options)], sort_keys=True))
    return data_folder(folder.name) / f"built-{made_from[:16]}"


def build(folder: Folder, script: str, options: Mapping[str, Any], *, trust: bool) -> Path:
    """The folder with ``tasks.jsonl`` and, if the source makes them, ``corpus.jsonl`` and ``files/``.

    Made on first use, in a temporary folder that is then renamed: it is never half there.

    Raises:
        UsageError: the code may not run, cannot be imported, has no ``build``, or wrote no tasks.
    """
    path = check_trust(folder, script, trust=trust)
    target = built_folder(folder, script, options)
    if target.is_dir():
        return target
    with _building:
        module = import_script(path, "benchmark")
        make = getattr(module, "build", None)
        if not callable(make):
            raise UsageError(f"{path}: has no function build(options, into)")
        with making(target) as into:
            make(dict(options), into)
            if not (into / TASKS).is_file():
                raise UsageError(f"{path}: build(options, into) wrote no {TASKS}")
    return target
