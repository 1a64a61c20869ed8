"""Health and metrics of a node on PostgreSQL: what the database sums, and a database that hangs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from image_builder import png
from postgresql import needs_postgresql, postgresql
from server_process import Served, until

pytestmark = [*needs_postgresql, pytest.mark.slow]
TOKEN = "metrics-token-of-the-tests"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Served]:
    """A node that answers and works."""
    database, blobs = postgresql().new_database(), (tmp_path / "blobs").as_uri()
    with Served(tmp_path / "node", database=database, blobs=blobs, operating={"metrics_token": TOKEN}) as served:
        yield served


def scrape(node: Served) -> str:
    reply = node.get("/metrics", "", headers={"Authorization": f"Bearer {TOKEN}"})
    assert reply.status_code == 200
    return reply.text


def test_sums(node: Served) -> None:
    """PostgreSQL's sums are plain numbers."""
    node.ended(node.accepted(png()))
    text = scrape(node)
    assert 'imgshrink_images_ended_total{end="completed",format="png"} 1\n' in text
    assert f'imgshrink_original_bytes_total{{format="png"}} {len(png())}\n' in text
    assert re.search(r'^imgshrink_work_seconds_total\{format="png"\} \d+\.\d+(e-\d+)?$', text, re.MULTILINE)


def test_database_that_hangs(node: Served) -> None:
    """While the database hangs a probe gets 503, the node is alive and shows its own metrics; then it is ready."""
    assert node.get("/health/ready", "").status_code == 200
    postgresql().pause()
    try:
        until(lambda: node.get("/health/ready", "").status_code == 503)
        reply = node.get("/health", "")
        assert reply.json()["message"] == "Not ready: no answer from the database"
        assert node.get("/health/live", "").status_code == 200
        text = scrape(node)
        assert 'imgshrink_ready{check="database"} 0\n' in text
        assert "imgshrink_queue_images" not in text
    finally:
        postgresql().resume()
    until(lambda: node.get("/health/ready", "").status_code == 200)
    until(lambda: "imgshrink_queue_images" in scrape(node))


def test_end_beside_a_silent_database(tmp_path: Path) -> None:
    """SIGTERM ends each node while the database is silent: one with a request given up, one with an image in work."""
    config = {"database": postgresql().new_database(), "blobs": (tmp_path / "blobs").as_uri()}
    asked = tmp_path / "asked"
    with (
        Served(tmp_path / "api", jobs=0, limits={"answer_seconds": 1.0}, **config) as api,
        Served(tmp_path / "worker", jobs=1, key=api.key, seconds=3600, asked=str(asked), **config) as worker,
    ):
        api.accepted(png())
        until(asked.exists)
        with ThreadPoolExecutor(12) as clients:  # so that the pool has connections to hand out
            assert set(clients.map(lambda _: worker.get("/api/v1/stats").status_code, range(60))) == {200}
        postgresql().pause()
        try:
            assert api.get("/api/v1/stats").status_code == 503
            assert [api.stop(), worker.stop()] == [0, 0]
        finally:
            postgresql().resume()
