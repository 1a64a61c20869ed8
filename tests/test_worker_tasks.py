"""What `optimize` has seen of an image reaches `verify`, and never speaks for other bytes."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import pytest
import pyvips

from command import called
from imgshrink import worker_tasks
from imgshrink.core.errors import MachineTrouble, Unavailable
from imgshrink.core.model import Accept, Recipe, Refuse
from places import IMAGES


@pytest.fixture(scope="module")
def pool():
    """Return a pool of one worker."""
    made = worker_tasks.worker_pool(1)
    yield made
    made.close()


def test_looks_reach_verify(pool, monkeypatch):
    """Verify of the codec's own result is given the codec's looks, once; of other bytes it is given none."""
    data = (IMAGES / "still.png").read_bytes()
    result, looks = pool.call("optimize", data, quality=80)
    assert len(looks) > 100
    sent = []
    monkeypatch.setattr(worker_tasks.WorkerPool, "call", lambda self, task, *blobs, **options: sent.append(blobs))
    for candidate in (result + b"\0", result, result):
        pool.call("verify", data, candidate, quality=80)
    assert [blobs[2] for blobs in sent] == [b"", looks, b""]


def test_bad_bytes_are_refused_with_looks(pool):
    """A codec that returns other bytes than those it looked at is refused."""
    data = (IMAGES / "still.png").read_bytes()
    result, looks = pool.call("optimize", data, quality=80)
    image = pyvips.Image.pngload_buffer(result).copy_memory()
    bad = bytes(image.insert(image.crop(0, 0, 60, 40).invert(), 0, 0).pngsave_buffer(palette=True, compression=9))
    kind, reason = worker_tasks.verify(data + bytes(len(bad)), bad, looks, quality=80)
    assert (kind, b"looks different" in reason) == (b"refuse", True)
    judge = worker_tasks.remote_verify(pool)
    assert isinstance(judge(data, result, Recipe(80)), Accept)
    assert isinstance(judge(data + bytes(len(bad)), bad, Recipe(80)), Refuse)


def test_few_looks_are_kept(pool):
    """Results that are never verified do not add up."""
    made = worker_tasks.CodecPool(1)
    for number in range(1000):
        made._remember((bytes([number % 256]), str(number).encode()), b"looks")
    assert len(made._looks) == worker_tasks._RESULTS
    assert (bytes([999 % 256]), b"999") in made._looks
    made.close()


@pytest.fixture
def broken_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an image, on a machine where libvips can't be loaded."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "pyvips.py").write_text("raise OSError('cannot load library libvips.so.42')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    monkeypatch.syspath_prepend(str(tmp_path / "broken"))
    docs = tmp_path / "docs"
    docs.mkdir()
    shutil.copyfile(IMAGES / "photo.jpg", docs / "a.jpg")
    return docs


def test_a_codec_that_can_not_be_loaded_is_no_verdict(broken_codec: Path) -> None:
    """Where a codec can't be loaded an image stays as it is, unsealed and not remembered, and a line says why."""
    before = (broken_codec / "a.jpg").read_bytes()
    done = called("optimize", "a.jpg", cwd=broken_codec)
    assert done.returncode == 0
    assert (
        "the built-in codecs can't be loaded: cannot load library libvips.so.42: 1 new image stays as it is"
        in done.stderr
    )
    assert (broken_codec / "a.jpg").read_bytes() == before
    assert called("check", "a.jpg", cwd=broken_codec).returncode == 1
    assert "entries   0" in called("cache", "info", cwd=broken_codec).stdout


@pytest.mark.parametrize("task", ["verify", "preview", "variant"])
def test_no_task_judges_without_its_codec(broken_codec: Path, task: str) -> None:
    """Each task says that its codec can't be loaded, and nothing about the image."""
    data = (broken_codec / "a.jpg").read_bytes()
    options = {"verify": {"quality": 80}, "variant": {"quality": 80, "formats": "webp", "saving": 10.0}}
    workers = worker_tasks.worker_pool(1)
    try:
        with pytest.raises(Unavailable, match="cannot load library libvips"):
            workers.call(task, data, data, **options.get(task, {}))
    finally:
        workers.close()


@pytest.mark.slow
def test_no_room_for_pixels_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large image for whose pixels there is no room in the temporary folder is left alone, and not remembered."""
    rows = (b"\0" + bytes(3 * 6000)) * 5900
    image = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in (
            (b"IHDR", struct.pack(">IIBBBBB", 6000, 5900, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(rows, 1)),
            (b"IEND", b""),
        )
    )
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    workers = worker_tasks.worker_pool(1)
    try:
        with pytest.raises(MachineTrouble, match="system error"):
            workers.call("optimize", b"\x89PNG\r\n\x1a\n" + image, quality=80)
    finally:
        workers.close()
