"""Where the sandbox keeps what must outlive one process, and who may read it.

As root the sandbox drops to another user, who cannot pass through a home of mode 700: whatever that user must
read lies in the cache only when the whole way there is open, and in ``/var/cache/toleap`` otherwise.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from toleap.data import cache
from toleap.errors import UsageError

SHARED = Path("/var/cache/toleap")
_SAFE_OWNERS = (0,)


def is_root() -> bool:
    """Whether the sandbox has to change the user, and may."""
    return os.geteuid() == 0


def open_to_others(path: Path) -> bool:
    """Whether a user without any right of ours can reach and read ``path``."""
    try:
        real = path.resolve(strict=True)
        wanted = stat.S_IXOTH | stat.S_IROTH if real.is_dir() else stat.S_IROTH
        reachable = all(parent.stat().st_mode & stat.S_IXOTH for parent in real.parents)
        return reachable and real.stat().st_mode & wanted == wanted
    except OSError:
        return False


def environments() -> Path:
    """The folder that holds the sandbox's environments, made if it is missing."""
    mine = cache.folder("sandbox")
    return mine if not is_root() or open_to_others(mine) else shared("sandbox")


def shared(name: str) -> Path:
    """A folder below ``/var/cache/toleap``, made with mode 755. Only for root.

    Raises:
        UsageError: it cannot be made, or somebody else could write there.
    """
    path = SHARED
    for part in (None, name):
        path = path / part if part else path
        try:
            path.mkdir(mode=0o755, parents=part is None, exist_ok=True)
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid not in _SAFE_OWNERS:
                raise UsageError(f"{path} is not a folder of root's: move it away, the sandbox keeps its files there")
            path.chmod(0o755)
        except OSError as error:
            raise UsageError(
                f"cannot make the folder {path}: {error.strerror}; the sandbox needs it as root"
            ) from error
    return path
