"""What a local model folder holds, as one hash, so that a number can say which weights made it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from toleap.data import cache

WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")
"""What counts as weights in a model folder."""

_TEXT = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
_OTHER = ("tokenizer.model", "vocab.json", "merges.txt", "special_tokens_map.json", "added_tokens.json")
# Who wrote the folder, not what the model computes: two machines must get the same digest.
_NOT_THE_MODEL = frozenset({"transformers_version", "_name_or_path", "_model_name_or_path"})


def weight_files(folder: Path) -> list[Path]:
    """The weight files directly in a model folder, sorted by name; empty files are none."""
    files = {path for pattern in WEIGHTS for path in folder.glob(pattern) if path.is_file() and path.stat().st_size}
    return sorted(path for path in files if path.name != "training_args.bin")


def folder_digest(folder: Path) -> str:
    """``sha256:…`` over the configuration, the tokenizer, the chat template and the weights of a model folder.

    Hashes of files are kept by size and modification time, so only a changed file is read again.
    """
    memory = cache.folder("digests") / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:32]}.json"
    known = _read(memory)
    fresh = {path.name: _entry(path, known.get(path.name)) for path in _files(folder)}
    if fresh != known:
        with cache.writing(memory) as temporary:
            temporary.write_text(json.dumps(fresh), encoding="utf-8")
    lines = "".join(f"{name} {entry['sha256']}\n" for name, entry in sorted(fresh.items()))
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def _files(folder: Path) -> list[Path]:
    named = [folder / name for name in (*_TEXT, *_OTHER)]
    return [path for path in named if path.is_file()] + weight_files(folder)


def _entry(path: Path, known: Any) -> dict[str, Any]:
    state = path.stat()
    stamp = {"size": state.st_size, "mtime_ns": state.st_mtime_ns}
    if isinstance(known, dict) and isinstance(known.get("sha256"), str) and known.items() >= stamp.items():
        return known
    return {**stamp, "sha256": _hash(path)}


def _hash(path: Path) -> str:
    if path.suffix == ".json":
        content = path.read_bytes()
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            return hashlib.sha256(content).hexdigest()
        if isinstance(value, dict):
            content = json.dumps({k: v for k, v in value.items() if k not in _NOT_THE_MODEL}, sort_keys=True).encode()
        return hashlib.sha256(content).hexdigest()
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _read(memory: Path) -> dict[str, Any]:
    try:
        value = json.loads(memory.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
