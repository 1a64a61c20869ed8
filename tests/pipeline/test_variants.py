"""Variants as the pipeline finds them: remembered by content, made once, in order, within time, never an exception."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import Free, Memory, png
from imgshrink.core.errors import Declined, EngineError, MachineTrouble, Rejected, Unavailable
from imgshrink.core.model import Entry, Variant, VariantRequest, Verdict
from imgshrink.pipeline.variants import VariantRules, Variants
from sample_images import photo, saved

WEBP = saved(photo().resize((96, 96)), "WEBP", quality=1)
EXACT = Variant(".webp", "image/webp", WEBP, None)
LOSSY = Variant(".webp", "image/webp", WEBP, 87.3)


class Encoder:
    """Gives every image the same variant, and writes down what it was given; can do something else first."""

    def __init__(self, variant: Variant | None = EXACT, before: Callable[[bytes], None] = lambda data: None) -> None:
        self.asked: list[tuple[bytes, bytes, int]] = []
        self._variant, self._before = variant, before

    def __call__(self, original: bytes, published: bytes, quality: int) -> Variant | None:
        """Return the variant."""
        self.asked.append((original, published, quality))
        self._before(published)
        return self._variant


class Site:
    """A folder of published images, a cache, and an encoder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = Memory()
        self.encoder = Encoder()
        self.rules = VariantRules(("webp", "avif"), 10, "encoder 1")
        self.locks = Free()
        self.end: float | None = None
        self.stop = threading.Event()
        self.quality = 80
        self.threads = 1

    def put(self, name: str, data: bytes, *, pages: int = 1, original: Path | None = None) -> VariantRequest:
        """Publish an image."""
        path = self.folder / name
        path.write_bytes(data)
        return VariantRequest(path, original, pages)

    def find(self, *requests: VariantRequest, known_only: bool = False) -> dict[str, Variant | None]:
        """Find their variants, by file name."""
        variants = Variants(
            self.cache,
            self.locks,
            self.encoder,
            self.rules,
            quality=lambda request: self.quality,
            threads=self.threads,
            end=self.end,
            stop=self.stop,
        )
        return {path.name: found for path, found in variants.find(requests, known_only=known_only).items()}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty site."""
    return Site(tmp_path)


def raising(error: BaseException) -> Callable[[bytes], None]:
    """Return a function that raises an error."""

    def fail(data: bytes) -> None:
        raise error

    return fail


@pytest.mark.parametrize("variant", [EXACT, LOSSY, Variant(".webp", "image/webp", WEBP, 100.0)])
def test_made_once(site: Site, variant: Variant) -> None:
    """A variant is made once and then known, with its kind and score, by another run as well."""
    site.encoder = Encoder(variant)
    image = site.put("a.png", png(1))
    assert site.find(image) == site.find(image) == site.find(image, known_only=True) == {"a.png": variant}
    assert site.encoder.asked == [(b"", png(1), 80)]


def test_no_gain_is_remembered(site: Site) -> None:
    """That there is nothing to gain is known too."""
    site.encoder = Encoder(None)
    image = site.put("a.png", png(1))
    assert site.find(image) == site.find(image) == {"a.png": None}
    assert len(site.encoder.asked) == 1
    assert [entry.verdict for entry in site.cache.entries.values()] == [Verdict.VARIANT]


def test_equal_images(site: Site) -> None:
    """Files of equal content share one variant."""
    images = [site.put(f"{number}.png", png(1)) for number in range(3)]
    assert site.find(*images) == dict.fromkeys(("0.png", "1.png", "2.png"), EXACT)
    assert len(site.encoder.asked) == 1


def test_original(site: Site, tmp_path: Path) -> None:
    """The original takes part, as bytes and in the key; one that is gone counts as unknown."""
    source = tmp_path / "source.png"
    source.write_bytes(png(7))
    image = site.put("a.png", png(1), original=source)
    site.find(image)
    source.write_bytes(png(8))
    site.find(image)
    source.unlink()
    site.find(image)
    assert [original for original, _, _ in site.encoder.asked] == [png(7), png(8), b""]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quality", 70),
        ("rules", VariantRules(("webp",), 10, "encoder 1")),
        ("rules", VariantRules(("webp", "avif"), 20, "encoder 1")),
        ("rules", VariantRules(("webp", "avif"), 10, "encoder 2")),
    ],
)
def test_what_makes_another_variant(site: Site, name: str, value: object) -> None:
    """Another quality, choice of formats, least gain or encoder is asked anew."""
    image = site.put("a.png", png(1))
    site.find(image)
    setattr(site, name, value)
    assert site.find(image, known_only=True) == {}
    site.find(image)
    assert len(site.encoder.asked) == 2


def test_order(site: Site) -> None:
    """Those come first of which readers load most bytes: size times pages, equal content together."""
    small, large = png(1), png(2, side=160)
    images = [site.put("small.png", small), site.put("large.png", large), site.put("often.png", png(3), pages=9)]
    images += [site.put("small2.png", png(4)), site.put("small3.png", png(4), pages=0)]
    site.find(*images)
    assert [published for _, published, _ in site.encoder.asked] == [png(3), large, png(4), small]


def test_nothing_to_encode(site: Site, tmp_path: Path) -> None:
    """No encoder sees what can have no variant, or is too small to gain a kilobyte."""
    images = [
        site.put("a.webp", WEBP),
        site.put("tiny.png", png(1, side=8)),
        site.put("text.png", b"no image"),
        VariantRequest(tmp_path / "missing.png", None, 1),
    ]
    assert site.find(*images) == dict.fromkeys(("a.webp", "tiny.png", "text.png", "missing.png"))
    assert (site.encoder.asked, site.cache.entries) == ([], {})


def test_known_only(site: Site) -> None:
    """Without permission to encode, what is not known is absent."""
    images = [site.put("a.png", png(1)), site.put("b.png", png(2))]
    site.find(images[0])
    assert site.find(*images, known_only=True) == {"a.png": EXACT}
    assert len(site.encoder.asked) == 1


def test_no_time(site: Site) -> None:
    """After the end nothing is begun: what is not known is absent, and the next run makes it."""
    image = site.put("a.png", png(1))
    site.end = time.monotonic()
    assert (site.find(image), site.encoder.asked) == ({}, [])
    site.end = None
    assert site.find(image) == {"a.png": EXACT}


def test_time_runs_out(site: Site) -> None:
    """What has begun ends, what has not is absent and taken up by the next run."""
    images = [site.put(f"{number}.png", png(number)) for number in range(4)]
    site.encoder = Encoder(before=lambda data: site.stop.set())
    assert len(site.find(*images)) == 1
    site.stop = threading.Event()
    site.encoder = Encoder()
    assert len(site.find(*images)) == 4
    assert len(site.encoder.asked) == 3


@pytest.mark.parametrize("error", [MachineTrouble("killed"), Unavailable("interrupted"), EngineError(), ValueError()])
def test_machine_trouble(site: Site, error: Exception) -> None:
    """Trouble of the machine is absent, not remembered, and of this image alone."""
    site.encoder = Encoder(before=lambda data: None if data == png(2) else raising(error)(data))
    images = [site.put("a.png", png(1)), site.put("b.png", png(2))]
    assert site.find(*images) == {"b.png": EXACT}
    site.encoder = Encoder()
    assert site.find(*images) == {"a.png": EXACT, "b.png": EXACT}
    assert len(site.encoder.asked) == 1


@pytest.mark.parametrize("error", [Rejected("broken"), Declined("not an image")])
def test_unreadable(site: Site, error: Exception) -> None:
    """An image whose pixels can't be read has no variant, and that is remembered."""
    site.encoder = Encoder(before=raising(error))
    image = site.put("a.png", png(1))
    assert site.find(image) == site.find(image) == {"a.png": None}
    assert len(site.encoder.asked) == 1


def test_interrupted(site: Site) -> None:
    """Ctrl-C while it works ends it and is raised."""
    image = site.put("a.png", png(1))
    variants = Variants(
        site.cache, site.locks, site.encoder, site.rules, quality=lambda request: 80, threads=2, stop=site.stop
    )
    with pytest.raises(KeyboardInterrupt):
        variants.find([image], waiting=lambda: raising(KeyboardInterrupt())(b""))
    assert site.stop.is_set()


def test_changed_while_it_waited(site: Site) -> None:
    """A file that is replaced before its turn gets no variant of what it was."""
    images = [site.put("a.png", png(1, side=160)), site.put("b.png", png(2))]

    def publish_another(data: bytes) -> None:
        images[1].published.write_bytes(png(3))

    site.encoder = Encoder(before=publish_another)
    assert site.find(*images) == {"a.png": EXACT}


def test_busy(site: Site) -> None:
    """What another process is at for too long is absent; what it has made meanwhile is taken."""
    image = site.put("a.png", png(1))
    site.locks = Free(taken=1)
    assert (site.find(image), site.encoder.asked) == ({}, [])
    site.find(image)
    key, entry = site.cache.entries.popitem()

    class Other(Free):
        """Somebody who stores the entry before the lock is free."""

        def hold(self, key: str, *, deadline: float | None, stop: threading.Event):  # type: ignore[no-untyped-def]
            site.cache.entries[key] = entry
            return super().hold(key, deadline=deadline, stop=stop)

    site.locks = Other()
    site.encoder = Encoder()
    assert (site.find(image), site.encoder.asked, site.locks.held) == ({"a.png": EXACT}, [], [key])


@pytest.mark.parametrize(
    "entry",
    [
        Entry(Verdict.BETTER, WEBP),
        Entry(Verdict.VARIANT, b"webp -\n" + WEBP[:-9]),
        Entry(Verdict.VARIANT, b"webp -\n" + saved(photo(), "WEBP")),
        Entry(Verdict.VARIANT, b"jxl -\n" + WEBP),
        Entry(Verdict.VARIANT, WEBP),
    ],
)
def test_wrong_entry(site: Site, entry: Entry) -> None:
    """An entry that is no variant of the image is a miss, and replaced."""
    image = site.put("a.png", png(1))
    site.find(image)
    site.cache.entries = dict.fromkeys(site.cache.entries, entry)
    assert site.find(image) == {"a.png": EXACT}
    assert len(site.encoder.asked) == 2


def test_many_threads(site: Site) -> None:
    """Two images are made at once where two threads may work."""
    both = threading.Barrier(2, timeout=60)
    site.encoder = Encoder(before=lambda data: (both.wait(), None)[1])
    site.threads = 2
    images = [site.put("a.png", png(1)), site.put("b.png", png(2))]
    assert site.find(*images) == {"a.png": EXACT, "b.png": EXACT}
