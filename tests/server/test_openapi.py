"""The OpenAPI document and the replies say the same: schemathesis looks for anything else, over a real socket."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imgshrink.server.limits import Limits
from imgshrink.server.openapi import document
from places import IMAGES, SUPPORT
from server_process import Served


def paths(value: object, found: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where in the document a schema refers to another place."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield tuple(value["$ref"].removeprefix("#/").split("/"))
        for below in value.values():
            yield from paths(below, found)
    elif isinstance(value, list):
        for below in value:
            yield from paths(below, found)


def test_references_lead_somewhere() -> None:
    """What the document refers to is in the document."""
    whole = document("https://images.example.org", Limits())
    for path in set(paths(whole)):
        place: object = whole
        for step in path:
            assert isinstance(place, dict)
            place = place[step]


def test_operations_are_named() -> None:
    """Every operation has a name of its own and says what it refuses."""
    operations = [
        operation
        for methods in document("https://images.example.org", Limits())["paths"].values()  # type: ignore[attr-defined]
        for operation in methods.values()
    ]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == 10
    assert all({"200", "405", "500", "503"} <= set(operation["responses"]) for operation in operations)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("schemathesis") is None, reason="needs schemathesis")
@pytest.mark.long
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """Whatever schemathesis sends, right or wrong, the reply is one that the document describes."""
    with Served(tmp_path / "data", limits={"rate": 1e6, "burst": 10**9}) as server:
        image = server.ended(server.accepted((IMAGES / "still.png").read_bytes()))
        environment = os.environ | {
            "SCHEMATHESIS_HOOKS": "api_hooks",
            "PYTHONPATH": str(SUPPORT),
            "KNOWN_IMAGE_ID": str(image["image_id"]),
            "KNOWN_ORIGINAL": image["original_url"].rpartition("/")[2],
            "KNOWN_OPTIMIZED": image["optimized_url"].rpartition("/")[2],
        }
        command = [
            *(sys.executable, "-c", "import schemathesis.cli; schemathesis.cli.schemathesis()", "run"),
            *(f"{server.url}/openapi.json", "--header", f"X-API-Key: {server.key}"),
            *("--checks", "all", "--max-examples", "25", "--continue-on-failure", "--no-color"),
        ]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, timeout=600, check=False)
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[said.find("FAILURES") :][:5000]
    assert "Tested: 9" in said
