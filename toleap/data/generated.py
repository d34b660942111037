"""Tasks made by a benchmark's own Python: ``source.py`` is run once per version of its code and options."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from toleap.data.manifest import data_folder, making
from toleap.errors import UsageError
from toleap.folders import Folder

TASKS = "tasks.jsonl"

_importing = threading.Lock()


def built_folder(folder: Folder, script: str, options: Mapping[str, Any]) -> Path:
    """Where the tasks of this code with these options are (or will be); the name says what they were made from."""
    digest = hashlib.sha256(json.dumps([script, dict(options)], sort_keys=True).encode())
    for path in sorted(folder.path.rglob("*.py")):
        digest.update(f"\n{path.relative_to(folder.path).as_posix()}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return data_folder(folder.name) / f"built-{digest.hexdigest()[:16]}"


def build(folder: Folder, script: str, options: Mapping[str, Any], *, trust: bool) -> Path:
    """The folder with ``tasks.jsonl`` and, if the source makes them, ``corpus.jsonl`` and ``files/``.

    Made on first use, in a temporary folder that is then renamed: it is never half there.

    Raises:
        UsageError: the code may not run, cannot be imported, has no ``build``, or wrote no tasks.
    """
    check_trust(folder, script, trust=trust)
    target = built_folder(folder, script, options)
    if target.is_dir():
        return target
    with _importing:
        module = _imported(folder, script)
        make = getattr(module, "build", None)
        if not callable(make):
            raise UsageError(f"{folder.path / script}: has no function build(options, into)")
        with making(target) as into:
            make(dict(options), into)
            if not (into / TASKS).is_file():
                raise UsageError(f"{folder.path / script}: build(options, into) wrote no {TASKS}")
    return target


def check_trust(folder: Folder, script: str, *, trust: bool) -> None:
    """Refuse to run Python of a folder that is not shipped, unless the user said ``--trust``."""
    if not (folder.path / script).is_file() or Path(script).name != script:
        raise UsageError(f"{folder.path}: no {script} in it, which its benchmark.toml names as the source")
    if not (folder.shipped or trust):
        raise UsageError(
            f"{folder.path / script} is Python that would run on this machine: read it, then add --trust"
        )


def _imported(folder: Folder, script: str) -> ModuleType:
    """The script as a package of its own, so that ``from .facts import X`` finds its neighbours."""
    name = "toleap_benchmark_" + re.sub(r"\W", "_", folder.name)
    for known in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        del sys.modules[known]
    path = folder.path / script
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(folder.path)])
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (SyntaxError, ImportError) as error:
        raise UsageError(f"{path}: cannot be imported: {error}") from error
    return module
