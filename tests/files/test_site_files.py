"""The files of a built site: their images, without variants where those are ours."""

from __future__ import annotations

from pathlib import Path

from imgshrink.files.site_files import SiteFiles


def test_variants_beside_their_images(tmp_path: Path) -> None:
    """A file named after the image beside it is a variant; one without that image is an image like any other."""
    for name in ("a.png", "a.png.webp", "b.JPG.webp", "c.webp", "d.txt.webp"):
        (tmp_path / name).touch()
    (tmp_path / "link.png").symlink_to("a.png")
    files = SiteFiles()
    files.site = tmp_path
    assert [path.name for path in files.images(variants=False)] == ["a.png", "b.JPG.webp", "c.webp", "d.txt.webp"]
    assert len(files.images()) == 5
