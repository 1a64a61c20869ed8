"""The plugin in builds that take a while, or need more than MkDocs: serve, ProperDocs, a large site, no network."""

from __future__ import annotations

import io
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from patience import PATIENCE
from places import ROOT
from real_tools import JPEG, OTHER_PNG, PICTURES, PNG, WEBP, build, lines, make_site, program, run
from shell import INSTALLING

pytestmark = pytest.mark.slow


class Served:
    """A running `mkdocs serve`: what it says, and what a browser gets."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def until(self, words: str) -> None:
        """Wait until a line holds `words`."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            self.said.append(line)
            if words in line:
                return

    def ours(self) -> list[str]:
        """What imgshrink has said so far."""
        return [line.partition("imgshrink: ")[2].strip() for line in self.said if "imgshrink: " in line]

    def get(self, name: str) -> bytes:
        """Fetch a file of the site."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{name}", timeout=PATIENCE) as reply:
            return reply.read()


@contextmanager
def served(site: Path) -> Iterator[Served]:
    """Serve a site until the test is over."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [program("mkdocs"), "serve", "--dev-addr", f"127.0.0.1:{port}"],
        cwd=site,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        running = Served(process, port)
        running.until("Serving on")
        yield running
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def test_serve_does_nothing_by_default(tmp_path):
    """`mkdocs serve` shows the originals, and we say nothing."""
    with served(make_site(tmp_path, {"a.png": PNG})) as site:
        assert site.get("a.png") == PNG.read_bytes()
        assert site.ours() == []


def test_serve_from_the_cache_works_on_nothing_new(tmp_path):
    """With `on_serve: cache` known images are shown as published and new ones as they are, without work."""
    folder = make_site(tmp_path, {"a.png": PNG}, options="on_serve: cache")
    build(folder)
    shutil.copyfile(OTHER_PNG, folder / "docs/new.png")
    with served(folder) as site:
        assert len(site.get("a.png")) < PNG.stat().st_size
        assert site.get("new.png") == OTHER_PNG.read_bytes()


def test_serve_with_everything_is_silent_from_the_second_build_on(tmp_path):
    """With `on_serve: true` images are shrunk; a rebuild shows them shrunk again, and says nothing new."""
    folder = make_site(tmp_path, {"a.png": PNG, "cut.jpg": JPEG.read_bytes()[:9000]}, options="on_serve: true")
    with served(folder) as site:
        assert len(site.get("a.png")) < PNG.stat().st_size
        first = site.ours()
        assert first[-1] == "left alone: docs/cut.jpg (file ends early)"
        time.sleep(1)
        (folder / "docs/index.md").write_text("# Edited\n")
        site.until("Documentation built")
        assert site.ours() == first
        assert len(site.get("a.png")) < PNG.stat().st_size


@pytest.mark.long
def test_properdocs_builds_the_same_bytes_without_mkdocs(tmp_path):
    """ProperDocs, with no MkDocs installed, loads the same plugin and publishes the same bytes."""
    config = "theme: {name: null, custom_dir: theme}"
    folder = make_site(tmp_path / "site", {"a.png": OTHER_PNG, "b.jpg": JPEG, "c.webp": WEBP}, config=config)
    (folder / "theme").mkdir()
    (folder / "theme/main.html").write_text("{{ page.content }}")
    assert build(folder, "--strict", "--site-dir", "mkdocs").returncode == 0
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    done = run(
        programs / "python", "-m", "pip", "install", "--quiet", "properdocs", ROOT, cwd=tmp_path, environ=INSTALLING
    )
    assert done.returncode == 0, done.stdout
    assert (
        run(programs / "python", "-c", "import importlib.metadata as m; m.version('mkdocs')", cwd=tmp_path).returncode
        == 1
    )
    environ = {"IMGSHRINK_CACHE_DIR": str(tmp_path / "another-cache")}
    done = run(programs / "properdocs", "build", "-f", "mkdocs.yml", "--site-dir", "other", cwd=folder, environ=environ)
    assert done.returncode == 0, done.stdout
    assert any("3 shrunk (0 from the cache, 3 new)" in line for line in lines(done)), done.stdout
    for name in ("a.png", "b.jpg", "c.webp"):
        assert (folder / "other" / name).read_bytes() == (folder / "mkdocs" / name).read_bytes()


@pytest.fixture(scope="module")
def sixty_megabytes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of 60 MB of images of which no two are equal."""
    folder = make_site(tmp_path_factory.mktemp("large"), {})
    with Image.open(PICTURES / "wled" / "WLED_5VdigitalWiring.png") as picture:
        source = picture.convert("RGB")
    size = number = 0
    while size < 60_000_000:
        number += 1
        buffer = io.BytesIO()
        source.point(lambda value, number=number: value ^ number).save(buffer, "PNG", compress_level=1)
        (folder / f"docs/{number}.png").write_bytes(buffer.getvalue())
        size += len(buffer.getvalue())
    return folder


def test_large_site_is_bounded_in_time_and_goes_on_the_next_time(sixty_megabytes):
    """With `max_time: 14` a build of 60 MB ends in time with exit 0 and says what is left; the next one goes on.

    Longer than the ten seconds after which a run says how far it is.
    """
    make_site(sixty_megabytes, {}, options="max_time: 14\nreport: r.json")
    first = run(program("mkdocs"), "build", "--strict", cwd=sixty_megabytes, timeout=PATIENCE)
    assert first.returncode == 0, first.stdout
    said = lines(first)
    assert "shrinking them with the built-in codecs; later builds reuse the results" in said[0]
    late = next(line for line in said if line.startswith("stopped after 14 s (max_time): "))
    assert late.endswith("are left for the next build")
    shrunk = json.loads((sixty_megabytes / "r.json").read_text())["summary"]["optimized"]
    if shrunk:  # a machine that is slow now may be late with the first
        assert any(re.match(r"\d+ of \d+ images, ", line) for line in said[1:]), said
    second = run(program("mkdocs"), "build", cwd=sixty_megabytes, timeout=PATIENCE)
    assert second.returncode == 0
    assert json.loads((sixty_megabytes / "r.json").read_text())["summary"]["from_cache"] >= shrunk


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to take the network away")
def test_fork_build_without_any_network(tmp_path):
    """Where there is no network at all and the key is empty, a strict build goes through."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare, to take the network away")
    site = make_site(tmp_path, {"a.png": PNG})
    command = ["unshare", "--net", program("mkdocs"), "build", "--strict"]
    done = run(*command, cwd=site, environ={"TINYJPG_API_KEY": ""})
    assert done.returncode == 0, done.stdout
    assert (site / "site/a.png").stat().st_size < PNG.stat().st_size


def test_example_site_builds_again_and_again_with_a_warm_cache(tmp_path):
    """The example site, eight times with a warm cache: no failure, and the same images every time."""
    shutil.copytree(ROOT / "example_site", tmp_path / "example_site", ignore=shutil.ignore_patterns("site"))
    site = tmp_path / "example_site"
    assert build(site, "--strict").returncode == 0
    expected = images(site / "site")
    assert len(expected) >= 24
    for _ in range(8):
        done = build(site, "--strict")
        assert done.returncode == 0, done.stdout
        said, pages = lines(done)[-2:]
        assert re.search(r"images are in the cache.*\. 0 uploads", said)
        assert re.search(r"^pages: \d+ read, .* with a variant", pages)
        assert images(site / "site") == expected


def images(folder: Path) -> dict[str, bytes]:
    """The images below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted((folder / "images").rglob("*.*"))}
