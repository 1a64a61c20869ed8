"""Modern variants through a session with real workers: made once, on every machine alike, within its time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from corpus import named
from imgshrink.core.model import Variant, VariantRequest
from imgshrink.engines.builtin.variants.make import make
from imgshrink.engines.builtin.variants.target import target
from imgshrink.files.destinations import nowhere
from imgshrink.image.sniff import sniff
from imgshrink.session import Session
from imgshrink.settings.load import load
from places import BENCHMARKS, IMAGES
from sample_images import photo, saved, screen

KINDS = {"flat.png": ".webp", "photo.png": ".avif", "camera.jpg": ".avif", "moving.gif": ".webp", "still.webp": None}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of published images of all kinds; never to be written to."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "flat.png").write_bytes(saved(screen().quantize(64), "PNG"))
    (folder / "photo.png").write_bytes(saved(photo().crop((0, 0, 160, 104)), "PNG"))
    (folder / "camera.jpg").write_bytes(saved(photo(), "JPEG", quality=95))
    (folder / "moving.gif").write_bytes((IMAGES / "animated.gif").read_bytes())
    (folder / "still.webp").write_bytes((IMAGES / "still.webp").read_bytes())
    return folder


@pytest.fixture
def wanted(site: Path) -> list[VariantRequest]:
    """What is asked for every image of the site."""
    return [VariantRequest(path, None, 1) for path in sorted(site.iterdir())]


@contextmanager
def session(folder: Path, **arguments: object) -> Iterator[Session]:
    """A session with the built-in codecs."""
    with Session(load(folder, environ=os.environ, arguments={"engine": "builtin", **arguments})) as made:
        yield made


def by_name(found: Mapping[Path, Variant | None]) -> dict[str, Variant | None]:
    """The variants by file name."""
    return {path.name: variant for path, variant in found.items()}


@pytest.mark.slow
def test_made_once(tmp_path: Path, wanted: list[VariantRequest]) -> None:
    """Each kind has its variant; the next session knows them all, starts no worker, and needs no permission."""
    with session(tmp_path) as first:
        made = first.variants(wanted)
    assert {name: variant and variant.suffix for name, variant in by_name(made).items()} == KINDS
    with session(tmp_path) as second:
        assert second.variants(wanted) == second.variants(wanted, known_only=True) == made
        assert "workers" not in second.__dict__
        info = second.cache.info()
        assert (info.entries, info.verdicts) == (4, {"variant": 4})


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["2", "8"])
def test_threads(threads: str, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many threads the user gives libvips, the bytes of variants are the same."""
    wanted = [VariantRequest(site / name, None, 1) for name in ("flat.png", "photo.png", "moving.gif")]
    found = []
    for number in ("1", threads):
        monkeypatch.setenv("VIPS_CONCURRENCY", number)
        with session(tmp_path, cache_dir=str(tmp_path / f"cache{number}")) as made:
            found.append(made.variants(wanted))
            assert made.workers.started
    assert found[0] == found[1]
    assert all(found[0].values())


def test_killed_workers(site: Path, tmp_path: Path) -> None:
    """Whoever kills the workers, the image is absent and not remembered; the next run makes its variant."""
    wanted = [VariantRequest(site / "flat.png", None, 1)]
    over = threading.Event()
    with session(tmp_path, jobs=1) as made:
        workers = made.workers

        def kill() -> None:
            while not over.is_set():
                for worker in list(workers._busy):
                    worker.kill()
                time.sleep(0.001)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            assert made.variants(wanted) == {}
        finally:
            over.set()
            killer.join()
        assert workers.started == 2
        assert made.cache.info().entries == 0
    with session(tmp_path, jobs=1) as made:
        assert made.variants(wanted)[wanted[0].published] is not None


def test_max_time(site: Path, tmp_path: Path) -> None:
    """Variants get the time that `run` has left: none of it, and nothing is begun, but what is known is there."""
    wanted = [VariantRequest(site / "flat.png", None, 1), VariantRequest(site / "still.webp", None, 1)]
    with session(tmp_path, max_time="1s") as made:
        assert list(made.run([], destination=nowhere, in_place=False)) == []
        time.sleep(1.01)
        assert by_name(made.variants(wanted)) == {"still.webp": None}
        assert made.workers.started == 0


def test_quality_of_the_original(site: Path, tmp_path: Path) -> None:
    """Overrides hold for the source of an image: where its pixels shall stay, no variant changes them."""
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.imgshrink.overrides]]\npaths = ["exact/"]\nquality = 100\n', encoding="utf-8"
    )
    source = tmp_path / "exact" / "camera.jpg"
    source.parent.mkdir()
    source.write_bytes((site / "camera.jpg").read_bytes())
    with session(tmp_path) as made:
        assert made.variants([VariantRequest(site / "camera.jpg", source, 1)]) == {site / "camera.jpg": None}


JPEGS = ("submit-to-plus.jpg", "pic1.jpg", "pic10.jpg", "D1_mini_pinout.jpg", "wled_ethernet_settings.jpg")


@pytest.mark.slow
@pytest.mark.parametrize("name", JPEGS)
def test_true_score(name: str, corpus: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The AVIF beside a real JPEG meets the target by SSIMULACRA2 itself, whole image by whole image."""
    pytest.importorskip("ssimulacra2")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    data = named(corpus, name).read_bytes()
    info = sniff(data)
    assert info is not None
    made = make(None, data, 80, ("webp", "avif"), 10)
    assert made is not None
    assert made.suffix == ".avif"
    true = import_module("variants").whole_score(data, made.data)
    assert true >= target(info.format, 80, sealed=False).whole
