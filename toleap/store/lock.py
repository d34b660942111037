"""One process writes a run: the lock it holds, and the places where that cannot be had."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

from toleap.errors import UsageError

_REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "9p", "lustre", "ceph", "glusterfs", "beegfs"}
)


def locked(folder: Path) -> TextIO:
    """Make the run's folder and take its lock, which lasts until what is returned is closed.

    Raises:
        UsageError: the folder cannot be written or is on a network file system, or another process has the lock.
    """
    _refuse_remote(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror}; choose another with --results") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise UsageError(f"{folder}: another process is writing this run; wait for it, or use --run NAME") from error
    return lock


def _refuse_remote(folder: Path) -> None:
    """SQLite's WAL needs shared memory between processes, which network file systems do not give."""
    kind = _file_system(folder)
    if kind in _REMOTE or kind.startswith("fuse.sshfs"):
        raise UsageError(
            f"{folder}: on a network file system ({kind}), where SQLite is unsafe; use --results LOCAL_FOLDER"
        )


def _file_system(folder: Path) -> str:
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return ""
    real = os.path.realpath(folder)
    best, kind = "", ""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        mount = fields.split()[4].encode().decode("unicode_escape")
        if (real == mount or real.startswith(mount.rstrip("/") + "/")) and len(mount) >= len(best):
            best, kind = mount, rest.split()[0]
    return kind
