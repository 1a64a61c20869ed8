"""Collect documentation images from Debian packages, apart from the corpus that constants are fitted on.

    python benchmarks/unseen.py FOLDER
    python benchmarks/bytes.py FOLDER

Needs apt-get and dpkg; nothing is installed. Of each package a few images of each format are taken, chosen by the hash
of their bytes, so that a package's images decide nothing alone and nobody's taste decides at all.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

from inputs import corpus_images

from imgshrink.core.model import Format
from imgshrink.image.sniff import sniff

PACKAGES = (
    *("asymptote-doc", "gimp-help-en", "gnome-user-docs", "gramps", "grass-doc", "hplip-doc", "hugin-data"),
    *("kdenlive-data", "kicad-doc-en", "krita-data", "libgtk-4-doc", "lyx-common", "musescore3-common"),
    *("ogre-1.12-doc", "openjdk-17-doc", "python-django-doc", "python-pandas-doc", "python-pyqtgraph-doc"),
    *("python-skimage-doc", "qtbase5-doc-html", "qtcreator-doc", "rust-doc", "stellarium", "texlive-pictures-doc"),
    *("texstudio-doc", "wesnoth-1.16-data", "zim"),
)
MOST = {Format.PNG: 5, Format.JPEG: 10, Format.GIF: 10, Format.WEBP: 10}
"""Images of a format from one package: there are many PNGs, and few of the others."""

SIZES = range(8_000, 3_000_000)
"""Bytes: what documentation's screenshots and diagrams weigh; icons say nothing about them."""


def main() -> None:
    """Collect and count."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    known = {sha256(path.read_bytes()).digest() for path in corpus_images()}
    for package in PACKAGES:
        chosen = choose(package, known)
        for format, digest, data in chosen:
            (folder / f"{package}-{digest.hex()[:8]}{format.extension}").write_bytes(data)
        print(f"{package}: {len(chosen)}")


def choose(package: str, known: set[bytes]) -> list[tuple[Format, bytes, bytes]]:
    """Return format, hash and bytes of the package's images that are taken; adds the hashes to `known`."""
    chosen: list[tuple[Format, bytes, bytes]] = []
    for digest, data in sorted((sha256(data).digest(), data) for data in images_of(package)):
        info = sniff(data)
        if info is None or digest in known or sum(info.format is taken for taken, _, _ in chosen) >= MOST[info.format]:
            continue
        known.add(digest)
        chosen.append((info.format, digest, data))
    return chosen


def images_of(package: str) -> list[bytes]:
    """Return the contents of all files of a package that look like images by their size and name."""
    folder = Path(tempfile.mkdtemp())
    try:
        subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True, capture_output=True)
        (archive,) = folder.glob("*.deb")
        subprocess.run(["dpkg", "-x", archive, folder / "files"], check=True)
        names = {".png", ".jpg", ".jpeg", ".gif", ".webp"}
        paths = [path for path in (folder / "files").rglob("*") if path.suffix.lower() in names]
        return [path.read_bytes() for path in paths if not path.is_symlink() and path.stat().st_size in SIZES]
    except subprocess.CalledProcessError as error:
        print(f"{package}: {error}")
        return []
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
