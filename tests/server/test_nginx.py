"""The configuration for nginx in `deploy`, by the real nginx in front of two real nodes."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from image_builder import chunk, png
from imgshrink.server.database import NAME
from places import ROOT
from server_process import PATIENCE, Served, until

TOKEN = "metrics-token-of-the-tests"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed: apt-get install nginx-core"),
]
RESOLVE_SINCE = (1, 27, 3)
DRAIN = 5
"""Seconds; longer than nginx keeps a connection that nobody uses."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def version() -> tuple[int, ...]:
    assert NGINX is not None
    said = subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=True).stderr
    return tuple(int(part) for part in re.findall(r"\d+", said)[:3])


def configuration(port: int, nodes: list[str], log: Path) -> str:
    """The configuration as it is deployed, but for names, ports and logs; and for `resolve` where nginx is too old."""
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    changes = {
        "listen 8000;": f"listen 127.0.0.1:{port};",
        "/dev/stdout": str(log),
        "/dev/stderr": str(log.with_name("error.log")),
        "/tmp/nginx.pid": str(log.with_name("pid")),
        "resolver 127.0.0.11": "resolver 127.0.0.1",
    }
    changes |= {f"api-{number}:8080": node for number, node in enumerate(nodes, 1)}
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    if version() < RESOLVE_SINCE:
        text = re.sub(r"\n +resolver .*", "", text).replace(" resolve ", " ")
    return f"daemon off;\n{text}"


@dataclass
class Proxied:
    """nginx and its two nodes, which know the same key."""

    url: str
    log: Path
    nodes: list[Served]

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers={"X-API-Key": self.nodes[0].key, **headers}, timeout=PATIENCE)

    def post(self, image: bytes, **headers: str) -> httpx.Response:
        named = {"X-API-Key": self.nodes[0].key, **headers}
        return httpx.post(f"{self.url}/api/optimize", headers=named, files={"image": image}, timeout=PATIENCE)


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Proxied]:
    """Two nodes behind nginx."""
    operating = {"metrics_token": TOKEN, "drain": DRAIN}
    first, second = (Served(tmp_path / name, operating=operating, port=free_port()) for name in ("first", "second"))
    shutil.copyfile(first.data / NAME, second.data / NAME)  # the same key
    port, log = free_port(), tmp_path / "access.log"
    with first, second:
        file = tmp_path / "nginx.conf"
        file.write_text(configuration(port, [node.url.removeprefix("http://") for node in (first, second)], log))
        assert NGINX is not None
        test = subprocess.run([NGINX, "-t", "-c", file], capture_output=True, text=True, check=False)
        assert test.returncode == 0, test.stderr
        process = subprocess.Popen([NGINX, "-c", file], stderr=subprocess.DEVNULL)
        try:
            until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
            yield Proxied(f"http://127.0.0.1:{port}", log, [first, second])
        finally:
            process.terminate()
            process.wait(PATIENCE)
            for node in (first, second):
                node.kill()


def large(size: int) -> bytes:
    return png(chunk(b"tEXt", b"Comment\0" + b"x" * size))


def test_what_passes_and_what_does_not(proxied: Proxied) -> None:
    """An upload of 5 MB passes, one above the limit gets the envelope, and there are no metrics."""
    assert proxied.post(large(5_000_000)).status_code == 200
    reply = proxied.post(large(34_000_000))
    assert (reply.status_code, reply.json()) == (413, {"success": False, "message": "The request is too large"})
    for path in ("/metrics", "/metrics?a=b", "//metrics", "/./metrics", "/%6detrics"):
        reply = proxied.get(path, Authorization=f"Bearer {TOKEN}")
        assert (reply.status_code, reply.json()) == (404, {"success": False, "message": "There is no such route"})
    assert httpx.get(f"{proxied.nodes[0].url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert proxied.get("/health/ready").json() == {"success": True, "message": "ok"}


def test_request_ids_pass(proxied: Proxied) -> None:
    """The client's id is that of the node and of nginx; one that is not valid is replaced, by the same for both."""
    replies = [proxied.get("/api/v1/stats", **{"X-Request-ID": own}) for own in ("mine", "two words")]
    ids = [reply.headers.get_list("x-request-id") for reply in replies]
    assert ids[0] == ["mine"]
    assert re.fullmatch("[0-9a-f]{32}", *ids[1])
    for (own,) in ids:
        until(lambda own=own: any(f"[{own}]" in node.log.read_text() for node in proxied.nodes))
        until(lambda own=own: own in proxied.log.read_text())
    lines = [json.loads(line) for line in proxied.log.read_text().splitlines()]
    assert {"mine", ids[1][0]} <= {line["request_id"] for line in lines}
    refused = proxied.get("/metrics", **{"X-Request-ID": "mine"})
    assert refused.headers.get_list("x-request-id") == ["mine"]


def test_node_that_dies(proxied: Proxied) -> None:
    """When a node is killed the other answers every further request, uploads too; without one the reply is JSON."""
    assert {proxied.get("/api/v1/stats").status_code for _ in range(10)} == {200}
    proxied.nodes[0].kill()
    replies = [reply for _ in range(20) for reply in (proxied.get("/api/v1/stats"), proxied.post(png()))]
    assert Counter(reply.status_code for reply in replies) == {200: 40}
    proxied.nodes[1].kill()
    reply = proxied.get("/api/v1/stats")
    assert (reply.status_code, reply.json()) == (502, {"success": False, "message": "No node answers"})


@pytest.mark.slow
def test_nodes_are_replaced_one_after_the_other(proxied: Proxied) -> None:
    """While each node is drained, stopped and started again, clients see no failure."""
    over, seen = threading.Event(), Counter[int]()

    def client() -> None:
        with httpx.Client(headers={"X-API-Key": proxied.nodes[0].key}, timeout=PATIENCE) as http:
            while not over.wait(0.01):
                seen[http.get(f"{proxied.url}/api/v1/stats").status_code] += 1
                seen[http.post(f"{proxied.url}/api/optimize", files={"image": png()}).status_code] += 1

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for node in proxied.nodes:
            assert node.stop() == 0
            node.start()
            before = node.log.read_text().count(" 200 ")
            until(lambda node=node, before=before: node.log.read_text().count(" 200 ") > before)
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert set(seen) == {200}
    assert seen[200] > 20
