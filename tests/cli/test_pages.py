"""The command `imgshrink pages`: what it says, its exit codes, and wrong use."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import pytest

from command import called
from imgshrink.report.units import size
from places import IMAGES, ROOT

AUTO = "<style>img{height:auto}</style>"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a built site of two pages."""
    site = tmp_path / "site"
    (site / "img").mkdir(parents=True)
    (site / "img" / "photo.jpg").write_bytes((IMAGES / "photo.jpg").read_bytes())
    (site / "index.html").write_text(
        f"{AUTO}<img src=img/photo.jpg><img src=img/photo.jpg><img src=/docs/img/photo.jpg>"
    )
    (site / "b.html").write_text("<base href=/><img src=img/photo.jpg>")
    return tmp_path


def test_pages_are_written_and_put_back(project: Path) -> None:
    """The result is one line, a page that is left alone a note; undo gives the first bytes back."""
    before = (project / "site/index.html").read_bytes()
    done = called("pages", "site", "--pages", "reserve", cwd=project)
    assert done.returncode == 0
    assert done.stdout == (
        "imgshrink: pages: 2 read, 1 changed; 2 images with a size of ours, 0 of all load lazily. "
        f"A page with images: {size((IMAGES / 'photo.jpg').stat().st_size)}\n"
    )
    assert done.stderr == "imgshrink: 1 page stays as it is, it has a <base> element: b.html\n"
    assert b'width="240"' in (project / "site/index.html").read_bytes()
    done = called("pages", "--undo", "site/", cwd=project)
    assert done.stdout == "imgshrink: pages: 2 read, 1 put back as they were\n"
    assert (project / "site/index.html").read_bytes() == before


@pytest.mark.slow
def test_variants_are_no_new_images(project: Path) -> None:
    """A variant stays as it is when the images of the site are shrunk and checked again: it bears a seal."""
    site = project / "site"
    (site / "still.png").write_bytes((IMAGES / "still.png").read_bytes())
    (site / "index.html").write_text(f"{AUTO}<img src=still.png>")
    assert called("optimize", "site", cwd=project).returncode == 0
    assert called("pages", "site", cwd=project).returncode == 0
    (variant,) = site.glob("*.png.webp")
    before = variant.read_bytes()
    again = called("optimize", "site", cwd=project)
    assert "nothing to do" in again.stdout, again.stdout
    assert called("check", "site", cwd=project).returncode == 0
    assert variant.read_bytes() == before
    assert "0 changed" in called("pages", "site", cwd=project).stdout


def test_dry_run_in_json_writes_nothing(project: Path) -> None:
    """A dry run says in JSON what would be done."""
    before = (project / "site/index.html").read_bytes()
    options = ("--pages=reserve", "--pages-eager=1", "--base-path=docs", "--dry-run", "--json")
    done = called("pages", *options, "site", cwd=project)
    report = json.loads(done.stdout)
    assert report["version"] == 1
    numbers = {name: report["pages"][name] for name in ("read", "changed", "sized", "lazy", "failed")}
    assert numbers == {"read": 2, "changed": 1, "sized": 3, "lazy": 2, "failed": {}}
    assert report["pages"]["left"] == {"b.html": "it has a <base> element"}
    assert (project / "site/index.html").read_bytes() == before
    assert called("pages", "--undo", "--dry-run", "-q", "site", cwd=project).stdout == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "imgshrink pages site/"),
        (("nowhere",), "no such folder. Build the site first"),
        (("site/index.html",), "is a file: name the folder of the built site"),
        (("site/img",), "holds no HTML pages: name the folder of the built site, such as site/"),
        (("site", "--pages", "off"), "pages is off (--pages): set it to reserve or modern"),
        (("site", "--pages", "all"), "off, reserve or modern"),
        (("site", "--formats", "jxl"), "one or more of webp, avif"),
        (("site", "--pages-eager", "-1"), "a whole number from 0 to 1000"),
        (("site", "--pages-saving", "200"), "a number from 0 to below 100"),
        (("site", "site"), "unexpected extra argument"),
    ],
)
def test_wrong_use_names_the_cure(project: Path, words: tuple[str, ...], said: str) -> None:
    """Wrong use ends with 2 and says what to do."""
    done = called("pages", *words, cwd=project)
    assert done.returncode == 2
    assert said in done.stderr


def test_without_the_parser_it_says_what_to_install(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without selectolax the command ends with 2 before anything is written; undo needs none."""
    called("pages", "site", "--pages=reserve", cwd=project)
    monkeypatch.setitem(sys.modules, "selectolax.lexbor", None)
    done = called("pages", "site", cwd=project)
    assert done.returncode == 2
    assert 'pip install "imgshrink[pages]"' in done.stderr
    assert called("pages", "--undo", "site", cwd=project).stdout.endswith("1 put back as they were\n")


def test_settings_of_the_project(project: Path) -> None:
    """The project file's settings hold: the mode, excluded pages, excluded images by their place in the site."""
    (project / "imgshrink.toml").write_text('pages = "reserve"\npages_exclude = ["b.html"]\nexclude = ["/site/img/"]\n')
    done = called("pages", "site", cwd=project)
    assert done.stdout.startswith("imgshrink: pages: 2 read, 0 changed; 0 images")
    assert done.stderr == ""
    (project / "imgshrink.toml").write_text("pages = false")
    done = called("pages", "site", cwd=project)
    assert done.returncode == 2
    assert "pages is off (pages in" in done.stderr


def test_images_are_excluded_by_their_place_in_the_docs(project: Path) -> None:
    """Beside a mkdocs.yml, patterns that name sources hold for what was published from them."""
    (project / "docs").mkdir()
    (project / "mkdocs.yml").write_text("plugins:\n  - imgshrink: {exclude: [docs/img/], pages: reserve}\n")
    done = called("pages", "site", cwd=project)
    assert done.stdout.startswith("imgshrink: pages: 2 read, 0 changed; 0 images")


def test_strict_fails_for_what_could_not_be_written(project: Path) -> None:
    """A page that can't be written is a note, and a failure under strict only."""
    (project / "site/index.html").chmod(0o400)
    done = called("pages", "site", "--pages=reserve", cwd=project)
    assert (done.returncode, "index.html stays as it is" in done.stderr) == (0, True)
    assert called("pages", "site", "--pages=reserve", "--strict", cwd=project).returncode == 3


def test_json_is_as_its_schema_says(project: Path) -> None:
    """The JSON of the command, and the part of a report, follow the published schemas."""
    folder = ROOT / "example_site/docs/schemas"
    schemas = {name: json.loads((folder / f"{name}-1.json").read_text()) for name in ("pages", "report")}
    report = json.loads(called("pages", "--pages=reserve", "--json", "site", cwd=project).stdout)
    jsonschema.validate(report, schemas["pages"])
    assert set(report["pages"]) == set(schemas["pages"]["properties"]["pages"]["properties"])
    assert schemas["report"]["properties"]["pages"] == schemas["pages"]["properties"]["pages"]
