"""A vLLM server of our own: its command, its start, what went wrong when it does not start, and its end."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from toleap.data import cache
from toleap.errors import ServerFault, UsageError
from toleap.serving.environments import ServerEnvironment, server_environment
from toleap.serving.process import HOST, ServerProcess, free_port, last_lines
from toleap.serving.weights import ModelSource

# vLLM's processes each put their name, and loggers the level, time and place, before what they say.
_PREFIX = re.compile(r"^(?:\(\w+ pid=\d+\) )?(?:(?:ERROR|CRITICAL) [\d:. -]+\[[\w.]+:\d+\] )?\s*")
_ERROR = re.compile(r"(?:[\w.]+\.)?\w*(?:Error|Exception)\b|Value error, |[\w.]+: error: |cannot start ")
_SAYS_NOTHING = re.compile(r"\d+ validation error|See root cause above")
_LONGEST_LINE = 300
_LEAST_BATCH = 2_048
"""vLLM's own default, in tokens."""
_LOGS_KEPT = 30
_CAUSES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"address already in use", re.IGNORECASE),
        "the port was taken meanwhile: start again, or give another --port",
    ),
    (
        re.compile(
            r"out of memory|MemoryError|free memory on device|not enough memory|Cannot allocate", re.IGNORECASE
        ),
        "not enough memory: stop other programs, lower agent.context, or take a smaller model",
    ),
    (
        re.compile(r"larger than the maximum number of tokens that can be stored in KV cache|KV cache is needed"),
        "the context does not fit into memory: lower agent.context, or raise VLLM_CPU_KVCACHE_SPACE (GiB) on a CPU",
    ),
    (
        re.compile(r"max_model_len .* is greater than the derived max_model_len"),
        "the model's context is shorter than agent.context: lower it",
    ),
    (
        re.compile(r"No module named|No package metadata|cannot import name|operator torchvision"),
        "the server's environment is incomplete: run toleap setup, or name another with TOLEAP_SERVING_PYTHON",
    ),
    (
        re.compile(
            r"architectures? .* (?:not supported|failed to be inspected)|does not recognize this architecture"
        ),
        "this vLLM does not know the model's architecture: another model, or another vLLM (TOLEAP_SERVING_PYTHON)",
    ),
    (
        re.compile(r"unrecognized arguments|invalid choice|invalid (?:tool call|reasoning) parser"),
        "this vLLM does not know an argument: check `serve` and the parsers in profiles.toml",
    ),
    (
        re.compile(r"LocalEntryNotFound|offline mode|couldn't connect to|Repository Not Found|HfHubHTTPError"),
        "the model cannot be had from the hub: download it where there is a network, or give its folder as --model",
    ),
)
"""What the log of a server that did not start says, and what to do. Matched against the log's last lines."""


def precision(environment: ServerEnvironment) -> str:
    """vLLM's ``--dtype``. Older CPUs only emulate bfloat16, 4.5 times slower than float32."""
    return "float32" if environment.build == "cpu" else "auto"


def vllm_command(
    source: ModelSource, environment: ServerEnvironment, port: int, *, context: int | None = None
) -> list[str]:
    """The command line of a server for this model. ``context`` in tokens overrides the profile's.

    ``vllm serve`` is not used: the CPU build's package has another name, which that command does not find.
    """
    profile = source.profile
    command = [str(environment.python), "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", source.location, "--served-model-name", source.name, "--host", HOST, "--port", str(port)]
    command += ["--max-model-len", str(context or profile.context), "--enable-prefix-caching"]
    command += ["--enable-prompt-tokens-details", "--disable-uvicorn-access-log", "--generation-config", "vllm"]
    command += ["--dtype", precision(environment)]
    if environment.build == "cpu":
        command += ["--enforce-eager"]  # compiling costs more than it saves there
        # A prompt that is prefilled in parts has its generator rewound, which torch's CPU generator cannot: the
        # server ends with "CPU Generator does not use offset". So every prompt has to fit into one batch.
        whole = max(context or profile.context, _LEAST_BATCH)
        command += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", str(whole)]
    if profile.tool_call_parser:
        command += ["--enable-auto-tool-choice", "--tool-call-parser", profile.tool_call_parser]
    if profile.reasoning_parser:
        command += ["--reasoning-parser", profile.reasoning_parser]
    return [*command, *profile.serve]


def vllm_variables(source: ModelSource, environment: ServerEnvironment) -> dict[str, str]:
    """Environment variables of the server, beside those it inherits (``HF_HOME`` and the like)."""
    # A random.py in the working folder must not be imported by the server.
    variables = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONSAFEPATH": "1"}
    variables |= environment.variables
    if source.path is not None:
        variables["HF_HUB_OFFLINE"] = "1"
    if environment.build == "cpu":
        variables["VLLM_CPU_KVCACHE_SPACE"] = os.environ.get("VLLM_CPU_KVCACHE_SPACE", "2")
    return variables


class VllmServer:
    """A vLLM server that lives as long as the ``async with`` block, and no longer than this process.

    ``command`` replaces the whole command line; it must serve ``/health`` on the port that it is given as ``{port}``.
    """

    def __init__(
        self,
        source: ModelSource,
        *,
        port: int = 0,
        context: int | None = None,
        command: Sequence[str] | None = None,
        progress: Callable[[str], None] = lambda _line: None,
        patience: float = 1_800.0,
    ) -> None:
        self._source = source
        self._wanted_port = port
        self._context = context
        self._command = command
        self._progress = progress
        self._patience = patience
        self._process: ServerProcess | None = None
        self.model = source.name
        self.base_url = ""

    async def __aenter__(self) -> Self:
        """Start it and wait until it is healthy.

        Raises:
            UsageError: the port is in use, or there is no server environment.
            ServerFault: it did not start; the message holds the cause, the log's last error and its path.
        """
        # Started again, it is where it was.
        port = self._wanted_port = free_port(self._wanted_port)
        command, variables = self._how(port)
        log = _new_log(port)
        self._progress(f"starting the model server for {self.model}, log in {log}")
        self._process = await ServerProcess.start(command, log=log, env=variables)
        try:
            await self._process.wait_healthy(
                f"http://{HOST}:{port}/health", patience=self._patience, progress=self._progress
            )
        except ServerFault as fault:
            await self.stop()
            raise ServerFault(f"{self.model}: {diagnose(log, str(fault))}", fatal=True) from fault
        except asyncio.CancelledError:
            await self.stop()
            raise
        self.base_url = f"http://{HOST}:{port}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self._process is not None and self._process.alive

    @property
    def log(self) -> Path | None:
        """The server's log file, once it was started."""
        return self._process.log if self._process else None

    async def wait_closed(self) -> ServerFault:
        """Wait until the server has ended, and return the fault that says why, for the one who watches it."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        status = await self._process.wait_closed()
        return ServerFault(f"{self.model}: {diagnose(self._process.log, f'the server ended with status {status}')}")

    async def restart(self) -> None:
        """Start a server that has died again, on its old port; raises what starting it does."""
        await self.stop()
        await self.__aenter__()

    async def stop(self) -> None:
        """End the server and all its processes."""
        if self._process is not None:
            await self._process.stop()

    def _how(self, port: int) -> tuple[list[str], dict[str, str]]:
        if self._command is not None:
            return [part.replace("{port}", str(port)) for part in self._command], {}
        environment = server_environment()
        if environment is None:
            raise UsageError("there is no model server yet: run toleap setup, or give --base-url of a running one")
        command = vllm_command(self._source, environment, port, context=self._context)
        return command, vllm_variables(self._source, environment)


def _new_log(port: int) -> Path:
    """A log file of its own for this start; the oldest ones make room."""
    folder = cache.folder("logs")
    for old in sorted(folder.glob("vllm-*.log"))[: -_LOGS_KEPT + 1]:
        old.unlink(missing_ok=True)
    return folder / f"vllm-{time.strftime('%Y%m%d-%H%M%S')}-{port}.log"


def diagnose(log: Path, what: str) -> str:
    """One line: what happened, the cause where the log names one we know, the log's last errors, the log's path."""
    lines = [_PREFIX.sub("", line) for line in last_lines(log)]
    text = "\n".join(lines)
    advice = next((advice for pattern, advice in _CAUSES if pattern.search(text)), "")
    errors = dict.fromkeys(line for line in lines if _ERROR.match(line) and not _SAYS_NOTHING.search(line))
    cause = " | ".join(line[:_LONGEST_LINE] for line in list(errors)[-2:] or lines[-2:])
    return "; ".join(part for part in (what, advice, f"it said: {cause}" if cause else "", f"log: {log}") if part)
