"""Modern variants of published images: from the cache, else made here within the time that is left. Thread-safe."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..cache import Cache
from ..core.errors import Declined, Rejected, Unreadable
from ..core.keys import content_hash, variant_key
from ..core.model import Entry, ImageInfo, Recipe, Variant, VariantRequest, Verdict
from ..files.reader import read
from ..image.sniff import sniff
from ..image.variants.rules import MEDIA_TYPES, fits, needed, why_none
from .resolver import Locks
from .scheduler import TICK

Encode = Callable[[bytes, bytes, int], Variant | None]
"""Makes the variant of a published image, the second argument, at a quality. The first one is its original, b"" where
that is not known. Raises `EngineError`."""

WAIT = 300.0
"""Seconds for which another process is waited for that makes the same variant."""

ENGINE = "builtin"

_HEAD = re.compile(rb"(webp|avif) (-|\d{1,3}\.\d)\n")


@dataclass(frozen=True)
class VariantRules:
    """What decides about variants besides the images: `formats` are those allowed, `saving` is the least gain in per
    cent, `fingerprint` names the encoders and their rules."""

    formats: Sequence[str]
    saving: float
    fingerprint: str


@dataclass(frozen=True)
class _Image:
    """One published content, with its original and quality, at all its paths; `digest` and `original` are hashes."""

    key: str
    digest: str
    original: str
    info: ImageInfo
    size: int
    quality: int
    requests: tuple[VariantRequest, ...]

    @property
    def weight(self) -> int:
        """Bytes that are sent if each page that shows the image is read once."""
        return self.size * sum(max(1, request.pages) for request in self.requests)


class Variants:
    """The variants of one run: `threads` are made at once, none is begun after `end`, in monotonic seconds.

    Everything that waits watches `stop`. `quality` returns that of an image.
    """

    def __init__(
        self,
        cache: Cache,
        locks: Locks,
        encode: Encode,
        rules: VariantRules,
        *,
        quality: Callable[[VariantRequest], int],
        threads: int,
        end: float | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._cache, self._locks, self._encode, self._rules = cache, locks, encode, rules
        self._quality, self._threads = quality, max(1, threads)
        self._end, self._stop = end, stop or threading.Event()

    def find(
        self, requests: Iterable[VariantRequest], *, known_only: bool = False, waiting: Callable[[], None] | None = None
    ) -> Mapping[Path, Variant | None]:
        """Return the variants by published path: None where there is none to gain, nothing where it is not known yet.

        With `known_only` none is made. `waiting` is called about twice a second. Nothing is raised for an image.
        """
        found: dict[Path, Variant | None] = {}
        groups: dict[str, _Image] = {}
        for request in requests:
            image = self._inspected(request)
            if image is None:
                found[request.published] = None
            else:
                others = groups[image.key].requests if image.key in groups else ()
                groups[image.key] = _with(image, (*others, request))
        if groups:
            self._cache.prefetch({key: image.size for key, image in groups.items()}, {}, end=self._end)
        unknown: list[_Image] = []
        for image in groups.values():
            entry = self._known(image)
            if entry is None:
                unknown.append(image)
            else:
                _place(found, image, variant_of(entry))
        if not known_only:
            for image, variant in self._made(unknown, waiting):
                _place(found, image, variant)
        return found

    def known(self, original: bytes, published: bytes, quality: int) -> Entry | None:
        """Return what the cache knows of the variant of a published image, None for nothing; see `variant_of`."""
        image = self._image(original, published, quality)
        return None if image is None else self._known(image)

    def _inspected(self, request: VariantRequest) -> _Image | None:
        image = self._image(_content(request.original), _content(request.published), self._quality(request))
        return None if image is None else _with(image, (request,))

    def _image(self, original: bytes, published: bytes, quality: int) -> _Image | None:
        """Return what the bytes say, None where no variant is possible, or none can gain enough."""
        rules, size = self._rules, len(published)
        info = sniff(published)
        if info is None or why_none(published) or size <= needed(size, rules.saving):
            return None
        source, digest = content_hash(original) if original else "", content_hash(published)
        key = variant_key(source, digest, Recipe(quality), rules.fingerprint, rules.formats, rules.saving)
        return _Image(key, digest, source, info, size, quality, ())

    def _known(self, image: _Image) -> Entry | None:
        """Return the entry of a variant, or of none; one that is no variant of the image is a miss."""
        entry = self._cache.get(image.key)
        if entry is None or entry.verdict is not Verdict.VARIANT or not entry.data:
            return entry if entry is not None and entry.verdict is Verdict.VARIANT else None
        variant = variant_of(entry)
        return entry if variant is not None and fits(variant, image.info) else None

    def _made(
        self, images: Sequence[_Image], waiting: Callable[[], None] | None
    ) -> Iterator[tuple[_Image, Variant | None]]:
        """Yield each image with its variant, the heaviest first; those are left out that this run does not get to."""
        if not images or self._is_late():
            return
        from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

        pool = ThreadPoolExecutor(min(self._threads, len(images)), thread_name_prefix="imgshrink")
        try:
            ordered = sorted(images, key=lambda image: image.weight, reverse=True)
            running = {pool.submit(self._resolved, image): image for image in ordered}
            while running:
                done, _ = wait(running, timeout=TICK, return_when=FIRST_COMPLETED)
                for future in done:
                    image, error = running.pop(future), future.exception()
                    if error is None and (entry := future.result()) is not None:
                        yield image, variant_of(entry)
                if waiting is not None:
                    waiting()
        except BaseException:
            self._stop.set()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _is_late(self) -> bool:
        return self._stop.is_set() or (self._end is not None and time.monotonic() >= self._end)

    def _resolved(self, image: _Image) -> Entry | None:
        """Return the new entry of an image, None where time is over, a file has changed or the machine has failed."""
        if self._is_late():
            return None
        deadline = min(time.monotonic() + WAIT, self._end or float("inf"))
        with self._locks.hold(image.key, deadline=deadline, stop=self._stop) as held:
            known = self._known(image)
            if known is not None or not held or self._is_late():
                return known
            request = image.requests[0]
            published, original = _content(request.published), _content(request.original)
            if (content_hash(published), content_hash(original) if original else "") != (image.digest, image.original):
                return None
            data = self._encoded(original, published, image)
            entry = Entry(Verdict.VARIANT, data, "", ENGINE, int(time.time()), 0, image.quality)
            self._cache.put(image.key, entry)
            return entry

    def _encoded(self, original: bytes, published: bytes, image: _Image) -> bytes:
        """Return the data of the image's entry; raises where the machine failed, which says nothing about the image."""
        try:
            variant = self._encode(original, published, image.quality)
        except (Declined, Rejected):  # its pixels can't be read, here or anywhere
            variant = None
        return b"" if variant is None else _packed(variant)


def _with(image: _Image, requests: tuple[VariantRequest, ...]) -> _Image:
    return _Image(image.key, image.digest, image.original, image.info, image.size, image.quality, requests)


def _place(found: dict[Path, Variant | None], image: _Image, variant: Variant | None) -> None:
    for request in image.requests:
        found[request.published] = variant


def _content(path: Path | None) -> bytes:
    """Return the bytes of a file, b"" where there is none that can be read."""
    try:
        return b"" if path is None else read(path)
    except Unreadable:
        return b""


def _packed(variant: Variant) -> bytes:
    """Return the variant as the data of an entry: a line with its format and score, and its bytes."""
    score = "-" if variant.score is None else f"{max(0.0, variant.score):.1f}"
    return f"{variant.suffix[1:]} {score}\n".encode() + variant.data


def variant_of(entry: Entry) -> Variant | None:
    """Return the variant that an entry holds, None for an entry that says that there is none."""
    return _unpacked(entry.data)


def _unpacked(data: bytes) -> Variant | None:
    """Return the variant that `_packed` packed, None from other bytes."""
    head = _HEAD.match(data)
    if head is None:
        return None
    name = head[1].decode()
    score = None if head[2] == b"-" else float(head[2])
    return Variant(f".{name}", MEDIA_TYPES[name], data[head.end() :], score)
