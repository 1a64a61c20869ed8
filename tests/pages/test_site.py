"""A built site is rewritten, again and again, and put back: real files, variants made by hand, nothing else changes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import pytest
import pyvips

from image_builder import dense, segment
from imgshrink.core.model import Variant, VariantRequest
from imgshrink.files.atomic import replace
from imgshrink.pages import site as module
from imgshrink.pages.options import Options
from imgshrink.pages.site import Memory, pages_of, rewrite
from places import IMAGES

AUTO = "<style>img{height:auto}</style>"


def webp(requests: Sequence[VariantRequest]) -> Mapping[Path, Variant | None]:
    """A real lossless WebP of each image."""
    images = {one.published: pyvips.Image.new_from_buffer(one.published.read_bytes(), "") for one in requests}
    return {
        path: Variant(".webp", "image/webp", image.webpsave_buffer(lossless=True), None)
        for path, image in images.items()
    }


def nothing(requests: Sequence[VariantRequest]) -> Mapping[Path, Variant | None]:
    """No image gains anything."""
    return dict.fromkeys(one.published for one in requests)


MODERN = Options(eager=1, variants=webp)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two pages that share an image, one that is broken, one without images, and what no page shows."""
    folder = tmp_path / "site"
    (folder / "sub" / ".hidden").mkdir(parents=True)
    for name in ("photo.jpg", "drawing.png", "palette.png", "animated.gif"):
        (folder / name).write_bytes((IMAGES / name).read_bytes())
    (folder / "index.html").write_text(f"{AUTO}<img src=photo.jpg><p><img src='drawing.png'></p>")
    (folder / "sub" / "page.HTM").write_text(f"{AUTO}<img src=../photo.jpg><img src=../animated.gif>")
    (folder / "sub" / "text.html").write_text("<p>Text")
    (folder / "sub" / ".hidden" / "no.html").write_text("<img src=../../photo.jpg>")
    (folder / "feed.xml").write_text("<img src=photo.jpg>")
    (folder / "broken.html").write_bytes(b"<img src=photo.jpg>\xff")
    return folder


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_pages_and_variants_are_written(site: Path) -> None:
    """Sizes, lazy loading and variants are written, and the numbers say so."""
    summary = rewrite(site, MODERN)
    assert (site / "index.html").read_text() == (
        f'{AUTO}<picture data-imgshrink="" style="display:contents">'
        '<source srcset="photo.jpg.webp" type="image/webp" style="display:none">'
        '<img data-imgshrink="size" width="240" height="160" src=photo.jpg></picture>'
        '<p><picture data-imgshrink="" style="display:contents">'
        '<source srcset="drawing.png.webp" type="image/webp" style="display:none">'
        '<img data-imgshrink="lazy size" loading="lazy" width="512" height="512" src=\'drawing.png\'></picture></p>'
    )
    assert (summary.read, summary.changed, summary.sized, summary.lazy, summary.varied) == (4, 2, 4, 2, 4)
    assert (summary.variants, summary.waiting, summary.failed) == ({".webp": 3}, 0, {})
    assert summary.left == {"broken.html": "it is not UTF-8"}
    assert {(row.image, row.variant, row.pages) for row in summary.offered} == {
        ("photo.jpg", "photo.jpg.webp", 2),
        ("drawing.png", "drawing.png.webp", 1),
        ("animated.gif", "animated.gif.webp", 1),
    }
    assert all(row.before == (site / row.image).stat().st_size for row in summary.offered)
    assert all(row.after == (site / row.variant).stat().st_size for row in summary.offered)
    savings = [(row.before - row.after) * row.pages for row in summary.offered]
    assert savings == sorted(savings, reverse=True)
    sizes = {name: (site / name).stat().st_size for name in ("photo.jpg", "drawing.png", "animated.gif")}
    shown = [sizes["photo.jpg"] + sizes["drawing.png"], sizes["photo.jpg"] + sizes["animated.gif"]]
    assert summary.shown_before == round(sum(shown) / 2)
    assert summary.at_once == (site / "photo.jpg.webp").stat().st_size


def test_everything_else_stays(site: Path) -> None:
    """No other file changes, and no variant is made of an image that no page shows."""
    before = contents(site)
    rewrite(site, MODERN)
    after = contents(site)
    new = {"photo.jpg.webp", "drawing.png.webp", "animated.gif.webp"}
    assert set(after) - set(before) == new
    assert {name for name in before if before[name] != after[name]} == {"index.html", "sub/page.HTM"}


def test_second_run_changes_nothing(site: Path) -> None:
    """A second run finds its own work, and writes nothing."""
    rewrite(site, MODERN)
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*")}
    assert rewrite(site, MODERN).changed == 0
    assert {path: path.stat().st_mtime_ns for path in site.rglob("*")} == before


def test_undo_gives_the_first_bytes(site: Path) -> None:
    """Undo takes everything back, variants too, and says how many pages that were."""
    before = contents(site)
    rewrite(site, MODERN)
    assert rewrite(site, Options(undo=True, dry_run=True)).changed == 2
    assert rewrite(site, Options(undo=True)).changed == 2
    assert contents(site) == before
    assert rewrite(site, Options(undo=True)).changed == 0


def test_settings_that_change_are_followed(site: Path) -> None:
    """From modern to reserve the variants go; other images, another size, excluded pages and images follow too."""
    rewrite(site, MODERN)
    rewrite(site, Options(eager=1))
    assert not list(site.glob("*.webp"))
    assert b"<picture" not in (site / "index.html").read_bytes()
    (site / "drawing.png").write_bytes((IMAGES / "palette.png").read_bytes())
    assert rewrite(site, Options(eager=1)).changed == 1
    excluded = Options(
        page_excluded=lambda file: file == PurePosixPath("index.html"),
        image_excluded=lambda file: file.suffix == ".gif",
    )
    summary = rewrite(site, excluded)
    assert (summary.changed, summary.sized) == (2, 1)
    assert b"data-imgshrink" not in (site / "index.html").read_bytes()


def test_dry_run_writes_nothing(site: Path) -> None:
    """A dry run counts what it would do."""
    before = contents(site)
    summary = rewrite(site, Options(eager=1, variants=webp, dry_run=True))
    assert (summary.changed, summary.sized, summary.waiting) == (2, 4, 0)
    assert contents(site) == before


def test_foreign_file_with_the_name_of_a_variant_survives(site: Path) -> None:
    """A file that is not ours is neither replaced nor named nor removed."""
    (site / "photo.jpg.webp").write_bytes(b"foreign")
    (site / "drawing.png.webp").symlink_to("photo.jpg")
    summary = rewrite(site, MODERN)
    assert summary.varied == 1
    rewrite(site, Options(undo=True))
    assert (site / "photo.jpg.webp").read_bytes() == b"foreign"
    assert (site / "drawing.png.webp").is_symlink()


def test_variant_of_ours_is_renewed_and_removed(site: Path) -> None:
    """A variant that our pages name follows its image, and goes when none gains anything any more."""
    rewrite(site, MODERN)
    old = (site / "drawing.png.webp").read_bytes()
    (site / "drawing.png").write_bytes((IMAGES / "palette.png").read_bytes())
    rewrite(site, MODERN)
    assert (site / "drawing.png.webp").read_bytes() != old
    rewrite(site, Options(eager=1, variants=nothing))
    assert not list(site.glob("*.webp"))


def test_variants_stay_while_a_page_may_name_them(site: Path) -> None:
    """Where a page could not be written, no variant is removed: a source that is gone would show no image at all."""
    rewrite(site, MODERN)
    (site / "index.html").chmod(0o400)
    assert set(rewrite(site, Options(undo=True)).failed) == {"index.html"}
    assert {path.name for path in site.glob("*.webp")} == {"photo.jpg.webp", "drawing.png.webp"}
    (site / "index.html").chmod(0o600)
    rewrite(site, Options(undo=True))
    assert not list(site.glob("*.webp"))


def test_page_that_cannot_be_read(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that can't be read is named, and so is an unreadable image no image, and a file that can't be removed."""
    from imgshrink.core.errors import Unreadable

    def fail(*_: object, **__: object) -> bytes:
        raise Unreadable("locked")

    rewrite(site, MODERN)
    monkeypatch.setattr("imgshrink.pages.images.read", fail)
    monkeypatch.setattr(Path, "unlink", lambda self: (_ for _ in ()).throw(OSError(13, "denied")))
    summary = rewrite(site, MODERN)
    assert (summary.sized, set(summary.failed.values())) == (0, {"denied"})
    monkeypatch.setattr(module, "read", fail)
    assert set(rewrite(site, MODERN).failed.values()) == {"locked"}


def test_images_that_wait_keep_their_pages(site: Path) -> None:
    """An image that is not ready has no variant in this run; requests name its source and count its pages."""
    asked: list[VariantRequest] = []

    def later(requests: Sequence[VariantRequest]) -> Mapping[Path, Variant | None]:
        asked.extend(requests)
        return {}

    summary = rewrite(site, Options(variants=later, original=lambda file: Path("docs") / file))
    assert (summary.waiting, summary.varied, summary.sized) == (3, 0, 4)
    assert asked[-1] == VariantRequest(site / "photo.jpg", Path("docs/photo.jpg"), 2)


def test_errors_leave_pages_as_they_are(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that can't be planned, or changed meanwhile, or can't be written stays as it is and is named."""
    real = module.plan

    def plan(page, folder, rules):
        if folder == PurePosixPath("sub"):
            raise ValueError("odd")
        if b"drawing" in page:
            (site / "index.html").write_text("<img src=photo.jpg>changed")
        return real(page, folder, rules)

    monkeypatch.setattr(module, "plan", plan)
    before = contents(site / "sub")
    summary = rewrite(site, Options())
    assert contents(site / "sub") == before
    assert summary.failed["sub/page.HTM"] == "internal error, ValueError: odd"
    assert summary.failed["index.html"] == "it was changed while we worked on it"
    monkeypatch.undo()
    (site / "sub" / "page.HTM").chmod(0o400)
    summary = rewrite(site, Options())
    assert "read-only" in summary.failed["sub/page.HTM"]
    assert summary.changed == 0


def test_variant_that_cannot_be_written_is_not_named(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages name only variants that are there."""
    from imgshrink.core.errors import Unwritable

    def fail(*_: object, **__: object) -> None:
        raise Unwritable("full")

    monkeypatch.setattr(module, "write", fail)
    summary = rewrite(site, MODERN)
    assert (summary.varied, summary.failed["photo.jpg.webp"]) == (0, "full")
    assert b"srcset" not in (site / "index.html").read_bytes()


def test_memory_of_a_server(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between rebuilds only pages are planned whose content, images or style sheets changed."""
    (site / "a.css").write_text("img{height:auto}")
    page = "<link rel=stylesheet href=a.css><img src=photo.jpg>"
    (site / "index.html").write_text(page)
    first = rewrite(site, Options(), memory := Memory())
    planned: list[bytes] = []
    real = module.plan

    def plan(page, folder, rules):
        planned.append(page)
        return real(page, folder, rules)

    monkeypatch.setattr(module, "plan", plan)
    again = rewrite(site, Options(), memory)
    assert planned == []
    assert (first.sized, again.sized, again.changed) == (3, 3, 0)
    (site / "index.html").write_text(page + "more")
    rewrite(site, Options(), memory)
    assert planned == [(page + "more").encode()]
    (site / "photo.jpg").write_bytes((IMAGES / "camera.jpg").read_bytes())
    planned.clear()
    rewrite(site, Options(), memory)
    assert len(planned) == 2
    (site / "a.css").write_text("")
    planned.clear()
    assert rewrite(site, Options(), memory).sized == 2
    assert len(planned) > 2


def test_images_that_are_not_asked_about(site: Path, tmp_path: Path) -> None:
    """Links out of the site, broken images, folders and those of a density of their own get no size."""
    photo = (IMAGES / "photo.jpg").read_bytes()
    dense_photo = photo[:2] + segment(0xE1, b"Exif\0\0" + dense(120, 80)) + photo[2:]
    (tmp_path / "out.jpg").write_bytes(photo)
    (site / "link.jpg").symlink_to("../out.jpg")
    (site / "cut.jpg").write_bytes(photo[:3000])
    (site / "text.png").write_text("text")
    (site / "folder.png").mkdir()
    (site / "dense.jpg").write_bytes(dense_photo)
    names = ("link.jpg", "cut.jpg", "text.png", "folder.png", "dense.jpg")
    (site / "index.html").write_text(AUTO + "".join(f"<img src={name}>" for name in names))
    summary = rewrite(site, MODERN)
    assert (summary.sized, summary.varied) == (2, 2)
    assert b"data-imgshrink" not in (site / "index.html").read_bytes()


def test_pages_are_found(site: Path) -> None:
    """Pages are files that end in .html or .htm, none of hidden folders and no links."""
    (site / "link.html").symlink_to("index.html")
    assert [str(page) for page in pages_of(site)] == ["broken.html", "index.html", "sub/page.HTM", "sub/text.html"]


def test_page_that_vanishes(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is gone when it is to be written is named."""
    monkeypatch.setattr(module, "replace", lambda path, *rest, **more: (path.unlink(), replace(path, *rest, **more)))
    assert "was removed" in rewrite(site, Options()).failed["index.html"]


def test_sheet_that_cannot_be_read(site: Path) -> None:
    """A page whose style sheet is there and can't be read is left alone; one whose sheet is gone is rewritten."""
    (site / "index.html").write_text(
        '<link rel="stylesheet" href="a.css"><style>img{height:auto}</style><img src="photo.jpg">'
    )
    memory = Memory()
    assert "index.html" not in rewrite(site, Options(), memory).left
    (site / "a.css").mkdir()
    assert rewrite(site, Options(), memory).left["index.html"] == "its style sheet a.css can't be read"
    assert "width" not in (site / "index.html").read_text()
    (site / "a.css").rmdir()
    assert "index.html" not in rewrite(site, Options(), memory).left
