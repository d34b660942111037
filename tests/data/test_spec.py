"""benchmark.toml: what is refused, and that the refusal names the file, the key and the nearest key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from toleap.data.spec import read_spec
from toleap.errors import UsageError

Make = Callable[..., Path]


def test_everything_has_a_default(tmp_path: Path) -> None:
    spec = read_spec(tmp_path)
    assert (spec.language, spec.score.by, spec.score.judge_sees) == ("en", "gaia", "answer")
    assert (spec.data.fields.question, spec.data.fields.answer) == ("Question", "Final answer")
    with pytest.raises(ValidationError):
        spec.title = "other"


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("tittle = 'x'", "unknown key tittle: did you mean title?"),
        ("[data]\nsorce = 'x'", "unknown key data.sorce: did you mean source?"),
        ("[data.fields]\nanwser = 'x'", "unknown key data.fields.anwser: did you mean answer?"),
        ("[score]\nzzz = 1", "unknown key score.zzz: known keys: by, judge_sees"),
        (
            "[data]\ndecrypt = {scheme='xor', key='c', columns=['a'], colums=1}",
            "data.decrypt.colums: did you mean columns?",
        ),
        (
            "[data]\ndecrypt = {scheme='rot13', key='c', columns=['a']}",
            "data.decrypt.scheme: Input should be 'xor' or",
        ),
        ("[data]\ndecrypt = {scheme='xor', columns=['a']}", "data.decrypt.key: Field required"),
        ("[data]\nrows = '100'", "data.rows: Input should be a valid integer"),
        ("[data]\nrows = 0", "data.rows: Input should be greater than 0"),
        ("[data]\nsha256 = 'abc'", "data.sha256: String should match"),
        ("[data.fields]\nquestion = 3", "data.fields.question: "),
        ("[data.metadata]\nlevel = 3", "data.metadata.level: "),
        ("[data.options]\nday = 2020-01-01", "data.options.day: "),
        ("language = 'English'", "language: String should match"),
        ("[score]\njudge_sees = 'all'", "score.judge_sees: Input should be 'answer' or 'response'"),
        ("score = 'gaia'", "score: Input should be"),
        ("[data\n", "not TOML: "),
        ("a = " + "[" * 5000, "not TOML: "),
    ],
)
def test_mistakes_are_named(make: Make, toml: str, says: str) -> None:
    folder = make("x", toml)
    with pytest.raises(UsageError) as caught:
        read_spec(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'benchmark.toml'}: ")
    assert says in message
    assert "\n" not in message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=80) | st.text('[]={}"\n.data=fieldsx 1', max_size=60).map(str.encode))
def test_arbitrary_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "benchmark.toml").write_bytes(content)
    try:
        read_spec(tmp_path)
    except UsageError as error:
        assert "benchmark.toml" in str(error)
        assert "\n" not in str(error)
