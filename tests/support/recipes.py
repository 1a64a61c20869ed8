"""The code blocks of the documentation's pages, and a shell that runs them as they stand."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from places import ROOT
from real_tools import BIN, CLOSED

DOCS = ROOT / "example_site" / "docs"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("*.md"))}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WHO = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "A"), ("EMAIL", "a@b.c"))
}


class Loader(yaml.SafeLoader):
    """YAML as MkDocs reads it: with tags of its own, such as !ENV."""


Loader.add_multi_constructor("!", lambda loader, tag, node: None)


def read(text: str) -> Any:
    """The value of a YAML text."""
    return yaml.load(text, Loader)


def blocks(page: str, heading: str = "") -> list[tuple[str, str]]:
    """The code blocks of a page, or of the part of it under a heading: language and text."""
    text = PAGES[page]
    if heading:
        text = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = BLOCK.findall(text)
    assert found, f"{page}: {heading}"
    return found


def files(page: str, heading: str = "") -> dict[str, str]:
    """The files of a page, by the names in their first lines; of several with one name the last."""
    named = ((re.match(r"(?:#|//) (\S+)", text), text) for _, text in blocks(page, heading))
    return {name[1].rstrip(","): text for name, text in named if name}


def commands(page: str, heading: str) -> list[str]:
    """The command lines under a heading, in their order."""
    shells = [text for language, text in blocks(page, heading) if language == "sh"]
    assert shells
    return [line for text in shells for line in text.splitlines()]


def shell(folder: Path, line: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command line as a person would type it, with this environment's programs and no network."""
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, **WHO, **CLOSED, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )


def follow(folder: Path, page: str, heading: str, **environ: str) -> str:
    """Run the commands under a heading, each of which must succeed, and return all that they print."""
    said = ""
    for line in commands(page, heading):
        done = shell(folder, line, **environ)
        assert done.returncode == 0, f"{line}\n{done.stdout}"
        said += done.stdout
    return said
