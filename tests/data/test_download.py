"""Files from a URL, over real HTTP: only the right one is kept, and never more than is allowed."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.data.conftest import Make
from toleap.benchmark import load_benchmark
from toleap.data.download import download
from toleap.data.manifest import data_folder
from toleap.errors import UsageError
from toleap.provision.imports import import_data
from toleap.provision.prepare import prepare, verify

CSV = b"Question,Final answer\nWho?,Ada\nWhere?,Ulm\n"
SHA256 = hashlib.sha256(CSV).hexdigest()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    listed = [{"task_id": f"t{n}", "Question": "q?", "answer": "GOLD"} for n in range(2)]

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/gone.csv":
                self.send_error(404)
                return
            content = json.dumps(listed).encode() if self.path == "/dev.json" else CSV
            self.send_response(200)
            short = self.path == "/short.csv"
            self.send_header("Content-Length", str(len(content) + 10 * short))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def toml(url: str, digest: str = SHA256) -> str:
    return f'[data]\nsource = "csv:{url}"\nsha256 = "{digest}"\nrows = 2\n'


def test_prepared_from_its_url(site: str, make: Make) -> None:
    make("web", toml(f"{site}/a/b/web.csv?version=3"))
    assert load_benchmark("web").ready().command == "toleap data prepare web (or toleap data import web PATH)"
    done = prepare("web")
    assert (done.rows, done.fetched, Path(done.where).name) == (2, True, "web.csv")
    assert [task.answer for task in load_benchmark("web").tasks()] == ["Ada", "Ulm"]
    assert not prepare("web").fetched
    assert not (data_folder("web") / "fetching").exists()
    (checked,) = verify(["web"])
    assert (checked.ok, checked.rows, checked.sha256) == (True, 2, SHA256)
    assert checked.source == f"{site}/a/b/web.csv?version=3"


def test_damage_is_found_and_fetched_again(site: str, make: Make) -> None:
    make("web", toml(f"{site}/web.csv"))
    path = Path(prepare("web").where)
    path.write_bytes(CSV.replace(b"Ulm", b"Bonn"))
    (checked,) = verify(["web"])
    assert not checked.ok
    assert "is damaged; type: toleap data prepare --again web" in checked.problem
    assert prepare("web").fetched
    assert verify(["web"])[0].ok


def test_another_file_is_refused(site: str, make: Make) -> None:
    make("web", toml(f"{site}/web.csv", "0" * 64))
    with pytest.raises(UsageError, match=f"its sha256 is {SHA256[:12]}…, expected 000000000000…"):
        prepare("web")
    assert not load_benchmark("web").ready()
    assert not [path for path in data_folder("web").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "says"),
    [("gone.csv", "404|Not Found"), ("short.csv", "IncompleteRead|sha256"), ("x.csv", "larger than")],
)
def test_what_cannot_be_kept(site: str, tmp_path: Path, name: str, says: str) -> None:
    limit = 10 if name == "x.csv" else 1000
    with pytest.raises(UsageError, match=says):
        download(f"{site}/{name}", tmp_path / name, hashlib.sha256(b"whole").hexdigest(), "do it by hand", limit)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x.csv", "http://nowhere.invalid/x.csv", "http://[bad/x.csv"])
def test_no_network(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be fetched \(.*\); do it by hand"):
        download(url, tmp_path / "x.csv", None, "do it by hand")


def test_a_url_needs_a_digest(make: Make) -> None:
    make("web", '[data]\nsource = "csv:https://example.invalid/x.csv"\n')
    with pytest.raises(UsageError, match=r"benchmark.toml: data.sha256: a source with a URL needs the digest"):
        load_benchmark("web")


def test_a_list_of_ids_from_a_file_with_answers(site: str, make: Make, tmp_path: Path) -> None:
    """Of the file only the ids reach the disk, and only if they are the published ones."""
    make("whole", '[data]\nsource = "jsonl:cache:whole.jsonl"\n')
    rows = [{"task_id": f"t{n}", "Question": f"q{n}?", "Final answer": "GOLD"} for n in range(4)]
    path = tmp_path / "whole.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_data("whole", path)
    digest = hashlib.sha256(b"t0\nt1").hexdigest()
    part = '[data]\nbase = "whole"\nrows = 2\n[data.select]\nurl = "{}"\nsha256 = "{}"\n'
    make("part", part.format(f"{site}/dev.json", digest))
    assert load_benchmark("part").ready().command == "toleap data prepare part"
    assert (prepare("part").rows, prepare("part").fetched) == (2, False)
    assert [task.id for task in load_benchmark("part").tasks()] == ["t0", "t1"]
    stored = [path for path in data_folder("part").rglob("*") if path.is_file()]
    assert [path.name for path in stored] == ["ids.json"]
    assert "GOLD" not in stored[0].read_text()
    make("part", part.format(f"{site}/dev.json", "0" * 64))
    with pytest.raises(UsageError, match=r"dev.json: 2 ids whose sha256 is .*, expected 000000000000…"):
        prepare("part", again=True)
    make("part", part.format("http://127.0.0.1:1/dev.json", digest))
    with pytest.raises(UsageError, match=r"then type: toleap data import part IDS.json"):
        prepare("part", again=True)
    assert prepare("part").rows == 2
