"""The images of the HTML report: kept, made small by real workers, folder_of_images beside the page."""

from __future__ import annotations

import io
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from fakes import deflated, png, source
from image_builder import SAMPLES, oriented, segment
from imgshrink.core.model import Outcome, Status
from imgshrink.files.destinations import in_build
from imgshrink.pixels.crops import HEIGHT, WIDTH
from imgshrink.pixels.previews import SIDE
from imgshrink.report.html.images import FULL_SIZE, WORST, ReportImages
from imgshrink.report.messages import making_previews
from imgshrink.report.publish import publish
from imgshrink.report.summary import summarize
from imgshrink.worker_tasks import worker_pool
from imgshrink.workers.pool import WorkerPool
from real_tools import GIF, JPEG, OTHER_PNG, PNG, build, lines, make_site
from screenshots import PICTURES

GPS = b"Exif\0\0" + oriented(6)


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerPool]:
    """Two real workers."""
    pool = worker_pool(2)
    yield pool
    pool.close()


def silent(line: str) -> None:
    raise AssertionError(line)


def shrunk(path: Path, before: bytes, after: bytes) -> Outcome:
    return Outcome(path.name, Status.OPTIMIZED, len(before), len(after))


def run(folder: Path, workers: WorkerPool, pairs: dict[str, tuple[bytes, bytes]], **options: int) -> ReportImages:
    """The images of the report of a run that has replaced the first bytes of each pair by the second."""
    sources = []
    for name, (before, _) in pairs.items():
        (folder / name).write_bytes(before)
        sources.append(source(folder / name))
    report_images = ReportImages(folder / "r.html", lambda: workers, **options)
    report_images.sources = {one.name: one.path for one in sources}
    for one, (before, after) in zip(sources, pairs.values(), strict=True):
        if after != before:
            in_build(one, before, after)
            report_images.replaced(one, before, after)
    return report_images


def outcomes(pairs: dict[str, tuple[bytes, bytes]]) -> list[Outcome]:
    return [
        Outcome(name, Status.OPTIMIZED if after != before else Status.KEPT, len(before), len(after))
        for name, (before, after) in pairs.items()
    ]


def pixels(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


def fewer_colours(path: Path) -> bytes:
    """A visibly different copy of an image."""
    data = io.BytesIO()
    Image.open(path).convert("RGB").quantize(16).save(data, "PNG")
    return data.getvalue()


def spotted(colour: str) -> bytes:
    """A large white image with a spot near its right edge."""
    image = Image.new("RGB", (1200, 900), "white")
    image.paste(colour, (1100, 300, 1116, 316))
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def test_images_of_a_changed_image(tmp_path: Path, workers: WorkerPool) -> None:
    """A changed image is there small, in full size and in part, and how different it looks is measured."""
    before, after = OTHER_PNG.read_bytes(), fewer_colours(OTHER_PNG)
    report_images = run(tmp_path, workers, {"a.png": (before, after)})
    preview = report_images.write(outcomes({"a.png": (before, after)}), silent)["a.png"]
    folder_of_images = tmp_path / "r-images"
    small = Image.open(folder_of_images / preview.small)
    assert (small.format, small.size) == ("WEBP", (preview.width, preview.height))
    assert max(small.size) == SIDE
    assert preview.full is not None
    assert preview.full == preview.largest
    assert (folder_of_images / preview.full.before).stat().st_size <= len(before)
    assert preview.size == (preview.full.width, preview.full.height) == Image.open(OTHER_PNG).size
    assert Image.open(folder_of_images / preview.full.after).size == preview.size
    assert preview.look is not None
    assert preview.look.worst > preview.look.mean > 0
    assert (preview.look.share > 0, preview.look.quality) == (True, 80)
    assert (folder_of_images / ".gitignore").read_text() == "*\n"
    assert report_images.notes() == []
    report_images.close()
    report_images.close()


def test_a_part_shows_the_place_without_loss(tmp_path: Path, workers: WorkerPool) -> None:
    """The part lies where the images differ most, inside of the image, and its pixels are those of the two images."""
    before, after = spotted("#d00"), spotted("#e88")
    pairs = {"a.png": (before, after)}
    preview = run(tmp_path, workers, pairs).write(outcomes(pairs), silent)["a.png"]
    crop, full = preview.crop, preview.full
    assert crop is not None
    assert full is not None
    assert (crop.width, crop.height) == (WIDTH, HEIGHT)
    assert abs(full.x - 1108) <= 24
    assert abs(full.y - 308) <= 24
    left, top = full.x - crop.x, full.y - crop.y
    assert left == 1200 - WIDTH
    for name, data in ((crop.before, before), (crop.after, after)):
        whole = Image.open(io.BytesIO(data))
        part = whole.crop((left, top, left + WIDTH, top + HEIGHT))
        assert pixels(tmp_path / "r-images" / name).tobytes() == part.tobytes()


def test_a_small_image_is_its_own_part(tmp_path: Path, workers: WorkerPool) -> None:
    """An image that is no larger than a part is shown without loss as a whole, and not stored twice."""
    path = PICTURES["transparent_diagram"]().resize((90, 60))
    first, second = io.BytesIO(), io.BytesIO()
    path.save(first, "PNG")
    path.quantize(8).save(second, "PNG")
    pairs = {"a.png": (first.getvalue(), second.getvalue())}
    preview = run(tmp_path, workers, pairs).write(outcomes(pairs), silent)["a.png"]
    assert preview.full is None
    assert preview.largest == preview.crop
    assert preview.crop is not None
    assert (preview.crop.width, preview.crop.height) == (90, 60)
    assert 0 <= preview.crop.x < 90
    assert 0 <= preview.crop.y < 60


def test_animations_move_in_full_size(tmp_path: Path, workers: WorkerPool) -> None:
    """An animation is stored as it is even where a part shows all of its first image."""
    before, after = (io.BytesIO() for _ in range(2))
    for target, blue in ((before, 255), (after, 150)):
        frames = [Image.new("RGB", (60, 40), (shade, 40, blue)) for shade in (0, 200)]
        frames[0].save(target, "GIF", save_all=True, append_images=frames[1:], duration=100)
    pairs = {"a.gif": (before.getvalue(), after.getvalue())}
    preview = run(tmp_path, workers, pairs).write(outcomes(pairs), silent)["a.gif"]
    assert preview.crop is not None
    assert preview.full is not None
    assert Image.open(tmp_path / "r-images" / preview.full.after).n_frames == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("ground", [(255, 255, 255), (0, 0, 0, 0)], ids=["opaque", "transparent"])
def test_a_colour_that_changed_in_one_place(tmp_path: Path, workers: WorkerPool, ground: tuple[int, ...]) -> None:
    """Where one block changed its hue and nothing else, its centre is the place."""
    data = [io.BytesIO(), io.BytesIO()]
    for target, colour in zip(data, ("#c80000", "#0000c8"), strict=True):
        image = Image.new("RGBA" if len(ground) == 4 else "RGB", (800, 600), ground)
        image.paste(colour, (400, 304, 408, 312))
        image.save(target, "PNG")
    pairs = {"a.png": (data[0].getvalue(), data[1].getvalue())}
    preview = run(tmp_path, workers, pairs).write(outcomes(pairs), silent)["a.png"]
    assert preview.full is not None
    assert (preview.full.x, preview.full.y) == (404, 308)


def test_images_of_different_sizes_have_no_preview(tmp_path: Path, workers: WorkerPool) -> None:
    """Two images that are not one and the same are not compared."""
    pairs = {"a.png": (OTHER_PNG.read_bytes(), PNG.read_bytes())}
    assert run(tmp_path, workers, pairs).write(outcomes(pairs), silent) == {}


@pytest.mark.parametrize("path", [GIF, *SAMPLES], ids=lambda path: path.name)
def test_every_kind_has_a_preview(tmp_path: Path, workers: WorkerPool, path: Path) -> None:
    """Whatever has four formats' names has a small image, and an image that was not changed has one alone."""
    pairs = {path.name: (path.read_bytes(), path.read_bytes())}
    preview = run(tmp_path, workers, pairs).write(outcomes(pairs), silent)[path.name]
    assert Image.open(tmp_path / "r-images" / preview.small).size == (preview.width, preview.height)
    assert (preview.crop, preview.full, preview.look) == (None, None, None)


def test_a_broken_image_has_no_preview(tmp_path: Path, workers: WorkerPool) -> None:
    """What can't be decoded, or is gone, has no image and breaks nothing."""
    pairs = {"a.png": (png(1), png(1)), "b.png": (b"no image", b"no image"), "c.png": (png(2), png(2))}
    report_images = run(tmp_path, workers, pairs)
    (tmp_path / "c.png").unlink()
    assert set(report_images.write([*outcomes(pairs), Outcome("d.png", Status.FAILED, 0, 0)], silent)) == {"a.png"}
    assert report_images.notes() == []


def many(count: int) -> dict[str, tuple[bytes, bytes]]:
    """Images that look the more different the higher their number is, and save the less."""
    found = {}
    for number in range(count):
        image = Image.new("RGB", (640, 400), "white")
        image.paste((200, 0, number), (300, 200, 340, 240))
        first, second = io.BytesIO(), io.BytesIO()
        image.save(first, "PNG")
        image.paste((200, 3 * number, number), (300, 200, 340, 240))
        image.save(second, "PNG")
        found[f"{number:02}.png"] = (first.getvalue() + bytes(200 - number), second.getvalue())
    return found


@pytest.mark.slow
def test_full_size_for_the_worst_looking_and_the_largest_savings(tmp_path: Path, workers: WorkerPool) -> None:
    """25 worst-looking images and then the largest savings, 50 in all, are there in full size."""
    pairs = many(FULL_SIZE + 6)
    previews = run(tmp_path, workers, pairs).write(outcomes(pairs), silent)
    rest = FULL_SIZE - WORST
    missing = [name for name, preview in sorted(previews.items()) if not preview.full]
    assert missing == [f"{number:02}.png" for number in range(rest, rest + 6)]
    assert sum(preview.crop is not None for preview in previews.values()) == len(pairs) - 1
    same = previews["00.png"]
    assert same.look is not None
    assert (same.look.share, same.crop) == (0, None)


def test_equal_images_are_drawn_once(tmp_path: Path, workers: WorkerPool) -> None:
    """Equal images are drawn once, for all their names; more than a hundred are announced."""
    said: list[str] = []
    big, small = png(1), deflated(png(1))
    twins = {"a.png": (big, small), "b.png": (big, small)}
    both = run(tmp_path, workers, twins).write(outcomes(twins), said.append)
    assert both["a.png"] is both["b.png"]
    assert said == []
    rows = outcomes({f"{number}.png": (b"", b"") for number in range(101)})
    run(tmp_path, workers, {}).write(rows, said.append)
    assert said == [making_previews(101)]


@pytest.mark.parametrize("room", [0, 500, 3_000, 6_000, 100_000])
def test_room_is_bounded(tmp_path: Path, workers: WorkerPool, room: int) -> None:
    """The folder never holds more than it may; what is most visible is there first, and half is left for the rest."""
    pairs = many(6)
    previews = run(tmp_path, workers, pairs, room=room).write(outcomes(pairs), silent)
    files = [path for path in (tmp_path / "r-images").iterdir() if path.suffix == ".webp" or path.suffix == ".png"]
    assert sum(path.stat().st_size for path in files) <= room
    with_part = [name for name, preview in sorted(previews.items()) if preview.crop]
    assert with_part == sorted(previews)[len(previews) - len(with_part) :]
    if room == 100_000:
        assert with_part == ["01.png", "02.png", "03.png", "04.png", "05.png"]
    used = {
        file
        for preview in previews.values()
        for pair in (preview.crop, preview.full)
        if pair
        for file in (pair.before, pair.after)
    }
    assert {path.name for path in files} == used | {preview.small for preview in previews.values()}


def test_where_an_image_was_taken_is_not_told(tmp_path: Path, workers: WorkerPool) -> None:
    """Full size images carry no camera data; a turned photograph stands upright, small and in full size."""
    photo = JPEG.read_bytes()
    tagged = photo[:2] + segment(0xE1, GPS) + segment(0xE1, b"Exif\0\0SECRET") + photo[2:]
    pairs = {"a.jpg": (tagged, photo[:2] + segment(0xE1, GPS) + photo[2:])}
    preview = run(tmp_path, workers, pairs).write(outcomes(pairs), silent)["a.jpg"]
    assert preview.height > preview.width
    assert preview.look is not None
    assert preview.look.share == 0
    for path in (tmp_path / "r-images").iterdir():
        assert b"SECRET" not in path.read_bytes()


def test_time_is_bounded(tmp_path: Path, workers: WorkerPool) -> None:
    """When the time is over, the other images have no image, and a note says how many."""
    pairs = {"a.png": (png(1), deflated(png(1))), "b.png": (png(2), png(2))}
    report_images = run(tmp_path, workers, pairs, seconds=0)
    assert report_images.write(outcomes(pairs), silent) == {}
    assert report_images.notes() == ["stopped after 0 s: the report has no preview of 2 images"]


def test_images_are_made_anew(tmp_path: Path, workers: WorkerPool) -> None:
    """The folder holds the images of the last run alone."""
    first = {"a.png": (png(1), png(1))}
    second = {"a.png": (png(2), png(2))}
    run(tmp_path, workers, first).write(outcomes(first), silent)
    previews = run(tmp_path, workers, second).write(outcomes(second), silent)
    folder_of_images = {path.name for path in (tmp_path / "r-images").iterdir()} - {".gitignore", ".imgshrink-report"}
    assert folder_of_images == {previews["a.png"].small}


@pytest.mark.parametrize("there", ["file", "folder", "more", "symlink"])
def test_nothing_else_is_removed(tmp_path: Path, workers: WorkerPool, there: str) -> None:
    """Where something stands that no report has made, it stays, and a note names the cure."""
    folder_of_images, other = tmp_path / "r-images", tmp_path / "other"
    pairs = {"a.png": (png(1), png(1))}
    if there == "file":
        folder_of_images.write_text("mine")
    else:
        folder = other if there == "symlink" else folder_of_images
        folder.mkdir()
        (folder / "mine.txt").write_text("mine")
    if there in ("more", "symlink"):
        (folder / ".imgshrink-report").touch()
    if there == "symlink":
        (other / "mine.txt").rename(other / "0123456789abcdef.png")
        folder_of_images.symlink_to(other)
    before = sorted(tmp_path.rglob("*"))
    report_images = run(tmp_path, workers, pairs)
    assert report_images.write(outcomes(pairs), silent) == {}
    (note,) = report_images.notes()
    assert note.startswith("the report's images can't be written: ")
    assert note.endswith("r-images holds something else; remove it, or give the report another name")
    (tmp_path / "a.png").unlink()
    assert sorted(tmp_path.rglob("*")) == before


def test_images_that_can_not_be_kept(tmp_path: Path, workers: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no room for what is replaced, it is replaced all the same, and a note says so."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    pairs = {"a.png": (png(1), deflated(png(1)))}
    report_images = run(tmp_path, workers, pairs)
    assert (tmp_path / "a.png").read_bytes() == deflated(png(1))
    preview = report_images.write(outcomes(pairs), silent)["a.png"]
    assert (bool(preview.small), preview.look) == (True, None)
    assert report_images.notes() == ["images for the report can't be stored: No such file or directory"]
    report_images.close()


def test_a_report_that_can_not_be_written(tmp_path: Path) -> None:
    """A page that can't be written is one note."""
    (tmp_path / "file").write_text("")
    rows = [Outcome("a.png", Status.KEPT, 9, 9)]
    (note,) = publish(rows, summarize(rows), report=tmp_path / "file" / "r.html", environ={})
    assert note.startswith("the report can't be written: ")


@pytest.mark.slow
@pytest.mark.usefixtures("warmed")
def test_report_of_a_build(tmp_path: Path) -> None:
    """A build writes the page and its images, of what it shrank and of nothing that is excluded; also the second."""
    options = "report: out/r.HTML\nexclude: [docs/secret/]"
    site = make_site(tmp_path, {"a.png": PNG, "secret/b.png": OTHER_PNG}, options=options)
    for _ in range(2):
        done = build(site, "--strict")
        assert done.returncode == 0, done.stdout
        text = (site / "out/r.HTML").read_text()
        assert set(re.findall('data-name="(docs/.+?)"', text)) == {"docs/a.png"}
        assert "imgshrink restore" not in text
        assert "in mkdocs.yml" in text
        assert "secret" not in text
        files = {path.name for path in (site / "out/r-images").iterdir()}
        assert set(re.findall(r'r-images/([^"]+)"', text)) == files - {".gitignore", ".imgshrink-report"}
        assert len([name for name in files if name.endswith((".png", "-part.webp"))]) >= 2
    assert not list(site.glob(".imgshrink*"))


@pytest.mark.slow
@pytest.mark.usefixtures("warmed")
def test_build_goes_through_without_its_report(tmp_path: Path) -> None:
    """A build whose report and images can't be written goes through, strict ones too, and says both."""
    site = make_site(tmp_path, {"a.png": PNG}, options="report: out/r.html")
    (site / "out").write_text("a file")
    done = build(site, "--strict")
    assert done.returncode == 0, done.stdout
    assert (site / "site/a.png").stat().st_size < PNG.stat().st_size
    assert len([line for line in lines(done) if "can't be written" in line]) == 2


@pytest.mark.usefixtures("warmed")
def test_no_images_while_serving(tmp_path: Path) -> None:
    """During `mkdocs serve`, where every save builds, there is no HTML report."""
    from mkdocs.config import load_config

    site = make_site(tmp_path, {"a.png": PNG}, options="report: r.html\non_serve: true")
    config = load_config(str(site / "mkdocs.yml"))
    plugin = config.plugins["imgshrink"]
    plugin.on_startup(command="serve", dirty=False)
    plugin.on_config(config)
    shutil.copytree(site / "docs", config.site_dir)
    logging.getLogger("mkdocs").setLevel(logging.ERROR)
    plugin.on_post_build(config=config)
    assert (Path(config.site_dir) / "a.png").stat().st_size < PNG.stat().st_size
    assert not list(site.glob("r*"))
