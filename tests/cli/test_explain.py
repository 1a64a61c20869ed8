"""What explain says of one file, and the doctor of everything around it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from imgshrink.cache.local import LocalCache
from imgshrink.cli.doctor import SECTIONS, examine_all
from imgshrink.cli.doctor.conflicts import neighbours
from imgshrink.cli.doctor.settings import account
from imgshrink.cli.explain import describe
from imgshrink.cli.values import in_words
from imgshrink.core.keys import cache_key, content_hash, done_key
from imgshrink.core.model import Entry, Recipe, VariantRequest, Verdict
from imgshrink.files.destinations import in_build as in_build_destination
from imgshrink.image.limits import VERIFY_VERSION
from imgshrink.session import Session
from imgshrink.settings.load import load
from places import IMAGES
from sample_images import saved, screen


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session with the built-in codecs and an empty cache."""
    with Session(load(tmp_path, environ=os.environ, arguments={"engine": "builtin"})) as made:
        yield made


def row(name: str, path: Path, session: Session) -> str:
    """The row `name` of what is said about `path`."""
    rows = [line.split(maxsplit=1) for line in describe(path, session)]
    return next(words for key, words in rows if key == name)


def builtin_key(data: bytes, session: Session) -> str:
    """The key under which the cache remembers what the built-in codecs made of `data`."""
    engine = next(engine for engine in session.resolver()._engines.values() if engine.name == "builtin")
    return cache_key(content_hash(data), Recipe(), engine.fingerprint)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (Entry(Verdict.NOT_SMALLER, engine="builtin"), "nothing to gain (builtin)"),
        (
            Entry(Verdict.REFUSED, reason="another picture", engine="builtin", verify=VERIFY_VERSION),
            "another picture (builtin)",
        ),
    ],
)
def test_what_is_known(photo: Path, session: Session, entry: Entry, words: str) -> None:
    """A remembered answer is told with its reason."""
    cache: LocalCache = session.cache
    assert cache.put(builtin_key(photo.read_bytes(), session), entry)
    assert row("result", photo, session).endswith(words)


def test_saving_that_is_too_small(photo: Path) -> None:
    """A smaller result that would not replace the file is told as such."""
    options = {"engine": "builtin", "min_saving": "90"}
    with Session(load(photo.parent, environ=os.environ, arguments=options)) as session:
        session.warm([photo])
        assert row("result", photo, session).startswith("nothing to gain: ")
        assert row("result", photo, session).endswith("less than min_saving")


def test_excluded_image(photo: Path) -> None:
    """An excluded image is left alone; that comes first."""
    with Session(load(photo.parent, environ=os.environ, arguments={"exclude": (photo.name,)})) as session:
        assert row("state", photo, session) == "left alone: excluded"
        assert row("engines", photo, session).startswith("hosted (no API key: cached results only), then builtin")


def test_output_without_a_mark(photo: Path, session: Session) -> None:
    """An output of ours that lost its mark is known as such."""
    session.cache.put(done_key(content_hash(photo.read_bytes())), Entry(Verdict.DONE, engine="builtin", quality=80))
    assert row("result", photo, session) == "an output of imgshrink (builtin)"


@pytest.mark.slow
def test_variant(tmp_path: Path, session: Session) -> None:
    """A variant that builds know is told, also of an image that is shrunk in place; an unknown one has no row."""
    source = tmp_path / "a.png"
    source.write_bytes(saved(screen(), "PNG"))
    published = Path(shutil.copy(source, tmp_path / "published.png"))
    in_build = [replace(session.selection.source(published, "a.png"), path=published)]
    list(session.run(in_build, destination=in_build_destination, in_place=False))
    assert not any(line.strip().startswith("variant") for line in describe(source, session))
    session.variants([VariantRequest(published, source, 1)])
    assert "smaller than the published image, the same pixels" in row("variant", source, session)
    session.optimize([source])
    assert not any(line.strip().startswith("variant") for line in describe(source, session))
    session.variants([VariantRequest(source, source, 1)])
    assert row("variant", source, session).startswith("WEBP, ")


def test_no_variant(tmp_path: Path, session: Session) -> None:
    """That an image has no variant is told."""
    path = tmp_path / "a.jpg"
    path.write_bytes(saved(screen().crop((0, 0, 64, 48)), "JPEG", quality=100))
    with Session(replace(session.settings, quality=100)) as lossless:
        lossless.variants([VariantRequest(path, path, 1)])
        assert row("variant", path, lossless) == "none: it would not be small enough"


def test_engine_that_may_not_be_asked(photo: Path, tmp_path: Path) -> None:
    """With only the API to ask and no key, no engine may be asked."""
    with Session(load(tmp_path, environ=os.environ, arguments={"engine": "hosted"})) as session:
        assert row("result", photo, session) == "none yet: no engine is available"


@pytest.mark.parametrize(
    ("data", "words"), [(b"", "left alone: empty file"), ((IMAGES / "animated.gif").read_bytes()[:900], "left alone: ")]
)
def test_file_that_is_left_alone(tmp_path: Path, session: Session, data: bytes, words: str) -> None:
    """A file that is left alone is told with the reason."""
    path = tmp_path / "a.gif"
    path.write_bytes(data)
    assert row("state", path, session).startswith(words)


def test_animation(tmp_path: Path, session: Session) -> None:
    """An animation is told with its frames."""
    path = Path(shutil.copy(IMAGES / "animated.gif", tmp_path))
    first = next(describe(path, session))
    assert " frames, " in first


def test_file_that_is_gone(tmp_path: Path, session: Session) -> None:
    """A file that can't be read is told with the reason, and nothing is raised."""
    assert row("state", tmp_path / "gone.png", session).startswith("left alone: can't be read")
    assert row("seal", tmp_path / "gone.png", session) == "none"


def test_image_that_can_not_carry_the_mark(tmp_path: Path, session: Session) -> None:
    """An image that may not be marked is told with the reason."""
    path = tmp_path / "cut.jpg"
    path.write_bytes((IMAGES / "photo.jpg").read_bytes()[:-2])
    assert row("seal", path, session).startswith("none, and none is possible: ")


def test_finished_file_without_an_original(photo: Path, session: Session) -> None:
    """A finished file whose original is not kept here is told where one may be."""
    from imgshrink.image.seal import seal

    photo.write_bytes(seal(photo.read_bytes(), 80))
    assert row("undo", photo, session).startswith("no backup is kept; imgshrink restore ")


STRIPPED = (
    "! .pre-commit-config.yaml: oxipng --strip removes the seal, and imgshrink adds it again: use only one of them"
)
REPEATED = "! .pre-commit-config.yaml: oxipng works on the same images: use only one of them"


STRIPS_METADATA = (
    "! .pre-commit-config.yaml: strip-exif removes the seal, and imgshrink adds it again: put it before imgshrink"
)
LARGE_FIRST = (
    "! .pre-commit-config.yaml: check-added-large-files measures images before they are shrunk: put it after imgshrink"
)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("- id: oxipng\n", REPEATED),
        ("- id: 'oxipng'\n  args: ['-s']\n", STRIPPED),
        ("- id: oxipng\n- id: x\n  args: [--strip]\n", REPEATED),
        ("- id: imgshrink\n- id: ruff\n", "none found"),
        ("- {id: oxipng, args: [--strip, safe]}\n", STRIPPED),
        ("- {id: x, args: [--strip]}\n- {args: [], id: oxipng}\n", REPEATED),
        ("# - id: oxipng\n- id: imgshrink\n", "none found"),
        ("- id: strip-exif\n", STRIPS_METADATA),
        ("- id: exif-cleaner\n", STRIPS_METADATA.replace("strip-exif", "exif-cleaner")),
        ("- id: check-added-large-files\n- id: imgshrink\n", LARGE_FIRST),
        ("- id: imgshrink\n- id: check-added-large-files\n", "none found"),
        ("- id: check-added-large-files\n", "none found"),
    ],
)
def test_hooks_beside_ours(tmp_path: Path, session: Session, config: str, expected: str) -> None:
    """Other hooks for images are named, from any folder of the repository."""
    (tmp_path / ".pre-commit-config.yaml").write_text(f"repos:\n- repo: x\n  hooks:\n{config}")
    (tmp_path / "docs").mkdir()
    assert list(neighbours(session, tmp_path / "docs", {})) == [expected]


@pytest.mark.parametrize(
    ("plugins", "found"),
    [
        ("  - optimize\n  - imgshrink\n", True),
        ("  - imgshrink\n  - material/optimize:\n      enabled: !ENV [CI, false]\n", True),
        ("  - imgshrink\n  - optimize:\n      enabled: false\n", False),
        ("  - optimize\n", False),
        ("  - imgshrink\n", False),
        ("  imgshrink: {}\n  optimize: {enabled: true}\n", True),
        ("  [imgshrink, material/optimize]\n", True),
        ("  imgshrink: {}\n  optimize: {enabled: false}\n", False),
        ("  - imgshrink\n  - optimize:\n      enabled: !ENV [CI, false]\n  - x: !!python/name:a.b\n", True),
    ],
)
def test_plugins_beside_ours(tmp_path: Path, session: Session, plugins: str, *, found: bool) -> None:
    """Material's optimize is named where it is on beside our plugin."""
    (tmp_path / "mkdocs.yml").write_text(f"site_name: x\nplugins:\n{plugins}")
    assert any("Material's optimize" in line for line in neighbours(session, tmp_path, {})) is found


def test_zensical_is_named(tmp_path: Path, session: Session) -> None:
    """Zensical ignores our plugin, and says nothing."""
    (tmp_path / "zensical.toml").write_text("")
    assert any("Zensical runs no plugins" in line for line in neighbours(session, tmp_path, {}))


def test_site_without_a_reader_of_yaml(tmp_path: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no YAML reader, or the file is broken, the usual form is known all the same."""
    (tmp_path / "mkdocs.yml").write_text("plugins:\n  - optimize\n  - imgshrink\nbroken: [\n")
    assert any("Material's optimize" in line for line in neighbours(session, tmp_path, {}))
    (tmp_path / "mkdocs.yml").write_text("plugins:\n  - optimize\n  - imgshrink\n")
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert any("Material's optimize" in line for line in neighbours(session, tmp_path, {}))


def test_doctor_finds_what_can_not_be_written(tmp_path: Path, session: Session) -> None:
    """A cache folder that can't be written is named."""
    (tmp_path / "file").write_text("")
    settings = load(tmp_path, environ=os.environ, arguments={"cache_dir": str(tmp_path / "file")})
    with Session(settings) as broken:
        assert any("can't be written" in line for line in examine_all(broken, tmp_path, {}))


def test_doctor_names_broken_codecs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Codecs that can't be loaded are named."""
    (tmp_path / "pyvips").mkdir()
    (tmp_path / "pyvips" / "__init__.py").write_text("raise ImportError('no libvips')")
    (tmp_path / "oxipng.py").write_text("raise ImportError('no oxipng')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Session(load(tmp_path, environ=os.environ)) as session:
        assert any(
            "! the built-in codecs can't be loaded: no libvips" in line for line in examine_all(session, tmp_path, {})
        )


def test_doctor_names_a_missing_package(tmp_path: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that a result needs and that is not installed is named with the cure."""
    monkeypatch.setattr("imgshrink.cli.doctor.environment.NEEDED", ("no-such-codec",))
    assert "  ! no-such-codec is missing: pip install --force-reinstall imgshrink" in examine_all(session, tmp_path, {})


@pytest.mark.parametrize(
    ("engine", "words"), [("auto", "no key: images go to the built-in codecs"), ("hosted", "hosted")]
)
def test_doctor_without_a_key(tmp_path: Path, engine: str, words: str) -> None:
    """The doctor says what becomes of images without a key."""
    with Session(load(tmp_path, environ=os.environ, arguments={"engine": engine})) as session:
        assert any(words in line for line in SECTIONS["account"](session, tmp_path, {}))


def test_doctor_names_what_a_run_would_stumble_over(tmp_path: Path, session: Session) -> None:
    """Images that were not fetched and files that a killed run left are named, at most three of a kind."""
    for number in range(5):
        (tmp_path / f"{number}.png").write_text("version https://git-lfs.github.com/spec/v1\n")
    (tmp_path / ".imgshrink-0123456789abcdef.tmp").write_bytes(b"")
    lines = list(SECTIONS["images"](session, tmp_path, {}))
    assert lines[0].startswith("5 images below ")
    assert lines[1] == "! 5 images of Git LFS not fetched: 0.png, 1.png, 2.png, 2 more: git lfs pull"
    assert lines[2].startswith("! 1 temporary file of an interrupted run: .imgshrink-0123456789abcdef.tmp")


def test_doctor_keeps_the_promise(tmp_path: Path) -> None:
    """A promise of privacy is told, and so is a source that was ignored for it."""
    (tmp_path / "imgshrink.toml").write_text('engine = "builtin"\n')
    settings = load(tmp_path, environ=os.environ, arguments={"engine": "hosted"})
    with Session(settings) as session:
        lines = list(examine_all(session, tmp_path, {}))
    assert "  nothing is uploaded: engine is builtin in the project file" in lines
    assert any(line.startswith("  ! --engine names another engine, and is ignored") for line in lines)


def test_settings_of_a_nested_project_file_are_named(tmp_path: Path, photo: Path) -> None:
    """The image's own project file is said to exclude it, and to decide its quality; nothing is promised for it."""
    nested = tmp_path / "web" / "imgshrink.toml"
    nested.parent.mkdir()
    nested.write_text('exclude = ["photo.jpg"]\nquality = 95\n')
    moved = Path(shutil.move(photo, nested.parent))
    (tmp_path / "imgshrink.toml").write_text("quality = 70\n")
    with Session(load(tmp_path, environ={}, arguments={"engine": "builtin"})) as session:
        lines = "\n".join(describe(moved, session))
        assert row("excluded", moved, session) == f"exclude in {nested}"
        assert row("quality", moved, session) == f"95 (quality in {nested})"
    assert "the next run makes one" not in lines


def test_source_of_a_site_is_no_alarm(tmp_path: Path, photo: Path) -> None:
    """For users of the plugin an image of the docs stays as it is; builds publish its result."""
    with Session(replace(load(tmp_path, environ={}), docs=tmp_path, site=tmp_path)) as session:
        assert row("state", photo, session) == "a source of the site, left as it is: builds publish the result"


def test_doctor_says_which_proxy_is_used(tmp_path: Path) -> None:
    """A proxy is named by its source and never with its password; one for any program alone is said not to be used."""
    mine = {"TINYJPG_API_KEY": "tj_0123456789", "XDG_CONFIG_HOME": str(tmp_path)}
    for more, line in (
        ({"TINYJPG_PROXY": "http://me:word@p:1"}, "connections go through a proxy (TINYJPG_PROXY)"),
        ({"HTTPS_PROXY": "http://p:1"}, "HTTPS_PROXY is not used: TINYJPG_PROXY names a proxy for the API"),
    ):
        environ = mine | more
        with Session(load(tmp_path, environ=environ)) as session:
            lines = list(account(session, tmp_path, environ))
            assert line in lines
            assert "word" not in "".join(lines) + repr(session.settings)
            assert in_words(session.settings, "proxy") == ("hidden" if "@" in session.settings.proxy else "")
