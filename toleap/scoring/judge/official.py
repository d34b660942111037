"""The prompts that owners publish. They are never part of this package: they lie in the user's cache.

``$TOLEAP_HOME/judges/<rubric>/`` holds either the owner's file under its own name (a Python file is read, never run:
the prompt is one string constant of it) or ``prompt.txt``, a prompt placed by hand. Only a text with the known sha256
is *verified*; any other is used and marked. What is pinned is the text, not the file around it: nothing else of the
file reaches a judge.
"""

from __future__ import annotations

import ast
import hashlib
import string
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toleap.data import cache
from toleap.data.download import download
from toleap.errors import UsageError

BY_HAND = "prompt.txt"
PUBLISHED = "https://raw.githubusercontent.com"
_LARGEST = 1 << 20

_FIELDS: Mapping[str, str] = {
    "question": "question",
    "problem": "question",
    "query": "question",
    "correct_answer": "gold",
    "ground_truth": "gold",
    "answer": "gold",
    "target": "gold",
    "context": "gold",
    "response": "candidate",
    "predicted_answer": "candidate",
    "prediction": "candidate",
    "result": "candidate",
}
"""What the owners call the three inputs of a judge, in ``{}``."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where an owner publishes the prompt: a file at a commit, and the string constant in it."""

    repository: str
    path: str
    constant: str
    commit: str
    sha256: str
    """Of the constant's value as UTF-8."""

    @property
    def url(self) -> str:
        """Where the file is fetched from."""
        return f"{PUBLISHED}/{self.repository}/{self.commit}/{self.path}"


SOURCES: Mapping[str, Source] = {
    "hle": Source(
        "centerforaisafety/hle",
        "hle_eval/run_judge_results.py",
        constant="JUDGE_PROMPT",
        commit="7b6be5aad6f9b43af3857de7867f3b52f6e4acb3",
        sha256="0f0023ee579b8c134f1834ed8952778b9e01460e31d47c242ee3629da9d44835",
    ),
    "browsecomp": Source(
        "openai/simple-evals",
        "browsecomp_eval.py",
        constant="GRADER_TEMPLATE",
        commit="5e623c2b400af62a1278e23595f95b0853d7fe8a",
        sha256="0f0023ee579b8c134f1834ed8952778b9e01460e31d47c242ee3629da9d44835",
    ),
    "browsecomp_zh": Source(
        "PALIN2018/BrowseComp-ZH",
        "prompt.py",
        constant="JUDGE_PROMPT_CN",
        commit="1e45fe12db560cb23c9a545acada75f4f9979336",
        sha256="ca5121f52bf0006ec147701a5dd11dd167836c260a0964efaeef036b7422a587",
    ),
    "xbench": Source(
        "xbench-ai/xbench-evals",
        "eval_grader.py",
        constant="LLM_JUDGE_PROMPT",
        commit="54a5456aa43d5bc07d7d9ea12b55c47744550103",
        sha256="471dff6cb8986dfe79c5bd3ef4a175ba237e47ff132c243588065814378eb4e9",
    ),
    "webwalkerqa": Source(
        "langchain-ai/langchain",
        "libs/langchain/langchain/evaluation/qa/eval_prompt.py",
        constant="cot_template",
        commit="abeef9bf96aa94fb5ac2489a1ee02d0498344b29",
        sha256="b4a9049db039cc41044df4f6938b6b77aa6ee0cb2ec3168a6168e3a2d08ca45e",
    ),
}
"""The owners' files, by rubric: docs/judging.md says how each was found. FRAMES' and SealQA's are in papers only."""

State = Literal["official", "by hand", "wrong", "missing", "unpublished"]
"""``official``: the pinned text; ``by hand``: another text; ``wrong``: the owner's file with another text or none;
``missing``: it can be fetched; ``unpublished``: nowhere to fetch it from, and not placed by hand."""


@dataclass(frozen=True, slots=True)
class OfficialPrompt:
    """An owner's prompt, cut at its fields. ``verified`` says that the text is the pinned one."""

    parts: tuple[tuple[str, str | None], ...]
    sha256: str
    verified: bool

    def fill(self, question: str, gold: str, candidate: str) -> str:
        """The prompt with its inputs; braces in the inputs are text."""
        values = {"question": question, "gold": gold, "candidate": candidate}
        return "".join(text + (values[field] if field else "") for text, field in self.parts)


def load(rubric: str) -> OfficialPrompt:
    """The owner's prompt of a rubric, from the cache.

    Raises:
        UsageError: it is not there (says what to do), not the pinned text, or no prompt can be read from it.
    """
    source, path = SOURCES.get(rubric), _path(rubric)
    if path is None:
        raise UsageError(_missing(rubric, source))
    text = _decoded(_bytes(path), path)
    if source is not None and path.name != BY_HAND:
        text = _pinned(text, source, path)
    digest = _digest(text)
    return OfficialPrompt(_parts(text, path), digest, source is not None and digest == source.sha256)


def state(rubric: str) -> State:
    """What the cache holds of a rubric's official prompt."""
    path = _path(rubric)
    if path is None:
        return "missing" if rubric in SOURCES else "unpublished"
    try:
        return "official" if load(rubric).verified else "by hand"
    except UsageError:
        return "wrong"


def fetch(rubric: str, *, again: bool = False) -> bool:
    """Fetch the owner's prompt into the cache, unless it is there; returns whether it was fetched.

    A rubric whose owner publishes no file, and a prompt placed by hand, are left alone.

    Raises:
        UsageError: it cannot be fetched, or is not the pinned text; nothing is kept then.
    """
    source = SOURCES.get(rubric)
    if source is None or (state(rubric) in ("official", "by hand") and not again):
        return False
    path = _folder(rubric) / Path(source.path).name
    with cache.writing(path) as temporary:
        download(source.url, temporary, sha256=None, otherwise=f"place it at {path} by hand", limit=_LARGEST)
        _pinned(_decoded(_bytes(temporary), source.url), source, source.url)
    return True


def _folder(rubric: str) -> Path:
    return cache.home() / "judges" / rubric


def _path(rubric: str) -> Path | None:
    """The file in the cache: the owner's own before one placed by hand."""
    source = SOURCES.get(rubric)
    names = [Path(source.path).name] if source is not None else []
    paths = (_folder(rubric) / name for name in [*names, BY_HAND])
    return next((path for path in paths if path.is_file()), None)


def _pinned(code: str, source: Source, where: Path | str) -> str:
    """The pinned text out of the owner's file."""
    text = _constant(code, source.constant, where)
    if (actual := _digest(text)) != source.sha256:
        raise UsageError(
            f"{where} is not the pinned prompt: the sha256 of {source.constant} is {actual[:12]}…, "
            f"expected {source.sha256[:12]}…"
        )
    return text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _missing(rubric: str, source: Source | None) -> str:
    what = f"judge.prompt: the official prompt of {rubric!r}"
    if source is not None:
        return f"{what} is not in {_folder(rubric)}: type toleap data prepare NAME for a benchmark it judges"
    return f"{what} is published in no repository: place the owner's prompt at {_folder(rubric) / BY_HAND}"


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if len(content) > _LARGEST:
        raise UsageError(f"{path}: larger than {_LARGEST} bytes, so no judge's prompt")
    return content


def _decoded(content: bytes, where: Path | str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{where}: not UTF-8 (byte {error.start})") from error


def _constant(code: str, name: str, where: Path | str) -> str:
    """The string assigned to ``name`` at the top of a Python file, perhaps with ``.strip()``; runs nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the user cannot mend an owner's bad escape
            body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{where}: not readable as Python") from error
    for statement in body:
        if not isinstance(statement, ast.Assign) or name not in _targets(statement):
            continue
        value = statement.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
        if _is_strip(value):
            return _stripped(value, where, name)
    raise UsageError(f"{where}: no text {name} in it")


def _targets(statement: ast.Assign) -> set[str]:
    return {target.id for target in statement.targets if isinstance(target, ast.Name)}


def _is_strip(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "strip"


def _stripped(value: ast.expr, where: Path | str, name: str) -> str:
    inner = value.func.value if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) else None
    if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
        return inner.value.strip()
    raise UsageError(f"{where}: {name} is no plain text")


def _parts(text: str, path: Path) -> tuple[tuple[str, str | None], ...]:
    """The text cut at its ``{fields}``; every judge needs the gold answer and the candidate's."""
    try:
        cut = [(literal, field) for literal, field, _, _ in string.Formatter().parse(text)]
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error
    unknown = sorted({field for _, field in cut if field is not None and field not in _FIELDS})
    if unknown:
        raise UsageError(f"{path}: unknown field {{{unknown[0]}}}; known: {', '.join(_FIELDS)}")
    parts = tuple((literal, _FIELDS[field] if field is not None else None) for literal, field in cut)
    if not {"gold", "candidate"} <= {field for _, field in parts}:
        raise UsageError(f"{path}: a judge's prompt needs a field for the gold answer and one for the candidate's")
    return parts
