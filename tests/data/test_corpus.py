"""Corpora: rows checked, indexes built once and rebuilt when torn, any query answered, Chinese found."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toleap.data.corpus import Corpus, open_corpus, opened, page_key
from toleap.data.snippet import snippet
from toleap.errors import UsageError

PAGES = [
    ("https://atoll.example/kelp", "Museum of Kelp", "The Museum of Kelp opened in 1931 on the island of Tarn."),
    (
        "https://atoll.example/tarn/",
        "Tarn",
        "Tarn is an island. Its towns are Brill and Osk. " + "filler " * 200 + "ferry",
    ),
    ("https://atoll.example/beijing", "北京大学", "北京大学位于北京市海淀区,创办于1898年。"),
    ("https://atoll.example/shanghai", "上海", "上海是一座城市。岛"),
    ("https://atoll.example/zurich?x=1", "Zürich", "Zürich liegt am Zürichsee. Straße und Brücke."),
]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLEAP_HOME", str(tmp_path / "home"))


def write(path: Path, pages: Sequence[tuple[str, str, str]] = PAGES) -> Path:
    rows = [json.dumps({"url": u, "title": t, "text": x}, ensure_ascii=False) for u, t, x in pages]
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


@pytest.fixture
def corpora() -> Path:
    """The lists of hostile strings."""
    if not os.environ.get("TOLEAP_TESTDATA"):
        pytest.skip("TOLEAP_TESTDATA is not set")
    return Path(os.environ["TOLEAP_TESTDATA"]) / "corpora"


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return open_corpus(write(tmp_path / "c.jsonl"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """One corpus for the property tests."""
    folder = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLEAP_HOME", str(folder / "home"))
        yield open_corpus(write(folder / "c.jsonl"))


@pytest.mark.parametrize(
    ("query", "url"),
    [
        ("museum kelp", "https://atoll.example/kelp"),
        ("islands", "https://atoll.example/tarn/"),
        ("FERRY", "https://atoll.example/tarn/"),
        ("北京大学什么时候创办", "https://atoll.example/beijing"),
        ("海淀", "https://atoll.example/beijing"),
        ("岛", "https://atoll.example/shanghai"),
        ("zurich strasse", "https://atoll.example/zurich?x=1"),
        ("1898", "https://atoll.example/beijing"),
    ],
)
def test_the_right_page_comes_first(corpus: Corpus, query: str, url: str) -> None:
    urls = [hit.url for hit in corpus.search(query, 5)]
    assert url in urls
    if query != "islands":
        assert urls[0] == url


def test_a_word_in_the_title_weighs_more(tmp_path: Path) -> None:
    pages = [("u:a", "Other", "kelp and more words here"), ("u:b", "kelp", "more words here and others")]
    assert [hit.url for hit in open_corpus(write(tmp_path / "c.jsonl", pages)).search("kelp", 2)] == ["u:b", "u:a"]


def test_the_snippet_is_taken_around_the_word(corpus: Corpus) -> None:
    hit = next(hit for hit in corpus.search("ferry", 1))
    assert "ferry" in hit.snippet
    assert len(hit.snippet) < 320


def test_equal_scores_come_by_url_even_across_the_cut(tmp_path: Path) -> None:
    pages = [(f"https://a.example/{n:03}", "same", "same words") for n in range(200)][::-1]
    hits = open_corpus(write(tmp_path / "c.jsonl", pages)).search("same", 5)
    assert [hit.url for hit in hits] == [f"https://a.example/{n:03}" for n in range(5)]


@given(st.text(max_size=200), st.integers(-2, 30))
@settings(deadline=None)
def test_any_string_is_a_query(shared: Corpus, query: str, n: int) -> None:
    hits = shared.search(query, n)
    assert len(hits) <= max(n, 0)
    assert hits == shared.search(query, n)
    assert all(shared.page(hit.url) is not None for hit in hits)


@given(st.text(st.characters(), max_size=60))
@settings(deadline=None)
def test_any_string_may_be_asked_for_as_a_page(shared: Corpus, url: str) -> None:
    page = shared.page(url)
    assert page is None or page_key(page.url) == page_key(url)


@pytest.mark.parametrize(
    "query", ["AND", "title:x OR", '"', "(((", "a^999 b~2", "[a TO z]", "\ud800 kelp", "x" * 10**6]
)
def test_query_syntax_is_only_characters(corpus: Corpus, query: str) -> None:
    assert isinstance(corpus.search(query, 3), list)


def test_naughty_strings_are_queries_and_pages(tmp_path: Path, corpora: Path) -> None:
    strings = json.loads((corpora / "naughty_strings.json").read_text("utf-8"))
    pages = [(f"https://n.example/{n}", text, f"{text} {text}") for n, text in enumerate(strings)]
    corpus = open_corpus(write(tmp_path / "c.jsonl", pages))
    for n, text in enumerate(strings):
        corpus.search(text, 3)
        page = corpus.page(f"https://n.example/{n}")
        assert page is not None
        assert page.title == text


def test_pages_are_found_by_light_variants_of_their_address(corpus: Corpus) -> None:
    for url in ("https://atoll.example/tarn", "http://Atoll.example:80/tarn/#top", "atoll.example/tarn"):
        page = corpus.page(url)
        assert page is not None
        assert page.title == "Tarn"
    assert corpus.page("https://atoll.example/zurich") is None
    assert corpus.page("https://atoll.example/nowhere") is None


def test_the_exact_address_wins_over_its_variants(tmp_path: Path) -> None:
    pages = [("https://a.example/x/", "slash", "t"), ("https://a.example/x", "bare", "t")]
    corpus = open_corpus(write(tmp_path / "c.jsonl", pages))
    assert [getattr(corpus.page(url), "title", None) for url, _, _ in pages] == ["slash", "bare"]


def test_url_cases_never_raise(corpora: Path, corpus: Corpus) -> None:
    for case in json.loads((corpora / "urls.json").read_text("utf-8")):
        if isinstance(case, dict):
            assert isinstance(page_key(case["input"]), str)
            corpus.page(case["input"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"url": "u", "title": "t", "text": "x"}\n{"url": "v", "title": \n', ["row 2", "not JSON"]),
        (b'{"url": "u", "title": "t"}', ["row 1", "'text' is missing"]),
        (b'{"url": "u", "title": 3, "text": "x"}', ["row 1", "'title' is not a string"]),
        (b'{"url": " ", "title": "", "text": "x"}', ["row 1", "'url' is empty"]),
        (b'["u"]', ["row 1", "object"]),
        (b'{"url": "u", "title": "\xff", "text": "x"}', ["row 1", "not UTF-8"]),
        ('{"url": "u", "title": "t", "text": "x"}'.encode("utf-16"), ["row 1", "not UTF-8"]),
        (b'{"url":"u","title":"t","text":"x"}\n\n{"url":"u","title":"","text":""}', ["row 3", "already in row 1"]),
        (b'{"url": "u", "title": "\\ud800", "text": "x"}', ["row 1", "not JSON"]),
        (b"", ["empty"]),
        (b"\n \n", ["empty"]),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, content: bytes, words: list[str]) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        open_corpus(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert all(word in message for word in words)


def test_json_test_suite_rows_never_crash(tmp_path: Path, corpora: Path) -> None:
    import base64

    for case in json.loads((corpora / "json_parsing.json").read_text("utf-8")):
        path = tmp_path / "case.jsonl"
        path.write_bytes(base64.b64decode(case["base64"]))
        with pytest.raises(UsageError):
            open_corpus(path)


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "thing"
    make(path)
    with pytest.raises(UsageError, match="thing"):
        open_corpus(path)


def test_a_byte_order_mark_and_blank_lines_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"url":"u","title":"t","text":"kelp"}\r\n\r\n')
    assert [hit.url for hit in open_corpus(path).search("kelp", 2)] == ["u"]


def test_the_index_is_built_once_and_progress_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl")
    told: list[int] = []
    assert opened(path) is None
    first = open_corpus(path, progress=told.append)
    assert told == [len(PAGES)]
    assert open_corpus(path) is first
    assert opened(path) is first
    copy = tmp_path / "copy.jsonl"
    shutil.copy(path, copy)
    again = open_corpus(copy, progress=told.append)
    assert told == [len(PAGES)]
    assert again.digest == first.digest
    assert again.pages == len(PAGES)


def index_folder(tmp_path: Path, digest: str) -> Path:
    return tmp_path / "home" / "corpora" / digest


@pytest.mark.parametrize("harm", ["truncate", "remove", "manifest", "empty", "garbage"])
def test_a_torn_index_is_rebuilt(tmp_path: Path, harm: str) -> None:
    digest = open_corpus(write(tmp_path / "c.jsonl")).digest
    folder = index_folder(tmp_path, digest)
    store = next(folder.glob("*.store"))
    match harm:
        case "truncate":
            store.write_bytes(store.read_bytes()[:10])
        case "remove":
            store.unlink()
        case "manifest":
            (folder / "manifest.json").write_text("{")
        case "empty":
            shutil.rmtree(folder)
            folder.mkdir()
        case "garbage":
            (folder / "meta.json").write_bytes(b"x" * (folder / "meta.json").stat().st_size)
    again = open_corpus(write(tmp_path / "other.jsonl"))
    assert again.digest == digest
    assert again.search("kelp", 1)
    assert [path.name for path in folder.parent.iterdir()] == [digest]


def _open_and_search(path: str) -> str:
    return open_corpus(Path(path)).search("kelp", 1)[0].url


def test_two_processes_build_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_open_and_search, [str(path)] * 4) == ["https://atoll.example/kelp"] * 4
    assert len(list((tmp_path / "home" / "corpora").iterdir())) == 1


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"url": "u", "title": "t", "text": "x"}\n{')
    with pytest.raises(UsageError):
        open_corpus(path)
    assert list((tmp_path / "home" / "corpora").iterdir()) == []


@given(st.text(max_size=2000), st.dictionaries(st.text(min_size=1, max_size=8), st.floats(0.1, 9), max_size=6))
def test_a_snippet_is_a_short_part_of_the_page(text: str, marks: dict[str, float]) -> None:
    shown = snippet(text, marks)
    inner = shown.removeprefix("… ").removesuffix(" …")
    assert len(inner) <= 300
    assert "\n" not in shown
