"""What images carry for other programs survives every way of shrinking them, or the image is left alone, by name."""

from __future__ import annotations

import importlib.util
import io
import urllib.parse
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from image_builder import XMP, chunk, segment, tiff
from imgshrink.image import xmp
from imgshrink.image.carried import REASON, read_carried
from imgshrink.image.metadata import read_metadata
from imgshrink.image.seal import read_seal, unseal
from real_tools import CLOSED, GIF, JPEG, PNG, WEBP, build, make_site, program, run
from server_process import Served

pytestmark = pytest.mark.slow


DIAGRAM = urllib.parse.quote('<mxfile host="app"><diagram name="net">' + "x1" * 900 + "</diagram></mxfile>").encode()
MXFILE = chunk(b"tEXt", b"mxfile\0" + DIAGRAM)
WORKFLOW = chunk(b"tEXt", b'workflow\0{"nodes": [1]}') + chunk(b"tEXt", b"parameters\0a cat, Steps: 20")
VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 8
PANORAMA = segment(0xE1, xmp.JPEG + XMP % b'<rdf:Description GPano:ProjectionType="equirectangular"/>')
MOTION = segment(0xE1, xmp.JPEG + XMP % b'<rdf:Description GCamera:MotionPhoto="1"/>')
GENERATED = b"trainedAlgorithmicMedia"
SOURCE_TYPE = segment(0xE1, xmp.JPEG + XMP % (b'<rdf:Description Iptc4xmpExt:DigitalSourceType="' + GENERATED + b'"/>'))
CREDIT = segment(0xE1, b"Exif\0\0" + tiff((0x013B, 2, 4, b"Ann\0")))


def before_pixels(data: bytes, chunks: bytes) -> bytes:
    at = data.index(b"IDAT") - 4
    return data[:at] + chunks + data[at:]


def before_end(data: bytes, chunks: bytes) -> bytes:
    return data[:-12] + chunks + data[-12:]


def behind_jfif(data: bytes, *segments: bytes) -> bytes:
    at = 4 + int.from_bytes(data[4:6], "big") if data[2:4] == b"\xff\xe0" else 2
    return data[:at] + b"".join(segments) + data[at:]


def in_riff(data: bytes, riff_chunk: bytes) -> bytes:
    return data[:4] + (len(data) - 8 + len(riff_chunk)).to_bytes(4, "little") + data[8:] + riff_chunk


def photograph(seed: int) -> bytes:
    """A JPEG of a quality that leaves much to gain, another one for each seed."""
    with Image.open(JPEG) as image:
        cut = image.convert("RGB").crop((seed, seed, seed + 300, seed + 220))
    file = io.BytesIO()
    cut.save(file, "JPEG", quality=96)
    return file.getvalue()


def screenshot(seed: int) -> bytes:
    with Image.open(PNG) as image:
        cut = image.convert("RGB").crop((seed, seed, seed + 320, seed + 200))
    file = io.BytesIO()
    cut.save(file, "PNG", compress_level=1)
    return file.getvalue()


KEPT = {
    "net.drawio.png": before_pixels(screenshot(1), MXFILE),
    "broken.drawio.png": before_pixels(
        screenshot(2), chunk(b"zTXt", b"mxfile\0\0" + zlib.compress(DIAGRAM), checksum_off_by=1)
    ),
    "sketch.excalidraw.png": before_end(screenshot(3), chunk(b"iTXt", b"application/vnd.excalidraw+json\0\0\0\0\0{}")),
    "workflow.png": before_pixels(screenshot(4), WORKFLOW),
    "button.9.png": before_pixels(screenshot(5), chunk(b"npTc", bytes(84))),
    "comment.jpg": behind_jfif(photograph(1), segment(0xFE, b'{"prompt": "a cat"}')),
    "comment.gif": GIF.read_bytes()[:-1] + b"!\xfe\x07See #12\0;",
    "chunk.webp": in_riff(WEBP.read_bytes(), b"abcd\4\0\0\0data"),
}
ALONE = {
    "with-zip.png": screenshot(6) + b"PK\3\4" + b"x" * 900,
    "fireworks.png": before_end(screenshot(7), chunk(b"mkBF", bytes(900))),
    "sphere.jpg": behind_jfif(photograph(2), PANORAMA),
    "MVIMG.jpg": behind_jfif(photograph(3), MOTION) + VIDEO,
    "thermal.jpg": behind_jfif(photograph(4), segment(0xE1, b"FLIR\0\1\0\1" + bytes(900))),
    "fractal.gif": GIF.read_bytes()[:-1] + b"!\xff\x0bfractint001\4data\0;",
    "document.webp": WEBP.read_bytes() + b"%PDF-1.7" + b"x" * 900,
}
NOTED = {"ai.jpg": behind_jfif(photograph(5), SOURCE_TYPE), "credit.jpg": behind_jfif(photograph(6), CREDIT)}
ENDINGS = (".png", ".jpg", ".gif", ".webp")
IMAGES: Mapping[str, bytes] = {**KEPT, **ALONE, **NOTED}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A real server with the built-in codecs, as the environment that leads to it; RECEIVED is its folder."""
    folder = tmp_path_factory.mktemp("server") / "data"
    with Served(folder, engine="builtin") as server:
        yield {"TINYJPG_API_KEY": server.key, "TINYJPG_API_URL": server.url, "RECEIVED": str(folder)}


def images_in(folder: Path) -> Path:
    for name, data in IMAGES.items():
        (folder / "docs").mkdir(exist_ok=True)
        (folder / "docs" / name).write_bytes(data)
    return folder


def command(folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> str:
    done = run(program("imgshrink"), *words, cwd=folder, environ=environ)
    assert done.returncode == 0, done.stdout
    return done.stdout


def assert_kept(folder: Path, *, sealed: bool) -> None:
    """Every image carries what it did, byte for byte, and is smaller, or is the original."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    for name, before in IMAGES.items():
        after = (folder / name).read_bytes()
        if name in ALONE:
            assert after == before, name
            continue
        assert (read_carried(after), read_metadata(after)) == (read_carried(before), read_metadata(before)), name
        assert read_seal(after) is not None or not sealed, name
    smaller = [name for name in IMAGES if (folder / name).stat().st_size < len(IMAGES[name])]
    assert {"net.drawio.png", "workflow.png", "comment.jpg", "credit.jpg"} <= set(smaller)
    assert GENERATED in (folder / "ai.jpg").read_bytes()


@pytest.mark.parametrize("quality", ["80", "100"])
@pytest.mark.parametrize("engine", ["builtin", "hosted"])
def test_in_place(tmp_path: Path, api: dict[str, str], engine: str, quality: str) -> None:
    """In place, what is carried stays; what is left alone is named with its reason, and passes the check."""
    folder = images_in(tmp_path)
    environ = api if engine == "hosted" else CLOSED
    said = command(folder, "optimize", f"--engine={engine}", f"--quality={quality}", "docs", environ=environ)
    assert_kept(folder / "docs", sealed=True)
    for name in ALONE:
        assert f"docs/{name} ({REASON} (" in said
    checked = command(folder, "check", f"--quality={quality}", "docs")
    assert f"{len(IMAGES) - len(ALONE)} images are shrunk ({len(ALONE)} left alone)" in checked


def test_into_another_folder(tmp_path: Path) -> None:
    """In another folder there is the same."""
    folder = images_in(tmp_path)
    command(folder, "optimize", "--engine=builtin", "--output=out", "docs")
    assert_kept(folder / "out", sealed=False)
    assert {name: (folder / "docs" / name).read_bytes() for name in IMAGES} == IMAGES


def test_in_a_build(tmp_path: Path) -> None:
    """In a built site there is the same, and a strict build passes."""
    folder = make_site(tmp_path, IMAGES)
    done = build(folder, "--strict", environ=CLOSED)
    assert done.returncode == 0, done.stdout
    assert_kept(folder / "site", sealed=False)


def test_uploads_carry_nothing(tmp_path: Path, api: dict[str, str]) -> None:
    """What is carried, and who made an image, is not uploaded: the server holds the uploads, and none of it."""
    folder = images_in(tmp_path)
    command(folder, "optimize", "--engine=hosted", "--quality=90", "docs", environ=api)
    received = [path.read_bytes() for path in Path(api["RECEIVED"]).rglob("*") if path.suffix in ENDINGS]
    assert len(received) >= len(IMAGES) - len(ALONE)
    secrets = (b"mxfile", b"excalidraw", b"nodes", b"npTc", b"a cat", b"See #12", b"abcd", b"Ann\0", GENERATED)
    assert not [secret for secret in secrets if any(secret in data for data in received)]


def test_drop(tmp_path: Path) -> None:
    """`embedded = "drop"` takes all of it but the notices, says how many, and the check agrees."""
    folder = images_in(tmp_path)
    (folder / "imgshrink.toml").write_text('embedded = "drop"\nengine = "builtin"\n')
    said = command(folder, "optimize", "docs")
    assert f"{len(KEPT) + len(ALONE)} images lost what they carried for other programs (embedded: drop)" in said
    for name, before in IMAGES.items():
        after = unseal((folder / "docs" / name).read_bytes())
        carried = read_carried(after)
        assert (carried.leading, carried.trailing, carried.reason) == (b"", b"", ""), name
        assert read_metadata(after) == read_metadata(before), name
    assert f"all {len(IMAGES)} images are shrunk" in command(folder, "check", "docs")


@pytest.mark.skipif(importlib.util.find_spec("mkdocs_drawio") is None, reason="mkdocs-drawio is not installed")
def test_drawio_builds(tmp_path: Path) -> None:
    """With mkdocs-drawio a strict build passes after `optimize`, and again behind our plugin, `--dirty` too."""
    drawings = {"net.drawio.png": IMAGES["net.drawio.png"], "other.drawio.png": before_pixels(screenshot(8), MXFILE)}
    config = "plugins:\n  - drawio\n  - imgshrink:\n      engine: builtin\n"
    folder = make_site(tmp_path, drawings, config="use_directory_urls: false\n" + config)
    (folder / "docs" / "index.md").write_text("# A site\n" + "".join(f"\n![net]({name})\n" for name in drawings))
    assert build(folder, "--strict", environ=CLOSED).returncode == 0
    (folder / "docs" / "index.md").touch()
    done = build(folder, "--dirty", environ=CLOSED)  # MkDocs warns of --dirty itself, which ends a strict build
    assert (done.returncode, "missing mxfile" in done.stdout) == (0, False), done.stdout
    command(folder, "optimize", "--engine=builtin", "docs")
    assert (folder / "docs" / "net.drawio.png").stat().st_size < len(drawings["net.drawio.png"])
    done = build(folder, "--strict", environ=CLOSED)
    assert done.returncode == 0, done.stdout
    assert "missing mxfile" not in done.stdout
    assert "mxgraph" in (folder / "site" / "index.html").read_text(encoding="utf-8")
