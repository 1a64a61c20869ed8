"""What the command makes of an API that lies or fails: the original or the right picture, one clear line, no second
payment."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from PIL import Image

import fault_proxy
from cli_with_api import Person
from fakes import png
from imgshrink.image.metadata import read_metadata
from imgshrink.image.sniff import sniff
from lying_server import Fault, LyingServer, accepts_and_resets, replies, resets, says
from sample_images import first_frame, grey_animation, wide_profile

pytestmark = pytest.mark.slow

HOSTED = {"IMGSHRINK_ENGINE": "hosted"}


def photograph(**options: object) -> bytes:
    """Return a JPEG of soft, strong colours, at a quality that leaves something to gain."""
    small = Image.frombytes("RGB", (12, 9), random.Random(3).randbytes(12 * 9 * 3))
    buffer = io.BytesIO()
    small.resize((240, 180), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=97, **options)
    return buffer.getvalue()


def turned() -> bytes:
    """Return a photograph that lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return photograph(exif=exif)


def wide() -> bytes:
    """Return a photograph in a wide colour space."""
    return photograph(icc_profile=wide_profile())


@dataclass(frozen=True)
class Lie:
    """An image, what the API makes of it, and a word of the reason why that is not taken."""

    name: str
    image: Callable[[], bytes]
    lie: Callable[[bytes], bytes]
    word: str = ""


WRONG = {
    "another picture": Lie("a.jpg", photograph, fault_proxy.other, "looks different"),
    "a flattened grey_animation": Lie("a.gif", grey_animation, first_frame, "frame"),
    "no image": Lie("a.jpg", photograph, fault_proxy.junk, "not"),
}
RIGHT = {
    "smaller": Lie("a.jpg", photograph, fault_proxy.unoriented),
    "profile lost": Lie("a.jpg", wide, fault_proxy.profileless),
    "colours converted": Lie("a.jpg", wide, fault_proxy.srgb),
    "orientation applied": Lie("a.jpg", turned, fault_proxy.upright),
    "orientation lost": Lie("a.jpg", turned, fault_proxy.unoriented),
}


@pytest.mark.parametrize("lie", WRONG.values(), ids=WRONG)
def test_wrong_pictures(lie: Lie, server: LyingServer, person: Person) -> None:
    """A wrong picture is not placed, the image counts as one that gains nothing, and is not bought again."""
    server.shrink = lie.lie
    person.environ |= HOSTED
    person.has({lie.name: lie.image()})
    for _ in range(2):
        assert person.run("optimize", "docs", "--seal", "none")[0] == 0
    assert person.holds(lie.name) == lie.image()
    assert lie.word in person.run("explain", f"docs/{lie.name}")[1]
    assert server.posts == 1


@pytest.mark.parametrize("lie", RIGHT.values(), ids=RIGHT)
def test_right_pictures(lie: Lie, server: LyingServer, person: Person) -> None:
    """A picture that looks the same is taken, and what was lost on the way is put back where it is needed."""
    server.shrink = lie.lie
    person.environ |= HOSTED
    image = lie.image()
    person.has({lie.name: image})
    code, said = person.run("optimize", "docs")
    assert (code, server.posts) == (0, 1), said
    after = person.holds(lie.name)
    before, info = sniff(image), sniff(after)
    assert before is not None
    assert info is not None
    assert len(after) < len(image)
    assert info.displayed == before.displayed
    kept_apart = lie.lie is fault_proxy.srgb
    assert bool(read_metadata(after).icc) == (bool(read_metadata(image).icc) and not kept_apart)


def pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).convert("L").tobytes()


@dataclass(frozen=True)
class Trouble:
    """What goes wrong at a step each time, and a part of the one line that says so; `stays`: the images do."""

    step: str
    fault: Fault
    line: str
    posts: int
    stays: bool = False


TROUBLES = {
    "key refused": Trouble("upload", replies(401), "refused the API key (401): 2 new images went to the built-in", 2),
    "quota": Trouble(
        "upload", says(403, {"message": "Monthly quota exceeded"}),
        "quota used up after 0 uploads: 2 images went to the built-in codecs. It renews on 2026-12-01", 2,
    ),
    "upload 500": Trouble("upload", replies(500), "2 uploads to", 2),
    "upload cut off": Trouble("upload", accepts_and_resets, "2 uploads to", 2),
    "too busy": Trouble(
        "upload", replies(429, b"", {"Retry-After": "86400"}),
        "2 new images went to the built-in codecs; `imgshrink optimize --redo` asks the API again", 2,
    ),
    "no html": Trouble("upload", replies(200, b"<html>"), "2 uploads to", 2),
    "status broken": Trouble("status", replies(500), "2 images are paid for and still in work", 2, stays=True),
    "download broken": Trouble("download", resets, "2 images are paid for and still in work", 2, stays=True),
    "elsewhere": Trouble(
        "download", replies(302, b"", {"Location": "https://192.0.2.1/a"}), "add it to TINYJPG_DOWNLOAD_HOSTS", 2
    ),
}  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_troubles(trouble: Trouble, server: LyingServer, person: Person) -> None:
    """Whatever fails: exit 0, one line, the built-in codecs go on where nothing was paid for, and strict exits 3."""
    server.always[trouble.step] = trouble.fault
    person.has({"a.png": png(1), "b.png": png(2)})
    code, said = person.run("optimize", "docs")
    assert code == 0
    assert sum(trouble.line in line for line in said.splitlines()) == 1, said
    assert server.posts <= trouble.posts
    assert [pixels(person.holds(name)) for name in ("a.png", "b.png")] == [pixels(png(1)), pixels(png(2))]
    assert (person.holds("a.png") == png(1)) is trouble.stays
    person.has({"c.png": png(3), "d.png": png(4)})
    assert person.run("optimize", "docs", "--strict")[0] == 3


def test_no_network(person: Person) -> None:
    """A key and no network: the built-in codecs do the work, and one line says so."""
    person.environ["TINYJPG_API_URL"] = "https://nobody.invalid"
    person.has({f"{number}.png": png(number) for number in range(4)})
    code, said = person.run("optimize", "docs")
    assert code == 0
    assert said.count("nobody.invalid can't be reached") == 1
    assert all(len(person.holds(f"{number}.png")) < len(png(number)) for number in range(4))


@pytest.mark.parametrize("line", ['api_key = "tj_0123456789abcdef"', 'api_url = "https://evil.example"'])
def test_a_repository_that_redirects(line: str, server: LyingServer, person: Person) -> None:
    """What belongs to the account is refused in a repository's file, with the cure, and nothing is sent."""
    (person.project / "imgshrink.toml").write_text(line + "\n")
    person.has({"a.png": png(1)})
    code, said = person.run("optimize", "docs")
    assert code == 2
    assert "TINYJPG_" in said
    assert "tj_0123456789abcdef" not in said
    assert (server.seen, person.holds("a.png")) == ([], png(1))


def test_excluded_images_are_not_sent(server: LyingServer, person: Person) -> None:
    """An image that is excluded, or left to the built-in codecs, is not uploaded."""
    (person.project / "imgshrink.toml").write_text(
        'exclude = ["private/"]\n[[overrides]]\npaths = ["local/"]\nengine = "builtin"\n'
    )
    person.docs.joinpath("x").mkdir()
    person.has({"a.png": png(1)})
    for folder in ("private", "local"):
        (person.project / folder).mkdir()
        (person.project / folder / "b.png").write_bytes(png(2))
    code, _ = person.run("optimize", ".")
    assert (code, server.posts) == (0, 1)


def test_a_promise_of_privacy(server: LyingServer, person: Person) -> None:
    """`engine = "builtin"` in a project's file is not widened by anything."""
    (person.project / "imgshrink.toml").write_text('engine = "builtin"\n')
    person.has({"a.png": png(1)})
    person.environ |= HOSTED
    person.run("optimize", "docs", "--engine", "hosted")
    assert server.seen == []


def test_a_dry_run_spends_nothing(server: LyingServer, person: Person) -> None:
    """A dry run says what it would cost, asks at most about the account, and leaves everything as it is."""
    person.has({"a.png": png(1), "b.png": png(2)})
    code, said = person.run("optimize", "--dry-run", "docs")
    assert code == 0
    assert "2 uploads needed, quota left: 37" in said
    assert (server.posts, person.holds("a.png")) == (0, png(1))


def test_usage(server: LyingServer, person: Person) -> None:
    """`usage` shows what is left, and all that the API says."""
    server.always["usage"] = says(200, {"success": True, "data": {"trend": [{"month": "2026-10", "images": 4}]}})
    code, said = person.run("usage")
    assert code == 0
    assert "37" in said
    assert "2026-12-01" in said
    assert "month 2026-10, images 4" in said


def test_the_key_is_not_shown(server: LyingServer, person: Person) -> None:
    """Whatever the command prints, and whatever it leaves behind, the key is not in it."""
    server.next("upload", says(400, {"message": f"bad key {person.environ['TINYJPG_API_KEY']}"}))
    person.has({"a.png": png(1), "b.png": png(2)})
    report = person.project / "report.json"
    said = person.run("optimize", "docs", "-v", "--report", str(report))[1] + person.run("doctor")[1]
    left = [file for folder in (person.home, person.project) for file in folder.rglob("*") if file.is_file()]
    assert report in left
    key = person.environ["TINYJPG_API_KEY"]
    assert key not in said
    assert [file for file in left if key.encode() in file.read_bytes()] == []
