"""The table of settings, from which sources, command line options and documentation are made."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.model import DROP, KEEP
from .credentials import API_URL
from .folders import cache_folder, state_folder
from .machine import processors
from .parsers import (
    InvalidPart,
    InvalidValue,
    Parser,
    RawValue,
    boolean,
    cache_or_boolean,
    choice,
    document,
    duration,
    each,
    lines,
    path,
    per_cent,
    several,
    shown_value,
    size,
    whole,
    word,
)
from .shared import SharedSecrets, address, public_keys

OWN, PROJECT, MKDOCS, ENVIRONMENT, ARGUMENT = "own", "project", "mkdocs", "environment", "argument"
EVERYWHERE = (PROJECT, MKDOCS, ENVIRONMENT, ARGUMENT)
FILES = (PROJECT, MKDOCS)
BUILD = (MKDOCS, ENVIRONMENT)
IN_PERSON = (OWN, ENVIRONMENT, ARGUMENT)
"""The user's own file, and what is given for one run."""

PREFIX = "IMGSHRINK_"
ENGINES = ("auto", "hosted", "builtin")
MAX_TIME: Mapping[str, float | None] = {"plugin": 600, "hook": 300}


@dataclass(frozen=True)
class Field:
    """One setting: its parser, its default in words, what it means, and the sources that may set it."""

    name: str
    parse: Parser[Any]
    shown: str
    meaning: str
    places: tuple[str, ...] = EVERYWHERE

    @property
    def variable(self) -> str:
        """The name of its environment variable."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The name of its command line option."""
        return "--" + self.name.replace("_", "-")


@dataclass(frozen=True)
class Override:
    """Another quality or engine for the images that match `paths` (gitignore patterns); None leaves it as it is."""

    paths: tuple[str, ...]
    quality: int | None = None
    engine: str | None = None


QUALITY = whole(1, 100)
ENGINE = choice(*ENGINES)
PARTS: Mapping[str, Parser[Any]] = {"paths": lines, "quality": QUALITY, "engine": ENGINE}


def override(given: RawValue) -> Override:
    """Return one row of `overrides`, from a table."""
    row = given.value
    if not isinstance(row, Mapping):
        raise InvalidValue("a table with paths, and with quality or engine or both")
    for name in row:
        if name not in PARTS:
            raise InvalidPart(_unknown_part(str(name)))
    if "paths" not in row or len(row) < 2:
        missing = "quality or engine" if "paths" in row else "paths"
        raise InvalidPart(f"{missing} is missing; it must have paths, and quality or engine or both")
    return Override(**{name: _part(name, dataclasses.replace(given, value=value)) for name, value in row.items()})


def _unknown_part(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), list(PARTS), n=1, cutoff=0.5)
    return f"{name} is not known: " + (f"did you mean {near[0]}?" if near else f"known are {', '.join(PARTS)}")


def _part(name: str, given: RawValue) -> Any:  # noqa: ANN401  as various as the parts
    try:
        return PARTS[name](given)
    except InvalidValue as error:
        raise InvalidPart(f"{name} is {shown_value(given.value)}; it must be {error}") from None


def setting(
    default: object,
    shown: str,
    parse: Parser[Any],
    meaning: str,
    *,
    places: tuple[str, ...] = EVERYWHERE,
    computed: Callable[[], object] | None = None,
) -> Any:  # noqa: ANN401  # as dataclasses.field: what it stands for is the attribute's own type
    """Declare an attribute of `Settings` that users can set; `computed` returns a default of this machine."""
    metadata = {"setting": (parse, shown, meaning, places)}
    if computed is not None:
        return dataclasses.field(default_factory=computed, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """All settings, complete and checked.

    `base` is the folder of the project file (of the start where there is none). `docs` is the docs folder of the site
    whose file lies in the folder `site`, None for settings of no site. `sources` says for every setting where
    its value came from. `privacy`: the project's file promises that nothing is uploaded. `near` returns the settings
    under the project file that is nearest to a folder. `notes` are lines for people. `account_problem` says what is
    wrong with the API key or its file, "" where nothing is: only what uses the key fails for it.
    """

    engine: str = setting(
        "auto",
        "auto",
        ENGINE,
        "What shrinks the images: `auto` (the API with a key, else the built-in codecs), `hosted` (only the API) or "
        "`builtin`.",
    )
    quality: int = setting(80, "80", QUALITY, "How good images look, from 1 to 100; 100 is lossless.")
    min_saving: float = setting(2.0, "2", per_cent, "Least saving worth a rewrite, in per cent; at least 100 bytes.")
    min_size: int = setting(1024, "1024", size, "Files smaller than this many bytes are left alone.")
    seal: str = setting(
        "all",
        "all",
        choice("all", "outputs", "none"),
        "Which images get a seal: `all`, `outputs` (only shrunk ones) or `none`.",
    )
    embedded: str = setting(
        KEEP,
        "keep",
        choice(KEEP, DROP),
        "What becomes of what images carry for other programs, such as editable diagrams: `keep` or `drop`.",
    )
    include: tuple[str, ...] = setting((), "all", lines, "Shrink only images that match these gitignore patterns.")
    exclude: tuple[str, ...] = setting((), "none", lines, "Leave images alone that match these gitignore patterns.")
    overrides: tuple[Override, ...] = setting(
        (),
        "none",
        each(override),
        "List of `paths` with another `quality` or `engine`; the last match wins.",
        places=FILES,
    )
    jobs: int = setting(
        None,
        "what CPUs and memory allow",
        whole(1, 1024),
        "Number of worker processes for the codecs.",
        computed=processors,
    )
    max_uploads: int = setting(500, "500", whole(0, 10**9), "Most uploads in one run.")
    max_time: float | None = setting(
        None, "plugin 600, hook 300, else none", duration, "Seconds (or `10m`) after which no new image is started."
    )
    cache_dir: Path = setting(  # noqa: RUF009  # it is a dataclasses.field
        None, "user's cache folder", path, "Folder of the cache.", computed=lambda: cache_folder(os.environ)
    )
    cache_size: int = setting(2 * 1024**3, "2GiB", size, "Size limit of the cache.")
    shared_url: str | None = setting(
        None,
        "none",
        address,
        "Address of a shared cache: `s3://`, `gs://`, `az://`, `https://` or `file://`.",
        places=IN_PERSON,
    )
    shared_key: tuple[str, ...] = setting(
        (),
        "none",
        public_keys,
        "Public key whose results from the shared cache are believed; or two.",
        places=IN_PERSON,
    )
    strict: bool = setting(False, "false", boolean, "Fail where a note would be printed.")
    report: Path | None = setting(  # noqa: RUF009  # it is a dataclasses.field
        None, "none", document(".json", ".md", ".html"), "Write a report to this file: `.json`, `.md` or `.html`."
    )
    pages: str = setting(
        "off",
        "off",
        word("off", "reserve", "modern"),
        "What is written into the pages of a site: `off` (nothing), `reserve` (sizes and lazy loading of images) or "
        "`modern` (a WebP or AVIF variant beside each image too).",
    )
    pages_formats: tuple[str, ...] = setting(
        ("webp", "avif"), "webp, avif", several("webp", "avif"), "The formats that variants of images may have."
    )
    pages_saving: float = setting(
        10.0, "10", per_cent, "Least saving worth a variant, in per cent of the published image; at least 1 kB."
    )
    pages_eager: int = setting(
        2, "2", whole(0, 1000), "How many of the first images of a page's content are loaded at once."
    )
    pages_exclude: tuple[str, ...] = setting(
        (), "none", lines, "Leave pages of the site alone that match these gitignore patterns."
    )
    enabled: bool = setting(True, "true", boolean, "With false, builds run as if the plugin were absent.", places=BUILD)
    on_serve: bool | str = setting(
        False,
        "false",
        cache_or_boolean,
        "What `mkdocs serve` shrinks: false (nothing), `cache` (images with a result in the cache) or true.",
        places=BUILD,
    )
    upload_generated: bool = setting(
        False,
        "false",
        boolean,
        "With true, images of the theme and of other plugins may be uploaded too.",
        places=BUILD,
    )
    frontend: str = "command"
    base: Path = dataclasses.field(default_factory=Path.cwd)
    docs: Path | None = None
    site: Path = Path()
    bases: Mapping[str, Path] = dataclasses.field(default_factory=dict)
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict)
    privacy: bool = False
    project_file: Path | None = None
    home: Path = Path()  # a path is a value
    near: Callable[[Path], Settings] | None = dataclasses.field(default=None, repr=False, compare=False)
    notes: tuple[str, ...] = ()
    api_key: str | None = dataclasses.field(default=None, repr=False)
    key_empty: bool = False
    account_problem: str = ""
    api_url: str = API_URL
    download_hosts: tuple[str, ...] = ()
    proxy: str = dataclasses.field(default="", repr=False)
    shared: SharedSecrets = dataclasses.field(default_factory=SharedSecrets)
    state_dir: Path = dataclasses.field(default_factory=lambda: state_folder(os.environ))

    @property
    def html_report(self) -> bool:
        """Whether the report is an HTML page, which shows the images themselves."""
        return self.report is not None and self.report.suffix.lower() == ".html"

    def base_of(self, name: str) -> Path:
        """Return the folder that the patterns of setting `name` are relative to: that of the file that holds them."""
        return self.bases.get(name, self.base)


def fields_of(*places: str) -> tuple[Field, ...]:
    """Return the settings that one of `places` may set, in the order of the documentation; without places, all."""
    rows = [Field(row.name, *row.metadata["setting"]) for row in dataclasses.fields(Settings) if row.metadata]
    return tuple(row for row in rows if not places or set(places) & set(row.places))
