"""The HTML report in a real browser: from the disk, offline, by keyboard, by pointer, in the dark, on a telephone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from browser import CHROMIUM
from imgshrink.core.model import Format, Outcome, Status
from imgshrink.report import advice
from imgshrink.report.html.page import to_html
from imgshrink.report.html.previews import Look, Pair, Preview
from imgshrink.report.summary import summarize
from once import once
from real_tools import GIF, JPEG, OTHER_PNG, PNG, SMALL, program, run
from webdriver import DRIVER, Browser, browser

NAMES = {
    "plain.png": PNG,
    'a "b" <script>document.title="owned"<img src=x onerror="document.title=1">.png'.replace("/", ""): OTHER_PNG,
    "it's 100 % & more#?.jpg": JPEG,
    "moving.gif": GIF,
    "tiny.png": SMALL,
}
ORDER = "return [...images.children].filter((row) => !row.hidden).map((row) => row.dataset.name)"
SEEN = "return getComputedStyle(document.activeElement.closest('.compare').querySelector('img:last-of-type')).clipPath"
EDGE = """
const [area, image] = [viewer.querySelector(".scrolled"), viewer.querySelector(".pair")];
const edge = parseFloat(getComputedStyle(image.querySelectorAll("img")[1]).clipPath.split(" ")[3]);
return (edge - area.scrollLeft) / Math.min(area.clientWidth, image.offsetWidth)
"""  # where in what is visible, from 0 to 1, the one image ends
SHOWN = "return [...document.images].filter((one) => one.src).map((one) => one.complete && one.naturalWidth > 0)"
CENTRE = """
const [area, pair] = [viewer.querySelector(".scrolled"), viewer.querySelector(".pair")];
const [box, ring] = [area, viewer.querySelector(".ring")].map((one) => one.getBoundingClientRect());
const [x, y] = [ring.x + ring.width / 2, ring.y + ring.height / 2];
return box.x <= x && x <= box.right && box.y <= y && y <= box.bottom
"""  # whether the place where they differ most is in sight
VIEWED = "return viewer.open && viewed.textContent"
READY = "return viewer.open && !viewer.hasAttribute('aria-busy')"
WIDTH = "return viewer.querySelector('.pair').offsetWidth / viewer.querySelector('img').naturalWidth"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs Chromium and its driver"),
]


def reported(folder: Path) -> None:
    """Shrink images whose names are as hostile as names can be, with a report."""
    (folder / "docs").mkdir()
    for name, image in NAMES.items():
        shutil.copyfile(image, folder / "docs" / name)
    done = run(program("imgshrink"), "optimize", "--report", "a #report%41.html", "docs", cwd=folder)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def report(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a real run, which is made once a session, and its images."""
    made, _ = once(tmp_path_factory, "browser-report", reported)
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "a #report%41.html"


@pytest.fixture
def window(report: Path) -> Iterator[Browser]:
    """A browser that shows the report."""
    with browser() as one:
        one.open(report)
        yield one


def focus(window: Browser, selector: str) -> None:
    """Press Tab until what has the focus is that."""
    for _ in range(60):
        if window.run(f"return document.activeElement.matches({selector!r})"):
            return
        window.press("Tab")
    raise AssertionError(f"{selector} is out of the keyboard's reach")


def test_everything_by_keyboard(window: Browser, report: Path) -> None:
    """Dividers, orders and the viewer work by keyboard; nothing is fetched, nothing is complained about."""
    focus(window, "#cards input[type=range]")
    before = window.run(SEEN)
    window.press("Right", "Right", "Right")
    assert (before, window.run(SEEN)) == ("inset(0px 0px 0px 50%)", "inset(0px 0px 0px 53%)")
    assert window.run("return document.activeElement.ariaValueText") == "53 % original, 47 % result"
    focus(window, "#order")
    first = window.run(ORDER)
    assert {name.removeprefix("docs/") for name in first} == set(NAMES)
    window.press("n")
    assert window.run(ORDER) == sorted(first)
    window.press("Up")
    assert window.run("return description.textContent").startswith("By the largest difference as a share of what")
    worst = [int(share) for share in re.findall(r"(\d+) % of the allowed", window.run("return images.textContent"))]
    assert len(worst) >= 2
    assert worst == sorted(worst, reverse=True)
    focus(window, "#images button.open")
    name = window.run("return document.activeElement.closest('li').dataset.name")
    window.press("Enter")
    window.until(READY)
    assert window.run(VIEWED) == name
    assert window.run(CENTRE)
    window.press("Left")
    assert window.run(EDGE) == pytest.approx(0.49, abs=0.002)
    focus(window, ".scrolled")
    window.press("Right", "Right")
    assert window.run(EDGE) == pytest.approx(0.49, abs=0.002)
    window.run("return Promise.all([...document.images].map((one) => {one.loading = 'eager'; return one.decode()}))")
    assert set(window.run(SHOWN)) == {True}
    window.press("Escape")
    window.until("return !viewer.open && document.activeElement.matches('button.open')")
    assert window.run("return document.activeElement.closest('li').dataset.name") == name
    assert window.run("return document.title") == "imgshrink report"
    assert window.complaints() == []
    asked = [address for address in window.requested() if not address.startswith("data:")]
    assert {address.rpartition("/")[0] for address in asked} <= {
        report.parent.as_uri(),
        (report.parent / "a #report%41-images").as_uri(),
    }


def test_the_viewer_by_keys(window: Browser) -> None:
    """Keys lead to the next and the previous image, zoom, show the place, and show the original while held."""
    focus(window, "#images button.open")
    window.press("Enter")
    window.until(READY)
    names = [window.run(VIEWED)]
    assert window.run("return [previous.disabled, facts.textContent.split(' ').slice(0, 2).join(' ')]") == [
        True,
        "1 of",
    ]
    window.press("n")
    window.until(READY)
    names.append(window.run(VIEWED))
    window.press("p")
    window.until(READY)
    assert names[1] != names[0] == window.run(VIEWED)
    window.press("p")
    assert window.run(VIEWED) == names[0]
    pixelated = "return getComputedStyle(viewer.querySelector('img')).imageRendering"
    for key, scale, rendering in (("1", 1, "auto"), ("2", 2, "pixelated"), ("4", 4, "pixelated")):
        window.press(key)
        assert (window.run(WIDTH), window.run(pixelated)) == (pytest.approx(scale, abs=0.01), rendering)
        assert window.run(CENTRE)
    window.press("0")
    fits = "const [area] = viewer.getElementsByClassName('scrolled'); return area.scrollWidth <= area.clientWidth"
    assert window.run(fits)
    window.press("4")
    window.run("viewer.querySelector('.scrolled').scrollTo(0, 0)")
    window.press("w")
    assert window.run(CENTRE)
    position = "return viewer.querySelector('input').value"
    assert window.run(position) == "50"
    window.hold("f")
    assert (window.run(position), window.run("return viewer.querySelector('.compare').dataset.side")) == (
        "100",
        "original",
    )
    window.let_go("f")
    assert (window.run(position), window.run("return viewer.querySelector('.compare').dataset.side")) == ("0", "result")
    focus(window, "#hold")
    window.hold("Enter")
    assert window.run(position) == "100"
    window.let_go("Enter")
    assert window.run(position) == "0"
    assert window.complaints() == []


@pytest.mark.parametrize("pointer", ["mouse", "touch"])
def test_dragging_on_the_image(window: Browser, pointer: str) -> None:
    """The divider follows a pointer on the image itself, on a card and in the viewer; a page scrolls by touch too."""
    box = "const box = document.querySelector('{}').getBoundingClientRect(); return [box.x, box.y, box.width]"
    left, top, width = window.run(box.format("#cards .compare"))
    window.drag(
        [(left + width * 0.5, top + 40), (left + width * 0.3, top + 40), (left + width * 0.2, top + 42)], pointer
    )
    value = "return document.querySelector('#cards .compare input').value"
    assert window.run(value) == "20"
    assert (
        window.run("return getComputedStyle(document.querySelector('#cards .compare')).touchAction")
        == "pan-y pinch-zoom"
    )
    window.run("document.querySelector('#images button.open').click()")
    window.until(READY)
    window.press("0")
    left, top, width = window.run(box.format("#viewer .pair"))
    window.drag([(left + width * 0.5, top + 9), (left + width * 0.6, top + 9), (left + width * 0.75, top + 9)], pointer)
    assert int(window.run("return viewer.querySelector('input').value")) == pytest.approx(75, abs=1)
    assert window.run(EDGE) == pytest.approx(0.75, abs=0.02)
    assert window.complaints() == []


def test_a_finger_moves_a_large_image_or_its_divider(window: Browser) -> None:
    """Where an image is larger than the window a finger scrolls it, and moves the divider only by its knob."""
    window.run("document.querySelector('#images button.open').click()")
    window.until(READY)
    window.press("4")
    value = "return Number(viewer.querySelector('input').value)"
    box = "const box = viewer.querySelector('.scrolled').getBoundingClientRect(); return [box.x, box.y, box.width]"
    left, top, width = window.run(box)
    window.drag([(left + width * 0.2, top + 60), (left + width * 0.3, top + 60)], "touch")
    assert window.run(value) == 50
    window.drag(
        [(left + width * 0.5, top + 60), (left + width * 0.6, top + 60), (left + width * 0.7, top + 60)], "touch"
    )
    assert window.run(value) == pytest.approx(70, abs=2)
    assert window.complaints() == []


def test_flicker_on_a_card(window: Browser) -> None:
    """The key shows the original of the card under the pointer, or of the one that has the focus, and of no other."""
    values = "return [...document.querySelectorAll('#cards .compare input')].map((one) => Number(one.value))"
    x, y = window.run(
        "const {x, y} = document.querySelectorAll('#cards .pair')[1].getBoundingClientRect(); return [x, y]"
    )
    window.point(x + 30, y + 30)
    others = [50] * (len(window.run(values)) - 2)
    window.hold("f")
    assert window.run(values) == [50, 100, *others]
    window.let_go("f")
    assert window.run(values) == [50, 0, *others]
    focus(window, "#filter")
    window.press("f")
    assert (window.run(values), window.run("return document.activeElement.value")) == ([50, 0, *others], "f")


def test_filter(window: Browser) -> None:
    """The list shows the images whose name holds some words, or of one state; the viewer stays among them."""
    focus(window, "#filter")
    window.press(*"PLAIN")
    assert window.run(ORDER) == ["docs/plain.png"]
    assert window.run("return shown.textContent") == f"1 of {len(NAMES)} images."
    focus(window, "#images li:not([hidden]) button.open")
    window.press("Enter")
    window.until(READY)
    assert window.run("return [previous.disabled, next.disabled]") == [True, True]
    window.press("Escape")
    window.run("filter.value = ''; filter.dispatchEvent(new Event('input'))")
    counts = window.run("return [...state.options].map((one) => one.textContent)")
    assert counts[0] == f"all ({len(NAMES)})"
    window.run("state.selectedIndex = 1; state.dispatchEvent(new Event('change'))")
    assert f"shrunk ({len(window.run(ORDER))})" == counts[1]


WORDS = """
const button = document.activeElement;
window.words = [];
new MutationObserver(() => window.words.push(button.textContent)).observe(button, {childList: true});
return [button.dataset.copy, button.textContent];
"""


def copied(window: Browser) -> str:
    """Press the button that has the focus, which says that it has copied, and return what it was to copy."""
    wanted, words = window.run(WORDS)
    window.press("Enter")
    window.until("return window.words.length == 2")
    assert window.run("return window.words") == ["Copied", words]
    assert window.run("return copied.textContent") == f"copied: {wanted}"
    assert isinstance(wanted, str)
    return wanted


def test_copying(window: Browser) -> None:
    """A button copies the command that undoes the image; the viewer has every action, and both say that it is done."""
    focus(window, "#images button.copy")
    name = window.run("return document.activeElement.closest('li').dataset.name")
    wanted = copied(window)
    assert wanted.startswith("imgshrink restore --keep ")
    assert window.pasted() == wanted
    window.run(f"[...images.children].find((row) => row.dataset.name == {name!r}).querySelector('.open').click()")
    window.until(READY)
    focus(window, "#actions li:last-child button")
    wanted = copied(window)
    window.press("Escape")
    window.until("return !viewer.open && document.activeElement.matches('button.open')")
    assert "quality = 95" in wanted
    assert window.pasted() == wanted
    assert window.complaints() == []


def test_copying_without_a_clipboard(window: Browser) -> None:
    """Where the browser refuses the clipboard the text is copied by selection, in the viewer too."""
    window.run("navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))")
    window.run("document.querySelector('#images button.open').click()")
    window.until(READY)
    focus(window, "#actions button")
    wanted = copied(window)
    window.press("Escape")
    window.until("return !viewer.open && document.activeElement.matches('button.open')")
    assert window.pasted() == wanted


def test_in_the_dark(window: Browser) -> None:
    """The page is dark where the system is, and light where it is light."""
    colours = "const {color, backgroundColor} = getComputedStyle(document.body); return [color, backgroundColor]"
    shown = {}
    for scheme in ("light", "dark"):
        window.prefer(scheme)
        shown[scheme] = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in window.run(colours)]
    assert shown["light"][0] < 200 < 600 < shown["light"][1]
    assert shown["dark"][1] < 200 < 600 < shown["dark"][0]


@pytest.mark.parametrize("width", [1400, 390])
def test_nothing_is_wider_than_the_window(window: Browser, report: Path, width: int) -> None:
    """Neither the page nor the viewer scrolls sideways, and every control of the viewer is in sight."""
    window.resize(width, 844)
    window.open(report)
    wide = "return document.scrollingElement.scrollWidth <= document.scrollingElement.clientWidth"
    assert window.run(wide)
    window.run("document.querySelector('#images button.open').click()")
    window.until(READY)
    assert window.run(wide)
    assert window.run("return viewer.scrollWidth <= viewer.clientWidth && viewer.scrollHeight <= viewer.clientHeight")
    outside = """return [...viewer.querySelectorAll('button')].filter((one) => {
      const {left, right, top, bottom} = one.getBoundingClientRect();
      return left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
    }).map((one) => one.textContent)"""
    assert window.run(outside) == []
    assert window.run("return viewer.querySelector('.compare').clientHeight") > 200


def test_a_part_is_shown_pixel_by_pixel(window: Browser) -> None:
    """A card shows the pixels of the image as they are, and its ring stands on the place."""
    for width in (1400, 390):
        window.resize(width, 844)
        found = window.run("""
            const [box] = cards.getElementsByClassName("compare");
            const [image] = box.getElementsByTagName("img");
            const {objectFit, objectPosition} = getComputedStyle(image);
            const [ring, area] = [box.querySelector(".ring"), box].map((one) => one.getBoundingClientRect());
            return [objectFit, objectPosition, (ring.x + ring.width / 2 - area.x) / area.width, Number(box.dataset.x)]
        """)
        assert found[0] == "none"
        assert float(found[1].split("%")[0]) / 100 == pytest.approx(found[3], abs=0.001)
        assert found[2] == pytest.approx(found[3], abs=0.01)


def test_five_hundred_images(tmp_path: Path) -> None:
    """A page of 500 images stays small: few nodes an image, and what is out of sight is neither laid out nor loaded."""
    folder = tmp_path / "r-images"
    folder.mkdir()
    small, part = (tmp_path / name for name in ("small.png", "part.png"))
    Image.new("RGB", (240, 160), "teal").save(small)
    Image.new("RGB", (480, 320), "teal").save(part)
    rows, previews = [], {}
    for number in range(500):
        name = f"docs/a folder/image-{number:03}.png"
        shutil.copyfile(small, folder / f"{number}.png")
        rows.append(Outcome(name, Status.OPTIMIZED, 900_000 - number, 300_000, Format.PNG, "builtin"))
        pair = Pair("part.png", "part.png", 480, 320, 240, 160)
        previews[name] = Preview(f"{number}.png", 240, 160, (480, 320), Look(9, 1, number / 500, 80), pair)
    shutil.copyfile(part, folder / "part.png")
    page = tmp_path / "r.html"
    page.write_text(to_html(rows, summarize(rows), previews, "r-images", actions=advice.in_place), encoding="utf-8")
    assert page.stat().st_size < 1_500_000
    with browser() as window:
        window.open(page)
        window.until("return document.readyState == 'complete'")
        assert window.run("return document.querySelectorAll('*').length") < 500 * 16
        assert window.run("return performance.getEntriesByType('resource').length") < 100
        assert window.run("return shown.textContent") == "500 images."
        window.run("filter.value = 'IMAGE-49'; filter.dispatchEvent(new Event('input'))")
        assert len(window.run(ORDER)) == 10
        assert window.complaints() == []
