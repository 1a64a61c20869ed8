"""The log: one line an event, as text or as JSON, whatever a client sends."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from image_builder import chunk, png
from imgshrink.server.logs import JsonFormatter, TextFormatter, fields
from server_process import Served, until

JSON = {"log_format": "json"}
OWN = {"X-Request-ID": "mine"}


def lines(server: Served) -> list[dict[str, Any]]:
    """Every line of the log; fails if one is no JSON object."""
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def found(server: Served, **wanted: object) -> list[dict[str, Any]]:
    """The lines with these values, of which there is at least one in time."""
    matching: list[dict[str, Any]] = []

    def arrived() -> bool:
        matching[:] = [line for line in lines(server) if wanted.items() <= line.items()]
        return bool(matching)

    until(arrived)
    return matching


def test_json_lines(tmp_path: Path) -> None:
    """A request has its fields, and what its image meets later has the request's id; a traceback is on one line."""
    with Served(tmp_path / "data", engine="stumble", operating=JSON) as server:
        number = server.accepted(png(), headers=OWN)
        assert server.ended(number)["status"] == "failed"
        (request,) = found(server, request_id="mine", logger="imgshrink.access")
        assert list(request) == [
            "time", "level", "logger", "message", "request_id", "route", "client", "key", "method", "path", "status",
            "bytes", "milliseconds",
        ]  # fmt: skip
        assert datetime.fromisoformat(request["time"]).tzinfo is not None
        assert request["time"].endswith("Z")
        values = {"route": "/api/optimize", "client": "127.0.0.1", "key": "tests", "method": "POST", "status": 200}
        assert values.items() <= request.items()
        errors = found(server, image_id=number, level="error")
        assert {line["request_id"] for line in errors} == {"mine"}
        assert len(errors) == 3
        assert all("\n" in line["exception"] and "ZeroDivisionError" in line["exception"] for line in errors)


def test_image_of_another_process(tmp_path: Path) -> None:
    """A process that did not accept an image names its number alone."""
    with Served(tmp_path / "data", operating=JSON, seconds=3600, limits={"lease": 1}) as server:
        number = server.accepted(png(), headers=OWN)
        server.kill()
        server.start(engine="crash", seconds=0)
        server.ended(number)
        assert not [line for line in found(server, image_id=number) if "request_id" in line]


def test_lines_of_hostile_requests(tmp_path: Path) -> None:
    """Paths, methods and heads of all kinds: each line is one JSON object, and no key and no file name is in it."""
    with Served(tmp_path / "data", operating=JSON) as server:
        data = server.ended(server.accepted(png()))
        name = data["original_url"].rpartition("/")[2]
        for path in (
            "/%0a{%22time%22:1}",
            "/%c2%85%e2%80%a8%1b[2J",
            "/a?key=" + server.key,
            f"/direct-file/original/{name}",
        ):
            server.get(path)
        for head in (b"nonsense\r\n\r\n", b"GET /\n HTTP/1.1\r\n\r\n", b"G\xffT / HTTP/1.1\r\n\r\n"):
            with server.connected(head) as sock:
                assert sock.recv(4000)
        last = server.get("/last").headers["x-request-id"]
        found(server, request_id=last, route="other", status=404)
        log = server.log.read_text()
        assert not [secret for secret in (server.key, name) if secret in log]
        assert sum(line["message"].endswith("not parsed") for line in lines(server)) == 3


def test_database_that_breaks(tmp_path: Path) -> None:
    """A request that the database does not serve has its id in the reply and in each line about it."""
    with Served(tmp_path / "data", operating=JSON) as server:
        server.break_database()
        reply = server.get("/api/status/1", headers=OWN)
        assert (reply.status_code, reply.headers["x-request-id"]) == (503, "mine")
        (error,) = found(server, request_id="mine", level="error")
        assert error["message"] == "a request can't be served: (sqlite3.OperationalError) no such table: jobs"


def test_fault_of_our_own(tmp_path: Path) -> None:
    """A traceback is one line of JSON."""
    with Served(tmp_path / "data", engine="stumble", operating=JSON) as server:
        server.ended(server.accepted(png(chunk(b"tEXt", b"Comment\0" + b"x" * 99))))
        error = found(server, level="error")[0]
        assert error["message"].endswith("unexpected error")
        assert "ZeroDivisionError: secret detail" in error["exception"]


def record(message: str, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("imgshrink.server", logging.INFO, "", 1, "%s", (message,), None)
    made.__dict__.update(more)
    return made


@given(st.text(), st.text())
@example("a\u2028b\x85c\nd\re\x1b[2J", "\ud800")
def test_json_of_any_text(message: str, value: str) -> None:
    """Any text stays on one line of ASCII, and strict parsers read it."""
    line = JsonFormatter().format(record(message, **fields(path=value)))
    assert line.isascii()
    assert len(line.splitlines()) == 1
    read = json.loads(line)
    assert (read["message"], read["path"]) == (clean(message.rstrip()), clean(value))


def clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


@given(st.text(min_size=1))
@example("a\u2028b\x85c\nd\re\x1b[2J\ud800")
def test_text_of_any_text(message: str) -> None:
    """Any text stays on one line that can be written, with the id behind it."""
    line = TextFormatter().format(record(message, request_id="mine"))
    assert len(line.splitlines()) == 1
    assert line.endswith(" [mine]")
    assert line.encode()


def test_queue_of_many_nodes_logs_as_the_rest() -> None:
    """Warnings of pgqueuer come in the format that is asked for."""
    program = """
import logging
from imgshrink.server.logs import JSON, configure
from imgshrink.server.request_ids import ImageRequests
configure(JSON, ImageRequests())
logging.getLogger("pgqueuer").info("quiet")
logging.getLogger("pgqueuer.anything").warning("said once")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    assert (json.loads(line)["level"], json.loads(line)["message"]) == ("warning", "said once")


def test_text_of_a_failed_start() -> None:
    """uvicorn's messages hold tracebacks: they keep their lines."""
    made = record("Traceback (most recent call last):\n  File\nValueError: why\n")
    made.name = "uvicorn.error"
    assert len(TextFormatter().format(made).splitlines()) == 3


def test_text_of_an_exception() -> None:
    """A traceback stands below its line."""
    try:
        json.loads("why")
    except ValueError:
        made = record("broken", request_id="mine", exc_info=sys.exc_info())
    first, *below = TextFormatter().format(made).splitlines()
    assert first.endswith("INFO    broken [mine]")
    assert (below[0], below[-1][:20]) == ("Traceback (most recent call last):", "json.decoder.JSONDec")
