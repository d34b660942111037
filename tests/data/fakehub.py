"""A hub of data sets over HTTP on this machine: the few addresses that the two libraries ask a real one for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class FakeHub:
    """Repositories by ``owner/name``: files by path. ``gated`` ones want the token ``hf_good``.

    With ``any_commit`` every commit that is asked for is there, and all have the same files.
    """

    repos: Mapping[str, Mapping[str, bytes]]
    commit: str = "c" * 40
    gated: frozenset[str] = frozenset()
    any_commit: bool = False
    url: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve the hub on a free port."""

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: FakeHub

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_POST(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(length)
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        self.served.asked.append(f"{self.command} {urlsplit(self.path).path}")
        api = parts[0] == "api"
        parts = parts[1:] if api else parts
        repo = "/".join(parts[1:3])
        if parts[0] != "datasets" or repo not in self.served.repos:
            return self._send(401, b"{}", body, {"X-Error-Code": "RepoNotFound"})
        files, rest = self.served.repos[repo], parts[3:]
        open_ = not api or rest[:1] == ["auth-check"]
        if repo in self.served.gated and open_ and self.headers.get("Authorization") != "Bearer hf_good":
            code = 403 if self.headers.get("Authorization") else 401
            return self._send(code, b"{}", body, {"X-Error-Code": "GatedRepo"})
        self.commit = (
            rest[1] if self.served.any_commit and len(rest) > 1 and len(rest[1]) == 40 else self.served.commit
        )
        if len(rest) > 1 and rest[1] not in ("main", self.commit):
            return self._send(404, b"{}", body, {"X-Error-Code": "RevisionNotFound"})
        return self._api(repo, files, rest, sent, body) if api else self._file(files, "/".join(rest[2:]), body)

    def _api(self, repo: str, files: Mapping[str, bytes], rest: list[str], sent: bytes, body: bool) -> None:
        match rest[:1]:
            case [] | ["revision"]:
                info = {"id": repo, "sha": self.commit, "siblings": [{"rfilename": name} for name in files]}
                self._json({**info, "private": False, "gated": False, "tags": [], "downloads": 0}, body)
            case ["auth-check"]:
                self._json({}, body)
            case ["tree"]:
                self._json(_tree(files, "/".join(rest[2:])), body)
            case ["paths-info"]:
                asked = json.loads(sent)["paths"] if sent[:1] == b"{" else parse_qs(sent.decode())["paths"]
                entries = [entry for entry in _tree(files, "", recursive=True) if entry["path"] in asked]
                self._json(entries, body)
            case _:
                self._send(404, b"{}", body)

    def _file(self, files: Mapping[str, bytes], path: str, body: bool) -> None:
        if path not in files:
            return self._send(404, b"", body, {"X-Error-Code": "EntryNotFound"})
        content = files[path]
        headers = {"ETag": f'"{_oid(content)}"', "X-Repo-Commit": self.commit, "Accept-Ranges": "bytes"}
        return self._send(200, content, body, headers)

    def _json(self, value: Any, body: bool) -> None:
        self._send(200, json.dumps(value).encode(), body, {"Content-Type": "application/json"})

    def _send(self, code: int, content: bytes, body: bool, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _tree(files: Mapping[str, bytes], under: str, recursive: bool = True) -> list[dict[str, Any]]:
    prefix = f"{under}/" if under else ""
    inside = {path: content for path, content in files.items() if path.startswith(prefix)}
    folders = {path.rsplit("/", n)[0] for path in inside for n in range(1, path.count("/") + 1)}
    entries: list[dict[str, Any]] = [
        {"type": "directory", "path": path, "size": 0, "oid": _oid(path.encode())}
        for path in sorted(folders)
        if path.startswith(prefix)
    ]
    entries += [
        {"type": "file", "path": path, "size": len(content), "oid": _oid(content)} for path, content in inside.items()
    ]
    return entries if recursive else [entry for entry in entries if "/" not in entry["path"].removeprefix(prefix)]
