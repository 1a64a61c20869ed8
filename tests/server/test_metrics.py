"""Metrics for Prometheus, read by its own parser: what they count, who may read them, and what they never hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from image_builder import SAMPLES, chunk, png
from imgshrink import __version__
from imgshrink.core.model import Format
from imgshrink.server.exposition import COUNTER, GAUGE, Family, Sample, exposition
from imgshrink.server.limits import Limits
from imgshrink.server.metrics import BUCKETS, Metrics
from server_process import Served, until

TOKEN = "metrics-token-of-the-tests"
OPEN = {"Authorization": f"Bearer {TOKEN}"}
SERVER = {"operating": {"metrics_token": TOKEN}}
Values = dict[tuple[str, frozenset[tuple[str, str]]], float]
UPLOAD = (
    "POST /api/optimize HTTP/1.1\r\nHost: a\r\nX-API-Key: {}\r\nContent-Length: 9999\r\n"
    "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
)


def read(text: str) -> Values:
    """Every sample of an exposition; fails if one is there twice, or has another type than its family."""
    values: Values = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in values
            values[key] = sample.value
    return values


def scrape(server: Served) -> Values:
    """The metrics of a server."""
    reply = server.get("/metrics", "", headers=OPEN)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return read(reply.text)


def value(values: Values, name: str, **labels: str) -> float:
    """One sample, 0 if there is none."""
    return values.get((name, frozenset(labels.items())), 0)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Served]:
    """A server without a past."""
    with Served(tmp_path / "data", **SERVER) as served:
        yield served


def test_images(fresh: Served) -> None:
    """Images, bytes and seconds by format are those of the replies; they survive a restart."""
    images = [*(path.read_bytes() for path in SAMPLES), png(chunk(b"tEXt", b"Comment\0" + b"x" * 500))]
    ended = [(data, fresh.ended(fresh.accepted(data))) for data in images]
    by_format: dict[str, list[dict[str, int]]] = {}
    for _, data in ended:
        kind = data["optimized_url"].rpartition(".")[2]
        by_format.setdefault({"jpg": "jpeg"}.get(kind, kind), []).append(data)
    assert set(by_format) == {format.value for format in Format}
    fresh.kill()
    fresh.start()
    values = scrape(fresh)
    for format, replies in by_format.items():
        assert value(values, "imgshrink_images_accepted_total", format=format) == len(replies)
        assert value(values, "imgshrink_images_ended_total", format=format, end="completed") == len(replies)
        assert value(values, "imgshrink_images_ended_total", format=format, end="failed") == 0
        for name in ("original", "optimized"):
            total = sum(reply[f"{name}_size"] for reply in replies)
            assert value(values, f"imgshrink_{name}_bytes_total", format=format) == total
        assert value(values, "imgshrink_work_seconds_total", format=format) > 0
    stored = sum(len(data) + reply["optimized_size"] for data, reply in ended)
    assert value(values, "imgshrink_stored_bytes") == stored


def test_queue(tmp_path: Path) -> None:
    """The queue by state, and how long its oldest image waits."""
    with Served(tmp_path / "data", jobs=1, seconds=3600, **SERVER) as server:
        for _ in range(3):
            server.accepted(png())
        until(lambda: value(scrape(server), "imgshrink_queue_images", state="leased") == 1)
        values = scrape(server)
        assert value(values, "imgshrink_queue_images", state="queued") == 2
        oldest = value(values, "imgshrink_queue_oldest_seconds")
        assert oldest > 0
        until(lambda: value(scrape(server), "imgshrink_queue_oldest_seconds") > oldest)


def test_failed_images(tmp_path: Path) -> None:
    """Images that fail are counted as such."""
    with Served(tmp_path / "data", engine="decline", **SERVER) as server:
        assert server.ended(server.accepted(png()))["status"] == "failed"
        values = scrape(server)
        assert value(values, "imgshrink_images_ended_total", format="png", end="failed") == 1
        assert value(values, "imgshrink_images_ended_total", format="png", end="completed") == 0


def test_requests(fresh: Served) -> None:
    """Requests are counted by template, method and status: unknown paths and methods share a label each."""
    fresh.ended(fresh.accepted(png()))
    for number in range(20):
        fresh.get(f"/api/status/{1000 + number}")
        fresh.get(f"/direct-file/original/{number}.png", "")
        fresh.get(f"/unknown/{number}")
    health = ("/health", "/health/live", "/health/ready")
    for path in health:
        fresh.get(path, "")
    for method in ("BREW", "PROPFIND"):
        fresh.request(method, "/unknown")
    with fresh.connected(b"nonsense\r\n\r\n") as sock:
        assert sock.recv(4000)
    values = scrape(fresh)

    def count(route: str, method: str, status: str) -> float:
        return value(values, "imgshrink_http_requests_total", route=route, method=method, status=status)

    assert count("/api/optimize", "POST", "200") == 1
    assert [count(path, "GET", "200") for path in health] == [1, 1, 1]
    assert count("/api/status/{image_id}", "GET", "404") == 20
    assert count("/direct-file/original/{name}", "GET", "404") == 20
    assert count("other", "GET", "404") == 20
    assert count("other", "other", "404") == 2
    assert count("other", "other", "400") == 1
    routes = {dict(labels)["route"] for name, labels in values if name == "imgshrink_http_requests_total"}
    assert routes <= {"/api/optimize", "/api/status/{image_id}", "/direct-file/original/{name}", "other", *health}


def test_histogram(fresh: Served) -> None:
    """The buckets of a route rise to its number of requests."""
    for _ in range(5):
        fresh.get("/api/v1/stats")
    values, route = scrape(fresh), "/api/v1/stats"
    name = "imgshrink_http_request_duration_seconds"
    bounds = [*(repr(bound) for bound in BUCKETS), "+Inf"]
    counts = [value(values, f"{name}_bucket", route=route, le=bound) for bound in bounds]
    assert all(lower <= upper for lower, upper in pairwise(counts))
    assert counts[-1] == value(values, f"{name}_count", route=route) == 5
    assert value(values, f"{name}_sum", route=route) > 0


def test_gauges(fresh: Served) -> None:
    """Requests in flight and open uploads, this scrape among the former."""
    assert value(scrape(fresh), "imgshrink_http_requests_in_flight") == 1
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(fresh.connected(UPLOAD.format(fresh.key).encode()))
        until(lambda: value(scrape(fresh), "imgshrink_uploads_open") == 3)
        assert value(scrape(fresh), "imgshrink_http_requests_in_flight") == 4
    until(lambda: value(scrape(fresh), "imgshrink_uploads_open") == 0)
    values = scrape(fresh)
    assert value(values, "imgshrink_build_info", version=__version__) == 1
    assert value(values, "process_start_time_seconds") > 1.7e9
    assert value(values, "imgshrink_queue_limit_images") == Limits.queue
    assert value(values, "imgshrink_stored_limit_bytes") == Limits.storage
    assert {value(values, "imgshrink_ready", check=name) for name in ("database", "store", "drain")} == {1}


def test_database_away(fresh: Served) -> None:
    """Without its tables the server still shows what it counts itself, and counts the errors of the database."""
    assert value(scrape(fresh), "imgshrink_errors_total", part="database") == 0
    fresh.break_database()
    until(lambda: value(scrape(fresh), "imgshrink_ready", check="database") == 0)
    until(lambda: ("imgshrink_stored_bytes", frozenset()) not in scrape(fresh))
    before = value(scrape(fresh), "imgshrink_errors_total", part="database")
    assert before > 0
    assert fresh.get("/api/status/1").status_code == 503
    assert value(scrape(fresh), "imgshrink_errors_total", part="database") > before


def test_store_away(fresh: Served) -> None:
    """Errors of the store are counted."""
    (fresh.data / "originals").rename(fresh.data / "away")
    assert fresh.post(png()).status_code == 503
    values = scrape(fresh)
    assert value(values, "imgshrink_errors_total", part="store") > 0
    assert value(values, "imgshrink_ready", check="store") == 0


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer \xff"]
)
def test_wrong_token(server: Served, given: str) -> None:
    """Without the right token there are no metrics, from the loopback address neither."""
    reply = server.get("/metrics", headers={"Authorization": given.encode("latin-1")})
    assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert reply.json() == {"success": False, "message": "The bearer token is missing or invalid"}


def test_no_token(tmp_path: Path) -> None:
    """Without a token there is no such route."""
    with Served(tmp_path / "data") as server:
        for headers in ({}, OPEN, {"Authorization": "Bearer"}):
            reply = server.get("/metrics", headers=headers)
            assert (reply.status_code, reply.json()["message"]) == (404, "There is no such route")


def test_short_token(tmp_path: Path) -> None:
    """A token that can be guessed is refused at the start, and not shown."""
    served = Served(tmp_path / "data", operating={"metrics_token": "guess-me"})
    with pytest.raises(AssertionError, match="IMGSHRINK_METRICS_TOKEN must be 16 to 255 visible ASCII") as raised:
        served.start()
    assert "guess-me" not in str(raised.value)


def test_metrics_hold_no_names(server: Served) -> None:
    """No key, key's name, file name or address is among the metrics."""
    data = server.ended(server.accepted(png()))
    name = data["optimized_url"].rpartition("/")[2]
    server.get(f"/direct-file/optimized/{name}", "")
    text = httpx.get(f"{server.url}/metrics", headers=OPEN).text
    assert "/direct-file/optimized/{name}" in text
    assert not [secret for secret in (server.key, '"tests"', name, "127.0.0.1", TOKEN) if secret in text]


LABEL = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(st.lists(st.tuples(LABEL, st.floats(allow_nan=False)), unique_by=lambda row: row[0], min_size=1), LABEL)
@example([('\\"\n', float("inf")), ("\\n", float("-inf")), ("", 1e300)], "a\\nb\\\n")
def test_any_label(rows: list[tuple[str, float]], description: str) -> None:
    """Any label and any number are read as they were written."""
    samples = tuple(Sample(number, {"label": label}) for label, number in rows)
    text = exposition([Family("metric", GAUGE, description, samples), Family("none_total", COUNTER, "None.", ())])
    (family,) = text_string_to_metric_families(text)
    assert [(sample.labels["label"], sample.value) for sample in family.samples] == rows


def test_rare_methods_share_a_label() -> None:
    """However many methods clients invent, there is one label for them."""
    metrics = Metrics()
    for number in range(1000):
        metrics.request("/", f"METHOD{number}", 405, 0.1)
    assert exposition(metrics.families()).count("imgshrink_http_requests_total{") == 1
