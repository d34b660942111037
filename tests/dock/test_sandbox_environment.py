"""Where the sandbox's environment lies, and that it is made once, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toleap.dock.sandbox import chain, environment, find_sandbox_environment, make_sandbox_environment, places
from toleap.errors import UsageError

_FAKE_UV = """#!/bin/sh
shift # --no-progress
echo "$@ UV_FIND_LINKS=$UV_FIND_LINKS" >> {log}
[ -e {fail} ] && echo "error: no   such
package" >&2 && exit 2
[ "$1" = venv ] && for last; do :; done && mkdir -p $last/bin && ln -sf /usr/bin/python3 $last/bin/python
exit 0
"""


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A uv that only notes how it was called, beside the running interpreter; and caches of the test's own."""
    beside = tmp_path / "bin"
    beside.mkdir()
    (beside / "uv").write_text(_FAKE_UV.format(log=tmp_path / "log", fail=tmp_path / "fail"))
    (beside / "uv").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(beside / "python"))
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_FIND_LINKS", "/some/wheels")
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    monkeypatch.delenv("TOLEAP_SANDBOX", raising=False)
    monkeypatch.setattr(places, "SHARED", tmp_path / "shared")
    return tmp_path


def test_it_is_made_once(uv: Path) -> None:
    told: list[str] = []
    assert find_sandbox_environment() is None
    made = make_sandbox_environment(log=told.append)
    assert made == make_sandbox_environment(log=told.append) == find_sandbox_environment()
    calls = (uv / "log").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["venv", "pip"]
    assert "numpy>=1.26,<3" in calls[1]
    assert all(call.endswith("UV_FIND_LINKS=/some/wheels") for call in calls)
    assert len(told) == 2


def test_a_failure_is_told_in_one_line_and_leaves_nothing_that_counts(uv: Path) -> None:
    (uv / "fail").touch()
    with pytest.raises(UsageError, match="error: no such package") as caught:
        make_sandbox_environment(log=lambda _: None)
    assert "\n" not in str(caught.value)
    assert find_sandbox_environment() is None
    (uv / "fail").unlink()
    assert make_sandbox_environment(log=lambda _: None) == find_sandbox_environment()


def test_without_uv_it_says_what_to_type(uv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (uv / "bin" / "uv").unlink()
    monkeypatch.setenv("PATH", str(uv))
    with pytest.raises(UsageError, match=r"uv is missing.*pip install uv"):
        make_sandbox_environment(log=lambda _: None)


def test_a_named_environment_is_used_as_it_is(uv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = uv / "mine"
    (named / "bin").mkdir(parents=True)
    monkeypatch.setenv("TOLEAP_SANDBOX", str(named))
    for look in (find_sandbox_environment, lambda: make_sandbox_environment(log=lambda _: None)):
        with pytest.raises(UsageError, match="there is no bin/python"):
            look()
    (named / "bin" / "python").symlink_to(sys.base_prefix + "/bin/python3")
    assert make_sandbox_environment(log=lambda _: None) == find_sandbox_environment() == named
    assert not (uv / "log").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the user")
def test_as_root_a_closed_home_is_avoided(uv: Path) -> None:
    (uv / "home").mkdir(mode=0o700)
    assert places.environments() == uv / "shared" / "sandbox"
    assert places.environments().stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the user")
def test_a_shared_folder_of_somebody_elses_is_refused(uv: Path) -> None:
    (uv / "shared").mkdir()
    os.chown(uv / "shared", 12345, 12345)
    with pytest.raises(UsageError, match="not a folder of root's"):
        places.shared("sandbox")
    (uv / "shared").rmdir()
    (uv / "elsewhere").mkdir()
    (uv / "shared").symlink_to(uv / "elsewhere")
    with pytest.raises(UsageError, match="not a folder of root's"):
        places.shared("sandbox")


def test_what_others_can_read(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "file").write_text("x")
    (closed / "file").chmod(0o644)
    assert not places.open_to_others(closed / "file")
    assert not places.open_to_others(tmp_path / "missing")
    assert places.open_to_others(Path("/usr/bin/env"))


def test_an_interpreter_can_be_copied(tmp_path: Path) -> None:
    """As root with a Python below a closed home and none of the system's."""
    copied = environment._copy_interpreter(tmp_path / "base")
    code = f"{environment._NEEDED_MODULES}; import sys; print(sys.prefix)"
    variables = {"LD_LIBRARY_PATH": str(tmp_path / "base" / "lib")}
    done = subprocess.run([copied, "-I", "-c", code], env=variables, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(tmp_path / "base"), done.stderr
    assert not list((tmp_path / "base").glob("lib/python*/site-packages"))


def test_an_interpreter_outside_usr_is_shown_without_its_packages(tmp_path: Path) -> None:
    base, made = tmp_path / "base", tmp_path / "made"
    (base / "bin").mkdir(parents=True)
    (base / "bin" / "python3").write_text("")
    (base / "lib" / "python3.12" / "site-packages" / "toleap").mkdir(parents=True)
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "python").symlink_to(base / "bin" / "python3")
    programs = chain.Programs("/usr/bin/bwrap", "/usr/bin/prlimit")
    command = chain.command(programs, made, chain.Limits(), chain.Descriptors(7, 8, {}), uid=None)
    text = " ".join(command)
    packages = f"{base}/lib/python3.12/site-packages"
    assert f"--ro-bind {base}/lib {base}/lib" in text
    assert text.index(f"--tmpfs {packages}") > text.index(f"--ro-bind {base}/lib")
    assert f"--remount-ro {packages}" in text
    assert f"--setenv LD_LIBRARY_PATH {base}/lib" in text
    assert command.index("--nproc=64") > command.index("--"), "the user's other processes must not count"


def test_an_environment_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match="leads nowhere: delete"):
        chain.base_prefix(tmp_path)
