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
from imgshrink.pixels.previews import SIDE
from imgshrink.report.html_page import FULL_SIZE
from imgshrink.report.images import ReportImages
from imgshrink.report.messages import making_previews
from imgshrink.report.publish import publish
from imgshrink.report.summary import summarize
from imgshrink.worker_tasks import worker_pool
from imgshrink.workers.pool import WorkerPool
from real_tools import GIF, JPEG, OTHER_PNG, PNG, build, lines, make_site

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


def run(folder: Path, workers: WorkerPool, pairs: dict[str, tuple[bytes, bytes]], **options: float) -> ReportImages:
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


def test_images_of_a_changed_image(tmp_path: Path, workers: WorkerPool) -> None:
    """A changed image has what it was and what it is, small and in full size, and how different it looks."""
    before = OTHER_PNG.read_bytes()
    after = io.BytesIO()
    Image.open(OTHER_PNG).convert("RGB").quantize(16).save(after, "PNG")
    pairs = {"a.png": (before, after.getvalue())}
    report_images = run(tmp_path, workers, pairs)
    preview = report_images.write(outcomes(pairs), silent)["a.png"]
    folder_of_images = tmp_path / "r-images"
    for name in (preview.before, preview.after):
        small = Image.open(folder_of_images / name)
        assert (small.format, small.size) == ("WEBP", (preview.width, preview.height))
        assert max(small.size) == SIDE
    assert (folder_of_images / preview.full_before).stat().st_size <= len(before)
    assert Image.open(folder_of_images / preview.full_after).size == Image.open(OTHER_PNG).size
    assert preview.look is not None
    assert preview.look[0] > preview.look[1] > 0
    assert (folder_of_images / ".gitignore").read_text() == "*\n"
    assert report_images.notes() == []
    report_images.close()
    report_images.close()


@pytest.mark.parametrize("path", [GIF, *SAMPLES], ids=lambda path: path.name)
def test_every_kind_has_a_preview(tmp_path: Path, workers: WorkerPool, path: Path) -> None:
    """Whatever has four formats' names has a small image, and an image that was not changed has one alone."""
    pairs = {path.name: (path.read_bytes(), path.read_bytes())}
    preview = run(tmp_path, workers, pairs).write(outcomes(pairs), silent)[path.name]
    assert Image.open(tmp_path / "r-images" / preview.before).size == (preview.width, preview.height)
    assert (preview.after, preview.full_before, preview.look) == ("", "", None)


def test_a_broken_image_has_no_preview(tmp_path: Path, workers: WorkerPool) -> None:
    """What can't be decoded, or is gone, has no image and breaks nothing."""
    pairs = {"a.png": (png(1), png(1)), "b.png": (b"no image", b"no image"), "c.png": (png(2), png(2))}
    report_images = run(tmp_path, workers, pairs)
    (tmp_path / "c.png").unlink()
    assert set(report_images.write([*outcomes(pairs), Outcome("d.png", Status.FAILED, 0, 0)], silent)) == {"a.png"}
    assert report_images.notes() == []


def test_full_size_for_the_largest_savings(tmp_path: Path, workers: WorkerPool) -> None:
    """The 50 largest savings are there in full size; equal images are drawn once, for all their names."""
    big, small = png(1), deflated(png(1))
    pairs = {f"{number:02}.png": (big, small + bytes(number)) for number in range(FULL_SIZE + 2)}
    report_images = run(tmp_path, workers, pairs)
    said: list[str] = []
    previews = report_images.write(outcomes(pairs), said.append)
    assert said == []
    assert [name for name, preview in sorted(previews.items()) if not preview.full_after] == ["50.png", "51.png"]
    assert len({preview.before for preview in previews.values()}) == 1
    twins = {"a.png": (big, small), "b.png": (big, small)}
    both = run(tmp_path, workers, twins).write(outcomes(twins), said.append)
    assert both["a.png"] is both["b.png"]
    many = outcomes({f"{number}.png": (b"", b"") for number in range(101)})
    report_images.write(many, said.append)
    assert said == [making_previews(101)]


def test_where_an_image_was_taken_is_not_told(tmp_path: Path, workers: WorkerPool) -> None:
    """Full size images carry no camera data; a turned photograph stands upright, small and in full size."""
    photo = JPEG.read_bytes()
    tagged = photo[:2] + segment(0xE1, GPS) + segment(0xE1, b"Exif\0\0SECRET") + photo[2:]
    pairs = {"a.jpg": (tagged, photo[:2] + segment(0xE1, GPS) + photo[2:])}
    preview = run(tmp_path, workers, pairs).write(outcomes(pairs), silent)["a.jpg"]
    assert preview.height > preview.width
    assert preview.look == (0, 0)
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
    assert folder_of_images == {previews["a.png"].before}


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
    assert (bool(preview.before), preview.after) == (True, "")
    assert report_images.notes() == ["images for the report can't be stored: No such file or directory"]
    report_images.close()


def test_a_report_that_can_not_be_written(tmp_path: Path) -> None:
    """A page that can't be written is one note."""
    (tmp_path / "file").write_text("")
    rows = [Outcome("a.png", Status.KEPT, 9, 9)]
    (note,) = publish(rows, summarize(rows), report=tmp_path / "file" / "r.html", environ={})
    assert note.startswith("the report can't be written: ")


@pytest.mark.usefixtures("warmed")
def test_report_of_a_build(tmp_path: Path) -> None:
    """A build writes the page and its images, of what it shrank and of nothing that is excluded; also the second."""
    options = "report: out/r.HTML\nexclude: [docs/secret/]"
    site = make_site(tmp_path, {"a.png": PNG, "secret/b.png": OTHER_PNG}, options=options)
    for _ in range(2):
        done = build(site, "--strict")
        assert done.returncode == 0, done.stdout
        text = (site / "out/r.HTML").read_text()
        assert re.findall("<h2>(docs/.+?)</h2>", text) == ["docs/a.png"]
        assert "secret" not in text
        files = {path.name for path in (site / "out/r-images").iterdir()}
        assert set(re.findall(r'r-images/([^"]+)"', text)) == files - {".gitignore", ".imgshrink-report"}
        assert len([name for name in files if name.endswith(".png")]) >= 2
    assert not list(site.glob(".imgshrink*"))


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
