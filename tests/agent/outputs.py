"""What a model or its server may say, as hypothesis draws it: every shape of a reply, in every grammar."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hypothesis import strategies as st

NEVER = "this-call-must-not-be-made"
"""An argument of calls that are cut off or cannot be read with one meaning: no tool may ever see it."""
_TOOLS = ("search", "fetch_url", "read_file", "visit", "nothing_of_this_name", "", "a" * 65, "ü", "search ")


@dataclass(frozen=True)
class Said:
    """One answer of the endpoint. ``said`` is a reply, whatever it holds; a ``broken`` one is no reply at all."""

    kind: Literal["said", "overflow", "broken"]
    message: Any = None
    finish: Any = "stop"
    usage: Any = field(default_factory=dict)
    status: int = 200
    raw: bytes | None = None

    def body(self) -> bytes:
        """The bytes on the wire: lone surrogates as escapes, NaN as it is."""
        if self.raw is not None:
            return self.raw
        choice = {"index": 0, "message": self.message, "finish_reason": self.finish}
        return json.dumps({"choices": [choice], "usage": self.usage}).encode()


def _corpora() -> dict[str, list[str]]:
    """Texts that break parsers: the shared corpora where they are, else a few of their kind."""
    named = os.environ.get("TOLEAP_TESTDATA")
    folder = Path(named) / "corpora" if named else None
    if folder is None or not folder.is_dir():
        return {"json": ['{"a":1,"a":2}', "[NaN]", "[1e999]", '["\\ud800"]', "{", "[" * 100_000], "text": ["", "�"]}
    parsing = json.loads((folder / "json_parsing.json").read_bytes())
    naughty = json.loads((folder / "naughty_strings.json").read_bytes())
    lines = [
        line
        for name in ("xss_payloads.txt", "path_traversal.txt")
        for line in (folder / name).read_text("utf-8", "replace").splitlines()
    ]
    return {
        "json": [base64.b64decode(item["base64"]).decode("utf-8", "surrogateescape") for item in parsing],
        "text": [*map(str, naughty), *lines],
    }


_CORPORA = _corpora()
odd_json = st.sampled_from(_CORPORA["json"])
odd_text = st.sampled_from(_CORPORA["text"])
any_text = st.one_of(odd_text, odd_json, st.text(max_size=60), st.text(st.characters(), max_size=8))
"""With lone surrogates: ``characters()`` draws them where nothing forbids it."""
surrogates = st.sampled_from(["\ud800", "a\udfffb", "\udc00\ud800", "\ud83d"])
any_json: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), any_text, surrogates, st.integers(2**63, 2**80)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(any_text, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def arguments(draw: st.DrawFn) -> str:
    """The text of a call's arguments: right, almost right, or anything."""
    value = draw(
        st.one_of(
            st.fixed_dictionaries({"query": st.lists(any_text, min_size=1, max_size=2)}),
            st.fixed_dictionaries({"url": any_text}),
            st.fixed_dictionaries({"path": any_text}, optional={"purpose": any_text}),
            st.dictionaries(any_text, any_json, max_size=3),
        )
    )
    text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    mended = draw(st.sampled_from(("as it is", "cut", "comma", "quotes", "tail")))
    if mended == "cut":
        return text[: draw(st.integers(0, len(text)))]
    changed = {"comma": text[:-1] + ",}", "quotes": text.replace('"', "'"), "tail": text + "}"}
    return changed.get(mended, text)


arguments_text = st.one_of(arguments(), odd_json, any_text)
UNCLEAR = (
    f'{{"query": ["{NEVER}"], "query": ["{NEVER}"]}}',
    f'{{"query": ["{NEVER}"], "n": NaN}}',
    f'{{"query": ["{NEVER}"], "n": 1e999}}',
    f'{{"query": ["{NEVER}", "\\ud800"]}}',
    f'["{NEVER}"]',
    f'"{NEVER}"',
    f'{{"query": ["{NEVER}"], "deep": {"[" * 5_000}{"]" * 5_000}}}',
)
"""Arguments that have no one meaning."""


def written(dialect: str, name: str, text: str) -> str:
    """A call as a dialect's model writes it."""
    if dialect == "mirothinker":
        head = f"<use_mcp_tool>\n<server_name>tools</server_name>\n<tool_name>{name}</tool_name>\n"
        return f"{head}<arguments>\n{text}\n</arguments>\n</use_mcp_tool>"
    if dialect == "deepseek":
        return f"<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>{text}<｜tool▁call▁end｜>"
    return f'<tool_call>\n{{"name": {json.dumps(name)}, "arguments": {text}}}\n</tool_call>'


_FRAGMENTS = (
    "<think>", "</think>", "<answer>", "</answer>", "<tool_call>", "</tool_call>", "<code>", "</code>", "```json\n",
    "```", "<use_mcp_tool>", "</use_mcp_tool>", "<tool_name>", "</arguments>", "<｜tool▁calls▁begin｜>",
    "<｜tool▁sep｜>", "<|tool_call_end|>", "<tool_response>", "<|im_end|>", "\x00", "\u2028", "{{ x }}",
)  # fmt: skip
_GRAMMARS = ("hermes", "mirothinker", "deepseek")


@st.composite
def content(draw: st.DrawFn) -> str:
    """A reply's text: calls in any grammar, tags of all kinds in any order, text."""
    call = st.builds(written, st.sampled_from(_GRAMMARS), st.sampled_from(_TOOLS), arguments_text)
    bare = arguments_text.map(lambda text: f'{{"name": "search", "arguments": {text}}}')
    part = st.one_of(st.sampled_from(_FRAGMENTS), call, any_text, surrogates, bare)
    return "".join(draw(st.lists(part, max_size=5)))


def _deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


contents = st.one_of(
    content(),
    st.none(),
    st.lists(st.one_of(st.fixed_dictionaries({"type": st.just("text"), "text": content()}), any_json), max_size=3),
    any_json,
)
_good_call = st.fixed_dictionaries(
    {
        "id": st.one_of(st.sampled_from(["call_0", "call_0_0", ""]), any_text),
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {"name": st.one_of(st.sampled_from(_TOOLS), any_text), "arguments": st.one_of(arguments_text, any_json)}
        ),
    }
)
_any_call = st.one_of(
    _good_call,
    any_json,
    st.fixed_dictionaries({}, optional={"id": any_json, "type": any_json, "function": any_json}),
    st.fixed_dictionaries(
        {"function": st.fixed_dictionaries({}, optional={"name": any_json, "arguments": any_json})}
    ),
)
_any_usage = st.one_of(
    st.none(),
    st.just({}),
    st.fixed_dictionaries(
        {"prompt_tokens": st.integers(0, 9_000), "completion_tokens": st.integers(0, 9_000)},
        optional={"prompt_tokens_details": st.one_of(st.none(), st.just({"cached_tokens": 3}))},
    ),
)
_finishes = st.sampled_from(["stop", "tool_calls", "length", "content_filter", "", None, "eos", 7])
replies = st.builds(
    Said,
    st.just("said"),
    st.fixed_dictionaries(
        {"role": st.just("assistant")},
        optional={
            "content": contents,
            "tool_calls": st.one_of(st.lists(_good_call, max_size=3), st.lists(_any_call, max_size=40), any_json),
            "reasoning_content": st.one_of(content(), any_json),
            "reasoning": st.one_of(st.none(), content()),
            "refusal": st.one_of(st.none(), any_text),
            "function_call": any_json,
            "deep": st.sampled_from([100, 240, 260, 900]).map(_deep),
        },
    ),
    _finishes,
    _any_usage,
)


@st.composite
def cut_offs(draw: st.DrawFn) -> Said:
    """A reply that reached its length limit inside its last call."""
    dialect = draw(st.sampled_from(("native", *_GRAMMARS)))
    text = f'{{"query": ["{NEVER}'
    if dialect == "native":
        ended = draw(st.sampled_from([text, text + '"]}']))
        call = {"id": "x", "type": "function", "function": {"name": "search", "arguments": ended}}
        return Said("said", {"role": "assistant", "content": "", "tool_calls": [call]}, "length")
    whole = written(dialect, "search", text + '"]}')
    start = whole.index(NEVER)
    last = whole.rindex("</tool_call>") - 1 if dialect == "hermes" else whole.rindex("<")
    end = draw(st.one_of(st.integers(last - 3, last), st.integers(start, last)))
    return Said("said", {"role": "assistant", "content": whole[:end]}, "length")


@st.composite
def unclears(draw: st.DrawFn) -> Said:
    """A call whose arguments cannot be read with one meaning."""
    return calling(draw(st.sampled_from(("native", *_GRAMMARS))), draw(st.sampled_from(UNCLEAR)))


def calling(dialect: str, text: str) -> Said:
    """A search with these arguments, as a dialect's model calls it."""
    if dialect != "native":
        return Said("said", {"role": "assistant", "content": written(dialect, "search", text)})
    call = {"id": "x", "type": "function", "function": {"name": "search", "arguments": text}}
    return Said("said", {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls")


_NAMED = {"id": "x", "type": "function", "function": {"name": "search", "arguments": '{"query": ["a"]}'}}
_BROKEN = {**_NAMED, "function": {"name": "search", "arguments": f'{{"query": ["{NEVER}"], "n": NaN}}'}}
_calls_of_all_kinds = st.lists(
    st.sampled_from([_NAMED, _BROKEN, {"id": "x", "function": {"name": "", "arguments": "{}"}}, None]),
    min_size=2,
    max_size=4,
)
mixed = _calls_of_all_kinds.map(lambda calls: Said("said", {"role": "assistant", "tool_calls": calls}))
"""Calls that go back as calls beside such that cannot, in any order and all with one id."""
_OVERFLOW = b'{"error": {"message": "This model\'s maximum context length is 10 tokens"}}'
overflows = st.just(Said("overflow", status=400, raw=_OVERFLOW))
broken = st.one_of(
    st.sampled_from([500, 502, 400, 422]).map(lambda status: Said("broken", status=status, raw=b"{}")),
    st.sampled_from(
        [
            b"", b"no json", b"[]", b"null", b'{"choices": []}', b'{"choices": [{"message": null}]}',
            b'{"choices": [{"message": {}, "finish_reason": "abort"}]}', b"\xff\xfe", b"[" * 5_000,
        ]
    ).map(lambda raw: Said("broken", raw=raw)),
)  # fmt: skip
uncounted = st.sampled_from(
    [
        b'{"choices": [{"message": {}}], "usage": {"prompt_tokens": Infinity}}',
        b'{"choices": [{"message": {}}], "usage": {"prompt_tokens": 1e400}}',
        b'{"choices": [{"message": {}}], "usage": {"completion_tokens": 99999999999999999999999}}',
        b'{"choices": [{"message": {}}], "usage": {"prompt_tokens": -7}}',
        b'{"choices": [{"message": {}}], "usage": [1]}',
    ]
).map(lambda raw: Said("said", raw=raw))
"""Replies whose tokens a server counted in nonsense: replies all the same."""
scripts = st.lists(
    st.one_of(replies, replies, replies, mixed, cut_offs(), unclears(), overflows, broken, uncounted),
    min_size=1,
    max_size=5,
)
