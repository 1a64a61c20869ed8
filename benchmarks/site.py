"""What a build costs: a 40-image Material site built plain, cold and warm, beside Material's own `optimize`.

`python benchmarks/site.py` needs mkdocs-material; Material's own plugin is measured where pngquant is installed.
Aims: warm at most 1.05 of plain, cold at most Material's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PICTURES = Path(__file__).resolve().parents[1] / "example_site" / "docs" / "images"
CONFIG = "site_name: A site\ntheme: {{name: material}}\nplugins: [search{plugin}]\n"
MATERIAL = ", {material/optimize: {cache_dir: .cache}}"
OURS = ", imgshrink"
WARM_ROUNDS = 7
COLD_ROUNDS = 3


def make_site(folder: Path) -> Path:
    """Forty images on a page, PNG and JPEG, as Material's plugin takes them."""
    images = [path for path in sorted(PICTURES.rglob("*")) if path.suffix in (".png", ".jpg") and path.is_file()]
    docs = folder / "docs"
    docs.mkdir(parents=True)
    chosen = [path for path in images if "before" not in path.as_posix()][:40]
    for number, path in enumerate(chosen):
        shutil.copyfile(path, docs / f"{number}{path.suffix}")
    while len(chosen) + (extra := len(list(docs.glob("x*")))) < 40:
        (docs / f"x{extra}.png").write_bytes(chosen[extra].read_bytes() + b"-")
    (docs / "index.md").write_text("# A site\n" + "".join(f"![]({path.name})\n" for path in docs.iterdir()))
    return folder


def build(site: Path, plugin: str, cache: Path) -> float:
    """Seconds that a build takes, the start of the program included."""
    (site / "mkdocs.yml").write_text(CONFIG.format(plugin=plugin))
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}  # as installed
    environ |= {"IMGSHRINK_CACHE_DIR": str(cache), "IMGSHRINK_ENGINE": "builtin"}
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet"]
    begun = time.perf_counter()
    subprocess.run(command, cwd=site, env=environ, check=True, capture_output=True)
    return time.perf_counter() - begun


def weight(site: Path) -> int:
    """Bytes of all images in the built site."""
    images = (path for path in (site / "site").iterdir() if re.search(r"\.(png|jpg)$", path.name))
    return sum(path.stat().st_size for path in images)


def cold(site: Path, plugin: str) -> float:
    """Seconds of a build without any cache, and what it saved of the images stays in the site."""
    shutil.rmtree(site / ".cache", ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        return build(site, plugin, Path(name) / "cache")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        site, cache = make_site(Path(name) / "site"), Path(name) / "cache"
        build(site, "", cache)
        before = weight(site)
        build(site, OURS, cache)
        ours = weight(site)
        rounds = [(build(site, "", cache), build(site, OURS, cache)) for _ in range(WARM_ROUNDS)]
        plain, warm = (min(column) for column in zip(*rounds, strict=True))  # the least disturbed
        print(f"{len(list((site / 'docs').glob('*.[pj]*')))} images, {before / 1e6:.1f} MB")
        print(f"plain                 {plain:6.2f} s")
        print(f"imgshrink, warm       {warm:6.2f} s   {warm / plain:.2f} of plain (aim: 1.05)")
        if not shutil.which("pngquant"):
            print(f"imgshrink, cold       {cold(site, OURS):6.2f} s   {1 - ours / before:.1%} saved")
            print("Material's optimize is not measured: no pngquant")
            return
        rounds = [(cold(site, OURS), cold(site, MATERIAL)) for _ in range(COLD_ROUNDS)]
        material = weight(site)
        least = tuple(min(column) for column in zip(*rounds, strict=True))
        print(f"imgshrink, cold       {least[0]:6.2f} s   {1 - ours / before:.1%} saved")
        print(f"Material, cold        {least[1]:6.2f} s   {1 - material / before:.1%} saved")
        print(f"imgshrink, cold, needs {least[0] / least[1]:.2f} of Material's time (aim: 1)")
        print(f"Material, warm        {build(site, MATERIAL, cache):6.2f} s")


if __name__ == "__main__":
    main()
