"""A server whose supervisor is killed while it starts ends too."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.cli.program import marked, wait_until
from toleap.serving import supervise


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_a_server_that_is_just_being_started_does_not_outlive_its_supervisor() -> None:
    for _ in range(5):
        mark = uuid.uuid4().hex
        command = [sys.executable, "-I", str(Path(supervise.__file__)), "1", "sleep", "600"]
        variables = {**os.environ, "TOLEAP_TEST_MARK": mark}
        with subprocess.Popen(command, stdin=subprocess.PIPE, env=variables) as process:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            while process.poll() is None and not children.read_text():
                pass  # to be there before the child has run its first line
            process.kill()
        wait_until(lambda mark=mark: not marked(mark), "the end of the server")
