"""What runs inside the sandbox: a supervisor (process 1 there) and one interpreter that keeps its variables.

It uses the standard library alone and knows nothing of who started it. The outside writes frames to its standard
input and reads frames from its standard output, each four bytes of length (big endian) and then JSON:

    in   {"code": str, "seconds": float, "head": int, "tail": int, "memory": int, "inodes": int}
    out  {"end": "done" | "raised" | "exited" | "died" | "timeout" | "memory" | "inodes" | "lost",
          "status": int, "head": str, "tail": str, "left_out": int}

``status`` is the exit code, or minus the signal; ``left_out`` are the bytes of output between head and tail. Code
cannot kill process 1, nor read its memory or its files, so when this process dies it was not the code's doing.
Between two calls everything but process 1 is stopped.
"""

# No pathlib: importing it costs more than all the rest of the start.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import ast
import builtins
import ctypes
import inspect
import json
import linecache
import os
import re
import resource
import select
import signal
import struct
import sys
import textwrap
import time
import traceback
import types
from typing import Any

DONE, RAISED = b"d", b"r"
EXITED = b"x"
_FOLDERS = ("/tmp", "/work", "/dev/shm")
_TICK = 0.2
_LARGEST_VALUE = 1_000_000
_LARGEST_RESULT = 8 * _LARGEST_VALUE
_PR_SET_DUMPABLE = 4


class Interpreter:
    """The child: runs one piece of code after the other in the same namespace."""

    def __init__(self) -> None:
        self.module = types.ModuleType("__main__")
        self.module.__dict__["__builtins__"] = builtins
        self.count = 0
        self.pid = os.getpid()
        self.loop: Any = None
        sys.modules["__main__"] = self.module
        sys.argv = [""]
        sys.path[0] = ""

    def run(self, code: str) -> bytes:
        """Run ``code``: DONE, RAISED, or EXITED and four bytes of status; then what its last line was worth."""
        self.count += 1
        _restore_streams()
        code = mended(code)
        name = f"<code {self.count}>"
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        outcome = Outcome(name)
        value = ""
        with outcome:
            value = self._evaluate(code, name)
        with Outcome(name):
            for stream in _streams.values():
                stream.flush()
        if os.getpid() != self.pid:
            os._exit(0)  # the code forked: its child must not go on as a second interpreter
        return outcome.result + value.encode("utf-8", "replace")

    def _evaluate(self, code: str, name: str) -> str:
        try:
            tree = compile(code, name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError:
            if _SHELL.search(code):
                raise SyntaxError(_NO_SHELL) from None
            raise
        last = tree.body[-1] if tree.body else None
        names = self.module.__dict__
        if isinstance(last, ast.Expr):
            # In one piece with what comes before it: both may await in the same event loop.
            place = ast.copy_location(ast.Name("_", ast.Store()), last)
            tree.body[-1] = ast.copy_location(ast.Assign([place], last.value), last)
        self._execute(compile(tree, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
        quiet = code.rstrip().endswith(";")  # as in a notebook
        value = names.get("_") if isinstance(last, ast.Expr) and not quiet else None
        return "" if value is None else repr(value)[:_LARGEST_VALUE]

    def _execute(self, code: types.CodeType) -> None:
        """Run the code; one that awaits runs in an event loop that stays for the next call."""
        value = eval(code, self.module.__dict__)  # noqa: S307 - the point of it
        if code.co_flags & inspect.CO_COROUTINE:
            import asyncio

            if self.loop is None or self.loop.is_closed():
                self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
            self.loop.run_until_complete(value)


def mended(code: str) -> str:
    """The code, without what surrounds it where models write it as text: only where it does not parse as it is."""
    if _parses(code):
        return code
    plain = code.translate(_BLANKS)
    fenced = "\n".join(match["code"] for match in _FENCE.finditer(plain))
    one_line = _ONE_LINE.fullmatch(plain)
    for text in (plain, fenced or (one_line["code"] if one_line else _FENCE_LINE.sub("", plain))):
        for form in (text, _without_indent(text), _without_prompts(text)):
            if form.strip() and _parses(form):
                return form
    return code


def _without_indent(text: str) -> str:
    """The lines without the blanks that they all begin with; a comment may stand before them."""
    return textwrap.dedent(re.sub(r"^#.*$", "", text, flags=re.MULTILINE)).strip("\n")


def _without_prompts(text: str) -> str:
    """The lines behind the prompts of a console; what it printed goes."""
    lines = [_PROMPT.match(line) for line in text.splitlines()]
    return "\n".join(line[1] or "" for line in lines if line) if any(lines) else ""


def _parses(code: str) -> bool:
    try:
        compile(code, "<code>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


_BLANKS = {
    **dict.fromkeys(map(ord, "\u00a0\u2007\u202f\u3000"), " "),
    **dict.fromkeys(map(ord, "\ufeff\u200b\u2060")),
}
_FENCE = re.compile(
    r"^[ \t]*(?P<fence>```+|~~~+)[^\n`]*\n(?P<code>.*?)(?:^[ \t]*(?P=fence)[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_ONE_LINE = re.compile(r"\s*(?P<fence>`+)(?:(?:python3?|py)[ \t])?(?P<code>[^`\n]+)(?P=fence)\s*")
_FENCE_LINE = re.compile(r"^[ \t]*(?:```|~~~).*$|\A\s*python3?[ \t]*$", re.MULTILINE)
_PROMPT = re.compile(r"\s*(?:>>>|\.\.\.:?|In \[\d+\]:)(?: (.*)|$)")
_SHELL = re.compile(
    r"^\s*(?:(?:!|%%?)\s*[A-Za-z]|(?:\$ |sudo )?(?:pip3?|conda|apt|apt-get|uv pip) install\b|\?*[\w.]+\?+\s*$)",
    re.MULTILINE,
)
_NO_SHELL = (
    "lines that begin with ! or % (shell commands, IPython magic) do not work here: only Python does, "
    "and no package can be installed"
)


def _restore_streams() -> None:
    """Whatever an earlier call did to them, what is written arrives."""
    for number in (1, 2):
        os.dup2(_OUTPUT, number)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name, None) is not _streams.get(name) or _streams[name].closed:
            stream = open(number, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
            _streams[name] = stream
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


_OUTPUT = 62
"""Where the output pipe is kept, so that code which closes its own can have it again."""
_streams: dict[str, Any] = {}


class Outcome:
    """Swallows whatever the code raises, and writes it where the code writes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.result = DONE

    def __enter__(self) -> Outcome:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, SystemExit):
            self.result = EXITED + struct.pack(">i", _exit_status(error))
        elif error is not None:
            self.result = RAISED
            _say(_told(error))
            if isinstance(error, MemoryError):
                _say(f"[Each process may use {resource.getrlimit(resource.RLIMIT_AS)[0] >> 20} MiB.]\n")
        return True


def _exit_status(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return max(0, min(255, error.code or 0))
    _say(f"{error.code}\n")
    return 1


def _say(text: str) -> None:
    """Past sys.stderr, which the code may have replaced."""
    view = memoryview(text.encode("utf-8", "replace"))
    while view:
        view = view[os.write(2, view) :]


def _told(error: BaseException) -> str:
    """The traceback with the frames of the code alone; the libraries' frames are noise to its author."""
    try:
        told = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
        _trim(told, set())
        return "".join(told.format() if told.stack else told.format_exception_only())
    except (MemoryError, RecursionError):
        return f"{type(error).__name__}\n"


def _trim(told: traceback.TracebackException, seen: set[int]) -> None:
    if id(told) in seen:
        return
    seen.add(id(told))
    kept = [frame for frame in told.stack if frame.filename.startswith("<code ")]
    told.stack = traceback.StackSummary.from_list(kept)
    for other in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
        if other is not None:
            _trim(other, seen)
    # What a library caught and raised anew inside itself says nothing to the code's author.
    if told.__cause__ is not None and not told.__cause__.stack:
        told.__cause__ = None
        told.__suppress_context__ = True
    if told.__context__ is not None and not told.__context__.stack:
        told.__context__ = None


class Output:
    """What the code wrote: the first bytes, the last bytes, and how many there were."""

    def __init__(self, head: int, tail: int) -> None:
        self.sizes = (head, tail)
        self.head, self.tail, self.total = b"", b"", 0
        self.ends_line = True

    def add(self, data: bytes) -> None:
        """Keep what fits of ``data``."""
        self.total += len(data)
        self.ends_line = data.endswith(b"\n") if data else self.ends_line
        room = self.sizes[0] - len(self.head)
        self.head += data[:room]
        self.tail = (self.tail + data[room:])[-self.sizes[1] :] if self.sizes[1] else b""


class Supervisor:
    """Process 1: hands code to the interpreter, watches time, memory and life, and answers."""

    def __init__(self) -> None:
        self.wake, wake_in = _pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_in, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        self.output, output_in = _pipe()
        self.results, results_in = _pipe()
        orders_out, self.orders = _pipe()
        self.child = os.fork()
        if self.child == 0:
            _interpret(orders_out, results_in, output_in)
        for number in (orders_out, results_in, output_in):
            os.close(number)
        os.set_blocking(self.output, False)
        os.set_blocking(self.results, False)
        self.status: int | None = None

    def serve(self) -> None:
        """Answer calls until the outside closes our input."""
        while True:
            order = _read_frame(0)
            if order is None:
                return
            answer = self.call(json.loads(order))
            _signal_all(signal.SIGSTOP)
            _write_frame(1, json.dumps(answer).encode())

    def call(self, order: dict[str, Any]) -> dict[str, Any]:
        """Run one piece of code and say how it ended."""
        output = Output(order["head"], order["tail"])
        self._reap()
        gone = self.status
        if gone is not None:
            return _answer("lost", gone, output)
        _signal_all(signal.SIGCONT)
        self.drain(Output(0, 0))
        while _available(self.results):
            pass
        try:
            _write_frame(self.orders, order["code"].encode("utf-8", "surrogatepass"))
        except BrokenPipeError:
            return _answer("lost", 0, output)
        end, status, value = self._watch(order, output)
        if end not in ("done", "raised", "exited"):
            _signal_all(signal.SIGKILL)
        self.drain(output)
        if value and output.total and not output.ends_line:
            output.add(b"\n")
        output.add(value)
        return _answer(end, status, output)

    def _watch(self, order: dict[str, Any], output: Output) -> tuple[str, int, bytes]:
        deadline = time.monotonic() + order["seconds"]
        poller = select.poll()
        for number in (self.wake, self.output, self.results):
            poller.register(number, select.POLLIN)
        result = b""
        looked = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= deadline:
                return "timeout", 0, b""
            for number, _ in poller.poll(1000 * min(_TICK, deadline - now)):
                if number == self.output:
                    self.drain(output, chunks=16)
                elif number == self.results:
                    result += _available(self.results)
                else:
                    _available(self.wake)
                    self._reap()
            size = struct.unpack(">I", result[:4])[0] if len(result) >= 4 else None
            if size is not None and size <= len(result) - 4:
                return _read_result(result[4 : 4 + size])
            if self.status is not None or (size or 0) > _LARGEST_RESULT:
                return "died", self.status or 0, b""
            if time.monotonic() - looked >= _TICK:
                looked = time.monotonic()
                for end, used in (("memory", _memory_used), ("inodes", _inodes_used)):
                    if used() > order[end]:
                        return end, 0, b""

    def drain(self, output: Output, chunks: int = 64) -> None:
        """Take what lies in the output pipe; bounded, since a process left behind may go on writing."""
        for _ in range(chunks):
            data = _available(self.output)
            if not data:
                return
            output.add(data)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child:
                self.status = os.waitstatus_to_exitcode(status)


def _answer(end: str, status: int, output: Output) -> dict[str, Any]:
    head, tail = (part.decode("utf-8", "replace") for part in (output.head, output.tail))
    left_out = output.total - len(output.head) - len(output.tail)
    if left_out:
        head, tail = head.rstrip("\ufffd"), tail.lstrip("\ufffd")
    return {"end": end, "status": status, "head": head, "tail": tail, "left_out": left_out}


def _read_result(result: bytes) -> tuple[str, int, bytes]:
    kind = result[:1]
    if kind == EXITED and len(result) >= 5:
        return "exited", struct.unpack(">i", result[1:5])[0], result[5:]
    return ("raised" if kind == RAISED else "done"), 0, result[1:]


def _memory_used() -> int:
    """Private resident bytes of everything in the sandbox but us."""
    pages = 0
    for name in os.listdir("/proc"):
        if name.isdigit() and name != "1":
            try:
                with open(f"/proc/{name}/statm", "rb") as file:
                    parts = file.read().split()
                pages += int(parts[1]) - int(parts[2])
            except (OSError, IndexError):
                continue
    return pages * os.sysconf("SC_PAGE_SIZE")


def _inodes_used() -> int:
    filesystems = [os.statvfs(folder) for folder in _FOLDERS]
    return sum(one.f_files - one.f_ffree for one in filesystems)


def _interpret(orders: int, results: int, output: int) -> None:
    """The child's whole life. It never returns."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _dumpable(1)
    nothing = os.open("/dev/null", os.O_RDONLY)
    orders, results = _moved(orders, 60), _moved(results, 61)
    for source, number in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, number)
    os.dup2(output, _OUTPUT, inheritable=False)
    os.closerange(3, 60)
    os.closerange(63, 1024)
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    _restore_streams()
    interpreter = Interpreter()
    while True:
        order = _read_frame(orders)
        if order is None:
            os._exit(0)
        _write_frame(results, interpreter.run(order.decode("utf-8", "surrogatepass")))


def _moved(number: int, target: int) -> int:
    os.dup2(number, target, inheritable=False)
    return target


def _pipe() -> tuple[int, int]:
    return os.pipe()


def _signal_all(number: int) -> None:
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        return


def _dumpable(value: int) -> None:
    """A process that is not dumpable can't be read, written or traced by others of the same user."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")


def _available(number: int) -> bytes:
    try:
        return os.read(number, 65536)
    except BlockingIOError:
        return b""


def _read_exactly(number: int, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = os.read(number, size - len(data))
        if not part:
            return None
        data += part
    return data


def _read_frame(number: int) -> bytes | None:
    header = _read_exactly(number, 4)
    return None if header is None else _read_exactly(number, struct.unpack(">I", header)[0])


def _write_frame(number: int, data: bytes) -> None:
    view = memoryview(struct.pack(">I", len(data)) + data)
    while view:
        view = view[os.write(number, view) :]


def main() -> None:
    """Say that we are up, then serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _dumpable(0)
    supervisor = Supervisor()
    _write_frame(1, b'{"end": "ready"}')
    supervisor.serve()


if __name__ == "__main__":
    main()
