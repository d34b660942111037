"""A process that parses: ``python -m toleap.dock.parser_process MEMORY CPU``. Jobs come in, answers go out by stdio.

Both ways a message is a length of four bytes, then JSON; a job's JSON is followed by as many bytes as its ``size``
says. The limits: MEMORY bytes of address space, CPU seconds for each job, 64 open files, no core.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
import zipfile
import zlib
from typing import Any, BinaryIO

from toleap.dock.parsers import PARSERS

_FAULTS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    OSError,
    EOFError,
    RuntimeError,
    SyntaxError,
    MemoryError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)
"""What libraries raise over a broken file. Anything else ends this process, which says the same."""


def main(memory: int, cpu: int) -> None:
    """Answer jobs until stdin ends."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    source, sink = _streams()
    _send(sink, {"ready": True})
    while head := source.read(4):
        job = json.loads(source.read(struct.unpack(">I", head)[0]))
        data = source.read(job.pop("size"))
        _limit_cpu(cpu)
        answer = _answer(data, job)
        _send(sink, answer)
        if answer.get("fatal"):
            return


def _streams() -> tuple[BinaryIO, BinaryIO]:
    """Stdin and stdout for ourselves; what a library prints goes nowhere."""
    sink = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return sys.stdin.buffer, sink


def _limit_cpu(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _answer(data: bytes, job: dict[str, Any]) -> dict[str, Any]:
    parser = PARSERS[job.pop("kind")]
    try:
        return parser(data, **job)._asdict()
    except MemoryError:
        return {"error": "it needs too much memory", "fatal": True}
    except _FAULTS as error:
        return {"error": " ".join(f"{type(error).__name__}: {error}".split())[:200]}


def _send(sink: BinaryIO, message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    sink.write(struct.pack(">I", len(body)) + body)
    sink.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
