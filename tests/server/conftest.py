"""The server that the tests of one module share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from server_process import Served


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A running server, configured by the module's `SERVER` if it has one."""
    config = getattr(request.module, "SERVER", {})
    with Served(tmp_path_factory.mktemp("server") / "data", **config) as served:
        yield served
