"""Many connections at once under a small limit on open files: raised where that is allowed, said where it is not."""

from __future__ import annotations

import subprocess
import sys

from tests.cli.program import NO_CODE, PROGRAM, Done, Program, Server, finished, row_of


def answering(program: Program, latency_ms: int) -> Server:
    turns = program.folder / "turns.json"
    turns.write_text('[{"content": "<answer>7</answer>"}]')
    return Server(program.folder / "asked", policy=f"turns:{turns}", options=("--latency-ms", str(latency_ms)))


def command(server: Server, in_flight: int) -> tuple[str, ...]:
    extent = ("--limit", "2", "--k", str(in_flight // 2), "--max-in-flight", str(in_flight))
    return ("run", "atoll", "--base-url", server.url, *extent, "--json", *NO_CODE)


def limited(program: Program, soft: int, hard: int, *arguments: str) -> Done:
    """Run the program with these limits on open files."""
    limit = f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); "
    process = subprocess.Popen(
        [sys.executable, "-c", f"{limit}os.execv(sys.argv[1], sys.argv[1:])", str(PROGRAM), *arguments],
        cwd=program.folder,
        env=program.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return finished(process)


def test_512_in_flight_under_a_soft_limit_of_256_files(program: Program) -> None:
    with answering(program, latency_ms=3_000) as server:  # so long that all of them are sent before the first ends
        done = limited(program, 256, 4_096, *command(server, in_flight=512))
        asked = server.stats()
    assert done.code == 0, done.said
    assert row_of(done.json)["counts"]["scored"] == 512 and "at once" not in done.err
    assert asked["requests"] == 512 and asked["peak_in_flight"] > 256


def test_what_a_hard_limit_has_no_room_for_is_not_in_flight_and_said_in_one_line(program: Program) -> None:
    with answering(program, latency_ms=50) as server:
        done = limited(program, 200, 300, *command(server, in_flight=64))
        asked = server.stats()
    assert done.code == 0, done.said
    assert row_of(done.json)["counts"]["scored"] == 64
    assert asked["requests"] == 64 and asked["peak_in_flight"] <= 25
    (line,) = [line for line in done.err.splitlines() if "at once" in line]
    assert line == "only 25 of 64 attempts at once: this needs ulimit -n 534, and 300 is allowed"
