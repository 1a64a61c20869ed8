"""Files that other plugins put in place of those of MkDocs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("mkdocs")

from imgshrink.mkdocs_plugin import ImgshrinkPlugin


class Odd:
    """What a plugin for another version of MkDocs makes stand for a file: it lacks what MkDocs has added since."""

    src_uri = dest_uri = "odd.png"
    abs_src_path = "/docs/odd.png"


def test_an_odd_file_does_not_stop_the_build(tmp_path: Path) -> None:
    """A file that lacks an attribute has no known origin, so that it is not uploaded; those behind it have theirs."""
    fine = SimpleNamespace(
        generated_by=None, abs_src_path=str(tmp_path / "a.png"), src_uri="a.png", dest_uri="img/a.png"
    )
    plugin = ImgshrinkPlugin()
    plugin.on_files([Odd(), fine], config=SimpleNamespace(docs_dir=str(tmp_path)))  # type: ignore[arg-type]
    assert not plugin._files.origin(Path("odd.png")).in_docs
    assert plugin._files.origin(Path("img/a.png")).path == tmp_path / "a.png"
