"""The MkDocs plugin, in real builds."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from imgshrink.image.seal import read_seal
from imgshrink.image.sniff import sniff
from lying_server import lying_server
from places import IMAGES
from real_tools import CLOSED, FIVE, JPEG, OTHER_PNG, PNG, SMALL, build, lines, make_site, program, run

STILL = IMAGES / "still.png"


def images(folder: Path) -> dict[str, bytes]:
    """The images below a folder, by name."""
    found = (path for path in folder.rglob("*") if path.name in {Path(name).name for name in FIVE})
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_published_copies_are_smaller(built):
    """Published copies get smaller or stay as they are, and keep their format and size in pixels."""
    folder, _, _ = built
    for name, data in images(folder / "first").items():
        original = FIVE[name].read_bytes()
        before, after = sniff(original), sniff(data)
        assert (before.format, before.displayed) == (after.format, after.displayed)
        assert data == original or len(data) < len(original)
    assert len(images(folder / "first")["a.png"]) < OTHER_PNG.stat().st_size / 2


def test_sources_are_never_touched(built):
    """Nothing inside docs_dir changes."""
    folder, _, _ = built
    assert images(folder / "docs") == {name: path.read_bytes() for name, path in FIVE.items()}
    assert {path.name for path in (folder / "docs").rglob("*") if path.is_file()} == {
        *(Path(name).name for name in FIVE),
        "index.md",
    }


def test_first_build_says_what_is_new_and_what_it_saved(built):
    """The first build announces the new images, then says the sum."""
    _, first, _ = built
    assert first[0].startswith("6 new images (254 kB)")
    assert first[0].endswith("shrinking them with the built-in codecs; later builds reuse the results")
    assert re.fullmatch(
        r"254 kB -> \d+ kB, \d+ % smaller\. (\d) shrunk \(0 from the cache, \1 new\), \d had nothing to gain, "
        r"0 left alone\. 0 uploads, .+ s",
        first[-1],
    )


def test_second_build_asks_no_codec_and_publishes_the_same_bytes(built):
    """The second build finds all images known, says so in one line, and publishes the same bytes."""
    folder, _, second = built
    assert len(second) == 1
    assert "All 6 images are in the cache. 0 uploads" in second[0]
    assert images(folder / "second") == images(folder / "first")


@pytest.mark.usefixtures("warmed")
def test_broken_image_is_named_and_the_build_goes_through(tmp_path):
    """A truncated image is published as it is, named by its source path, and does not fail even a strict build."""
    cut = JPEG.read_bytes()[:5000]
    done = build(make_site(tmp_path, {"img/cut.jpg": cut, "fine.png": PNG}), "--strict")
    assert done.returncode == 0
    assert lines(done)[-1] == "left alone: docs/img/cut.jpg (file ends early)"
    assert (tmp_path / "site/img/cut.jpg").read_bytes() == cut


@pytest.mark.usefixtures("warmed")
def test_own_strict_ends_in_one_error_that_lists_the_notes(tmp_path):
    """`strict: true` ends the build in one error that names what was left alone; the site is complete."""
    done = build(make_site(tmp_path, {"cut.png": PNG.read_bytes()[:3000], "fine.png": PNG}, options="strict: true"))
    assert done.returncode != 0
    assert "imgshrink: strict is on, and left alone: docs/cut.png (file ends early)" in done.stdout
    assert len((tmp_path / "site/fine.png").read_bytes()) < PNG.stat().st_size


@pytest.mark.usefixtures("warmed")
def test_excluded_images_are_published_as_they_are(tmp_path):
    """`exclude` is matched against the source path, relative to mkdocs.yml."""
    site = make_site(tmp_path, {"keep/a.png": PNG, "b.png": PNG}, options="exclude: [docs/keep/]")
    assert build(site).returncode == 0
    assert (site / "site/keep/a.png").read_bytes() == PNG.read_bytes()
    assert (site / "site/b.png").read_bytes() != PNG.read_bytes()


def test_overrides_are_matched_by_source_path(tmp_path):
    """An override's quality 100 is lossless for the images that its paths name."""
    options = "overrides:\n  - paths: [docs/exact/]\n    quality: 100"
    site = make_site(tmp_path, {"exact/a.png": STILL}, options=options)
    assert build(site).returncode == 0
    with Image.open(site / "site/exact/a.png") as after, Image.open(STILL) as before:
        assert ImageChops.difference(before.convert("RGBA"), after.convert("RGBA")).getbbox(alpha_only=False) is None
    assert read_seal((site / "site/exact/a.png").read_bytes()) == 100


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("qualty: 70", "quality"),
        ("quality: 700", "a whole number from 1 to 100"),
        ("quality: high", "a whole number from 1 to 100"),
        ("api_key: abc", "TINYJPG_API_KEY"),
    ],
)
def test_wrong_settings_end_the_build_before_it_begins(tmp_path, options, words):
    """A wrong setting ends the build with its name and the cure; nothing is built."""
    done = build(make_site(tmp_path, {"a.png": PNG}, options=options))
    assert done.returncode != 0
    assert options.partition(":")[0] in done.stdout
    assert words in done.stdout
    assert not (tmp_path / "site").exists()


def test_disabled_plugin_changes_nothing(tmp_path):
    """`enabled: false` publishes the originals and says nothing."""
    done = build(make_site(tmp_path, {"a.png": PNG}, options="enabled: false"))
    assert lines(done) == []
    assert (tmp_path / "site/a.png").read_bytes() == PNG.read_bytes()


@pytest.mark.usefixtures("warmed")
def test_small_images_are_left_alone(tmp_path):
    """Images under min_size are counted and untouched."""
    done = build(make_site(tmp_path, {"small.png": SMALL}))
    assert "1 under min_size" in lines(done)[-1]
    assert (tmp_path / "site/small.png").read_bytes() == SMALL.read_bytes()


GENERATES = """
from pathlib import Path
from mkdocs.structure.files import File
PICTURE = Path({picture!r}).read_bytes()
def on_files(files, config):
    files.append(File.generated(config, "made/in-memory.png", content=PICTURE))
    return files
def on_post_build(config):
    Path(config.site_dir, "card.png").write_bytes(PICTURE + b"x" * 2)
"""


@pytest.mark.slow
def test_images_that_other_plugins_made_are_shrunk_too(tmp_path):
    """Images that exist only in memory or only in the site are shrunk, and reported by their place in the site."""
    site = make_site(tmp_path, {}, options="report: r.json", config="hooks: [makes.py]")
    (site / "makes.py").write_text(GENERATES.format(picture=str(PNG)))
    done = build(site, "--strict")
    assert done.returncode == 0, done.stdout
    shrunk = {row["path"]: row["status"] for row in json.loads((site / "r.json").read_text())["images"]}
    assert shrunk["site/made/in-memory.png"] == shrunk["site/card.png"] == "optimized"


@pytest.mark.slow
def test_exclude_names_generated_images_by_their_place_in_the_site(tmp_path):
    """An image without a source is matched by its place in the site."""
    site = make_site(tmp_path, {}, options="exclude: [site/card.png]", config="hooks: [makes.py]")
    (site / "makes.py").write_text(GENERATES.format(picture=str(PNG)))
    build(site)
    assert (site / "site/card.png").read_bytes().startswith(PNG.read_bytes())


BREAKS = """
import imgshrink.session
def broken(*arguments, **options):
    raise RuntimeError("something nobody thought of")
imgshrink.session.Session.run = broken
"""


@pytest.mark.usefixtures("warmed")
def test_unexpected_exception_becomes_one_line_and_an_untouched_site(tmp_path):
    """An error of our own is one line, even `--strict` goes on; the site is published as MkDocs built it."""
    site = make_site(tmp_path, {"a.png": PNG}, config="hooks: [breaks.py]")
    (site / "breaks.py").write_text(BREAKS)
    done = build(site, "--strict")
    assert done.returncode == 0
    reason = "RuntimeError: something nobody thought of"
    assert lines(done) == [f"internal error, the images stay as they are: {reason}. Please report it"]
    assert (site / "site/a.png").read_bytes() == PNG.read_bytes()


@pytest.mark.usefixtures("warmed")
def test_job_summary_gets_the_table(tmp_path):
    """Where GitHub offers a job summary, the Markdown table is appended to what stands there."""
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    build(make_site(tmp_path, {"a.png": PNG}), environ={"GITHUB_STEP_SUMMARY": str(page)})
    assert page.read_text().startswith("before\n### imgshrink: ")
    assert "docs/a.png" in page.read_text()


@pytest.mark.slow
def test_dirty_build_meets_its_own_output(tmp_path):
    """`mkdocs build --dirty` over its own output changes no image."""
    site = make_site(tmp_path, {"a.png": PNG})
    build(site)
    published = (site / "site/a.png").read_bytes()
    assert build(site, "--dirty").returncode == 0
    assert (site / "site/a.png").read_bytes() == published


@pytest.mark.slow
def test_edited_image_is_published_as_edited(tmp_path):
    """An image that changed under the same name is never answered with the old one's result."""
    site = make_site(tmp_path, {"logo.png": PNG})
    build(site)
    shutil.copyfile(OTHER_PNG, site / "docs/logo.png")
    build(site)
    with Image.open(site / "site/logo.png") as published, Image.open(OTHER_PNG) as edited:
        assert published.size == edited.size


@pytest.mark.slow
def test_images_left_to_material_are_warned_about(tmp_path):
    """With Material's own optimize on for JPEG, JPEG is left to it with one warning, and the rest is shrunk."""
    config = "theme: material\nplugins:\n  - material/optimize:\n      optimize_png: false\n  - imgshrink\n"
    done = build(make_site(tmp_path, {"a.png": PNG, "b.jpg": JPEG}, config=config))
    assert done.returncode == 0, done.stdout
    warnings = [line for line in done.stdout.splitlines() if "WARNING" in line and "imgshrink" in line]
    assert len(warnings) == 1
    assert "Material's optimize plugin is on as well: .jpeg, .jpg files are left to it in this build" in warnings[0]
    assert read_seal((tmp_path / "site/b.jpg").read_bytes()) is None
    assert read_seal((tmp_path / "site/a.png").read_bytes()) == 80


def test_fork_build_is_strict_offline_and_without_key(tmp_path):
    """With the key's variable empty and every connection refused, a strict build goes through and says so."""
    done = build(make_site(tmp_path, {"a.png": PNG}), "--strict", environ={"TINYJPG_API_KEY": "", **CLOSED})
    assert done.returncode == 0
    assert any(line.startswith("TINYJPG_API_KEY is empty (usual on forks)") for line in lines(done))
    assert (tmp_path / "site/a.png").stat().st_size < PNG.stat().st_size


@pytest.mark.slow
def test_cache_that_is_a_file_costs_one_note(tmp_path):
    """A cache folder that can't be used is one note; the build shrinks all the same."""
    (tmp_path / "no-folder").write_text("")
    done = build(make_site(tmp_path, {"a.png": PNG}), environ={"IMGSHRINK_CACHE_DIR": str(tmp_path / "no-folder")})
    assert done.returncode == 0
    assert "no-folder" in done.stdout
    assert (tmp_path / "site/a.png").stat().st_size < PNG.stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize(("option", "uploaded"), [("false", 1), ("true", 4)])
def test_images_without_a_source_are_uploaded_only_when_asked_for(tmp_path, option, uploaded):
    """With a key the docs' images are uploaded; the theme's and those of other plugins only by `upload_generated`."""
    site = make_site(tmp_path, {"a.jpg": JPEG}, options=f"upload_generated: {option}", config="hooks: [makes.py]")
    (site / "makes.py").write_text(GENERATES.format(picture=str(PNG)))
    with lying_server() as api:
        done = build(site, environ={"TINYJPG_API_KEY": "key", "TINYJPG_API_URL": api.url})
        assert done.returncode == 0, done.stdout
        assert api.posts == uploaded
    line = next(line for line in lines(done) if line.startswith("uploading "))
    assert f"uploading {api.posts} image" in line


@pytest.mark.slow
def test_empty_cache_in_ci_is_pointed_out(tmp_path):
    """In CI, with nothing in the cache and a long build, one line says to keep it; with a kept one there is none."""
    site = make_site(tmp_path, {"a.png": PNG}, config="hooks: [impatient.py]")
    (site / "impatient.py").write_text("import imgshrink.mkdocs_plugin\nimgshrink.mkdocs_plugin.SLOW = 0\n")
    assert any(line.startswith("the cache was empty; keep it") for line in lines(build(site, environ={"CI": "true"})))
    assert not any("the cache was empty" in line for line in lines(build(site, environ={"CI": "true"})))


@pytest.mark.slow
def test_configuration_from_standard_input(tmp_path):
    """A configuration that comes from standard input has no file: the working folder stands for it."""
    site = make_site(tmp_path, {"a.png": PNG}, options="exclude: [docs/b.png]")
    (site / "docs/b.png").write_bytes(PNG.read_bytes())
    config = (site / "mkdocs.yml").read_text()
    (site / "mkdocs.yml").unlink()
    done = run(program("mkdocs"), "build", "-f", "-", cwd=site, answer=config)
    assert done.returncode == 0, done.stdout
    assert read_seal((site / "site/a.png").read_bytes()) == 80
    assert (site / "site/b.png").read_bytes() == PNG.read_bytes()


@pytest.mark.slow
def test_symlink_in_the_site_is_left_alone(tmp_path):
    """A symlink that another plugin put into the site is neither followed nor replaced."""
    (tmp_path / "outside.png").write_bytes(PNG.read_bytes())
    site = make_site(tmp_path, {"a.png": PNG}, config="hooks: [links.py]")
    (site / "links.py").write_text(
        "import os\ndef on_post_build(config):\n    os.symlink('../outside.png', config.site_dir + '/link.png')\n"
    )
    assert build(site, "--strict").returncode == 0
    assert (site / "site/link.png").is_symlink()
    assert (tmp_path / "outside.png").read_bytes() == PNG.read_bytes()


@pytest.mark.usefixtures("warmed")
def test_paths_are_those_below_the_configuration(tmp_path):
    """Where mkdocs.yml is named from another folder, images have the same names in reports, and the same patterns."""
    site = make_site(tmp_path / "project", {"a.png": PNG, "b.png": OTHER_PNG}, options="exclude: [/docs/b.png]")
    done = run(
        program("mkdocs"), "build", "-f", "project/mkdocs.yml",
        cwd=tmp_path, environ={"IMGSHRINK_REPORT": str(tmp_path / "r.json")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    names = [row["path"] for row in json.loads((tmp_path / "r.json").read_text())["images"]]
    assert [name for name in names if not name.startswith("site/")] == ["docs/a.png"]
    assert (site / "site/b.png").stat().st_size == OTHER_PNG.stat().st_size
