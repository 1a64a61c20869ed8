"""Real Chromium shows a sealed image as it shows the original: canvas pixels, natural size, frames and durations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from browser import CHROMIUM, report_of
from image_builder import (
    IMAGES,
    SAMPLES,
    chunk,
    dense,
    gif,
    gif_frame,
    gif_loop,
    oriented,
    riff_chunk,
    segment,
    vp8x,
    webp,
)
from imgshrink.image.metadata import dress, graft, reduce
from imgshrink.image.seal import seal
from imgshrink.image.sniff import sniff

PAGE = """<!doctype html><script>
const rows = ROWS;
const hash = async data => {
  const digest = await crypto.subtle.digest("SHA-256", data);
  return [...new Uint8Array(digest)].map(byte => byte.toString(16).padStart(2, "0")).join("");
};
const drawn = async (name) => {
  const image = new Image();
  image.src = name;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return [image.naturalWidth, image.naturalHeight, await hash(pixels)];
};
const played = async (name, type) => {
  const decoder = new ImageDecoder({data: (await fetch(name)).body, type});
  await decoder.completed;
  const track = decoder.tracks.selectedTrack;
  const frames = [track.frameCount, track.repetitionCount];
  for (let index = 0; index < Math.min(track.frameCount, 60); index++) {
    const {image} = await decoder.decode({frameIndex: index});
    const bytes = new Uint8Array(image.allocationSize());
    await image.copyTo(bytes);
    frames.push(image.duration, await hash(bytes));
    image.close();
  }
  decoder.close();
  return frames;
};
(async () => {
  const report = {};
  for (const [name, type] of rows) {
    try { report[name] = [await drawn(name), await played(name, type)]; }
    catch (error) { report[name] = String(error); }
  }
  await fetch("/report", {method: "POST", body: JSON.stringify(report)});
})();
</script>"""


def shown(files: dict[str, bytes], profile: Path, seconds: float) -> dict[str, Any]:
    """What Chromium shows of each file."""
    infos = {name: sniff(data) for name, data in files.items()}
    rows = [[name, info.format.media_type] for name, info in infos.items() if info]
    report: dict[str, Any] = report_of(PAGE.replace("ROWS", json.dumps(rows)), files, profile, seconds)
    return report


def timings(facts: list[Any]) -> tuple[int, list[int]]:
    """Frames, and the milliseconds of the first 60, as Chromium found them."""
    (_, _, _), (frames, _, *played) = facts
    return frames, [duration // 1000 for duration in played[::2] if duration]


def expected_timings(data: bytes) -> tuple[int, list[int]]:
    """Frames, and the milliseconds of the first 60, as sniffing found them."""
    info = sniff(data)
    assert info is not None
    return info.frames, [duration for duration in info.durations[:60] if duration]


def compare(images: dict[str, bytes], profile: Path, seconds: float) -> None:
    made = {"original": lambda data: data, "sealed": lambda data: seal(data, 80), "reduced": reduce}
    files = {f"{way}-{name}": make(data) for name, data in images.items() for way, make in made.items()}
    report = shown(files, profile, seconds)
    assert [name for name, facts in report.items() if isinstance(facts, str)] == []
    for name, data in images.items():
        assert timings(report[f"original-{name}"]) == expected_timings(data), name
        assert report[f"original-{name}"] == report[f"sealed-{name}"], name
        assert report[f"original-{name}"] == report[f"reduced-{name}"], name


pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


def test_small_images(tmp_path: Path) -> None:
    """The test images, and a GIF of the old version, look the same sealed and reduced."""
    images = {path.name: path.read_bytes() for path in SAMPLES}
    compare(images | {"old.gif": gif(gif_frame(), version=b"87a")}, tmp_path, 60)


@pytest.mark.slow
@pytest.mark.long
def test_corpus(sweep: list[Path], tmp_path: Path) -> None:
    """Every real image looks the same sealed and reduced."""
    compare({f"{number}{path.suffix}": path.read_bytes() for number, path in enumerate(sweep)}, tmp_path, 600)


def test_a_lost_profile_is_seen(tmp_path: Path) -> None:
    """The comparison tells an image from the same one without its profile."""
    data = (IMAGES / "profile.png").read_bytes()
    report = shown({"with": data, "without": graft(data, icc=b"")}, tmp_path, 60)
    assert report["with"] != report["without"]


def test_orientation(tmp_path: Path) -> None:
    """Chromium turns a picture by the EXIF that reducing writes as by the camera's own."""
    photo, drawing, still = ((IMAGES / name).read_bytes() for name in ("photo.jpg", "drawing.png", "still.webp"))
    size = sniff(still)
    assert size is not None
    files = {
        "plain.jpg": photo,
        "camera.jpg": photo[:2] + segment(0xE1, b"Exif\0\0" + oriented(6, "<")) + photo[2:],
        "camera.png": drawing[:33] + chunk(b"eXIf", oriented(6, "<")) + drawing[33:],
        "camera.webp": webp(vp8x(8, size.width, size.height), still[12:], riff_chunk(b"EXIF", oriented(6, "<"))),
    }
    reduced = {f"reduced-{name}": reduce(data) for name, data in files.items()}
    report = shown(files | reduced, tmp_path, 60)
    assert [report[name] for name in files] == [report[f"reduced-{name}"] for name in files]
    assert [240, 160] == report["plain.jpg"][0][:2] == report["reduced-camera.jpg"][0][1::-1]


def test_natural_size_by_density(tmp_path: Path) -> None:
    """A photograph that Chromium shows at half its size for its EXIF is shown so sealed, reduced and grafted anew."""
    plain = (IMAGES / "photo.jpg").read_bytes()
    data = plain[:2] + segment(0xE1, b"Exif\0\0" + dense(120, 80)) + plain[2:]
    files = {
        "plain": plain,
        "original": data,
        "sealed": seal(data, 80),
        "reduced": reduce(data),
        "grafted": dress(plain, data, keep=True),
    }
    report = shown(files, tmp_path, 60)
    sizes = {name: facts[0][:2] for name, facts in report.items()}
    halved = ["original", "sealed", "reduced", "grafted"]
    assert sizes == {"plain": [240, 160]} | {name: [120, 80] for name in halved}


def test_repetitions(tmp_path: Path) -> None:
    """Chromium plays an animation as often as sniffing says, whatever the format writes."""
    frames = gif_frame(1), gif_frame(1)
    files = {
        "once": gif(*frames),
        "forever": gif(gif_loop(0), *frames),
        "thrice": gif(gif_loop(2), *frames),
        "png": (IMAGES / "animated.png").read_bytes(),
        "webp": (IMAGES / "animated.webp").read_bytes(),
    }
    infos = {name: sniff(data) for name, data in files.items()}
    report = shown(files, tmp_path, 60)
    repetitions = {name: facts[1][1] for name, facts in report.items()}
    assert repetitions == {name: info.loop - 1 if info.loop else None for name, info in infos.items() if info}
