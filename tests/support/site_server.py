"""A folder served on loopback, with a log of what was sent: names and bytes of bodies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class SiteServer:
    """Where the folder is served, and what was sent since `clear`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.sent: list[tuple[str, int]] = []

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"

    def clear(self) -> None:
        self.sent.clear()

    def images(self) -> list[tuple[str, int]]:
        """The images that were sent, with their bytes."""
        endings = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".svg")
        return [(name, size) for name, size in self.sent if name.partition("?")[0].lower().endswith(endings)]


@contextmanager
def served(folder: Path) -> Iterator[SiteServer]:
    """Serve a folder until the end of the block."""

    class Handler(SimpleHTTPRequestHandler):
        extensions_map = SimpleHTTPRequestHandler.extensions_map | {".avif": "image/avif", ".webp": "image/webp"}

        def __init__(self, *values: object, **options: object) -> None:
            super().__init__(*values, directory=str(folder), **options)  # type: ignore[arg-type]

        def copyfile(self, source, outputfile) -> None:
            data = source.read()
            site.sent.append((self.path.removeprefix("/"), len(data)))
            outputfile.write(data)

        def log_message(self, format: str, *values: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site = SiteServer(f"http://127.0.0.1:{server.server_port}")
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
