"""The sandbox's own Python environment: what tables, documents, pictures and sums need, nothing of toleap's.

It is a virtual environment made by uv around an interpreter that the sandbox's user can read. ``TOLEAP_SANDBOX``
names an existing environment to be used instead.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from toleap.dock.sandbox import places
from toleap.errors import UsageError
from toleap.uv import run_uv

REQUIREMENTS = (
    "numpy>=1.26,<3",
    "pandas>=2.2,<4",
    "scipy>=1.13,<2",
    "sympy>=1.13,<2",
    "openpyxl>=3.1,<4",
    "xlrd>=2,<3",
    "pillow>=10,<13",
    "matplotlib>=3.8,<4",
    "python-docx>=1.1,<2",
    "python-pptx>=1.0,<2",
    "pypdf>=5,<8",
    "beautifulsoup4>=4.12,<5",
    "lxml>=5,<7",
)
FONTS = "fonts.conf"
"""A configuration without fonts: there is none in the sandbox, and whoever draws text would be told so."""
_MARKER = "ready.json"
_MINIMUM = (3, 10)
_NEEDED_MODULES = "import ast, ctypes, decimal, json, linecache, select, sqlite3, ssl, traceback, venv, zlib"
_COPIED_LIBRARIES = ("libpython*",)
_NOT_COPIED = ("site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "__pycache__")


def make_sandbox_environment(*, log: Callable[[str], None]) -> Path:
    """The environment's folder, made first if it is missing. Calling it again costs nothing.

    Args:
        log: is told in one line what is being done, for the steps that take long.

    Raises:
        UsageError: no uv, no interpreter, or the packages cannot be installed.
    """
    named = _named_environment()
    if named:
        return named
    target = _target()
    with _alone(target.with_suffix(".lock")):
        if not (target / _MARKER).is_file():
            _build(target, log)
    return target


def find_sandbox_environment() -> Path | None:
    """The environment that exists already, or None where ``make_sandbox_environment`` has to make it.

    Raises:
        UsageError: ``TOLEAP_SANDBOX`` names something that is no environment.
    """
    named = _named_environment()
    if named:
        return named
    target = _target()
    return target if (target / _MARKER).is_file() else None


def _named_environment() -> Path | None:
    value = os.environ.get("TOLEAP_SANDBOX")
    if not value:
        return None
    path = Path(value).expanduser().absolute()
    if not (path / "bin" / "python").exists():
        raise UsageError(f"TOLEAP_SANDBOX={value}: there is no bin/python; name a virtual environment or unset it")
    return path


def _target() -> Path:
    text = json.dumps([REQUIREMENTS, FONTS, sys.platform, os.uname().machine])
    return places.environments() / f"python-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Only one process builds at a time; the others wait and then find it built."""
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(target: Path, log: Callable[[str], None]) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o755)
    base = _readable_interpreter()
    if base is None:
        log("copying this Python for the sandbox, whose user cannot read the original")
        base = _copy_interpreter(target / "base")
    log(f"making the sandbox's environment in {target} with {base}")
    _run(["venv", "--python", str(base), "--no-python-downloads", "--allow-existing", str(target)])
    log(f"installing {', '.join(REQUIREMENTS)}")
    python = str(target / "bin" / "python")
    _run(["pip", "install", "--python", python, "--link-mode", "copy", "--compile-bytecode", *REQUIREMENTS])
    (target / FONTS).write_text('<?xml version="1.0"?>\n<fontconfig></fontconfig>\n')
    _open_up(target)
    (target / _MARKER).write_text(json.dumps({"requirements": REQUIREMENTS, "interpreter": str(base)}))
    (target / _MARKER).chmod(0o644)


def _run(arguments: list[str]) -> None:
    run_uv(arguments, log=lambda _line: None, umask=0o022)


def _open_up(target: Path) -> None:
    """Packages may come out of uv's cache with the modes of another umask."""
    for folder, _, names in os.walk(target):
        Path(folder).chmod(0o755)
        for name in names:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(0o755 if os.access(path, os.X_OK) and folder.endswith("/bin") else 0o644)


def _readable_interpreter() -> Path | None:
    """The first interpreter that is new enough, whole, and readable for the user the sandbox runs as."""
    names = ["python3", *(f"python3.{minor}" for minor in range(20, _MINIMUM[1] - 1, -1))]
    candidates = [Path(folder) / name for folder in ("/usr/bin", "/usr/local/bin") for name in names]
    candidates.append(_own_interpreter())
    for candidate in candidates:
        if candidate.exists() and (not places.is_root() or _all_readable(candidate)) and _is_suitable(candidate):
            return candidate
    return None


def _own_interpreter() -> Path:
    return Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def _all_readable(interpreter: Path) -> bool:
    return places.open_to_others(interpreter) and places.open_to_others(interpreter.resolve().parents[1] / "lib")


def _is_suitable(interpreter: Path) -> bool:
    check = f"{_NEEDED_MODULES}; import sys; sys.exit(sys.version_info < {_MINIMUM})"
    try:
        done = subprocess.run([str(interpreter), "-I", "-c", check], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _copy_interpreter(target: Path) -> Path:
    """Copy the running interpreter's prefix without its packages; Python finds its library beside its program."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefix = Path(sys.base_prefix)
    (target / "bin").mkdir(parents=True)
    (target / "lib").mkdir()
    shutil.copy(_own_interpreter().resolve(), target / "bin" / version)
    for pattern in _COPIED_LIBRARIES:
        for library in (prefix / "lib").glob(pattern):
            if library.is_file():
                shutil.copy(library, target / "lib" / library.name)
    shutil.copytree(prefix / "lib" / version, target / "lib" / version, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    _open_up(target)
    return target / "bin" / version
