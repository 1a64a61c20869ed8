"""Rules reach every image of a build, wherever the docs lie; where they can't, nothing is uploaded."""

from __future__ import annotations

import sys
import unicodedata
import venv
from pathlib import Path

import pytest

from lying_server import LyingServer, lying_server
from places import ROOT
from real_tools import OTHER_PNG, PNG, build, lines, make_repository, program, run
from shell import INSTALLING

pytestmark = pytest.mark.slow
SECRET = OTHER_PNG.read_bytes()


@pytest.fixture
def api():
    """An API that counts the uploads it gets."""
    with lying_server() as running:
        yield running


def with_key(api: LyingServer) -> dict[str, str]:
    return {"TINYJPG_API_KEY": "key", "TINYJPG_API_URL": api.url}


def docs_elsewhere(root: Path, options: str) -> Path:
    """A site whose docs lie beside the folder of its mkdocs.yml."""
    (root / "docs" / "img").mkdir(parents=True)
    (root / "docs" / "img" / "top.png").write_bytes(PNG.read_bytes())
    (root / "docs" / "img" / "secret.png").write_bytes(SECRET)
    (root / "docs" / "index.md").write_text("# A\n\n![](img/top.png) ![](img/secret.png)\n")
    site = root / "website"
    site.mkdir()
    (site / "mkdocs.yml").write_text(f"site_name: x\ndocs_dir: ../docs\nplugins:\n  - imgshrink:\n      {options}\n")
    return site


@pytest.mark.parametrize(
    "pattern",
    [
        "secret.png",
        "img/",
        "docs/img/secret.png",
        "../docs/img/secret.png",
        "img/secret.png",
        "**/secret.png",
        "/img/*t.png",
    ],
)
def test_docs_beside_the_configuration(tmp_path: Path, api: LyingServer, pattern: str) -> None:
    """With `docs_dir: ../docs` an excluded image is neither uploaded nor changed, however the pattern is written."""
    site = docs_elsewhere(tmp_path, f'exclude: ["{pattern}"]')
    done = build(site, environ=with_key(api))
    assert done.returncode == 0, done.stdout
    assert api.posts == (0 if pattern == "img/" else 1)
    assert (site / "site" / "img" / "secret.png").read_bytes() == SECRET
    assert not any("matches no image" in line for line in lines(done))
    assert any(" excluded" in line for line in lines(done))


@pytest.mark.parametrize("pattern", ["secret.png", "../docs/img/", "docs/img/secret.png"])
def test_overrides_of_docs_beside_the_configuration(tmp_path: Path, api: LyingServer, pattern: str) -> None:
    """An override that keeps an image from the API holds for docs that lie elsewhere."""
    site = docs_elsewhere(tmp_path, f'overrides: [{{paths: ["{pattern}"], engine: builtin}}]')
    assert build(site, environ=with_key(api)).returncode == 0
    assert api.posts == (0 if pattern.endswith("/") else 1)


def test_include_of_docs_beside_the_configuration(tmp_path: Path, api: LyingServer) -> None:
    """`include` of a path below the docs takes just that."""
    site = docs_elsewhere(tmp_path, 'include: ["docs/img/top.png"]')
    assert build(site, environ=with_key(api)).returncode == 0
    assert api.posts == 1
    assert (site / "site" / "img" / "secret.png").read_bytes() == SECRET


def monorepo(root: Path, options: str) -> Path:
    """A site that takes the docs of a sub-project in, as Backstage's do."""
    pytest.importorskip("mkdocs_monorepo_plugin")
    for docs, names in (("docs", ("top.png", "secret.png")), ("sub/docs", ("ok.png", "secret.png"))):
        (root / docs).mkdir(parents=True)
        for number, name in enumerate(names):
            data = SECRET if name == "secret.png" else PNG.read_bytes()
            (root / docs / name).write_bytes(data + (b"" if docs == "docs" or number else b"\0"))
        (root / docs / "index.md").write_text("# A\n\n" + " ".join(f"![]({name})" for name in names) + "\n")
    (root / "sub" / "mkdocs.yml").write_text("site_name: sub\nnav: [{Home: index.md}]\n")
    nav = "nav:\n  - Home: index.md\n  - Sub: '!include ./sub/mkdocs.yml'\n"
    (root / "mkdocs.yml").write_text(f"site_name: x\n{nav}plugins:\n  - monorepo\n  - imgshrink:\n      {options}\n")
    return root


def test_monorepo(tmp_path: Path, api: LyingServer) -> None:
    """A pattern without a slash reaches the images of every sub-project of a monorepo build."""
    site = monorepo(tmp_path, "exclude: [secret.png]")
    done = build(site, environ=with_key(api))
    assert done.returncode == 0, done.stdout
    assert api.posts == 2
    assert (site / "site" / "secret.png").read_bytes() == SECRET
    assert (site / "site" / "sub" / "secret.png").read_bytes() == SECRET


def test_monorepo_with_a_pattern_that_may_not_reach(tmp_path: Path, api: LyingServer) -> None:
    """Where a pattern is written for a path that another plugin has moved, what it may mean is not uploaded."""
    site = monorepo(tmp_path, "exclude: [docs/secret.png, sub/docs/secret.png]")
    done = build(site, environ=with_key(api))
    assert done.returncode == 0, done.stdout
    assert (site / "site" / "secret.png").read_bytes() == SECRET
    assert api.posts == 1  # docs/top.png; of the sub-project nothing
    said = lines(done)
    assert any("2 images were not uploaded: another plugin has moved the docs folder" in line for line in said)
    assert any('"sub/docs/secret.png" in exclude of mkdocs.yml matches no image' in line for line in said)


@pytest.fixture(scope="module", params=["properdocs", "mkdocs-techdocs-core"])
def other_builder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """ProperDocs without MkDocs, and Backstage's plugin, each in an environment of its own; its name and program.

    Neither belongs into the tests' own environment: the one stands for MkDocs, the other asks for one Material.
    """
    name = str(request.param)
    folder = tmp_path_factory.mktemp(name)
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    words = (programs / "python", "-m", "pip", "install", "--quiet", name, ROOT)
    done = run(*words, cwd=folder, environ=INSTALLING, timeout=900)
    if done.returncode:
        pytest.skip(f"{name} can't be installed here: {done.stdout.strip().splitlines()[-1]}")
    return name, programs / ("properdocs" if name == "properdocs" else "mkdocs")


@pytest.mark.long
@pytest.mark.parametrize("where", ["docs elsewhere", "a theme", "names in NFD", "a sub-project"])
def test_other_builders(tmp_path: Path, api: LyingServer, other_builder: tuple[str, Path], where: str) -> None:
    """Under ProperDocs, and with the plugin of Backstage, no excluded image is uploaded or changed either."""
    name, builder = other_builder
    secret = unicodedata.normalize("NFD", "geh\u00e4im.png") if where == "names in NFD" else "secret.png"
    pattern = unicodedata.normalize("NFC", secret)
    site = docs_elsewhere(tmp_path, f'exclude: ["{pattern}", hidden.png]\n      upload_generated: true')
    (tmp_path / "docs" / "img" / "secret.png").rename(tmp_path / "docs" / "img" / secret)
    backstage = name == "mkdocs-techdocs-core"
    config = (site / "mkdocs.yml").read_text()
    if backstage:
        config = config.replace("plugins:\n", "plugins:\n  - techdocs-core\n")
    else:
        (site / "theme" / "assets").mkdir(parents=True)
        if where == "a theme":
            (site / "theme" / "assets" / "hidden.png").write_bytes(SECRET)
        config += "theme: {name: null, custom_dir: theme}\n"
        (site / "theme" / "main.html").write_text("{{ page.content }}")
    if where == "a sub-project" and backstage:
        sub_project(tmp_path / "docs" / "sub")
        config += "nav:\n  - Home: index.md\n  - Sub: '!include ../docs/sub/mkdocs.yml'\n"
    (site / ("mkdocs.yml" if backstage else "properdocs.yml")).write_text(config)
    done = run(builder, "build", cwd=site, environ=with_key(api))
    assert done.returncode == 0, done.stdout
    published = sorted((site / "site").rglob("*.png"))
    kept = [path for path in published if path.name in (secret, "hidden.png")]
    assert kept
    assert {path.read_bytes() for path in kept} == {SECRET}
    assert api.posts > 0
    assert not [seen for seen in api.seen if SECRET[5000:5200] in seen.body]
    assert any(" excluded" in line for line in lines(done)), done.stdout


def sub_project(folder: Path) -> None:
    """A documentation of its own, which another one takes in."""
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "secret.png").write_bytes(SECRET)
    (folder / "docs" / "ok.png").write_bytes(PNG.read_bytes() + b"\0")
    (folder / "docs" / "index.md").write_text("# B\n\n![](secret.png) ![](ok.png)\n")
    (folder / "mkdocs.yml").write_text("site_name: sub\nnav: [{Home: index.md}]\n")


def test_images_of_the_theme(tmp_path: Path, api: LyingServer) -> None:
    """An image of `custom_dir` is matched by its own path too."""
    site = docs_elsewhere(tmp_path, "exclude: [theme/assets/secret2.png, secret.png]\n      upload_generated: true")
    (site / "theme" / "assets").mkdir(parents=True)
    (site / "theme" / "assets" / "secret2.png").write_bytes(SECRET + b"\0")
    (site / "mkdocs.yml").write_text(
        (site / "mkdocs.yml").read_text() + "theme:\n  name: mkdocs\n  custom_dir: theme\n"
    )
    done = build(site, environ=with_key(api))
    assert done.returncode == 0, done.stdout
    assert (site / "site" / "assets" / "secret2.png").read_bytes() == SECRET + b"\0"
    assert not any("matches no image" in line for line in lines(done))


def test_decomposed_names(tmp_path: Path, api: LyingServer) -> None:
    """A name that the file system holds in decomposed form is matched by the pattern as people type it."""
    site = docs_elsewhere(tmp_path, "exclude: [docs/img/\u00fcbersicht.png, secret.png]")
    name = unicodedata.normalize("NFD", "\u00fcbersicht.png")
    (tmp_path / "docs" / "img" / name).write_bytes(SECRET + b"\0")
    assert build(site, environ=with_key(api)).returncode == 0
    assert api.posts == 1
    assert (site / "site" / "img" / name).read_bytes() == SECRET + b"\0"


def test_pattern_that_matches_nothing(tmp_path: Path) -> None:
    """A pattern that no image of the build matches is said, with the one that it may have meant."""
    site = docs_elsewhere(tmp_path, "exclude: [docs/imgs/secret.png, nope.png]")
    said = lines(build(site))
    assert '"docs/imgs/secret.png" in exclude of mkdocs.yml matches no image; did you mean "img/secret.png"?' in said
    assert '"nope.png" in exclude of mkdocs.yml matches no image' in said


def test_report_without_a_path_of_the_machine(tmp_path: Path) -> None:
    """The report and the summary of a job name images relative to mkdocs.yml, also those beside its folder."""
    site = docs_elsewhere(tmp_path, "report: report.json")
    page = tmp_path / "summary.md"
    assert build(site, environ={"GITHUB_STEP_SUMMARY": str(page)}).returncode == 0
    for text in ((site / "report.json").read_text(), page.read_text()):
        assert "../docs/img/top.png" in text
        assert str(tmp_path) not in text


def test_command_with_docs_elsewhere(tmp_path: Path, api: LyingServer) -> None:
    """The command's patterns without a slash hold for folders elsewhere."""
    site = docs_elsewhere(tmp_path, "quality: 80")
    words = ("optimize", "--exclude", "secret.png", "../docs")
    done = run(program("imgshrink"), *words, cwd=site, environ=with_key(api))
    assert done.returncode == 0, done.stdout
    assert api.posts == 1
    assert (tmp_path / "docs" / "img" / "secret.png").read_bytes() == SECRET


def test_nearest_project_file(tmp_path: Path, api: LyingServer) -> None:
    """From the root of a monorepo, the project file of a sub-project decides for the images below it."""
    root = make_repository(tmp_path / "r")
    web = root / "packages" / "web"
    (web / "docs").mkdir(parents=True)
    for path, image in (
        (web / "docs" / "keep.png", PNG),
        (web / "docs" / "a.png", OTHER_PNG),
        (root / "keep.png", PNG),
    ):
        path.write_bytes(image.read_bytes())
    (root / "pyproject.toml").write_text("[tool.imgshrink]\nquality = 70\n")
    (web / "pyproject.toml").write_text('[tool.imgshrink]\nquality = 95\nexclude = ["docs/keep.png"]\nseal = "none"\n')
    kept = (web / "docs" / "keep.png").read_bytes()
    done = run(program("imgshrink"), "optimize", ".", cwd=root)
    assert done.returncode == 0, done.stdout
    assert (web / "docs" / "keep.png").read_bytes() == kept
    assert b"imgshrink1 q95" in (web / "docs" / "a.png").read_bytes()
    assert b"imgshrink1 q70" in (root / "keep.png").read_bytes()
    assert "web/pyproject.toml: seal hold" in done.stdout


@pytest.mark.parametrize("promise", ["root", "nested"])
def test_promise_of_privacy_binds(tmp_path: Path, api: LyingServer, promise: str) -> None:
    """`engine = "builtin"` of the root holds below it, and that of a sub-project for its images."""
    root = make_repository(tmp_path / "r")
    (root / "web").mkdir()
    (root / "web" / "a.png").write_bytes(PNG.read_bytes())
    private, other = 'engine = "builtin"\n', 'engine = "auto"\n'
    (root / "imgshrink.toml").write_text(private if promise == "root" else other)
    (root / "web" / "imgshrink.toml").write_text(private if promise == "nested" else other)
    done = run(program("imgshrink"), "optimize", ".", cwd=root, environ=with_key(api))
    assert done.returncode == 0, done.stdout
    assert api.posts == 0
