"""A real headless Chromium under remote control (https://www.w3.org/TR/webdriver2/), with nothing but the stdlib."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browser import CHROMIUM, FLAGS

DRIVER = shutil.which("chromedriver")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Left": "\ue012", "Right": "\ue014", "Up": "\ue013"}


class Browser:
    """One window. Keys go to what has the focus, as a person's do."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._address}{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, page: Path) -> None:
        self.ask("/url", {"url": page.as_uri()})

    def run(self, script: str) -> Any:
        """What a function of that body returns."""
        return self.ask("/execute/sync", {"script": script, "args": []})

    def press(self, *keys: str) -> None:
        actions = [
            {"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")
        ]  # fmt: skip
        self.ask("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def prefer(self, scheme: str) -> None:
        """Let the system's colours be `dark` or `light`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask(
            "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}}
        )  # fmt: skip

    def complaints(self) -> list[str]:
        """What the console says since the last time."""
        return [row["message"] for row in self.ask("/se/log", {"type": "browser"})]

    def requested(self) -> list[str]:
        """The addresses that pages from the disk asked for since the last time."""
        events = [json.loads(row["message"])["message"] for row in self.ask("/se/log", {"type": "performance"})]
        asked = [row["params"] for row in events if row["method"] == "Network.requestWillBeSent"]
        return [row["request"]["url"] for row in asked if row["documentURL"].startswith("file:")]


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser that ends with the test."""
    assert DRIVER is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert driver.stdout is not None
            port = next(line.split()[-1].rstrip(".") for line in driver.stdout if "successfully on port" in line)
            address = f"http://127.0.0.1:{port}/session"
            options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={profile}", "--window-size=1200,900"]}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
            session = Browser(address).ask("", {"capabilities": {"alwaysMatch": wanted}})
            window = Browser(f"{address}/{session['sessionId']}")
            try:
                yield window
            finally:
                urllib.request.urlopen(
                    urllib.request.Request(f"{address}/{session['sessionId']}", method="DELETE"), timeout=60
                ).close()
        finally:
            driver.terminate()
            driver.wait()
            assert driver.stdout is not None
            driver.stdout.close()
