"""What every engine promises, whatever stands behind it; one row of ENGINES for each."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest
from PIL import Image

from hosted_engine import FarHosted
from imgshrink.core import errors
from imgshrink.core.model import Accept, NotSmaller, Recipe
from imgshrink.engines import Engine
from imgshrink.engines.builtin import Builtin
from imgshrink.image.metadata import read_metadata
from imgshrink.image.sniff import sniff
from imgshrink.pixels.verify import verify
from imgshrink.worker_tasks import worker_pool
from screenshots import PICTURES, saved
from selection import rest_slow

ENGINES: dict[str, Callable[[], Engine]] = {"builtin": lambda: Builtin(worker_pool(2)), "hosted": FarHosted}
FORMATS = ("png", "jpeg", "webp", "gif")


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn, closed when its tests are done."""
    made = ENGINES[request.param]()
    yield made
    made.close()


@cache
def image(format: str) -> bytes:
    """Return an image that can be made smaller, and is small: it is encoded dozens of times."""
    return blinking() if format == "gif" else saved(part("transparent_diagram" if format == "png" else "code"), format)


def part(name: str) -> Image.Image:
    """Return a corner of a drawn image."""
    return PICTURES[name]().crop((0, 0, 144, 96))


def blinking() -> bytes:
    """Return an animation of different delays whose frames repeat what the screen shows."""
    frames = []
    for number in range(6):
        frame = Image.new("P", (120, 80), 1)
        frame.putpalette([0, 0, 0, 200, 220, 240, 255, 0, 0] + [9] * 750)
        frame.paste(2, (10 * number, 10, 10 * number + 30, 60))
        frames.append(frame)
    out = io.BytesIO()
    frames[0].save(out, "gif", save_all=True, append_images=frames[1:], duration=[50, 100, 150, 200, 250, 300], loop=3)
    return out.getvalue()


def ask(engine: Engine, data: bytes, quality: int = 80) -> bytes:
    info = sniff(data)
    assert info is not None
    return engine.optimize(data, info, Recipe(quality))


def test_name_and_fingerprint(engine):
    """An engine has a name of one word, and a fingerprint that stays the same."""
    assert engine.name.isidentifier()
    assert engine.fingerprint
    assert engine.fingerprint == engine.fingerprint


@pytest.mark.parametrize("quality", rest_slow([1, 40, 60, 80, 95, 100], lambda quality: quality in {60, 100}))
@pytest.mark.parametrize("format", FORMATS)
def test_acceptable(engine, format, quality):
    """Whatever quality is asked for, what comes back passes verify."""
    data = image(format)
    result = ask(engine, data, quality)
    assert result is data or isinstance(verify(data, result, Recipe(quality)), Accept | NotSmaller)


@pytest.mark.parametrize("format", FORMATS)
def test_smaller(engine, format):
    """A wasteful image comes back in fewer bytes and the same format."""
    data = image(format)
    result = ask(engine, data)
    assert len(result) < len(data)
    assert sniff(result).format is sniff(data).format


@pytest.mark.parametrize("format", FORMATS)
def test_deterministic(engine, format):
    """The same bytes and recipe give the same output, from many threads at once."""
    data = image(format)
    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(lambda _: ask(engine, data), range(4)))) == 1


def test_nothing_to_gain(engine):
    """Where nothing is to be gained the very input comes back."""
    out = io.BytesIO()
    Image.new("1", (1, 1)).save(out, "png")
    smallest = ask(engine, out.getvalue())
    assert ask(engine, smallest) is smallest


def test_timeline(engine):
    """An animation keeps its total time, its loop and its last image."""
    data = blinking()
    before, after = sniff(data), sniff(ask(engine, data))
    assert (before.duration, before.loop) == (after.duration, after.loop)


@pytest.mark.parametrize("format", ["jpeg", "webp", "png"])
def test_metadata(engine, format):
    """Profile, orientation and copyright survive, or are grafted by verify."""
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8298] = "(c) somebody"
    part("code").save(out, format, exif=exif, icc_profile=_profile(), **({"quality": 97} if format != "png" else {}))
    data = out.getvalue()
    judged = verify(data, ask(engine, data), Recipe(80))
    assert isinstance(judged, Accept)
    assert read_metadata(judged.data) == read_metadata(data)


def test_broken(engine):
    """A broken image raises an error of the engine's kind, and the engine goes on."""
    data = image("png")
    broken = data[:100] + b"\0" * 400 + data[500:]
    with pytest.raises(errors.EngineError):
        ask(engine, broken)
    assert len(ask(engine, data)) < len(data)


@pytest.mark.parametrize("make", ENGINES.values(), ids=ENGINES)
def test_close(make):
    """Closing twice is fine, and a closed engine is unavailable."""
    engine = make()
    engine.close()
    engine.close()
    with pytest.raises(errors.Unavailable):
        ask(engine, image("png"))


def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
