"""Running uv as a person on this machine would: with the package sources that pip is set up to use.

uv reads its own settings only: where pip is pointed at a mirror or at a folder of wheels, uv must be told.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from toleap.errors import UsageError

Log = Callable[[str], None]
"""Takes one line of progress."""

_PIP_TO_UV: Mapping[str, tuple[str, str]] = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "cert": ("SSL_CERT_FILE", " "),
}
"""pip's setting → uv's environment variable, and what separates several values there."""


def find_uv() -> str:
    """The uv beside this Python, else the one on PATH.

    Raises:
        UsageError: there is none.
    """
    beside = Path(sys.executable).parent / "uv"
    path = str(beside) if beside.is_file() else shutil.which("uv")
    if path is None:
        raise UsageError(f"uv is missing: install it with `{sys.executable} -m pip install uv`")
    return path


def run_uv(arguments: Sequence[str], *, log: Log, umask: int = -1) -> None:
    """Run ``uv ARGUMENTS`` and pass its progress on, line by line, without the list of packages.

    Raises:
        UsageError: uv failed; the message holds the end of what it said.
    """
    command = [find_uv(), "--no-progress", *arguments]
    tail: deque[str] = deque(maxlen=6)
    with subprocess.Popen(
        command,
        env=uv_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        umask=umask,
    ) as process:
        for line in process.stdout or ():
            tail.append(line.strip())
            if line.strip() and line[:3] not in {" + ", " - ", " ~ "}:
                log(line.rstrip())
    if process.returncode != 0:
        raise UsageError(f"`uv {' '.join(arguments[:2])}` failed: {' '.join(' '.join(tail).split())}")


def uv_environment() -> dict[str, str]:
    """This process's environment, plus pip's package sources under uv's names where uv has none of its own."""
    environment = dict(os.environ)
    sources = pip_settings()
    for key, (variable, separator) in _PIP_TO_UV.items():
        if key in sources and variable not in environment:
            environment[variable] = separator.join(sources[key].split())
    if "extra-index-url" in sources:
        # pip takes the best version of all indexes; uv would stop at the first index that knows the name.
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    environment.pop("VIRTUAL_ENV", None)
    return environment


def pip_settings() -> dict[str, str]:
    """pip's settings by name, as ``pip config list`` and the ``PIP_*`` variables give them; empty without pip."""
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False).stdout
    except OSError:
        listing = ""
    settings: dict[str, str] = {}
    for section in ("global", "install"):
        settings.update(_section(listing, section))
    for key in _PIP_TO_UV:
        value = os.environ.get("PIP_" + key.upper().replace("-", "_"))
        if value:
            settings[key] = value
    return settings


def _section(listing: str, section: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for line in listing.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.startswith(f"{section}."):
            values[name.removeprefix(f"{section}.")] = " ".join(shlex.split(value))
    return values


def main() -> None:
    """``python -m toleap.uv ARGUMENTS``: uv with pip's package sources, usable before toleap is installed."""
    os.execve(find_uv(), ["uv", *sys.argv[1:]], uv_environment())


if __name__ == "__main__":
    main()
