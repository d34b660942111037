"""One live sandbox: an interpreter that keeps its variables from call to call, until it is killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from toleap.dock.sandbox import chain, seccomp, slots
from toleap.dock.sandbox.chain import Descriptors, Limits, Programs
from toleap.errors import ToolFault, UsageError

End = Literal["done", "raised", "exited", "died", "timeout", "memory", "inodes", "lost"]
"""How a piece of code ended. After the last five the sandbox is gone, with its variables and files."""

_START_SECONDS = 60.0
_GRACE_SECONDS = 10.0
_END_SECONDS = 5.0
_LARGEST_FRAME = 4 << 20
_WORKER = Path(__file__).with_name("supervisor.py")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one piece of code did. ``head`` and ``tail`` are the first and last bytes of its output as text."""

    end: End
    status: int
    """The exit code for "exited" and "died", minus the signal where one ended it."""
    head: str
    tail: str
    left_out: int
    """Bytes of output between head and tail that were not kept."""

    @property
    def alive(self) -> bool:
        """Whether the interpreter still has its variables."""
        return self.end in ("done", "raised", "exited")


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything a sandbox is started from."""

    programs: Programs
    environment: Path
    limits: Limits


class Session:
    """A started sandbox. Make it with ``start``; ``kill`` it when it is not needed any more."""

    def __init__(self, process: asyncio.subprocess.Process, slot: slots.Slot | None, limits: Limits) -> None:
        self._process = process
        self._slot = slot
        self._limits = limits

    @property
    def pid(self) -> int:
        """The outermost process, as this machine numbers it."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """False once the sandbox is gone."""
        return self._process.returncode is None

    async def run(self, code: str, *, seconds: float, output_bytes: int) -> Outcome:
        """Run ``code`` for at most ``seconds``, keeping at most ``output_bytes`` of what it writes.

        Raises:
            ToolFault: the sandbox itself ended or answered nonsense; code cannot cause that.
        """
        head = output_bytes * 3 // 5
        order = {
            "code": code,
            "seconds": seconds,
            "head": head,
            "tail": output_bytes - head,
            "memory": self._limits.memory,
            "inodes": self._limits.inodes,
        }
        try:
            async with asyncio.timeout(seconds + _GRACE_SECONDS):
                await _send(self._process, order)
                return _outcome(await _receive(self._process))
        except TimeoutError:
            return Outcome("timeout", 0, head="", tail="", left_out=0)
        except ToolFault as error:
            raise ToolFault(f"{error} ({await _complaint(self._process)})") from error

    async def kill(self) -> None:
        """End the sandbox and everything in it. May be called twice."""
        try:
            await _kill(self._process)
        finally:
            if self._slot is not None:
                self._slot.free()


async def start(setup: Setup, files: Mapping[str, Path] | None = None) -> Session:
    """A fresh sandbox that is ready for code; ``files`` lie in its working folder under their names, read-only.

    Raises:
        UsageError: a file has a name that cannot be used, or cannot be read; or libseccomp is missing.
        ToolFault: the sandbox does not start.
    """
    async with contextlib.AsyncExitStack() as undo:
        slot = slots.take() if setup.programs.setpriv else None
        if slot is not None:
            undo.callback(slot.free)
        process = await _spawn(setup, files or {}, slot)
        session = Session(process, slot, setup.limits)
        undo.push_async_callback(session.kill)
        await _until_ready(process)
        undo.pop_all()
    return session


async def _until_ready(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(_START_SECONDS):
            frame = await _receive(process)
    except TimeoutError as error:
        raise ToolFault(f"the sandbox did not start within {_START_SECONDS:.0f} s") from error
    except ToolFault as error:
        raise ToolFault(f"the sandbox does not start: {await _complaint(process)}") from error
    if frame.get("end") != "ready":
        raise ToolFault("the sandbox does not start: its first word is not 'ready'")


async def _spawn(setup: Setup, files: Mapping[str, Path], slot: slots.Slot | None) -> asyncio.subprocess.Process:
    with _open_all(files, setup.limits) as descriptors:
        command = chain.command(
            setup.programs, setup.environment, setup.limits, descriptors, uid=slot.uid if slot else None
        )
        try:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={},
                cwd="/",
                pass_fds=descriptors.all(),
                start_new_session=True,
            )
        except OSError as error:
            raise ToolFault(f"the sandbox does not start: {error}") from error


@contextlib.contextmanager
def _open_all(files: Mapping[str, Path], limits: Limits) -> Iterator[Descriptors]:
    with contextlib.ExitStack() as stack:

        def kept(descriptor: int) -> int:
            stack.callback(os.close, descriptor)
            return descriptor

        program = kept(chain.read_only_descriptor(seccomp.program()))
        worker = kept(chain.read_only_descriptor(_WORKER.read_bytes()))
        opened: dict[str, int] = {}
        for name, path in files.items():
            descriptor = kept(_open_file(name, path))
            if os.fstat(descriptor).st_size <= limits.file_size:
                opened[name] = descriptor
            else:
                note = f"{name} is not here: code is shown files of at most {limits.file_size >> 20} MiB.\n"
                opened[f"{name[:200]}.too-large.txt"] = kept(chain.read_only_descriptor(note.encode()))
        yield Descriptors(program, worker, opened)


def _open_file(name: str, path: Path) -> int:
    if not valid_name(name):
        raise UsageError(f"the attachment {name!r} cannot be shown to code: its name must be a plain file name")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UsageError(f"cannot read the attachment {path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"cannot read the attachment {path}: it is not a file")
    return descriptor


def valid_name(name: str) -> bool:
    """Whether a file of this name can lie in the working folder, and nowhere else."""
    plain = name not in ("", ".", "..") and "/" not in name and name.isprintable()
    return plain and len(name.encode("utf-8", "replace")) <= 255


async def _send(process: asyncio.subprocess.Process, order: Mapping[str, Any]) -> None:
    data = json.dumps(order).encode()
    assert process.stdin is not None
    process.stdin.write(struct.pack(">I", len(data)) + data)
    try:
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError) as error:
        raise ToolFault("the sandbox ended") from error


async def _receive(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    try:
        (size,) = struct.unpack(">I", await process.stdout.readexactly(4))
        if size > _LARGEST_FRAME:
            raise ToolFault(f"the sandbox answered with a frame of {size} bytes")
        frame = json.loads(await process.stdout.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionResetError) as error:
        raise ToolFault("the sandbox ended before it answered") from error
    except (ValueError, RecursionError) as error:
        raise ToolFault("the sandbox's answer is not JSON") from error
    if not isinstance(frame, dict):
        raise ToolFault("the sandbox's answer is not an object")
    return frame


def _outcome(frame: Mapping[str, Any]) -> Outcome:
    end, head, tail = frame.get("end"), frame.get("head"), frame.get("tail")
    status, left_out = frame.get("status"), frame.get("left_out")
    texts = isinstance(head, str) and isinstance(tail, str)
    if end not in get_args(End) or not texts or not isinstance(status, int) or not isinstance(left_out, int):
        raise ToolFault(f"the sandbox's answer lacks fields: {str(frame)[:200]}")
    return Outcome(cast(End, end), status, head=str(head), tail=str(tail), left_out=left_out)


async def _complaint(process: asyncio.subprocess.Process) -> str:
    """What a chain that failed wrote on its standard error."""
    await _kill(process, gently=True)
    assert process.stderr is not None
    text = " ".join((await process.stderr.read(4000)).decode("utf-8", "replace").split())
    return text[-400:] or f"exit code {process.returncode}"


async def _kill(process: asyncio.subprocess.Process, *, gently: bool = False) -> None:
    if gently:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 2)
    if process.returncode is None:
        # The outermost process ends when its child has, and that one (process 1 inside) when all others inside have:
        # their user id must not be given away before.
        for child in _children(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _END_SECONDS)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
