"""The words of the domain, as frozen values. Nothing here does I/O or imports beyond the standard library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


KEEP, DROP = "keep", "drop"


class Format(str, Enum):
    """An image format that imgshrink treats; the value is the word people see."""

    JPEG = "jpeg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"

    @property
    def extension(self) -> str:
        """The usual file name extension, with its dot."""
        return ".jpg" if self is Format.JPEG else f".{self.value}"

    @property
    def media_type(self) -> str:
        """The IANA media type."""
        return f"image/{self.value}"


@dataclass(frozen=True)
class ImageInfo:
    """What the bytes of one image say about it, read without decoding a pixel.

    `width` and `height` are pixels of the stored image, before `orientation` (EXIF, 1..8) is applied.
    `durations` are milliseconds a frame, empty for a still. `loop` is how often an animation plays, 0 for ever.
    `scans` counts those of a JPEG. `depth` is bits a sample; `colour` is `grey`, `rgb`, `palette`, `cmyk` or `yuv`.
    """

    format: Format
    width: int
    height: int
    frames: int = 1
    durations: tuple[int, ...] = ()
    loop: int = 1
    orientation: int = 1
    alpha: bool = False
    depth: int = 8
    colour: str = "rgb"
    colour_chunks: tuple[str, ...] = ()
    complete: bool = True
    image_count: int = 1
    signed: bool = False
    lossless: bool = False
    arithmetic: bool = False
    scans: int = 0
    trailing: int = 0

    @property
    def displayed(self) -> tuple[int, int]:
        """Width and height as a viewer shows them: swapped where the orientation turns the image by 90 degrees."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)

    @property
    def animated(self) -> bool:
        """More than one frame."""
        return self.frames > 1

    @property
    def duration(self) -> int:
        """Total duration in milliseconds, 0 for a still."""
        return sum(self.durations)

    @property
    def pixels(self) -> int:
        """Pixels of one frame."""
        return self.width * self.height

    @property
    def all_pixels(self) -> int:
        """Pixels of all frames together."""
        return self.pixels * self.frames


@dataclass(frozen=True)
class Recipe:
    """Everything asked for that can change the output bytes. `quality` is 1..100; 100 is lossless.

    `embedded` is what becomes of data that an image carries for other programs: `keep` or `drop`.
    """

    quality: int = 80
    embedded: str = KEEP

    @property
    def lossless(self) -> bool:
        """No pixel that a viewer sees may change."""
        return self.quality == 100

    @property
    def keeps(self) -> bool:
        """What an image carries for other programs stays, or the image is left alone."""
        return self.embedded == KEEP


class Verdict(str, Enum):
    """What is known of one content under one recipe and engine."""

    BETTER = "better"
    NOT_SMALLER = "not-smaller"
    REFUSED = "refused"
    DONE = "done"
    VARIANT = "variant"


@dataclass(frozen=True)
class Entry:
    """A cache value. `data` holds unsealed bytes and is empty unless `verdict` is BETTER or VARIANT.

    `reason` says why for REFUSED. `engine` names the engine that answered. `stored` is seconds since the epoch.
    `verify` is the version of verify that judged: a refusal counts for 30 days and under the same version only.
    DONE marks the bytes whose hash is the key as an output of ours; `quality` is what it was made with. VARIANT holds
    the modern variant of a published image, and no data where none gains enough.
    """

    verdict: Verdict
    data: bytes = b""
    reason: str = ""
    engine: str = ""
    stored: int = 0
    verify: int = 0
    quality: int = 0


@dataclass(frozen=True)
class Accept:
    """A candidate that shows the same image and is smaller.

    `data` is what to keep of it: reduced, and with what it lacked grafted.
    """

    data: bytes


@dataclass(frozen=True)
class NotSmaller:
    """A candidate that gains nothing, whatever it shows."""


@dataclass(frozen=True)
class Refuse:
    """A candidate that must not replace the original; `reason` is for people."""

    reason: str


Judgement = Accept | NotSmaller | Refuse


class Status(str, Enum):
    """What became of one file: the five words of the report's summary."""

    OPTIMIZED = "optimized"
    KEPT = "kept"
    SEALED = "sealed"
    SKIPPED = "skipped"
    FAILED = "failed"


class Reason(StrEnum):
    """Why a file stays as it is, where reports count such files; the value is the text people read."""

    SHRUNK = "already shrunk"
    NOT_SHRUNK = "not shrunk"
    SMALL = "smaller than min_size"
    READ_ONLY = "read-only: make it writable to have it shrunk"
    NOTHING_TO_GAIN = "nothing to gain"
    CHANGED = "edited while we worked on it"
    LATE = "max_time was over"
    BUSY = "another process is still at work on it"
    UNSERVED = "no engine could be asked"
    PENDING = "paid for: the next run collects the result"


@dataclass(frozen=True)
class Outcome:
    """What became of one file. `path` is the source path people know; sizes are bytes on disk before and after.

    `engine` names who answered, "" where nobody was asked. `reason` is for people, one line, "" for OPTIMIZED: a
    `Reason`, or what an engine or verify said. `sealed` is the quality of the seal that the file came with, if it is
    shrunk already, else 0. `dropped`: the file has lost what it carried for other programs, as was
    asked for. `wider`: how many times wider than shown the image is, 0 where the pages do not say.
    """

    path: str
    status: Status
    before: int
    after: int
    format: Format | None = None
    engine: str = ""
    from_cache: bool = False
    reason: str = ""
    dropped: bool = False
    sealed: int = 0
    wider: float = 0.0


@dataclass(frozen=True)
class Note:
    """One line for a person: what happened, to which file, what to do. `failure` notes fail a strict run."""

    text: str
    failure: bool = True


@dataclass(frozen=True)
class Source:
    """One file to treat: where it lies, the name people know it by, the recipe, and the engines to ask, in order."""

    path: Path
    name: str
    recipe: Recipe
    engines: tuple[str, ...]


@dataclass(frozen=True)
class ImageKey:
    """One content that an engine is asked about: the hash of its unsealed bytes, the recipe, what it is, its size."""

    content: str
    recipe: Recipe
    info: ImageInfo
    size: int


@dataclass(frozen=True)
class Plan:
    """What a run is about to do, known before the first engine is called. Sizes are bytes.

    `images`, `before`, `new` and `new_bytes` count files; `asked` holds the distinct contents by the engine that will
    be asked first.
    """

    images: int
    before: int
    new: int
    new_bytes: int
    asked: Mapping[str, Sequence[ImageKey]]


@dataclass(frozen=True)
class VariantRequest:
    """A published image that a variant is wanted for.

    `published` is its file in the built site, `original` the source file that it was made from, None where that is not
    known. `pages` counts the pages that show it.
    """

    published: Path
    original: Path | None
    pages: int


@dataclass(frozen=True)
class Variant:
    """A modern file beside a published image.

    `suffix` is added to the published file's name: `.webp` or `.avif`. `score` is the estimate of how alike it looks to
    the original, 100 at most, None where both show the same pixels.
    """

    suffix: str
    media_type: str
    data: bytes
    score: float | None
