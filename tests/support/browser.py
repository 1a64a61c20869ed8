"""A real headless Chromium against a page on loopback that reports back by one POST."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


def report_of(page: str, files: Mapping[str, bytes], profile: Path, seconds: float) -> Any:
    """Show a page in Chromium that fetches `files` by name, and return the JSON that it posts to /report.

    `profile` is a new empty folder for the browser; raises TimeoutError when nothing was posted in time.
    """
    assert CHROMIUM is not None
    served = {f"/{name}": data for name, data in files.items()} | {"/": page.encode()}
    posted: list[bytes] = []
    arrived = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(served.get(self.path, b""), 200 if self.path in served else 404)

        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(b"", 200)
            arrived.set()

        def answer(self, body: bytes, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "text/html" if self.path == "/" else "application/octet-stream")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *values: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", address]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not arrived.wait(seconds):
            raise TimeoutError(f"Chromium did not report within {seconds} s")
    finally:
        browser.terminate()
        browser.wait()
        server.shutdown()
        server.server_close()
    return json.loads(posted[0])
