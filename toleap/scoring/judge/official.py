"""The prompts that owners publish. They are never part of this package: they lie in the user's cache.

``$TOLEAP_HOME/judges/<rubric>/`` holds either the owner's file under its own name (a Python file is read, never run:
the prompt is one string constant of it) or ``prompt.txt``, a prompt placed by hand. Only a file with a known sha256
is *verified*; any other is used and marked.
"""

from __future__ import annotations

import ast
import hashlib
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toleap.data import cache
from toleap.errors import UsageError

BY_HAND = "prompt.txt"
_LARGEST = 1_000_000

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
    """Where an owner publishes the prompt. ``commit`` and ``sha256`` None: not known, so nothing is fetched."""

    repository: str
    path: str
    constant: str
    commit: str | None = None
    sha256: str | None = None

    @property
    def url(self) -> str | None:
        """Where the file is fetched from; None while it is not pinned."""
        if self.commit is None or self.sha256 is None:
            return None
        return f"https://raw.githubusercontent.com/{self.repository}/{self.commit}/{self.path}"


SOURCES: Mapping[str, Source] = {
    "hle": Source("centerforaisafety/hle", "hle_eval/run_judge_results.py", "JUDGE_PROMPT"),
    "browsecomp": Source("openai/simple-evals", "browsecomp_eval.py", "GRADER_TEMPLATE"),
    "browsecomp_zh": Source(
        "PALIN2018/BrowseComp-ZH", "prompt.py", "JUDGE_PROMPT_CN", "1e45fe12db560cb23c9a545acada75f4f9979336"
    ),
    "xbench": Source(
        "xbench-ai/xbench-evals", "eval_grader.py", "LLM_JUDGE_PROMPT", "54a5456aa43d5bc07d7d9ea12b55c47744550103"
    ),
}
"""The owners' files, by rubric. FRAMES' prompt is in its paper; those of WebWalkerQA and SealQA were not located."""


@dataclass(frozen=True, slots=True)
class OfficialPrompt:
    """An owner's prompt, cut at its fields. ``verified`` says that the file is the pinned one."""

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
        UsageError: it is not there (says what to do), not the pinned file, or no prompt can be read from it.
    """
    source = SOURCES.get(rubric)
    folder = cache.home() / "judges" / rubric
    own = folder / Path(source.path).name if source else None
    path = own if own is not None and own.is_file() else folder / BY_HAND
    if not path.is_file():
        raise UsageError(_missing(rubric, source, folder))
    content = _bytes(path)
    digest = hashlib.sha256(content).hexdigest()
    pinned = source.sha256 if source is not None and path == own else None
    if pinned is not None and pinned != digest:
        raise UsageError(f"{path} is not the pinned file (sha256 {digest[:12]}…): delete it and fetch it again")
    text = _decoded(content, path)
    if source is not None and path == own:
        text = _constant(text, source.constant, path)
    return OfficialPrompt(_parts(text, path), hashlib.sha256(text.encode()).hexdigest(), pinned is not None)


def _missing(rubric: str, source: Source | None, folder: Path) -> str:
    if source is not None and source.url is not None:
        return f"judge.prompt: the official prompt of {rubric!r} is not in the cache: type toleap data prepare"
    what = f"{source.path} of {source.repository}" if source is not None else "the owner's prompt"
    name = Path(source.path).name if source is not None else BY_HAND
    return f"judge.prompt: the official prompt of {rubric!r} is not pinned: place {what} at {folder / name}"


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    if len(content) > _LARGEST:
        raise UsageError(f"{path}: larger than {_LARGEST} bytes, so no judge's prompt")
    return content


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 (byte {error.start})") from error


def _constant(code: str, name: str, path: Path) -> str:
    """The string assigned to ``name`` at the top of a Python file, perhaps with ``.strip()``; runs nothing."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{path}: not readable as Python") from error
    for statement in body:
        if not isinstance(statement, ast.Assign) or name not in _targets(statement):
            continue
        value = statement.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
        if _is_strip(value):
            return _stripped(value, path, name)
    raise UsageError(f"{path}: no text {name} in it")


def _targets(statement: ast.Assign) -> set[str]:
    return {target.id for target in statement.targets if isinstance(target, ast.Name)}


def _is_strip(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "strip"


def _stripped(value: ast.expr, path: Path, name: str) -> str:
    inner = value.func.value if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) else None
    if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
        return inner.value.strip()
    raise UsageError(f"{path}: {name} is no plain text")


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
