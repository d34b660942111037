"""Stands in for a model server: ``fake_server.py PORT PIDS`` answers everything, with a child in a group of its own.

The child ignores SIGTERM, as an engine that hangs in a kernel does. ``PIDS`` gets the process ids.
"""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
from pathlib import Path

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"
)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main(port: int, pids: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=True, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    pids.write_text(f"{os.getpid()} {child.pid}")
    http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
