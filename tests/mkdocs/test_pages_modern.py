"""Real builds with `pages: modern`: each image that a page shows gets its variant, once, where there is time."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgshrink.image.seal import unseal
from places import IMAGES
from real_tools import build, lines, make_site
from sample_images import animated, photo, saved, screen

CONFIG = "site_url: https://example.org/docs/\ntheme: readthedocs\n"
FILES = {
    "img/photo.jpg": saved(photo(), "JPEG", quality=95),
    "flat.png": saved(screen(), "PNG"),
    "moving.gif": animated([screen().crop((0, 40 * row, 431, 40 * row + 200)) for row in range(4)], "GIF", 400),
    "unseen.png": saved(screen().rotate(180), "PNG"),
    "still.webp": (IMAGES / "still.webp").read_bytes(),
}
PAGE = "# Page\n\n" + "\n\n".join(f"![]({name})" for name in FILES if name != "unseen.png") + "\n"
VARIANTS = {"img/photo.jpg.avif", "flat.png.webp", "moving.gif.webp"}


def site_with(folder: Path, options: str) -> Path:
    """A site whose only page shows all its images but one."""
    site = make_site(folder, FILES, options=options, config=CONFIG)
    (site / "docs" / "index.md").write_text(PAGE, encoding="utf-8")
    return site


def variants(site: Path) -> dict[str, bytes]:
    """The variants in the built site."""
    built = site / "site"
    found = [path for path in built.rglob("*") if re.search(r"\.(png|jpg|gif|webp)\.(webp|avif)$", path.name)]
    return {path.relative_to(built).as_posix(): path.read_bytes() for path in found}


def shown(site: Path) -> set[str]:
    """The variants that the page offers."""
    page = (site / "site" / "index.html").read_text(encoding="utf-8")
    return set(re.findall(r'srcset="?([^"\s>]+)', page))


def pixels(data: bytes) -> np.ndarray:
    """The pixels of a still."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.slow
def test_build(tmp_path: Path) -> None:
    """Images of pages get one variant each, the originals stay as without it, a second build gives the same bytes."""
    plain = site_with(tmp_path / "plain", "pages: off")
    assert build(plain).returncode == 0
    site = site_with(tmp_path, "pages: modern\nreport: report.json")
    done = build(site, "--strict")
    assert done.returncode == 0, done.stdout
    made = variants(site)
    assert set(made) == VARIANTS
    assert shown(site) == VARIANTS
    for name in FILES:
        published = (site / "site" / name).read_bytes()
        assert published == (plain / "site" / name).read_bytes()
        for suffix in (".webp", ".avif"):
            assert len(made.get(name + suffix, b"")) < 0.9 * len(published)
    assert np.array_equal(pixels(made["flat.png.webp"]), pixels((site / "site" / "flat.png").read_bytes()))
    assert json.loads((site / "report.json").read_text())["pages"]["variants"] == {"avif": 1, "webp": 2}
    again = build(site, "--strict")
    assert again.returncode == 0
    assert (variants(site), shown(site)) == (made, VARIANTS)


@pytest.mark.slow
def test_sources_that_are_shrunk(tmp_path: Path) -> None:
    """Where the hook has shrunk the sources, the published files are they, and an AVIF must look better."""
    import imgshrink

    site = site_with(tmp_path, "pages: modern")
    assert build(site).returncode == 0
    first = variants(site)
    sources = [site / "docs" / name for name in FILES]
    with imgshrink.Session(imgshrink.load_settings(site, engine="builtin")) as session:
        session.optimize(sources)
    assert unseal((site / "docs/flat.png").read_bytes()) == unseal((site / "site/flat.png").read_bytes())
    assert build(site).returncode == 0
    second = variants(site)
    assert second["flat.png.webp"] == first["flat.png.webp"]
    assert "img/photo.jpg.avif" not in second or second["img/photo.jpg.avif"] != first["img/photo.jpg.avif"]


@pytest.mark.slow
def test_no_time(tmp_path: Path) -> None:
    """Without time the site is complete, `--strict` passes, and the next build goes on."""
    site = site_with(tmp_path, "pages: modern\nmax_time: 0.01s")
    done = build(site, "--strict")
    assert done.returncode == 0, done.stdout
    assert variants(site) == {}
    page = (site / "site" / "index.html").read_text(encoding="utf-8")
    assert "<picture" not in page
    assert page.count("<img") == 4
    config = site / "mkdocs.yml"
    config.write_text(config.read_text().replace("max_time: 0.01s", "max_time: 600s"), encoding="utf-8")
    done = build(site, "--strict")
    assert set(variants(site)) == VARIANTS
    assert [line for line in lines(done) if line.startswith("pages: ")]


@pytest.mark.slow
def test_formats(tmp_path: Path) -> None:
    """A format that is left out makes no file."""
    site = site_with(tmp_path, "pages: modern\npages_formats: [webp]\npages_saving: 5")
    assert build(site).returncode == 0
    assert {Path(name).suffix for name in variants(site)} == {".webp"}
