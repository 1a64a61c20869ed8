"""The hosted engine over a real server in a process of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

from imgshrink.engines.hosted.engine import Hosted
from imgshrink.engines.hosted.polling import Timing
from server_process import Served


class FarHosted(Hosted):
    """The hosted engine, and the server that it talks to, which works with the built-in codecs."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self.server = Served(folder / "data", engine="builtin").start()
        super().__init__(
            self.server.key, self.server.url, journal=folder / "journal.sqlite3", timing=Timing(first=0.05)
        )

    def close(self) -> None:
        """End both."""
        super().close()
        self.server.__exit__()
        self._folder.cleanup()
