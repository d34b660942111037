"""Starting, watching and ending a model server; a small fake stands in where no model is needed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from toleap.chat.profiles import profile_for
from toleap.errors import ServerFault, UsageError
from toleap.serving.environments import ServerEnvironment, server_environment
from toleap.serving.vllm import VllmServer, diagnose, vllm_command, vllm_variables
from toleap.serving.weights import ModelSource, resolve_model

FAKE = str(Path(__file__).with_name("fake_server.py"))
SOURCE = ModelSource("tiny", Path("/models/tiny"), "sha256:0", profile_for("default"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie that nobody reaped has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_gone(pids: list[int]) -> list[int]:
    """Waits for the processes to end; the ones that did not within a long time."""
    give_up = time.monotonic() + 30
    while (left := [pid for pid in pids if not gone(pid)]) and time.monotonic() < give_up:
        time.sleep(0.05)
    return left


async def test_a_server_is_started_watched_and_ended_with_its_children(home: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    async with VllmServer(SOURCE, command=[sys.executable, FAKE, "{port}", str(pids)]) as server:
        assert server.alive
        assert server.model == "tiny"
        async with aiohttp.ClientSession() as session, session.get(f"{server.base_url}/models") as response:
            assert response.status == 200
        assert server.log is not None and server.log.parent == home / "logs"
        family = [int(pid) for pid in pids.read_text().split()]
    assert not server.alive
    assert [pid for pid in family if not gone(pid)] == []


HOLDER = """
import asyncio, sys
from pathlib import Path
from toleap.chat.profiles import profile_for
from toleap.serving.weights import ModelSource
from toleap.serving.vllm import VllmServer

async def main():
    source = ModelSource("tiny", None, "", profile_for("default"))
    async with VllmServer(source, command=[sys.executable, sys.argv[1], "{port}", sys.argv[2]]):
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_the_one_that_started_it(blow: int, home: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, FAKE, str(pids)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        family = [int(pid) for pid in pids.read_text().split()]
        assert not any(gone(pid) for pid in family)
        holder.send_signal(blow)
    left = wait_until_gone(family)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert left == []


async def test_a_server_that_dies_is_noticed(home: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    async with VllmServer(SOURCE, command=[sys.executable, FAKE, "{port}", str(pids)]) as server:
        os.kill(int(pids.read_text().split()[0]), signal.SIGKILL)
        fault = await asyncio.wait_for(server.wait_closed(), 30)
        assert "137" in str(fault)
        assert str(server.log) in str(fault)
        assert not server.alive


async def test_a_failed_start_shows_the_last_error_and_what_to_do(home: Path) -> None:
    script = "import sys; print('INFO fine'); sys.exit('torch.OutOfMemoryError: CUDA out of memory. Tried 2 GiB')"
    with pytest.raises(ServerFault) as caught:
        async with VllmServer(SOURCE, command=[sys.executable, "-c", script]):
            pass
    said = str(caught.value)
    assert caught.value.fatal
    assert "Tried 2 GiB" in said
    assert "agent.context" in said
    assert "INFO fine" not in said
    assert "\n" not in said


async def test_a_command_that_is_not_there(home: Path) -> None:
    with pytest.raises(ServerFault, match="no-such-python"):
        async with VllmServer(SOURCE, command=["/nowhere/no-such-python"]):
            pass


async def test_a_server_that_never_answers_is_given_up_and_ended(home: Path, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(ServerFault, match="no answer"):
        async with VllmServer(SOURCE, command=[sys.executable, "-c", script], patience=2):
            pass
    assert gone(int(pid_file.read_text()))


async def test_a_port_in_use_is_refused_before_anything_starts(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=str(port)):
            async with VllmServer(SOURCE, port=port, command=["true"]):
                pass
    assert not (home / "logs").exists()


async def test_without_an_environment_it_says_how_to_make_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOLEAP_SERVING_PYTHON", raising=False)
    with pytest.raises(UsageError, match="toleap setup"):
        async with VllmServer(SOURCE):
            pass


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("ModuleNotFoundError: No module named 'vllm'", "toleap setup"),
        ("ValueError: Model architectures ['FooForCausalLM'] are not supported for now.", "architecture"),
        ("OSError: [Errno 98] Address already in use", "--port"),
        (
            "ValueError: User-specified max_model_len (131072) is greater than the derived max_model_len (8192)",
            "shorter",
        ),
        ("api_server.py: error: unrecognized arguments: --frobnicate", "profiles.toml"),
    ],
)
def test_known_causes_come_with_advice(line: str, advice: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"INFO starting\n\xff\xfe\n" + line.encode() + b"\nINFO bye\n")
    said = diagnose(log, "it ended")
    assert advice in said
    assert line in said


def test_the_root_cause_is_shown_and_not_that_there_is_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "(EngineCore pid=7) ERROR 11-21 03:29:30 [core.py:402] Traceback (most recent call last):\n"
        "(EngineCore pid=7) ERROR 11-21 03:29:30 [core.py:402] ValueError: No available memory for the cache blocks\n"
        "(APIServer pid=3) pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
        "(APIServer pid=3) RuntimeError: Engine core initialization failed. See root cause above.\n"
    )
    said = diagnose(log, "it ended")
    assert "it said: ValueError: No available memory for the cache blocks;" in said


def test_an_unreadable_log_is_still_named(tmp_path: Path) -> None:
    assert diagnose(tmp_path / "none", "it ended") == f"it ended; log: {tmp_path / 'none'}"


def test_the_command_follows_the_profile_and_the_build() -> None:
    cpu = vllm_command(SOURCE, ServerEnvironment(Path("/env/bin/python"), "cpu"), 8123, context=2048)
    assert cpu[:3] == ["/env/bin/python", "-m", "vllm.entrypoints.openai.api_server"]
    assert cpu[cpu.index("--max-model-len") + 1] == "2048"
    assert cpu[cpu.index("--dtype") + 1] == "float32"
    assert cpu[cpu.index("--served-model-name") + 1] == "tiny"
    thinking = ModelSource("m", None, "", profile_for("Qwen3-4B-Thinking-2507"))
    cuda = vllm_command(thinking, ServerEnvironment(Path("/env/bin/python"), "cuda"), 8123)
    assert cuda[cuda.index("--dtype") + 1] == "auto"
    assert cuda[cuda.index("--reasoning-parser") + 1] == "deepseek_r1"
    assert cuda[cuda.index("--max-model-len") + 1] == str(thinking.profile.context)


async def test_old_logs_make_room(home: Path) -> None:
    logs = home / "logs"
    logs.mkdir(parents=True)
    for number in range(100):
        (logs / f"vllm-20200101-000000-{number:05}.log").touch()
    with pytest.raises(ServerFault):
        async with VllmServer(SOURCE, command=["false"]):
            pass
    left = sorted(path.name for path in logs.iterdir())
    assert len(left) == 30
    assert left[0] == "vllm-20200101-000000-00071.log"


def test_only_our_own_environment_writes_bytecode() -> None:
    ours = ServerEnvironment(Path("/env/bin/python"), "cpu", made_here=True)
    assert vllm_variables(SOURCE, ours)["PYTHONDONTWRITEBYTECODE"] == ""
    theirs = ServerEnvironment(Path("/env/bin/python"), "cpu")
    assert "PYTHONDONTWRITEBYTECODE" not in vllm_variables(SOURCE, theirs)


def test_only_a_local_model_is_served_offline() -> None:
    environment = ServerEnvironment(Path("/env/bin/python"), "cuda")
    assert vllm_variables(SOURCE, environment)["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in vllm_variables(ModelSource("o/m", None, "", SOURCE.profile), environment)


SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Search the web",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    },
}


@pytest.mark.vllm
@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_the_built_in_model_on_a_real_server() -> None:
    if server_environment() is None:
        pytest.skip("no model server's environment: toleap setup")
    call = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": json.dumps({"query": "Oak"})}}
    messages = [
        {"role": "system", "content": "Answer in a few words."},
        {"role": "user", "content": "Who is the mayor of Oak?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "Oak: the mayor is Ada Quill."},
    ]
    async with VllmServer(resolve_model("smollm2-135m")) as server:
        body = {"model": server.model, "messages": messages, "tools": [SEARCH], "temperature": 0, "max_tokens": 32}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.base_url}/chat/completions", json=body) as response,
        ):
            answer = await response.json()
            assert response.status == 200, answer
    assert answer["choices"][0]["message"]["content"]
    assert 0 < answer["usage"]["prompt_tokens"] < 2_000
    assert answer["usage"]["completion_tokens"] <= 32
