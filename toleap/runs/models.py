"""Which model a run plays, and whether it is a served one, a running server's, or a scripted policy."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from toleap.chat.wire import is_near
from toleap.config import Operation
from toleap.data.readers import sha256_of
from toleap.errors import UsageError
from toleap.serving.environments import server_environment
from toleap.serving.policies import load_policy
from toleap.serving.vllm import precision
from toleap.serving.weights import ModelSource, resolve_model

RESEARCH_MODEL = "openbmb/AgentCPM-Explore"
"""The default model of benchmarks that name none."""
UNVERIFIED = "unverified"
"""The digest of a model whose weights we have not seen."""
_SCRIPTED = "scripted:"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model of a run. Exactly one of ``source``, ``policy`` and ``base_url`` is set."""

    label: str
    digest: str
    source: ModelSource | None = None
    policy: str | None = None
    base_url: str | None = None
    window: int | None = None
    """The context of a running server in tokens, where it says so."""

    @property
    def profile(self) -> str:
        """What the model's profile is looked up by."""
        return self.label

    @property
    def precision(self) -> str:
        """The arithmetic our own server computes in: another one gives other answers."""
        if self.source is None:
            return UNVERIFIED if self.base_url else "none"
        environment = server_environment()
        return precision(environment) if environment else UNVERIFIED

    @property
    def where(self) -> str:
        """How the model is reached, for people."""
        if self.base_url:
            return f"running at {self.base_url}, weights {UNVERIFIED}"
        if self.policy:
            return "scripted server, a process of this run"
        return "vLLM, started by this run"


def choose_model(
    named: str | None, defaults: Sequence[str | None], operation: Operation, log: Callable[[str], None]
) -> ModelChoice:
    """The model named, or the default: the one that all benchmarks of the run name, else the research model.

    Raises:
        UsageError: the model cannot be served here, or the running server does not have it.
    """
    if operation.base_url is not None:
        label, window = _served(operation.base_url, named, os.environ.get(operation.api_key_env))
        return ModelChoice(label, UNVERIFIED, base_url=operation.base_url, window=window)
    wanted = named or _default(defaults)
    if wanted.startswith(_SCRIPTED):
        return _scripted(wanted.removeprefix(_SCRIPTED), trust=operation.trust)
    source = resolve_model(wanted, log=log)
    if server_environment() is None:
        raise UsageError("there is no model server yet: run toleap setup, or give --base-url of a running one")
    return ModelChoice(source.name, source.digest or UNVERIFIED, source=source)


def _scripted(policy: str, *, trust: bool) -> ModelChoice:
    """A policy as the model; loaded here once, so that a mistake in it shows before anything is written."""
    load_policy(policy, trust=trust)
    label = f"{_SCRIPTED}{policy}"
    file = Path(policy.partition(":")[2])
    return ModelChoice(label, sha256_of(file) if file.is_file() else label, policy=policy)


def _default(defaults: Sequence[str | None]) -> str:
    different = set(defaults)
    only = different.pop() if len(different) == 1 else None
    return only or RESEARCH_MODEL


def _served(base_url: str, named: str | None, api_key: str | None) -> tuple[str, int | None]:
    """The model to ask a running server for (the one named if it has it, or the only one it has), and its context."""
    try:
        request = urllib.request.Request(f"{base_url.rstrip('/')}/models")
    except ValueError as error:
        raise UsageError(f"--base-url {base_url!r}: write http://HOST:PORT/v1") from error
    if request.type not in {"http", "https"}:
        raise UsageError(f"--base-url {base_url!r}: write http://HOST:PORT/v1")
    # By way of the environment's proxies where the requests of the run itself go so.
    handlers = [urllib.request.ProxyHandler({})] if is_near(base_url) else []
    opener = urllib.request.build_opener(*handlers)
    if api_key:
        request.add_unredirected_header("Authorization", f"Bearer {api_key}")  # for this host only
    try:
        with opener.open(request, timeout=20) as answer:
            windows = {str(item["id"]): item.get("max_model_len") for item in json.load(answer)["data"]}
    except urllib.error.HTTPError as error:
        if named and error.code in {404, 405}:
            return named, None
        raise UsageError(f"{request.full_url}: HTTP {error.code}; check --base-url and the API key") from error
    except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"no ChatCompletions server answers at {request.full_url}: {error}") from error
    listed = list(windows)
    chosen = listed[0] if named is None and len(listed) == 1 else named
    if chosen is None or chosen not in windows:
        asked = f"has no model {named!r}" if named else "has several models"
        raise UsageError(f"{base_url} {asked}: give --model one of {', '.join(listed[:20]) or '(none)'}")
    window = windows[chosen]
    return chosen, window if isinstance(window, int) else None
