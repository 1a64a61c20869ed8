"""A real headless Chromium under remote control (https://www.w3.org/TR/webdriver2/), with nothing but the stdlib."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browser import CHROMIUM, FLAGS

DRIVER = shutil.which("chromedriver")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Left": "\ue012", "Right": "\ue014", "Up": "\ue013"}
KEYS["Control"] = "\ue009"


class Browser:
    """One window. Keys go to what has the focus, as a person's do."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._address}{path}", data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from error

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

    def hold(self, key: str) -> None:
        """Press a key and keep it down."""
        self._act({"type": "key", "id": "keys", "actions": [{"type": "keyDown", "value": KEYS.get(key, key)}]})

    def let_go(self, key: str) -> None:
        """Release a key that is held."""
        self._act({"type": "key", "id": "keys", "actions": [{"type": "keyUp", "value": KEYS.get(key, key)}]})

    def point(self, x: float, y: float) -> None:
        """Move the mouse there."""
        self._act(_pointer("mouse", [{"type": "pointerMove", "x": round(x), "y": round(y)}]))

    def drag(self, places: Sequence[tuple[float, float]], kind: str = "mouse") -> None:
        """Press at the first place, move over the others, and let go: with the mouse, or a finger (`touch`)."""
        first, *others = ({"type": "pointerMove", "x": round(x), "y": round(y)} for x, y in places)
        down, up = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        self._act(_pointer(kind, [first, down, *others, up]))

    def _act(self, *sources: Any) -> None:
        self.ask("/actions", {"actions": list(sources)})

    def until(self, script: str, seconds: float = 60) -> None:
        """Wait until a function of that body returns something true."""
        end = time.monotonic() + seconds
        while not self.run(script):
            if time.monotonic() > end:
                raise TimeoutError(script)
            time.sleep(0.02)

    def pasted(self) -> str:
        """What the clipboard holds, pasted by the keyboard into a field."""
        self.run(
            "const box = document.body.appendChild(document.createElement('textarea')); box.id = 'pasted'; box.focus()"
        )
        self.hold("Control")
        self.press("v")
        self.let_go("Control")
        self.until("return document.getElementById('pasted').value")
        text = self.run("const box = document.getElementById('pasted'); box.remove(); return box.value")
        assert isinstance(text, str)
        return text

    def resize(self, width: int, height: int) -> None:
        """Let the page have that many pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})

    def screenshot(self) -> bytes:
        """What is visible, as PNG."""
        return base64.b64decode(self.ask("/screenshot"))

    def prefer(self, scheme: str) -> None:
        """Let the system's colours be `dark` or `light`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask(
            "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}}
        )  # fmt: skip

    def complaints(self) -> list[str]:
        """What the console says since the last time."""
        return [row["message"] for row in self.ask("/se/log", {"type": "browser"})]

    def requested(self, start: str = "file:") -> list[str]:
        """The addresses that were asked for since the last time by pages whose own address begins with `start`."""
        events = [json.loads(row["message"])["message"] for row in self.ask("/se/log", {"type": "performance"})]
        asked = [row["params"] for row in events if row["method"] == "Network.requestWillBeSent"]
        return [row["request"]["url"] for row in asked if row["documentURL"].startswith(start)]


def _pointer(kind: str, actions: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
    return {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": list(actions)}


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
