"""The sandbox's system call filter, compiled to the BPF program that ``bwrap --seccomp`` loads.

A denylist: what reaches deep into the kernel, makes memory that no limit counts, or could undo the namespaces.
Calls of another architecture (32 bit, x32) end the process, since libseccomp only admits the native one.
"""

from __future__ import annotations

import errno
import functools
import os
import tempfile
from typing import Any

from toleap.errors import UsageError

_DENIED = {
    "namespaces and mounts": (
        "mount umount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr "
        "unshare setns sethostname setdomainname name_to_handle_at open_by_handle_at quotactl quotactl_fd"
    ),
    "kernel surface": (
        "keyctl add_key request_key bpf io_uring_setup io_uring_enter io_uring_register userfaultfd perf_event_open "
        "fanotify_init syslog lookup_dcookie personality modify_ldt iopl ioperm vhangup acct nfsservctl _sysctl "
        "ustat sysfs uselib afs_syscall"
    ),
    "other processes": (
        "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd migrate_pages move_pages mbind "
        "set_mempolicy set_mempolicy_home_node"
    ),
    "the machine": (
        "init_module finit_module delete_module create_module query_module get_kernel_syms kexec_load "
        "kexec_file_load reboot swapon swapoff settimeofday clock_settime clock_adjtime adjtimex stime"
    ),
    "uncounted memory": "memfd_create memfd_secret shmget shmat shmctl shmdt semget semop semctl msgget msgsnd",
}
# Numbers that are the same on every architecture, for a libseccomp older than the call.
_NUMBERS = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "memfd_secret": 447,
    "set_mempolicy_home_node": 450,
}
_UNKNOWN = -1
_CLONE_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
_ALLOWED_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6: the last two lead nowhere, but fail as code expects
_TERMINAL_IOCTLS = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX type into the terminal


@functools.cache
def program() -> bytes:
    """The compiled filter.

    Raises:
        UsageError: libseccomp is missing.
    """
    lib = _library()
    rules = lib.SyscallFilter(lib.ALLOW)
    forbidden = lib.ERRNO(errno.EPERM)
    for name in " ".join(_DENIED.values()).split():
        _deny(lib, rules, forbidden, name)
    # glibc falls back to clone, whose flags a filter can read.
    _deny(lib, rules, lib.ERRNO(errno.ENOSYS), "clone3")
    for flag in _CLONE_NAMESPACES:
        rules.add_rule(forbidden, "clone", lib.Arg(0, lib.MASKED_EQ, flag, flag))
    for request in _TERMINAL_IOCTLS:
        rules.add_rule(forbidden, "ioctl", lib.Arg(1, lib.MASKED_EQ, 0xFFFFFFFF, request))
    _only_known_families(lib, rules)
    return _exported(rules)


def _library() -> Any:
    try:
        import pyseccomp
    except (RuntimeError, ImportError, OSError) as error:
        raise UsageError(
            "the sandbox needs libseccomp.so.2: type `apt-get install libseccomp2` (or your system's libseccomp)"
        ) from error
    return pyseccomp


def _deny(lib: Any, rules: Any, action: int, name: str) -> None:
    number = lib.resolve_syscall(lib.Arch.NATIVE, name)
    if number == _UNKNOWN:
        number = _NUMBERS.get(name, _UNKNOWN)
    # Other negative numbers: a call that this architecture does not have.
    if number >= 0:
        rules.add_rule(action, number)


def _only_known_families(lib: Any, rules: Any) -> None:
    """No netlink, packets, kernel crypto, or vsock, which reaches the hypervisor past the network namespace."""
    action = lib.ERRNO(errno.EAFNOSUPPORT)
    last = max(_ALLOWED_FAMILIES)
    for call in ("socket", "socketpair"):
        for family in set(range(last)) - set(_ALLOWED_FAMILIES):
            rules.add_rule(action, call, lib.Arg(0, lib.EQ, family))
        rules.add_rule(action, call, lib.Arg(0, lib.GT, last))


def _exported(rules: Any) -> bytes:
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0, os.SEEK_SET)
        return file.read()
