"""What went wrong with a store of objects is said in a few words, without addresses and names of objects."""

from __future__ import annotations

import pytest

from imgshrink.core.store_errors import reason, status

ADDRESS = "https://store.example/bucket/secret-name"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Client error with status 404: <Code>NoSuchBucket</Code>", "no such bucket"),
        ("404: ContainerNotFound", "no such bucket"),
        ("Server returned non-2xx status code: 503 Service Unavailable: NoSuchKey", "status 503"),
        ("error sending request, kind: Connect, dns error: failed to look up", "no such host"),
        ("HTTP error: request timed out", "time-out"),
        ("something else", "OSError"),
    ],
)
def test_reason(text: str, words: str) -> None:
    assert reason(OSError(f"{text} {ADDRESS}")) == words


def test_status() -> None:
    assert status(OSError("Server returned non-2xx status code: 412 Precondition Failed")) == "status 412"
    assert status(OSError("connection refused")) == ""
