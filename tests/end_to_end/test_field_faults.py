"""Faults that other tools of the field are known for; each test says what happens here instead."""

from __future__ import annotations

import functools
import io
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageCms, ImageDraw

from imgshrink import hook
from imgshrink.image.seal import read_seal, unseal
from imgshrink.image.sniff import sniff
from real_tools import (
    CLOSED,
    JPEG,
    OTHER_PNG,
    PICTURES,
    PNG,
    WEBP,
    build,
    git,
    lines,
    make_repository,
    make_site,
    program,
    run,
)
from selection import rest_slow

COPYRIGHT = 0x8298
ORIENTATION = 0x0112


def photograph(size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A picture with the texture of a photograph, cut from a real one."""
    with Image.open(JPEG) as picture:
        return picture.convert("RGB").crop((0, 0, *size))


def saved(picture: Image.Image, format: str, **options: object) -> bytes:
    """The picture as a file's bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


@functools.cache
def phone_photograph() -> bytes:
    """A JPEG as a phone makes it: turned by its orientation, with a colour profile and a copyright notice."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[COPYRIGHT] = "(c) A. Maker"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return saved(photograph(), "JPEG", quality=97, exif=exif, icc_profile=profile)


def animation() -> bytes:
    """An animated WebP of 12 frames, wastefully encoded."""
    frames = []
    for number in range(12):
        frame = photograph((160, 120))
        ImageDraw.Draw(frame).rectangle((number * 10, 20, number * 10 + 20, 60), fill="red")
        frames.append(frame)
    return saved(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=80, loop=0, lossless=True, method=0
    )


def as_shown(data: bytes) -> Image.Image:
    """What a viewer sees, orientation applied."""
    from PIL import ImageOps

    with Image.open(io.BytesIO(data)) as picture:
        return ImageOps.exif_transpose(picture).convert("RGB")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a hook."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# In a build


@pytest.mark.slow
def test_edited_image_that_gains_nothing_is_published_as_edited(tmp_path):
    """Where an image was replaced by one that can't be shrunk, the new one is published, never the old one's result."""
    site = make_site(tmp_path, {"a.png": PNG})
    build(site)
    finished = unseal((site / "site/a.png").read_bytes())
    shutil.copyfile(OTHER_PNG, site / "docs/a.png")
    build(site)
    (site / "docs/a.png").write_bytes(finished)
    build(site)
    assert unseal((site / "site/a.png").read_bytes()) == finished


@pytest.mark.slow
def test_photographs_stay_upright_and_keep_their_profile(tmp_path):
    """Orientation and colour profile of a phone's photograph survive a build."""
    original = phone_photograph()
    site = make_site(tmp_path, {"photo.jpg": original})
    build(site)
    published = (site / "site/photo.jpg").read_bytes()
    assert len(published) < len(original) * 0.8
    assert sniff(published).displayed == sniff(original).displayed == (240, 320)
    assert ImageChops.difference(as_shown(original), as_shown(published)).getextrema()[1][1] < 60
    assert Image.open(io.BytesIO(published)).info["icc_profile"] == Image.open(io.BytesIO(original)).info["icc_profile"]


@pytest.mark.slow
def test_excluded_documents_are_not_published(tmp_path):
    """What `exclude_docs` keeps out of the site stays out of it, and out of the report."""
    site = make_site(
        tmp_path, {"secret/a.png": PNG, "b.png": OTHER_PNG}, options="report: r.json", config="exclude_docs: secret/"
    )
    build(site)
    assert not (site / "site/secret").exists()
    assert not any("secret" in row["path"] for row in json.loads((site / "r.json").read_text())["images"])


@pytest.mark.slow
def test_no_image_grows(tmp_path):
    """Images that are compressed harder than we would are published byte for byte."""
    pictures = {
        "a.jpg": saved(photograph(), "JPEG", quality=20, optimize=True),
        "b.webp": saved(photograph(), "WEBP", quality=15),
    }
    site = make_site(tmp_path, pictures)
    assert build(site).returncode == 0
    for name, data in pictures.items():
        assert len((site / "site" / name).read_bytes()) <= len(data)


@pytest.mark.slow
def test_changed_options_make_new_results(tmp_path):
    """A result of quality 80 is not served when lossless is asked for."""
    site = make_site(tmp_path, {"a.png": OTHER_PNG}, options="quality: 80")
    build(site)
    make_site(tmp_path, {}, options="quality: 100")
    build(site)
    with Image.open(site / "site/a.png") as after, Image.open(OTHER_PNG) as before:
        assert ImageChops.difference(before.convert("RGBA"), after.convert("RGBA")).getbbox(alpha_only=False) is None


@pytest.mark.slow
def test_neither_a_bad_image_nor_a_missing_program_ends_a_build(tmp_path):
    """With a bad JPEG and no program on PATH a strict build goes through, and everything else is shrunk."""
    bad = JPEG.read_bytes()[:2000] + bytes(3000)
    done = build(make_site(tmp_path, {"bad.jpg": bad, "a.png": PNG}), "--strict", environ={"PATH": str(tmp_path)})
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "site/bad.jpg").read_bytes() == bad
    assert read_seal((tmp_path / "site/a.png").read_bytes()) == 80


@pytest.mark.slow
def test_every_name_and_format_is_covered(tmp_path):
    """Upper-case endings, WebP and a PNG that is called .jpg are shrunk like all others."""
    pictures = {"a.PNG": PNG, "b.webp": WEBP, "c.jpg": OTHER_PNG}
    site = make_site(tmp_path, pictures)
    build(site)
    for name in pictures:
        assert read_seal((site / "site" / name).read_bytes()) == 80, name


@pytest.mark.slow
def test_result_does_not_depend_on_the_path(tmp_path):
    """A logo that was replaced under the same path is new; the old one under a new path is known."""
    site = make_site(tmp_path, {"logo.png": PNG}, options="report: r.json")
    build(site)
    (site / "docs/logo.png").rename(site / "docs/old.png")
    shutil.copyfile(OTHER_PNG, site / "docs/logo.png")
    build(site)
    rows = {row["path"]: row["from_cache"] for row in json.loads((site / "r.json").read_text())["images"]}
    assert (rows["docs/old.png"], rows["docs/logo.png"]) == (True, False)


@pytest.mark.slow
@pytest.mark.long
def test_thirty_warm_builds_never_fail_and_are_identical(tmp_path):
    """Forty tiny images built thirty times with a warm cache: no failure, the same bytes every time."""
    tiny = {f"{number}.png": saved(photograph((40 + number, 40)), "PNG", compress_level=0) for number in range(40)}
    site = make_site(tmp_path, tiny)
    published = set()
    for _ in range(31):
        done = build(site, "--strict", environ=CLOSED)
        assert done.returncode == 0, done.stdout
        published.add(tuple((site / "site" / name).read_bytes() for name in tiny))
    assert len(published) == 1
    assert "All " in lines(done)[-1]


# In a commit


def test_animation_stays_an_animation(here):
    """An animated WebP keeps its frames' total time and its loop, however much smaller it gets."""
    (here / "a.webp").write_bytes(animation())
    assert hook.main(["a.webp"]) == 1
    before, after = sniff(animation()), sniff((here / "a.webp").read_bytes())
    assert (after.duration, after.loop) == (before.duration, before.loop) == (960, 0)
    assert after.frames > 1


def test_orientation_profile_and_copyright_survive_a_commit(here):
    """A photograph that the hook rewrote is upright, has its profile, and says whose it is."""
    (here / "photo.jpg").write_bytes(phone_photograph())
    assert hook.main(["photo.jpg"]) == 1
    with Image.open(here / "photo.jpg") as after, Image.open(io.BytesIO(phone_photograph())) as before:
        assert after.getexif()[COPYRIGHT] == "(c) A. Maker"
        assert after.getexif().get(ORIENTATION) == 6
        assert after.info["icc_profile"] == before.info["icc_profile"]


@pytest.mark.parametrize("format", rest_slow(["PNG", "JPEG", "WEBP"], lambda format: format == "JPEG"))
def test_image_is_not_worn_down_commit_by_commit(here, monkeypatch, format):
    """A photograph is rewritten once; every later commit, each with an empty cache, leaves it as it is."""
    options = {"PNG": {}, "JPEG": {"quality": 97}, "WEBP": {"quality": 98}}[format]
    name = f"photo.{format.lower()}"
    (here / name).write_bytes(saved(photograph(), format, **options))
    codes = []
    for number in range(4):
        monkeypatch.setenv("IMGSHRINK_CACHE_DIR", str(here / f"cache{number}"))
        codes.append(hook.main([name]))
    assert codes == [1, 0, 0, 0]


def test_image_without_its_mark_gets_only_the_mark_back(here):
    """Where another tool took the mark away, the cache knows the image: it gets its mark back and nothing else."""
    (here / "a.png").write_bytes(OTHER_PNG.read_bytes())
    hook.main(["a.png"])
    finished = (here / "a.png").read_bytes()
    (here / "a.png").write_bytes(unseal(finished))
    assert hook.main(["a.png"]) == 1
    assert (here / "a.png").read_bytes() == finished


def test_lfs_pointer_passes(here, capsys):
    """A pointer of Git LFS is named and passed over."""
    (here / "a.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1234\n")
    assert hook.main(["a.png"]) == 0
    assert "git lfs pull" in capsys.readouterr().out


def test_a_file_is_replaced_whole(here):
    """Who reads the file while it is replaced reads the whole original: it is renamed over, never written into."""
    (here / "a.png").write_bytes(OTHER_PNG.read_bytes())
    with (here / "a.png").open("rb") as reader:
        hook.main(["a.png"])
        assert reader.read() == OTHER_PNG.read_bytes()
    assert list(here.glob(".*png*")) == []


@pytest.mark.slow
def test_symlinks_and_modes_stay(here):
    """A symlinked image stays a symlink, and a file's mode stays what it was."""
    (here / "real").mkdir()
    (here / "real/a.png").write_bytes(PNG.read_bytes())
    (here / "real/a.png").chmod(0o600)
    (here / "link.png").symlink_to("real/a.png")
    done = run(program("imgshrink"), "optimize", ".", cwd=here)
    assert done.returncode == 0
    assert (here / "link.png").is_symlink()
    assert (here / "real/a.png").stat().st_mode & 0o777 == 0o600
    assert read_seal((here / "real/a.png").read_bytes()) == 80


@pytest.mark.usefixtures("warmed")
def test_fresh_checkout_costs_nothing(here):
    """In a fresh clone, with new time stamps and an empty cache, no codec is asked and no byte changes."""
    origin = make_repository(here / "origin")
    for picture in (PNG, OTHER_PNG, JPEG):
        shutil.copyfile(picture, origin / picture.name)
    run(program("imgshrink"), "optimize", ".", cwd=origin)
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "-m", "All")
    git(here, "clone", "--quiet", "origin", "clone")
    elsewhere = {"IMGSHRINK_CACHE_DIR": str(here / "none"), "XDG_STATE_HOME": str(here / "state")}
    run(program("imgshrink"), "optimize", ".", "--report", "../r.json", cwd=here / "clone", environ=elsewhere)
    images = json.loads((here / "r.json").read_text())["images"]
    assert {(row["status"], row["engine"]) for row in images} == {("kept", "")}
    assert git(here / "clone", "status", "--porcelain") == ""


@pytest.mark.slow
def test_images_are_not_done_because_they_look_like_it(here):
    """A palette PNG of another tool is not finished; a JPEG of ours is."""
    with Image.open(OTHER_PNG) as picture:
        picture.convert("RGB").quantize(64).save(here / "palette.png")
    shutil.copyfile(JPEG, here / "ours.jpg")
    hook.main(["ours.jpg"])
    assert run(program("imgshrink"), "check", "palette.png", cwd=here).returncode == 1
    assert run(program("imgshrink"), "check", "ours.jpg", cwd=here).returncode == 0


@pytest.mark.slow
def test_few_bytes_are_not_worth_a_new_picture(here):
    """An image that would save less than the margin keeps every byte but the mark."""
    shutil.copyfile(PICTURES / "argocd" / "terminal.png", here / "a.png")
    original = (here / "a.png").read_bytes()
    assert hook.main(["--min-saving=50", "a.png"]) == 1
    assert unseal((here / "a.png").read_bytes()) == original
    assert [path.name for path in here.iterdir()] == ["a.png"]
