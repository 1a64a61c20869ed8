"""The HTML report in a real browser: from the disk, offline, by keyboard, in the dark."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import CHROMIUM
from real_tools import GIF, JPEG, OTHER_PNG, PNG, SMALL, program, run
from webdriver import DRIVER, Browser, browser

NAMES = {
    "plain.png": PNG,
    'a "b" <script>document.title="owned"<img src=x onerror="document.title=1">.png'.replace("/", ""): OTHER_PNG,
    "it's 100 % & more#?.jpg": JPEG,
    "moving.gif": GIF,
    "tiny.png": SMALL,
}
ORDER = "return [...document.querySelectorAll('#images h2')].map((name) => name.textContent)"
SEEN = "return getComputedStyle(document.activeElement.closest('.compare').querySelector('img:last-of-type')).clipPath"
EDGE = """
const [area, image] = [viewer.querySelector(".scrolled"), viewer.querySelector(".pair")];
const edge = parseFloat(getComputedStyle(viewer.querySelector("img:last-of-type")).clipPath.split(" ")[3]);
return (edge - area.scrollLeft) / Math.min(area.clientWidth, image.offsetWidth)
"""  # where in what is visible, from 0 to 1, the one image ends
SHOWN = "return [...document.images].filter((one) => one.src).map((one) => one.complete && one.naturalWidth > 0)"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs Chromium and its driver"),
]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The report of a real run over images with names as hostile as names can be."""
    (tmp_path / "docs").mkdir()
    for name, image in NAMES.items():
        shutil.copyfile(image, tmp_path / "docs" / name)
    done = run(program("imgshrink"), "optimize", "--report", "a #report%41.html", "docs", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    return tmp_path / "a #report%41.html"


@pytest.fixture
def window(report: Path) -> Iterator[Browser]:
    """A browser that shows the report."""
    with browser() as one:
        one.open(report)
        yield one


def focus(window: Browser, selector: str) -> None:
    """Press Tab until what has the focus is that."""
    for _ in range(40):
        if window.run(f"return document.activeElement.matches({selector!r})"):
            return
        window.press("Tab")
    raise AssertionError(f"{selector} is out of the keyboard's reach")


def test_everything_by_keyboard(window: Browser, report: Path) -> None:
    """Slider, orders and full size work by keyboard; nothing is fetched, nothing is complained about."""
    focus(window, "#order")
    first = window.run(ORDER)
    assert {name.removeprefix("docs/") for name in first} == set(NAMES)
    window.press("n")
    assert window.run(ORDER) == sorted(first)
    window.press("Up")
    assert window.run("return description.textContent").startswith("By the largest measured colour difference")
    text = window.run("return images.innerText")
    worst = [float(number) for number in re.findall(r"difference (\d+\.\d)", text)]
    assert len(worst) >= 3
    assert worst == sorted(worst, reverse=True)
    focus(window, "#images input[type=range]")
    before = window.run(SEEN)
    window.press("Right", "Right", "Right")
    assert (before, window.run(SEEN)) == ("inset(0px 0px 0px 50%)", "inset(0px 0px 0px 53%)")
    assert window.run("return document.activeElement.ariaValueText") == "53 % before, 47 % after"
    focus(window, "button[data-before]")
    name = window.run("return document.activeElement.dataset.name")
    window.press("Enter")
    assert window.run("return viewer.open && viewed.textContent") == name
    window.run("return Promise.all([...viewer.querySelectorAll('img')].map((one) => one.decode()))")
    window.press("Left")
    assert window.run(EDGE) == pytest.approx(0.49, abs=0.002)
    focus(window, ".scrolled")
    window.press("Right", "Right")
    assert window.run(EDGE) == pytest.approx(0.49, abs=0.002)
    window.run("return Promise.all([...document.images].map((one) => {one.loading = 'eager'; return one.decode()}))")
    assert set(window.run(SHOWN)) == {True}
    window.press("Escape")
    assert window.run("return viewer.open || document.activeElement.dataset.name") == name
    assert window.run("return document.title") == "imgshrink report"
    assert window.complaints() == []
    asked = [address for address in window.requested() if not address.startswith("data:")]
    assert {address.rpartition("/")[0] for address in asked} <= {
        report.parent.as_uri(),
        (report.parent / "a #report%41-images").as_uri(),
    }


def test_in_the_dark(window: Browser) -> None:
    """The page is dark where the system is, and light where it is light."""
    colours = "const {color, backgroundColor} = getComputedStyle(document.body); return [color, backgroundColor]"
    shown = {}
    for scheme in ("light", "dark"):
        window.prefer(scheme)
        shown[scheme] = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in window.run(colours)]
    assert shown["light"][0] < 200 < 600 < shown["light"][1]
    assert shown["dark"][1] < 200 < 600 < shown["dark"][0]
