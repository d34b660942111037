"""What code does inside a sandbox, and what is said about it afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.program import family
from toleap.dock.sandbox import Limits, Reply, Sandbox, find_sandbox_environment
from toleap.dock.sandbox.session import valid_name
from toleap.errors import ToolFault, UsageError

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bwrap is missing: install bubblewrap"),
    pytest.mark.skipif(find_sandbox_environment() is None, reason="the sandbox's environment is missing: make setup"),
]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    made = Sandbox()
    yield made
    await made.close()


async def run(sandbox: Sandbox, code: str, name: str = "a", *, seconds: float = 20, **more: object) -> Reply:
    return await sandbox.run(name, code, seconds=seconds, output_bytes=20_000, **more)  # type: ignore[arg-type]


async def said(sandbox: Sandbox, code: str, name: str = "a", *, seconds: float = 20) -> tuple[str, str]:
    outcome = (await run(sandbox, code, name, seconds=seconds)).outcome
    return outcome.end, outcome.head + outcome.tail


async def test_variables_stay_in_a_session_and_out_of_others(sandbox: Sandbox) -> None:
    assert await said(sandbox, "import math\nx = 6 * 7") == ("done", "")
    assert await said(sandbox, "print(x, math.floor(1.5))") == ("done", "42 1\n")
    end, text = await said(sandbox, "x", "another")
    assert end == "raised"
    assert "NameError: name 'x' is not defined" in text


async def test_files_written_stay_in_a_session_and_out_of_others(sandbox: Sandbox) -> None:
    await said(sandbox, "open('/tmp/mine', 'w').write('1'); open('here', 'w').write('2');")
    code = "import os; print(os.path.exists('/tmp/mine'), os.path.exists('here'))"
    assert await said(sandbox, code) == ("done", "True True\n")
    assert await said(sandbox, code, "another") == ("done", "False False\n")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("1 + 1", "2"),
        ("x = 3\nx", "3"),
        ("None", ""),
        ("print('p')\n5", "p\n5"),
        ("print('p', end='')\n5", "p\n5"),
        ("print('p')\n5;", "p\n"),
        ("print('p')", "p\n"),
        ("'ü' * 2", "'üü'"),
        ("", ""),
        ("# nothing", ""),
        ("for i in range(2): print(i)", "0\n1\n"),
        ("import sys; sys.stderr.write('e\\n'); sys.stdout.write('o\\n');", "e\no\n"),
        ("import subprocess; subprocess.run(['echo', 'hi']); print('after')", "hi\nafter\n"),
        ("def f(): return __name__\nf()", "'__main__'"),
        ("input_exists = True\ntry: input()\nexcept EOFError: print('no input')", "no input\n"),
        ("import os; print(len({'a', 'b'}), hash('a'), os.environ['TZ'], os.getcwd())", None),
    ],
)
async def test_what_is_shown(sandbox: Sandbox, code: str, shown: str | None) -> None:
    first = await said(sandbox, code)
    assert first[0] == "done"
    assert first == await said(sandbox, code, "the same code says the same in another sandbox")
    if shown is not None:
        assert first[1] == shown


async def test_the_libraries_are_there(sandbox: Sandbox) -> None:
    code = (
        "import numpy, pandas, scipy.optimize, sympy, openpyxl\n"
        "print(int(numpy.arange(4).sum()), pandas.DataFrame({'a': [1, 2]}).a.max(), sympy.factorint(12))\n"
        "print(round(scipy.optimize.brentq(lambda x: x * x - 4, 0, 9), 6))"
    )
    assert await said(sandbox, code) == ("done", "6 2 {2: 2, 3: 1}\n2.0\n")


async def test_an_exception_shows_the_authors_frames_only(sandbox: Sandbox) -> None:
    end, text = await said(sandbox, "import json\ndef f(t):\n    return json.loads(t)\nf('{')")
    assert end == "raised"
    assert text.startswith("Traceback (most recent call last):")
    assert "line 4, in <module>" in text
    assert "return json.loads(t)" in text
    assert "supervisor.py" not in text
    assert "decoder.py" not in text
    assert text.rstrip().splitlines()[-1].startswith("json.decoder.JSONDecodeError: Expecting property name")


async def test_an_exception_shows_its_cause(sandbox: Sandbox) -> None:
    _, text = await said(sandbox, "try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise ValueError('no') from e")
    assert "ZeroDivisionError: division by zero" in text
    assert "direct cause" in text
    assert "ValueError: no" in text


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("print(1", "SyntaxError: '(' was never closed"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
        (
            "class E(Exception):\n    def __str__(self): raise OSError\nraise E",
            "E: <exception str() failed>",
        ),
        ("class R:\n    def __repr__(self): return 1 / 0\nR()", "ZeroDivisionError: division by zero"),
        ("x = bytearray(1 << 40)", "[Each process may use 1536 MiB.]"),
        ("import sys; sys.stderr = sys.stdout = None\nboom", "NameError: name 'boom' is not defined"),
        ("'\\ud800'.encode()", "surrogates not allowed"),
        ("a\x00b", "source code string cannot contain null bytes"),
    ],
)
async def test_whatever_code_raises_is_said_and_the_session_lives(sandbox: Sandbox, code: str, last: str) -> None:
    end, text = await said(sandbox, f"kept = 1\n{code}" if "\x00" not in code else code)
    assert end == "raised"
    assert last in text.rstrip().splitlines()[-1]
    assert (await said(sandbox, "2 + 2"))[0] == "done"


async def test_code_that_forks_goes_on_once(sandbox: Sandbox) -> None:
    end, text = await said(sandbox, "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nprint('here', end=' ')")
    assert (end, text) == ("done", "here here ")
    assert await said(sandbox, "pid > 0") == ("done", "True")


async def test_exits_are_told_and_variables_stay(sandbox: Sandbox) -> None:
    outcome = (await run(sandbox, "x = 1\nprint('so far')\nexit(3)")).outcome
    assert (outcome.end, outcome.status, outcome.head) == ("exited", 3, "so far\n")
    assert (await run(sandbox, "import sys; sys.exit()")).outcome.status == 0
    assert await said(sandbox, "x") == ("done", "1")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import os; os._exit(7)", 7),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV),
        ("import os\nfor n in range(3, 100):\n    try: os.close(n)\n    except OSError: pass\nos._exit(1)", 1),
    ],
)
async def test_an_interpreter_that_ends_is_the_codes_doing(sandbox: Sandbox, code: str, status: int) -> None:
    outcome = (await run(sandbox, f"x = 1\nprint('before')\n{code}")).outcome
    assert (outcome.end, outcome.status, outcome.head) == ("died", status, "before\n")
    reply = await run(sandbox, "x")
    assert "NameError" in reply.outcome.head
    assert reply.restarted is None, "the call that ended it has said so"


async def test_code_cannot_end_or_impersonate_the_supervisor(sandbox: Sandbox) -> None:
    code = (
        "import os, signal\nfor s in range(1, 32):\n    os.kill(1, s)\n"
        "try:\n    print(os.listdir('/proc/1/fd'))\nexcept PermissionError:\n    print('closed')"
    )
    assert await said(sandbox, code) == ("done", "closed\n")
    assert await said(sandbox, "1") == ("done", "1")


async def test_forged_results_do_no_harm(sandbox: Sandbox) -> None:
    end, _ = await said(
        sandbox, "import os\nfor n in range(3, 99):\n    try: os.write(n, b'\\xff' * 9)\n    except OSError: pass"
    )
    assert end in ("done", "died")
    assert await said(sandbox, "'next'", "b") == ("done", "'next'")


async def test_time_is_limited_and_what_was_printed_is_kept(sandbox: Sandbox) -> None:
    outcome = (await run(sandbox, "x = 1\nprint('begun')\nwhile True: pass", seconds=0.5)).outcome
    assert (outcome.end, outcome.head) == ("timeout", "begun\n")
    assert "NameError" in (await said(sandbox, "x"))[1]


async def test_a_fork_bomb_hits_its_limit(sandbox: Sandbox) -> None:
    code = (
        "import os, time\nn = 0\ntry:\n    while n < 500:\n        if os.fork() == 0:\n            time.sleep(60)\n"
        "        n += 1\nexcept BlockingIOError:\n    print('refused', n < 100)"
    )
    assert await said(sandbox, code) == ("done", "refused True\n")


async def test_processes_that_breed_for_ever_are_killed(sandbox: Sandbox) -> None:
    code = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    assert (await said(sandbox, code, seconds=1))[0] == "timeout"
    assert await said(sandbox, "1") == ("done", "1")


async def test_memory_of_all_processes_together_is_limited() -> None:
    sandbox = Sandbox(limits=replace(Limits(), memory=300 << 20))
    code = (
        "import os, time\nfor i in range(5):\n    if os.fork() == 0:\n        b = b'x' * (100 << 20)\n"
        "        time.sleep(60)\ntime.sleep(60)"
    )
    try:
        assert (await said(sandbox, code))[0] == "memory"
    finally:
        await sandbox.close()


async def test_the_number_of_files_is_limited() -> None:
    sandbox = Sandbox(limits=replace(Limits(), inodes=2000))
    try:
        code = "import os\ni = 0\nwhile True:\n    i += 1\n    os.mknod(f'/tmp/{i}')"
        assert (await said(sandbox, code))[0] == "inodes"
    finally:
        await sandbox.close()


@pytest.mark.parametrize("folder", ["/tmp", "/work", "/dev/shm"])
async def test_folders_are_small(sandbox: Sandbox, folder: str) -> None:
    code = f"f = open('{folder}/big', 'wb')\nfor _ in range(100): f.write(bytes(1 << 20))"
    end, text = await said(sandbox, code)
    assert end == "raised"
    assert "No space left on device" in text


async def test_a_flood_of_output_is_cut_in_the_middle(sandbox: Sandbox) -> None:
    outcome = (await run(sandbox, "print('first')\nfor i in range(200_000): print(i)\nraise OSError('last')")).outcome
    assert outcome.end == "raised"
    assert outcome.head.startswith("first\n")
    assert outcome.tail.endswith("OSError: last\n")
    assert len((outcome.head + outcome.tail).encode()) == 20_000
    assert outcome.left_out > 1_000_000


async def test_a_cut_that_falls_into_a_character_leaves_no_broken_one(sandbox: Sandbox) -> None:
    outcome = (await run(sandbox, "print('€' * 20_000)")).outcome
    assert set(outcome.head + outcome.tail) == {"€", "\n"}
    assert outcome.left_out == 60_001 - 20_000


async def test_bytes_that_are_no_text_are_shown_somehow(sandbox: Sandbox) -> None:
    end, text = await said(sandbox, "import os; os.write(1, b'a\\xff\\xfeb\\n');")
    assert (end, text) == ("done", "a\ufffd\ufffdb\n")


async def test_nothing_runs_between_two_calls(sandbox: Sandbox) -> None:
    await said(
        sandbox,
        "import threading, time\nbeats = []\n"
        "def beat():\n    while True:\n        beats.append(time.monotonic())\n        time.sleep(0.01)\n"
        "threading.Thread(target=beat, daemon=True).start()\ntime.sleep(0.05)",
    )
    await asyncio.sleep(0.5)
    _, text = await said(sandbox, "time.sleep(0.05)\nmax(b - a for a, b in zip(beats, beats[1:])) > 0.3")
    assert text == "True"


async def test_attached_files_can_be_read_and_not_changed(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "cached"
    path.write_bytes(b"a,b\n1,2\n")
    path.chmod(0o600)
    code = (
        "import pandas, os\nprint(os.listdir(), int(pandas.read_csv('data 表.csv').b[0]))\n"
        "for act in (lambda: open('data 表.csv', 'a'), lambda: os.remove('data 表.csv'), "
        "lambda: os.chmod('data 表.csv', 0o777)):\n"
        "    try: act(); print('changed')\n    except OSError: print('refused')"
    )
    reply = await run(sandbox, code, files={"data 表.csv": path})
    assert reply.outcome.head == "['data 表.csv'] 2\nrefused\nrefused\nrefused\n"
    assert path.read_bytes() == b"a,b\n1,2\n"


async def test_a_file_too_large_is_replaced_by_a_note(tmp_path: Path) -> None:
    sandbox = Sandbox(limits=replace(Limits(), file_size=1 << 20))
    path = tmp_path / "film"
    path.write_bytes(bytes((1 << 20) + 1))
    try:
        reply = await run(sandbox, "import os\nprint(open(os.listdir()[0]).read())", files={"film.mp4": path})
    finally:
        await sandbox.close()
    assert "film.mp4 is not here: code is shown files of at most 1 MiB." in reply.outcome.head


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "/etc/passwd", "a\nb", "a\0b", "x" * 256])
async def test_file_names_that_lead_elsewhere_are_refused(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    (tmp_path / "f").write_text("x")
    assert not valid_name(name)
    with pytest.raises(UsageError, match="plain file name"):
        await run(sandbox, "1", files={name: tmp_path / "f"})


async def test_files_that_are_none_are_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "pipe"):
        with pytest.raises(UsageError, match="cannot read the attachment"):
            await run(sandbox, "1", files={"f": path})


async def test_calls_of_one_session_wait_for_each_other(sandbox: Sandbox) -> None:
    code = "import time\nn = globals().get('n', 0)\ntime.sleep(0.05)\nn += 1"
    await asyncio.gather(*(run(sandbox, code) for _ in range(4)))
    assert await said(sandbox, "n") == ("done", "4")


def test_a_closed_sandbox_serves_another_event_loop() -> None:
    sandbox = Sandbox(parallel=1)

    async def crowd() -> list[str]:
        replies = await asyncio.gather(*(run(sandbox, f"{number}", f"s{number}") for number in range(3)))
        await sandbox.close()
        return [reply.outcome.head for reply in replies]

    assert asyncio.run(crowd()) == asyncio.run(crowd()) == ["0", "1", "2"]


async def test_the_longest_idle_session_makes_room_and_has_its_variables_again_when_it_is_used() -> None:
    sandbox = Sandbox(most=2)
    try:
        for name in ("a", "b", "a", "c"):
            await run(sandbox, f"x = {name!r}", name)
        assert await said(sandbox, "x", "a") == ("done", "'a'")
        assert sandbox._places["b"].session is None
        reply = await run(sandbox, "x", "b")
        assert (reply.restarted, reply.outcome.head) == (None, "'b'")
    finally:
        await sandbox.close()


async def test_a_released_session_is_forgotten(sandbox: Sandbox) -> None:
    await said(sandbox, "x = 1")
    await sandbox.release("a")
    await sandbox.release("never begun")
    reply = await run(sandbox, "x")
    assert reply.restarted is None
    assert "NameError" in reply.outcome.head


async def test_a_cancelled_call_ends_the_sandbox(sandbox: Sandbox) -> None:
    await said(sandbox, "x = 1")
    task = asyncio.create_task(run(sandbox, "import time\ntime.sleep(60)"))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    reply = await run(sandbox, "x")
    assert reply.restarted == "the call before was broken off"
    assert "NameError" in reply.outcome.head


RANDOM = "import os\nx = os.urandom(8)\nprint(x)"


async def killed_in_a_call(sandbox: Sandbox, code: str, times: int) -> asyncio.Task[Reply]:
    """A call under which the sandbox is killed so often from outside."""
    task = asyncio.create_task(run(sandbox, code))
    killed: set[int] = set()
    while len(killed) < times:
        await asyncio.sleep(0.01)
        live = sandbox._places["a"].session
        # One process more than supervisor and interpreter: the code itself, which is then surely running.
        if live is not None and live.pid not in killed and len(family(live.pid)) > 2:
            os.kill(live.pid, signal.SIGKILL)
            killed.add(live.pid)
    return task


async def test_a_sandbox_killed_from_outside_in_a_call_is_replaced_and_nobody_sees_it(sandbox: Sandbox) -> None:
    await said(sandbox, "x = 41")
    code = "import subprocess\nprint(subprocess.run(['sleep', '0.5']).returncode, x + 1)"
    reply = await (await killed_in_a_call(sandbox, code, 1))
    assert (reply.restarted, reply.outcome.end, reply.outcome.head) == (None, "done", "0 42\n")


async def test_a_sandbox_killed_from_outside_again_and_again_is_our_fault(sandbox: Sandbox) -> None:
    await said(sandbox, "x = 1")
    with pytest.raises(ToolFault, match="the sandbox ended"):
        await (await killed_in_a_call(sandbox, "import subprocess\nsubprocess.run(['sleep', '60'])", 2))
    assert (await run(sandbox, "1")).restarted == "the call before was broken off"


async def killed_between_calls(sandbox: Sandbox) -> None:
    live = sandbox._places["a"].session
    assert live is not None
    os.kill(live.pid, signal.SIGKILL)
    await live._process.wait()


async def test_a_sandbox_killed_from_outside_between_calls_is_replaced_and_nobody_sees_it(sandbox: Sandbox) -> None:
    await said(sandbox, "x = 1")
    await said(sandbox, "open('here', 'w').write('2');")
    assert (await said(sandbox, "1/0"))[0] == "raised"
    await killed_between_calls(sandbox)
    reply = await run(sandbox, "print(x, open('here').read())")
    assert (reply.restarted, reply.outcome.head) == (None, "1 2\n")


async def test_variables_that_cannot_be_had_again_are_our_fault(sandbox: Sandbox) -> None:
    await said(sandbox, RANDOM)
    await killed_between_calls(sandbox)
    with pytest.raises(ToolFault, match="does not come out the same"):
        await run(sandbox, "x")


async def test_what_was_before_a_loss_that_was_told_is_not_run_again(sandbox: Sandbox) -> None:
    await said(sandbox, RANDOM)
    assert (await said(sandbox, "import os\nos._exit(1)"))[0] == "died"
    await said(sandbox, "y = 2")
    await killed_between_calls(sandbox)
    assert await said(sandbox, "y") == ("done", "2")


async def interpreter_killed(sandbox: Sandbox) -> None:
    live = sandbox._places["a"].session
    assert live is not None
    interpreter = _children(_children(live.pid)[0])[0]
    os.kill(interpreter, signal.SIGKILL)
    while "State:\tZ" not in Path(f"/proc/{interpreter}/status").read_text():
        await asyncio.sleep(0.01)


async def test_an_interpreter_killed_from_outside_between_calls_is_replaced(sandbox: Sandbox) -> None:
    await said(sandbox, "x = 1")
    await interpreter_killed(sandbox)
    reply = await run(sandbox, "x")
    assert (reply.restarted, reply.outcome.head) == (None, "1")


async def test_an_interpreter_that_may_have_ended_by_its_codes_doing_is_told_if_it_cannot_be_had_again(
    sandbox: Sandbox,
) -> None:
    await said(sandbox, RANDOM)
    await interpreter_killed(sandbox)
    reply = await run(sandbox, "1")
    assert (reply.restarted, reply.outcome.head) == ("its interpreter had ended", "1")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
