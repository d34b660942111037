"""Every setting of a run; ``layers.py`` lays profile, preset, TOML file and ``--set key=value`` over the defaults.

Settings are of three kinds. *Scoring* settings (``RunConfig``) can change a number: they make the fingerprint, and
a run is continued only with the same ones. *Extent* (benchmarks, k, limit) extends a run. *Operational* settings
(``Operation``) are free. A judge's settings (``JudgeSettings``) are in the fingerprint of its verdicts instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

DialectName = Literal["native", "hermes", "agentcpm", "mirothinker", "deepseek"]
"""How a model is shown tools and calls them."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


_Price = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=2, max_length=3)]
_REQUEST_FIELDS: Mapping[str, str] = {
    **dict.fromkeys(("model", "messages", "tools", "stream", "n"), "toleap sets it"),
    **dict.fromkeys(("temperature", "top_p", "top_k", "presence_penalty", "max_tokens", "seed"), "it has a setting"),
    "max_completion_tokens": "set sampling.max_tokens",
}


_RENAMED = frozenset(
    {"temperature", "top_p", "top_k", "presence_penalty", "max_tokens", "seed", "tool_choice", "parallel_tool_calls"}
    | {"stop", "stream_options"}
)


class Sampling(_Section):
    """How the model's tokens are drawn. Each call's seed is derived from ``seed``, task, attempt and turn."""

    temperature: float | None = Field(default=1.0, ge=0, le=5)
    top_p: float | None = Field(default=1.0, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    presence_penalty: float | None = Field(default=0.0, ge=-2, le=2)
    max_tokens: int = Field(default=16_384, ge=1)
    seed: int | None = Field(default=0, ge=0, lt=2**63)
    """None sends no seed: the server draws as it likes, and no run can be repeated."""
    fields: dict[str, str] = Field(default_factory=dict)
    """Under which names fields of the request go to a server that knows them by others; ``none`` leaves one out."""
    extra: dict[str, JsonValue] = Field(default_factory=dict)
    """More fields of the request, for example ``chat_template_kwargs``."""

    @field_validator("fields", mode="before")
    @classmethod
    def _named(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping):
            return fields
        for name in fields:
            if name not in _RENAMED:
                raise ValueError(f"{name} is no field that can be renamed: there are {', '.join(sorted(_RENAMED))}")
        return {name: "none" if value is None else value for name, value in fields.items()}

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, extra: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in extra:
            if name in _REQUEST_FIELDS:
                raise ValueError(f"{name} is not for extra: {_REQUEST_FIELDS[name]}")
        return _without_none(extra)


def _without_none(table: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The table without the keys that were taken out again with ``none``."""
    return {
        name: _without_none(value) if isinstance(value, dict) else value
        for name, value in table.items()
        if value is not None
    }


class Agent(_Section):
    """The loop: dialect, prompt and limits. A limit of None is off."""

    dialect: DialectName = "native"
    prompt: str = "default"
    thoughts: Literal["keep", "drop"] = "keep"
    pictures: Literal["show", "ignore"] = "show"
    """``ignore`` plays tasks with pictures although the model is not shown them."""
    context: int = Field(default=131_072, ge=256)
    policy: Literal["keep", "keep-n", "discard", "summarise"] = "keep"
    """What of the history is sent again; all of it is stored."""
    policy_at: float = Field(default=0.8, gt=0, lt=1)
    """The part of the context from which on ``discard`` and ``summarise`` act."""
    keep_results: int = Field(default=5, ge=0)
    """How many of the newest tool results ``keep-n`` sends."""
    keep_step: int = Field(default=1, ge=1)
    """``keep-n`` blanks so many results together: more spare the server's prefix cache."""
    max_turns: int = Field(default=200, ge=1)
    max_tool_calls: int | None = Field(default=None, ge=1)
    max_total_tokens: int | None = Field(default=None, ge=1)
    max_seconds: float | None = Field(default=None, gt=0)
    noop_limit: int = Field(default=8, ge=1)
    repetition_limit: int = Field(default=4, ge=2)
    """The same turns so often in a row are a repetition."""
    repetition_period: int = Field(default=4, ge=1, le=64)
    """So many turns, one after the other, can be what is repeated: 1 sees A A A A, 2 also A B A B A B A B."""
    loop_limit: int = Field(default=8, ge=2, le=1_000)
    """A reply that is cut off while it says one phrase for at least the so many-th time is a repetition."""
    forced_answer: bool = True


class Tools(_Section):
    """Which tools the model gets, and how much they hand back."""

    tools: tuple[str, ...] = ("search", "fetch_url", "read_file", "execute_code")
    results: int = Field(default=10, ge=1, le=100)
    page_chars: int = Field(default=20_000, ge=100)
    deadline: float = Field(default=120.0, gt=0)


class Reader(_Section):
    """Who reads long pages for the model, and writes summaries of its history.

    Without ``base_url`` the ``models`` are asked on the run's own server. Lengths ending in ``chars`` and
    ``skip_below`` are in characters, the others in tokens.
    """

    mode: Literal["none", "extract", "model"] = "extract"
    """``none`` cuts pages at ``dock.page_chars``; ``extract`` gives the passages that fit; ``model`` asks a model."""
    models: tuple[str, ...] = ()
    """Tried in this order; one may stand there twice."""
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    skip_below: int = Field(default=6_000, ge=0)
    page_chars: int = Field(default=200_000, ge=100)
    extract_chars: int = Field(default=8_000, ge=400)
    context: int = Field(default=32_768, ge=1_024)
    max_tokens: int = Field(default=4_096, ge=1)
    temperature: float = Field(default=0.7, ge=0, le=5)


_POLICY_SETTINGS: Mapping[str, frozenset[str]] = {
    "keep-n": frozenset({"agent.policy", "agent.keep_results", "agent.keep_step"}),
    "discard": frozenset({"agent.policy", "agent.policy_at"}),
    "summarise": frozenset({"agent.policy", "agent.policy_at"}),
}
"""The settings that count under each history policy; under ``keep`` none does."""
_READING_SETTINGS = frozenset({"reader.skip_below", "reader.page_chars", "reader.extract_chars"})
_AUXILIARY_SETTINGS = frozenset({"reader.models", "reader.context", "reader.max_tokens", "reader.temperature"})


class RunConfig(_Section):
    """All scoring settings of a run. ``web`` None means: each benchmark's own corpus, or refuse."""

    model: str = "smollm2-135m"
    web: str | None = None
    sampling: Sampling = Sampling()
    agent: Agent = Agent()
    dock: Tools = Tools()
    reader: Reader = Reader()
    benchmark: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @property
    def needs_auxiliary(self) -> bool:
        """Whether a second model reads pages or writes summaries."""
        return self.reader.mode == "model" or self.agent.policy == "summarise"

    def flat(self) -> dict[str, Any]:
        """Every setting of the run under its dotted key, sorted."""
        return dict(sorted(flattened(self.model_dump(mode="json")).items()))

    def scoring(self) -> dict[str, Any]:
        """``flat`` without what cannot change a score: where the reader is, and settings of what is switched off."""
        idle = {"reader.base_url", "reader.api_key_env"}.union(*_POLICY_SETTINGS.values())
        idle -= _POLICY_SETTINGS.get(self.agent.policy, frozenset())
        if self.reader.mode == "none":
            idle |= _READING_SETTINGS
        if not self.needs_auxiliary:
            idle |= _AUXILIARY_SETTINGS
        return {key: value for key, value in self.flat().items() if key not in idle}


class Operation(_Section):
    """Settings that cannot change a number: where and how fast."""

    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    max_in_flight: int = Field(default=64, ge=1, le=4096)
    call_seconds: float = Field(default=1_800.0, gt=0)
    """The longest deadline of one call; past it only a server whose metrics show progress is waited for."""
    stalled_seconds: float = Field(default=60.0, gt=0)
    """For how long those metrics may stand still while a call is overdue."""
    patience: float = Field(default=120.0, ge=0)
    """For how long a server or a tool that is down, or a server that is busy, is waited for."""
    fault_limit: int = Field(default=3, ge=1)
    token_cap: int | None = Field(default=None, ge=1)
    """Once the run's models have written so many tokens, over all its starts, no further attempt is begun."""
    cost_cap: float | None = Field(default=None, gt=0)
    """The same for what they cost, in the currency of the prices."""
    price: _Price | None = None
    """Of a million tokens: prompt, written and, where they cost something else, cached prompt tokens."""
    auxiliary_price: _Price | None = None
    """The same for the models that read pages and write summaries; by default the model's."""
    stream: bool = False
    """Ask for replies as a stream, as some servers want it; one that says so is asked so without this."""
    trust: bool = False


class JudgeSettings(_Section):
    """Who judges answers that no rule can score. Not part of a run's fingerprint: each verdict carries its judge's.

    ``temperature`` and ``top_p`` None mean: as the benchmark's owner judges. Without a ``model`` there is no judge,
    and answers that need one stay unscored.
    """

    model: str | None = None
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    prompt: Literal["official", "toleap"] = "toleap"
    temperature: float | None = Field(default=None, ge=0, le=5)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = None
    max_tokens: int = Field(default=4_096, ge=1)
    max_in_flight: int = Field(default=16, ge=1, le=1024)
    requests_per_minute: float | None = Field(default=None, gt=0)
    attempts: int = Field(default=4, ge=1)
    """How often an output that cannot be read is asked for."""
    seconds: float = Field(default=120.0, gt=0)
    """The deadline of one request."""
    patience: float = Field(default=300.0, ge=0)
    """For how many seconds a server that is down or busy is waited for, for one answer."""


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "agentcpm": {
        "k": 8,
        "sampling.temperature": 1.0,
        "sampling.top_p": 1.0,
        "sampling.top_k": None,
        "sampling.presence_penalty": 0.0,
        "sampling.max_tokens": 16_384,
        "agent.max_turns": 200,
        "agent.context": 131_072,
        "agent.thoughts": "keep",
        "dock.results": 10,
    },
}
"""Settings other systems published with; ``k`` is an extent, the rest are scoring settings."""


def fingerprint(settings: Mapping[str, Any]) -> str:
    """The first 8 hex digits of the SHA-256 of the settings as canonical JSON."""
    return hashlib.sha256(orjson.dumps(dict(settings), option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]


def flattened(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` → ``{"a.b": 1}``."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(flattened(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat
