"""The command that confines an interpreter: setpriv (as root), prlimit, bwrap with a system call filter.

Each link is needed: without setpriv root stays root to the kernel behind its namespaces, without prlimit a fork bomb
or a large list takes the machine, without bwrap the files and the network are there, without the filter the kernel's
rarely tested calls are.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toleap.dock.sandbox import places
from toleap.dock.sandbox.environment import FONTS
from toleap.errors import UsageError

INSIDE = "/opt/sandbox"
"""Where the environment lies inside."""
WORKER = "/opt/supervisor.py"
WORK = "/work"
"""The code's working folder inside."""
_OLDEST_BWRAP = (0, 8)
_MEBIBYTE = 1 << 20
_MASKED = ("/usr/local", "/usr/src", "/usr/lib/python3/dist-packages")
_PACKAGES = {"bwrap": "bubblewrap", "setpriv": "util-linux", "prlimit": "util-linux"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use. Bytes where nothing else is said."""

    address_space: int = 1536 * _MEBIBYTE
    """Of each process."""
    memory: int = 2048 * _MEBIBYTE
    """Private resident memory of all processes together."""
    processes: int = 64
    """Threads count as well."""
    file_size: int = 256 * _MEBIBYTE
    open_files: int = 256
    cpu_seconds: int = 600
    """Of each process, over its whole life."""
    folder: int = 64 * _MEBIBYTE
    """Each of the three folders that can be written: the working folder, /tmp and /dev/shm."""
    inodes: int = 100_000
    """Files and folders in those three together."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Absolute paths of the chain's programs; ``setpriv`` is empty where we are not root."""

    bwrap: str
    prlimit: str
    setpriv: str = ""


def find_programs() -> Programs:
    """The chain's programs on PATH.

    Raises:
        UsageError: one is missing or too old; the line says what to install.
    """
    bwrap = _program("bwrap")
    version = _bwrap_version(bwrap)
    if version < _OLDEST_BWRAP:
        release = ".".join(map(str, version))
        raise UsageError(f"the sandbox needs bwrap 0.8 or newer, {bwrap} is {release}: install a newer bubblewrap")
    return Programs(bwrap, _program("prlimit"), _program("setpriv") if places.is_root() else "")


def _program(name: str) -> str:
    path = shutil.which(name)
    if not path:
        raise UsageError(f"the sandbox needs {name}, which is not on PATH: type `apt-get install {_PACKAGES[name]}`")
    return str(Path(path).absolute())


def _bwrap_version(bwrap: str) -> tuple[int, ...]:
    try:
        done = subprocess.run([bwrap, "--version"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"the sandbox cannot run {bwrap}: {error}; reinstall bubblewrap") from error
    numbers = re.search(r"(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, numbers.groups())) if numbers else (0, 0)


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Open descriptors that the chain reads: the filter, the worker's source, and the files by name."""

    seccomp: int
    worker: int
    files: Mapping[str, int]

    def all(self) -> tuple[int, ...]:
        """Every one of them, for ``pass_fds``."""
        return (self.seccomp, self.worker, *self.files.values())


def command(
    programs: Programs, environment: Path, limits: Limits, descriptors: Descriptors, *, uid: int | None
) -> list[str]:
    """The whole command line, to be started with an empty environment.

    Args:
        uid: the user to become first, as root; None keeps the user (bwrap's user namespace is its own then).
    """
    rooted = uid is not None
    drop = (
        [programs.setpriv, f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"] if rooted else []
    )
    processes = ["--nproc=" + str(limits.processes)]
    # The kernel counts a user's processes at every level: outside, our own user's others would count as well.
    outer, inner = (processes, []) if rooted else ([], ["/usr/bin/prlimit", *processes])
    python = [f"{INSIDE}/bin/python", "-s", "-B", WORKER]
    return [*drop, programs.prlimit, *_resource_limits(limits), *outer, programs.bwrap, *_namespaces(),
            *_variables(environment), *_mounts(environment, limits), *_data(descriptors), *_sealed(environment),
            "--seccomp", str(descriptors.seccomp), "--", *inner, *python]  # fmt: skip


def _resource_limits(limits: Limits) -> list[str]:
    return [
        f"--as={limits.address_space}",
        f"--fsize={limits.file_size}",
        f"--nofile={limits.open_files}",
        "--core=0",
        f"--cpu={limits.cpu_seconds}",
    ]


def _namespaces() -> list[str]:
    isolated = ["--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--clearenv"]
    ended = ["--die-with-parent", "--new-session", "--as-pid-1"]
    return [*isolated, *ended, "--uid", "1000", "--gid", "1000", "--hostname", "sandbox"]


def _variables(environment: Path) -> list[str]:
    """The same for every run, so that the same code prints the same."""
    variables = {
        "PATH": f"{INSIDE}/bin:/usr/bin:/bin",
        "HOME": WORK,
        "USER": "sandbox",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TMPDIR": "/tmp",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "FONTCONFIG_FILE": f"{INSIDE}/{FONTS}",
    }
    prefix = base_prefix(environment)
    if prefix != Path("/usr"):
        variables["LD_LIBRARY_PATH"] = f"{prefix}/lib"
    return [part for name, value in variables.items() for part in ("--setenv", name, value)]


def base_prefix(environment: Path) -> Path:
    """The prefix of the interpreter that the environment's ``bin/python`` leads to.

    Raises:
        UsageError: it leads nowhere.
    """
    try:
        return (environment / "bin" / "python").resolve(strict=True).parents[1]
    except OSError as error:
        raise UsageError(
            f"{environment}/bin/python leads nowhere: delete {environment} and type `toleap setup`"
        ) from error


def _mounts(environment: Path, limits: Limits) -> list[str]:
    """What can be seen: the system's programs, the interpreter, its packages. Other packages are masked."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    for folder in _masked():
        arguments += _empty(folder)
    prefix = base_prefix(environment)
    if prefix != Path("/usr"):
        for name in ("bin", "lib"):
            arguments += ["--ro-bind", str(prefix / name), str(prefix / name)]
    for folder in _base_packages(environment):
        arguments += _empty(folder)
    arguments += ["--ro-bind", str(environment), INSIDE, "--proc", "/proc", "--dev", "/dev"]
    for folder in ("/tmp", WORK, "/dev/shm"):
        arguments += ["--size", str(limits.folder), "--tmpfs", folder]
    return arguments


def _masked() -> list[str]:
    return [folder for folder in _MASKED if Path(folder).is_dir()]


def _base_packages(environment: Path) -> list[str]:
    """The folders of the base interpreter's own packages, toleap perhaps among them."""
    prefix = base_prefix(environment)
    return [] if prefix == Path("/usr") else [str(path) for path in sorted(prefix.glob("lib/python3*/*-packages"))]


def _empty(folder: str) -> list[str]:
    return ["--perms", "0755", "--size", "4096", "--tmpfs", folder]


def _data(descriptors: Descriptors) -> list[str]:
    arguments = ["--perms", "0444", "--ro-bind-data", str(descriptors.worker), WORKER]
    for name, descriptor in descriptors.files.items():
        arguments += ["--perms", "0444", "--ro-bind-data", str(descriptor), f"{WORK}/{name}"]
    return arguments


def _sealed(environment: Path) -> list[str]:
    """Without this the root and /dev could be written up to half of the machine's memory."""
    sealed = ["/", "/dev", *_masked(), *_base_packages(environment)]
    return [part for folder in sealed for part in ("--remount-ro", folder)] + ["--chdir", WORK]


def read_only_descriptor(data: bytes) -> int:
    """A descriptor from which the chain can read ``data`` once."""
    descriptor = os.memfd_create("data", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
