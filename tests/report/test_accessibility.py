"""The HTML report under axe-core: nothing serious, in both widths, light and dark, with the viewer open too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from axe import axe_script, violations
from browser import CHROMIUM
from real_tools import GIF, JPEG, OTHER_PNG, PNG, program, run
from shell import INSTALLING
from webdriver import DRIVER, browser


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.tools
@pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs Chromium and its driver")
def test_nothing_serious(tmp_path: Path, warmed: None) -> None:
    """Names, roles, contrast and focus are as they must be."""
    script = axe_script(tmp_path / "npm", INSTALLING)
    (tmp_path / "docs").mkdir()
    for number, image in enumerate((PNG, OTHER_PNG, JPEG, GIF)):
        shutil.copyfile(image, tmp_path / "docs" / f"{number}{image.suffix.lower()}")
    done = run(program("imgshrink"), "optimize", "--report", "report.html", "docs", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    with browser() as window:
        for width in (1400, 390):
            for scheme in ("light", "dark"):
                window.resize(width, 844)
                window.prefer(scheme)
                window.open(tmp_path / "report.html")
                assert violations(window, script) == [], (width, scheme)
                window.run("document.querySelector('#images button.open').click()")
                window.until("return viewer.open && !viewer.hasAttribute('aria-busy')")
                assert violations(window, script) == [], (width, scheme, "viewer")
