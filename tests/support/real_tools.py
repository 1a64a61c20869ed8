"""Real sites, real repositories and real programs for the tests of the faces."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from places import IMAGES, PICTURES

PNG = PICTURES / "pnp" / "ViewPicker1.PNG"
OTHER_PNG = PICTURES / "argocd" / "scale_resources_1.png"
JPEG = PICTURES / "frigate" / "bottom-center.jpg"
GIF = PICTURES / "pnp" / "ChartControlDataPromiseError.gif"
WEBP = PICTURES / "coolify" / "terminal-diagram.webp"
SMALL = PICTURES / "pnp" / "OfficeMono9.png"
WORTH_IT = [IMAGES / name for name in ("photo.jpg", "still.png", "animated.webp", "palette.png")]
"""Small images that get smaller, in three formats."""
FIVE = {"a.png": OTHER_PNG, "img/b.PNG": PNG, "img/c.jpg": JPEG, "img/d.gif": GIF, "e.webp": IMAGES / "still.webp"}
"""The images of a site, by name."""
BIN = Path(sys.executable).parent
CLOSED = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https", "all", "HTTP", "HTTPS", "ALL")}


def program(name: str) -> str:
    """A program of the environment that runs the tests."""
    return str(BIN / f"{name}.exe" if os.name == "nt" else BIN / name)


def run(
    *command: str | Path, cwd: Path, environ: Mapping[str, str] | None = None, answer: str = "", timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run a program as a person would, with what `environ` adds, and `answer` typed; both its outputs in one."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **(environ or {})},
        input=answer,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


def make_site(folder: Path, pictures: Mapping[str, Path | bytes], *, options: str = "", config: str = "") -> Path:
    """Write a site whose docs hold `pictures` by name; `options` are lines of the plugin's, `config` of mkdocs.yml."""
    docs = folder / "docs"
    for name, picture in pictures.items():
        target = docs / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(picture, bytes):
            target.write_bytes(picture)
        else:
            shutil.copyfile(picture, target)
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "index.md").write_text("# A site\n" + "".join(f"\n![a picture]({name})\n" for name in pictures))
    plugin = (
        "  - imgshrink:\n" + "".join(f"      {line}\n" for line in options.splitlines())
        if options
        else "  - imgshrink\n"
    )
    head = "" if "site_name:" in config else "site_name: A site\n"
    plugins = "" if "plugins:" in config else f"plugins:\n{plugin}"
    (folder / "mkdocs.yml").write_text(f"{head}{config}\n{plugins}")
    return folder


def build_twice(folder: Path) -> list[list[str]]:
    """Build a site of `FIVE` twice, into `first` and `second`, and return what each build said.

    Afterwards the cache in the folder `.cache` knows their results, and those of `WORTH_IT`.
    """
    site = make_site(folder, FIVE)
    environ = {name: str(folder / "home") for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    environ["XDG_CACHE_HOME"] = str(folder / ".cache")
    built = [build(site, "--strict", "--site-dir", name, environ=environ) for name in ("first", "second")]
    assert [done.returncode for done in built] == [0, 0], built[0].stdout + built[1].stdout
    assert run(program("imgshrink"), "warm", *WORTH_IT, cwd=IMAGES, environ=environ).returncode == 0
    return [lines(done) for done in built]


def build(site: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a real `mkdocs build`."""
    return run(program("mkdocs"), "build", *arguments, cwd=site, environ=environ)


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What imgshrink said in a build, without the logger's level."""
    return [line.partition("imgshrink: ")[2] for line in done.stdout.splitlines() if "-  imgshrink: " in line]


def git(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> str:
    """Run git, which must succeed, as somebody who has a name, and without the user's own settings."""
    who = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "A"), ("EMAIL", "a@b.c"))
    }
    who |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = run("git", *arguments, cwd=folder, environ={**who, **(environ or {})})
    assert done.returncode == 0, done.stdout
    return done.stdout


def make_repository(folder: Path) -> Path:
    """An empty git repository."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    return folder
