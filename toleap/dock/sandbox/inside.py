"""The escape checks that ``probe`` runs as code inside the sandbox: prints one JSON object, check to what was found.

"ok" is the only good value. HOME, PACKAGE (a folder of toleap's) and MEMORY are set by whoever runs it.
"""

import ctypes
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

HOME: str = globals().get("HOME", "/root")
PACKAGE: str = globals().get("PACKAGE", "/nowhere")
MEMORY: int = globals().get("MEMORY", 1 << 31)
FOUND: dict[str, str] = {}
LIBC = ctypes.CDLL(None, use_errno=True)


def refused(name: str, action: Callable[[], object]) -> None:
    """The action must raise, or return a negative number as a C function does."""
    try:
        result = action()
    except (OSError, MemoryError):
        FOUND[name] = "ok"
    else:
        failed = isinstance(result, int) and result < 0
        FOUND[name] = "ok" if failed else "it is allowed"


def equals(name: str, value: object, wanted: object) -> None:
    """The value must be the wanted one."""
    FOUND[name] = "ok" if value == wanted else f"is {value!r}, not {wanted!r}"


def status(field: str) -> str:
    """One field of this process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(field + ":"))


def connected() -> None:
    """Try to reach an address of the range that is kept for documentation."""
    socket.create_connection(("192.0.2.1", 80), 0.5).close()


def processes() -> list[int]:
    """The processes that can be seen."""
    return sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def interfaces() -> list[str]:
    """Names of the network interfaces."""
    return [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines() if ":" in line]


equals("user", os.getuid(), 1000)
equals("capabilities", int(status("CapEff"), 16) | int(status("CapPrm"), 16) | int(status("CapBnd"), 16), 0)
equals("no new privileges", status("NoNewPrivs"), "1")
equals("system call filter", status("Seccomp"), "2")
equals("other processes", processes(), [1, os.getpid()])
equals("network interfaces", interfaces(), ["lo"])
equals("environment", os.environ.get("HOME"), "/work")
equals("toleap's files", Path(PACKAGE).exists(), False)
refused("network", connected)
refused("vsock", lambda: socket.socket(40, socket.SOCK_STREAM).close())
refused("home", lambda: len(list(Path(HOME).iterdir())))
refused("write to /usr", lambda: Path("/usr/.probe").write_text("x"))
refused("write to /", lambda: Path("/probe").write_text("x"))
refused("write to /dev", lambda: Path("/dev/probe").write_text("x"))
refused("core_pattern", lambda: os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)))
refused("memory of process 1", lambda: os.close(os.open("/proc/1/mem", os.O_RDWR)))
refused("nested user namespace", lambda: LIBC.unshare(0x10000000))
refused("mount", lambda: LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None))
refused("ptrace", lambda: LIBC.ptrace(0, 0, 0, 0))
refused("uncounted memory", lambda: os.memfd_create("probe") * 0)
refused("memory limit", lambda: len(bytearray(MEMORY)))
print(json.dumps(FOUND))  # noqa: T201 - this is how it is told
