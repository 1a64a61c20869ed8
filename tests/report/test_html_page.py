"""The HTML report as a document: what it holds, in which orders, and that no name gets out of its place."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from imgshrink.core.model import Outcome, Status
from imgshrink.report.html_page import SCRIPT, STYLE, Preview, to_html
from imgshrink.report.summary import summarize
from outcomes import ROWS, shrunk

HARD = "a \"b\" 'c' <script>alert(1)</script> & {heading} \x1b[2J\u202e\udcff.png"
VOID = {"meta", "img", "input", "br"}


class Read(HTMLParser):
    """A page's tags and its text by the tag it stands in; every tag must be closed in its turn."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    def inside(self, name: str) -> list[str]:
        return [text for tag, text in self.texts if tag == name and text.strip()]


def page(rows: list[Outcome], previews: dict[str, Preview] | None = None, folder: str = "r-images") -> Read:
    return Read(to_html(rows, summarize(rows, seconds=1), previews or {}, folder))


def names(read: Read) -> list[str]:
    """The images as they stand in the page."""
    return [name for name in read.inside("h2") if name.strip()]


def ordered(read: Read, order: str) -> list[str]:
    """The images in the order that the page has under a name."""
    column = read.inside("option").index(order)
    ranks = [int(str(row["data-ranks"]).split()[column]) for row in read.named("li")]
    return [name for _, name in sorted(zip(ranks, names(read), strict=True))]


LARGE, TINY = shrunk("b/large.png", 9_000_000, 8_000_000), shrunk("a.png", 90, 9)
HALF = shrunk("c/half.png", 9000, 4500)
KEPT = Outcome("0.png", Status.KEPT, 900, 900, reason="nothing to gain")
LOOKS = {"b/large.png": Preview("1", "2", look=(3.0, 0.5)), "a.png": Preview("1", "2", look=(17.25, 0.25))}


def test_every_image_is_there() -> None:
    """Every image of a run has its place, also what was left alone, with its sizes and the reason."""
    read = page(ROWS)
    assert sorted(names(read)) == ["docs/a|b_c<x>.gif", "docs/b.png", "docs/c\\n.jpg", "docs/d.png"]
    assert "380 kB -> 121 kB, 68 % smaller" in read.inside("p")
    assert "9 kB, kept: nothing to gain" in read.inside("p")
    assert "0 bytes, failed: can't be read: Permission denied" in read.inside("p")


def test_orders() -> None:
    """There are four orders: by bytes, by share, by look and by name; what was not changed comes last but by name."""
    read = page([KEPT, HALF, TINY, LARGE], LOOKS)
    assert names(read) == ["b/large.png", "c/half.png", "a.png", "0.png"] == ordered(read, "largest saving first")
    assert ordered(read, "largest share first") == ["a.png", "c/half.png", "b/large.png", "0.png"]
    assert ordered(read, "most visible change first") == ["a.png", "b/large.png", "c/half.png", "0.png"]
    assert ordered(read, "name") == ["0.png", "a.png", "b/large.png", "c/half.png"]


def test_an_order_says_what_it_goes_by() -> None:
    """The order by look says what it knows; where nothing was measured, that it is the order by share."""
    third = [str(page([HALF, TINY, LARGE], looks).named("option")[2]["data-description"]) for looks in ({}, LOOKS)]
    assert third[0] == "No colour difference was measured, so by the share of the file saved."
    assert third[1].endswith("It is not known for 1 image; they follow by the share saved.")
    assert "not known" not in str(page([TINY, LARGE], LOOKS).named("option")[2]["data-description"])
    unmeasured = page([HALF, TINY, LARGE])
    assert ordered(unmeasured, "most visible change first") == ordered(unmeasured, "largest share first")


def test_images() -> None:
    """A changed image has both images and a slider, an unchanged one its image, a broken one none."""
    whole = Preview("s1.webp", "s2.webp", "w1.png", "w2.png", 320, 200, look=(3.04, 0.5))
    read = page([LARGE, KEPT, HALF], {LARGE.path: whole, KEPT.path: Preview("s3.webp", width=9, height=9)}, "r #1%")
    images = [row for row in read.named("img") if "src" in row]
    assert [row["src"] for row in images] == [f"r%20%231%25/s{number}.webp" for number in (1, 2, 3)]
    assert [row["alt"] for row in images] == ["before: b/large.png", "after: b/large.png", "0.png"]
    assert (images[0]["width"], images[0]["height"], images[0]["loading"]) == ("320", "200", "lazy")
    assert read.named("input")[0]["aria-label"] == "how much of it shows before: b/large.png"
    button = read.named("button")[0]
    assert (button["data-before"], button["data-after"]) == ("r%20%231%25/w1.png", "r%20%231%25/w2.png")
    assert read.inside("div") == ["no preview"]
    assert "largest colour difference 3.0 (under 10: rarely seen), mean 0.5" in read.inside("p")


def test_a_name_stays_a_name() -> None:
    """A name that holds markup, quotes, places of the page's own or control characters is shown, and nothing else."""
    row = Outcome(HARD, Status.OPTIMIZED, 9000, 10)
    read = page([row, Outcome("x", Status.FAILED, 1, 1, reason=HARD)], {HARD: Preview("1", "2", "3", "4")}, HARD)
    plain = page([shrunk("x", 9000, 10), KEPT], {"x": Preview("1", "2", "3", "4")})
    assert [tag for tag, _ in read.tags] == [tag for tag, _ in plain.tags]
    escaped = HARD.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e").replace("\udcff", "\\udcff")
    assert names(read)[0] == escaped
    assert read.named("button")[0]["data-name"] == escaped
    assert re.fullmatch(r"[\w%.~-]+/1", str(read.named("img")[0]["src"]))


@given(st.text())
def test_any_name_stays_a_name(name: str) -> None:
    """Whatever a name holds, the page has the same tags, and can be written as UTF-8."""
    rows = [Outcome(name, Status.OPTIMIZED, 9000, 10)]
    text = to_html(rows, summarize(rows), {name: Preview("1", "2", "3", "4")}, "pictures")
    assert text.encode()
    assert len(Read(text).tags) == len(page([TINY], {TINY.path: Preview("1", "2", "3", "4")}).tags)


def test_policy() -> None:
    """The page permits its own style and script, images beside it, and nothing else; neither depends on a run."""
    read = page(ROWS)
    policy = read.named("meta")[1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    sources = dict(part.strip().split(" ", 1) for part in str(policy["content"]).split(";"))
    hashes = {
        kind: "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for kind, text in (("style-src", STYLE), ("script-src", SCRIPT))
    }
    assert sources == hashes | {
        "default-src": "'none'", "img-src": "'self' file:", "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    assert read.inside("style") == [STYLE]
    assert read.inside("script") == [SCRIPT]
    assert not any("style" in row or any(key.startswith("on") for key in row) for _, row in read.tags)
    assert not re.search(r"https?:|//", STYLE + SCRIPT)
