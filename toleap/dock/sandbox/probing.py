"""Does the sandbox hold here? Asked once in a process, before any code of a model's runs; if not, none will run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from toleap.dock.sandbox import chain, environment, places, seccomp, session
from toleap.dock.sandbox.chain import Limits
from toleap.dock.sandbox.session import Setup
from toleap.errors import Fault, ToolFault, UsageError

_PACKAGE = Path(__file__).parents[2]
_CHECKS = Path(__file__).with_name("inside.py")
_SYSCTLS = (
    ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
    ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
)
_passed: set[Setup] = set()


@dataclass(frozen=True, slots=True)
class Check:
    """One line of ``sandbox_status``; ``detail`` says what was found, or what to do about it."""

    name: str
    ok: bool
    detail: str


async def probe() -> None:
    """Return if code can be run in a sandbox that holds, now. Costs a fraction of a second.

    Raises:
        UsageError: something is missing on this machine; the line says what to type.
        ToolFault: the sandbox starts, but an escape check failed.
    """
    await _check(Setup(chain.find_programs(), _environment(), Limits()))


async def confined(limits: Limits | None = None) -> Setup:
    """What sandboxes are started from, probed.

    Raises:
        UsageError, ToolFault: as ``probe``.
    """
    setup = Setup(chain.find_programs(), _environment(), limits or Limits())
    if setup not in _passed:
        await _check(setup)
    return setup


async def _check(setup: Setup) -> None:
    seccomp.program()
    failures = await _failures(setup)
    if failures:
        raise ToolFault(f"the sandbox does not hold, no code will be run: {'; '.join(failures)}")
    _passed.add(setup)


def sandbox_status() -> list[Check]:
    """What the sandbox needs and whether it is there. Not for use inside an event loop."""
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("programs", lambda: ", ".join(filter(None, _programs()))),
        ("libseccomp", lambda: f"a filter of {len(seccomp.program())} bytes"),
        ("environment", _environment),
        ("confinement", _confinement),
    )
    return [_checked(name, step) for name, step in steps]


def _checked(name: str, step: Callable[[], object]) -> Check:
    try:
        return Check(name, True, str(step()))
    except (UsageError, Fault) as error:
        return Check(name, False, str(error))


def _confinement() -> str:
    asyncio.run(probe())
    return "every way out that was tried is closed"


def _programs() -> tuple[str, str, str]:
    programs = chain.find_programs()
    return programs.setpriv, programs.prlimit, programs.bwrap


def _environment() -> Path:
    folder = environment.find_sandbox_environment()
    if folder is None:
        raise UsageError("the sandbox's Python environment is missing: type `make setup` or `toleap setup`")
    if places.is_root() and not places.open_to_others(folder / "bin" / "python"):
        raise UsageError(f"{folder}/bin/python cannot be read by the user the sandbox changes to: put it elsewhere")
    return folder


async def _failures(setup: Setup) -> list[str]:
    try:
        started = await session.start(setup)
    except ToolFault as error:
        raise UsageError(f"{error}; {_advice()}") from error
    try:
        known = {"HOME": str(Path.home()), "PACKAGE": str(_PACKAGE),
                 "MEMORY": setup.limits.address_space}  # fmt: skip
        code = f"globals().update({known!r})\n{_CHECKS.read_text('utf-8')}"
        outcome = await started.run(code, seconds=20, output_bytes=20_000)
        outside = _kernel_user(started.pid) if places.is_root() else None
    finally:
        await started.kill()
    if outcome.end != "done":
        raise ToolFault(f"the sandbox's probe ended with {outcome.end}: {(outcome.head + outcome.tail)[-300:]}")
    failed: dict[str, str] = json.loads(outcome.head + outcome.tail)
    failures = [f"{name}: {value}" for name, value in failed.items() if value != "ok"]
    return failures + ([] if outside != 0 else ["it runs as root"])


def _kernel_user(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Uid:")))


def _advice() -> str:
    for name, bad, command in _SYSCTLS:
        path = Path("/proc/sys", name)
        if path.is_file() and path.read_text().strip() == bad:
            return f"type `{command}` as root"
    options = " ".join(f"--security-opt {name}=unconfined" for name in ("seccomp", "apparmor", "systempaths"))
    return f"in a container, allow user namespaces: `docker run {options} …`"
