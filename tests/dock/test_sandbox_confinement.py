"""What the sandbox stops, and that nothing runs where it would not."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toleap.dock.sandbox import (
    Sandbox,
    chain,
    find_sandbox_environment,
    probe,
    probing,
    sandbox_status,
    seccomp,
    session,
    slots,
)
from toleap.dock.sandbox.chain import Limits
from toleap.errors import ToolFault, UsageError

needs_sandbox = pytest.mark.skipif(
    shutil.which("bwrap") is None or find_sandbox_environment() is None,
    reason="bwrap or the sandbox's environment is missing: install bubblewrap, make setup",
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the user")


async def printed(code: str) -> str:
    sandbox = Sandbox()
    try:
        reply = await sandbox.run("attack", code, seconds=60, output_bytes=50_000)
    finally:
        await sandbox.close()
    assert reply.outcome.end == "done", reply.outcome
    return reply.outcome.head + reply.outcome.tail


@needs_sandbox
async def test_every_attack_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.environ.get("TOLEAP_TESTDATA")
    if not data:
        pytest.skip("TOLEAP_TESTDATA is not set")
    monkeypatch.setenv("SECRET", "a secret of the harness")
    found = json.loads(await printed((Path(data) / "sandbox_attack" / "attack.py").read_text()))
    told = {"uid", "caps", "seccomp", "userns", "unix_host_socks", "see_host_pids", "env_secret", "forks_ok"}
    allowed = {name: value for name, value in found.items() if name not in told and "BLOCKED" not in str(value)}
    assert allowed == {}
    assert found["uid"] == 1000
    assert int(found["caps"], 16) == 0
    assert found["seccomp"] == "2"
    assert found["userns"] != str(Path("/proc/self/ns/user").readlink())
    assert found["unix_host_socks"] == "[]"
    assert found["see_host_pids"] == "2"
    assert found["env_secret"] == "none"
    assert found["forks_ok"] < Limits().processes


@needs_sandbox
async def test_neither_toleap_nor_caches_nor_secrets_can_be_seen() -> None:
    code = """
import importlib.util, os
seen = [name for name in ("toleap", "mcp", "pydantic", "pip", "uv") if importlib.util.find_spec(name)]
paths = [path for path in PLACES if os.path.exists(path)]
print(seen, paths, os.listdir("/"), os.listdir("/work"), os.listdir("/usr/local"))
"""
    places = [str(Path.home()), str(Path.cwd()), "/etc", "/var", "/run", "/sys", "/home", "/root"]
    text = await printed(f"PLACES = {places!r}\n{code}")
    assert text.startswith("[] [] ")
    assert text.endswith(" [] []\n")
    listed = set(re.findall(r"'(\w+)'", text))
    assert listed <= {"bin", "dev", "lib", "lib32", "lib64", "libx32", "opt", "proc", "sbin", "tmp", "usr", "work"}


@needs_sandbox
@pytest.mark.parametrize("family", [16, 17, 38, 40, 0x1_0000_0028, -1])
async def test_sockets_of_other_families_are_refused(family: int) -> None:
    """Netlink, packets, kernel crypto, vsock; also with bits set that the kernel ignores."""
    number = _number("socket")
    code = f"import ctypes\nprint(ctypes.CDLL(None).syscall({number}, ctypes.c_long({family}), 1, 0))"
    assert await printed(code) == "-1\n"


@needs_sandbox
async def test_ordinary_things_still_work() -> None:
    code = """
import asyncio, concurrent.futures, multiprocessing, os, socket, sqlite3, tempfile, threading
a, b = socket.socketpair()
a.send(b"x")
async def waits():
    await asyncio.sleep(0)
    return b.recv(1)
def double(n):
    return 2 * n
with concurrent.futures.ThreadPoolExecutor() as threads, multiprocessing.get_context("fork").Pool(2) as processes:
    print(asyncio.run(waits()), list(threads.map(double, [1, 2])), processes.map(double, [3, 4]))
with tempfile.NamedTemporaryFile() as file:
    connection = sqlite3.connect(file.name)
    print(connection.execute("select 1 + 1").fetchone(), os.cpu_count() > 0)
"""
    assert await printed(code) == "b'x' [2, 4] [6, 8]\n(2,) True\n"


@needs_sandbox
async def test_the_probe_passes_and_says_what_it_has() -> None:
    await probe()
    checks = await asyncio.to_thread(sandbox_status)
    assert [check.name for check in checks] == ["programs", "libseccomp", "environment", "confinement"]
    assert all(check.ok for check in checks), checks


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it but what a test puts there; and nothing is known yet to hold."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(probing, "_passed", set())
    return folder


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@needs_root
async def test_an_environment_the_dropped_user_cannot_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir(mode=0o700)
    shutil.copy("/usr/bin/env", tmp_path / "bin" / "python")
    monkeypatch.setenv("TOLEAP_SANDBOX", str(tmp_path))
    with pytest.raises(UsageError, match="cannot be read by the user the sandbox changes to"):
        await probe()


async def test_without_bwrap_nothing_runs(programs: Path) -> None:
    with pytest.raises(UsageError, match="needs bwrap, which is not on PATH: type `apt-get install bubblewrap`"):
        await probe()
    with pytest.raises(UsageError, match="needs bwrap"):
        await Sandbox().run("a", "print(1)", seconds=5, output_bytes=1000)
    assert not any(check.ok for check in await asyncio.to_thread(sandbox_status) if check.name == "programs")


async def test_an_old_bwrap_is_refused(programs: Path) -> None:
    _script(programs / "bwrap", "echo bubblewrap 0.6.1")
    with pytest.raises(UsageError, match=r"needs bwrap 0\.8 or newer, .* is 0\.6"):
        await probe()


async def test_without_prlimit_nothing_runs(programs: Path) -> None:
    _script(programs / "bwrap", "echo bubblewrap 0.8.0")
    with pytest.raises(UsageError, match="needs prlimit, which is not on PATH: type `apt-get install util-linux`"):
        await probe()


@needs_root
async def test_without_setpriv_nothing_runs_as_root(programs: Path) -> None:
    for name in ("bwrap", "prlimit"):
        _script(programs / name, "echo bubblewrap 0.8.0")
    with pytest.raises(UsageError, match="needs setpriv"):
        await probe()


async def test_without_libseccomp_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyseccomp", None)
    with pytest.raises(UsageError, match="apt-get install libseccomp2"):
        seccomp.program.__wrapped__()


@needs_sandbox
async def test_a_bwrap_that_cannot_make_namespaces_is_told(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _link(programs, "prlimit", "setpriv")
    _script(
        programs / "bwrap", '[ "$1" = --version ] && echo bubblewrap 0.8.0 && exit\necho "bwrap: no way" >&2; exit 1'
    )
    with pytest.raises(UsageError, match=r"the sandbox does not start: .*(no way|execute).*; .*(sysctl|container)"):
        await probe()


@needs_sandbox
@pytest.mark.parametrize("missing", ["--unshare-all", "--seccomp", "--as="])
async def test_a_chain_that_does_not_hold_is_a_fault(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """One link taken out of the chain: the probe sees it and nothing runs."""
    whole = chain.command
    monkeypatch.setattr(probing, "_passed", set())
    monkeypatch.setattr(chain, "command", lambda *a, **k: _without(whole(*a, **k), missing))
    with pytest.raises(ToolFault, match="does not hold, no code will be run"):
        await Sandbox().run("a", "1", seconds=20, output_bytes=1000)


def _without(command: list[str], missing: str) -> list[str]:
    at = next(number for number, part in enumerate(command) if part.startswith(missing))
    instead = ["--unshare-pid", "--unshare-uts"] if missing == "--unshare-all" else []
    return [*command[:at], *instead, *command[at + (2 if missing == "--seccomp" else 1) :]]


def _link(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).symlink_to(f"/usr/bin/{name}")


def _framed(value: object) -> bytes:
    data = json.dumps(value).encode()
    return struct.pack(">I", len(data)) + data


def _number(name: str) -> int:
    import pyseccomp

    return int(pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name))


@needs_root
def test_slots_are_distinct_and_come_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(slots.places, "SHARED", tmp_path)
    monkeypatch.setattr(slots, "SLOTS", 3)
    for _ in range(2):
        taken = [slots.take() for _ in range(3)]
        assert sorted(slot.uid for slot in taken) == [61000, 61001, 61002]
        for slot in taken:
            slot.free()
            slot.free()


@needs_root
def test_no_slot_left_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(slots.places, "SHARED", tmp_path)
    monkeypatch.setattr(slots, "SLOTS", 1)
    first = slots.take()
    with pytest.raises(ToolFault, match="slots of this machine are taken"):
        slots.take()
    first.free()


_SHOWS_ITS_USER = """
import asyncio, sys
from toleap.dock.sandbox import Sandbox
async def main():
    sandbox = Sandbox()
    await sandbox.run("a", "1", seconds=20, output_bytes=1000)
    pid = sandbox._places["a"].session.pid
    print(next(line.split()[1] for line in open(f"/proc/{pid}/status") if line.startswith("Uid:")), flush=True)
    sys.stdin.read()
    await sandbox.close()
asyncio.run(main())
"""


_RUNS_FOR_EVER = """
import asyncio
from toleap.dock.sandbox import Sandbox
async def main():
    sandbox = Sandbox()
    await sandbox.run("a", "1", seconds=20, output_bytes=1000)
    print(sandbox._places["a"].session.pid, flush=True)
    await sandbox.run("a", "while True: pass", seconds=300, output_bytes=1000)
asyncio.run(main())
"""


@needs_sandbox
def test_a_sandbox_dies_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", _RUNS_FOR_EVER], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        outermost = int(parent.stdout.readline())
        inside = [int(child) for child in Path(f"/proc/{outermost}/task/{outermost}/children").read_text().split()]
        parent.kill()
    assert inside
    while any(Path(f"/proc/{pid}").exists() for pid in [outermost, *inside]):
        time.sleep(0.02)


@needs_root
@needs_sandbox
def test_two_processes_at_once_get_distinct_users() -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _SHOWS_ITS_USER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    users = [int(process.stdout.readline()) for process in started if process.stdout]
    for process in started:
        process.communicate()
    assert len(set(users)) == 2
    assert all(slots.FIRST_UID <= user < slots.FIRST_UID + slots.SLOTS for user in users)


@given(
    st.binary(max_size=200) | st.text(max_size=100).map(_framed) | st.dictionaries(st.text(), st.text()).map(_framed)
)
@settings(deadline=None)
def test_any_answer_is_an_outcome_or_a_fault(data: bytes) -> None:
    async def read() -> object:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        process = cast(asyncio.subprocess.Process, SimpleNamespace(stdout=reader))
        return session._outcome(await session._receive(process))

    with pytest.raises(ToolFault):
        asyncio.run(read())


@given(st.text(max_size=300))
def test_a_valid_name_stays_in_its_folder(name: str) -> None:
    if session.valid_name(name):
        assert Path("/work", name).parent == Path("/work")
        assert Path(os.path.normpath(f"/work/{name}")).parent == Path("/work")
