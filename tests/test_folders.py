"""Where benchmarks are found: the working folder, TOLEAP_PATH, installed packages, what is shipped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from toleap.errors import UsageError
from toleap.folders import find, find_all

ROW = '{"Question": "How many?", "Final answer": "42"}\n'
BOMB = "raise SystemExit('imported')\n"


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TOLEAP_PATH", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def installed(site: Path, package: str, entry_points: str, *folders: str) -> None:
    """A package with this metadata, and these folders, each of which ends the process when it is imported."""
    information = site / f"{package}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(entry_points)
    for name in folders:
        folder = site
        for part in name.split("."):
            folder /= part
            folder.mkdir(exist_ok=True)
            (folder / "__init__.py").write_text(BOMB)


def benchmark(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jsonl").write_text(ROW)
    return folder


def test_a_package_offers_a_benchmark_which_is_not_trusted_as_shipped_ones_are(site: Path) -> None:
    installed(site, "vessa", "[toleap.benchmarks]\nrivers = vessa_data.rivers\n", "vessa_data.rivers")
    benchmark(site / "vessa_data" / "rivers", "rivers")
    folder = find("benchmarks", "rivers")
    assert (folder.path, folder.shipped) == (site / "vessa_data" / "rivers", False)
    assert find("benchmarks", "atoll").shipped
    assert "rivers" not in find_all("tools")


@pytest.mark.parametrize(
    ("value", "inside"),
    [
        ("pack", "."),
        ("pack.inner", "inner"),
        ("pack.inner.deep", "inner/deep"),
        ("pack.inner.module", "inner"),
        ("pack.inner:ANY", "inner"),
        (" pack . inner ", "inner"),
    ],
)
def test_the_value_is_a_package_or_a_module_inside_one(site: Path, value: str, inside: str) -> None:
    installed(site, "any", f"[toleap.benchmarks]\nb = {value}\n", "pack.inner.deep")
    (site / "pack" / "inner" / "module.py").write_text(BOMB)
    assert find("benchmarks", "b").path.resolve() == (site / "pack" / inside).resolve()


@pytest.mark.parametrize(
    "value", ["missing", "pack.missing", "single", "sys", "a-b", "pack..inner", "../etc", ":", ""]
)
def test_an_offer_that_leads_nowhere_is_left_out_and_named_when_asked_for(site: Path, value: str) -> None:
    (site / "single.py").write_text(BOMB)
    installed(site, "broken", f"[toleap.benchmarks]\nb = {value}\n", "pack")
    assert "b" not in find_all("benchmarks")
    with pytest.raises(
        UsageError, match=r"^benchmark 'b': the installed package broken says it is in .*, which is no"
    ):
        find("benchmarks", "b")


def test_names_that_would_leave_the_cache_are_left_out(site: Path) -> None:
    names = {"../up", ".hidden", "a/b", "_u", "two words", "fine-1.0"}
    installed(site, "odd", "[toleap.benchmarks]\n" + "".join(f"{name} = pack\n" for name in names), "pack")
    assert names & set(find_all("benchmarks")) == {"fine-1.0"}


@pytest.mark.parametrize("content", ["[toleap.benchmarks]\nno value here\n", "toleap.benchmarks"])
def test_the_damaged_metadata_of_another_package_stops_nothing(site: Path, content: str) -> None:
    installed(site, "damaged", content)
    installed(site, "whole", "[toleap.benchmarks]\nb = pack\n", "pack")
    assert find("benchmarks", "b").path == site / "pack"


def test_metadata_that_is_not_text_stops_nothing(site: Path) -> None:
    installed(site, "whole", "[toleap.benchmarks]\nb = pack\n", "pack")
    installed(site, "binary", "")
    (site / "binary-1.0.dist-info" / "entry_points.txt").write_bytes(b"[toleap.benchmarks]\nc = \xff\xfe\n")
    assert find("benchmarks", "b").path == site / "pack"


def test_the_first_place_wins(
    site: Path, working_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = "".join(f"{name} = pack.{name}\n" for name in ("here", "extra", "xbench"))
    installed(site, "any", f"[toleap.benchmarks]\n{offered}", "pack.here", "pack.extra", "pack.xbench")
    monkeypatch.setenv("TOLEAP_PATH", str(tmp_path / "more"))
    benchmark(working_folder / "benchmarks" / "here", "here")
    for name in ("here", "extra"):
        benchmark(tmp_path / "more" / "benchmarks" / name, name)
    assert find("benchmarks", "here").path == working_folder / "benchmarks" / "here"
    assert find("benchmarks", "extra").path == tmp_path / "more" / "benchmarks" / "extra"
    assert find("benchmarks", "xbench").path == site / "pack" / "xbench"
    assert not find("benchmarks", "xbench").shipped


def test_of_two_packages_with_one_name_the_first_in_the_alphabet_wins(site: Path) -> None:
    installed(site, "zeta", "[toleap.benchmarks]\nb = zeta_pack\n", "zeta_pack")
    installed(site, "alpha", "[toleap.benchmarks]\nb = alpha_pack\n", "alpha_pack")
    assert find("benchmarks", "b").path == site / "alpha_pack"


def test_listing_and_loading_import_nothing_of_the_package(site: Path) -> None:
    """In a process of its own, in which importing any of the package's folders would end it."""
    installed(site, "vessa", "[toleap.benchmarks]\nrivers = vessa_data.rivers\n", "vessa_data.rivers")
    benchmark(site / "vessa_data" / "rivers", "rivers")
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "from toleap.commands.list import benchmarks, show; from toleap.benchmark import load_benchmark\n"
        "show(benchmarks(), 'benchmarks', as_json=True); print(len(load_benchmark('rivers').tasks()))\n"
        "print([name for name in sys.modules if name.startswith('vessa')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'"from": "{site / "vessa_data" / "rivers"}"' in done.stdout
    assert done.stdout.splitlines()[-2:] == ["1", "[]"]


def test_an_unknown_name_is_answered_with_the_nearest(working_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"^unknown benchmark 'atol': did you mean atoll\?$"):
        find("benchmarks", "atol")
