"""The HTML report as a document: what it holds, in which orders, and that no name gets out of its place."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from imgshrink.core.model import Format, Outcome, Status
from imgshrink.report import advice
from imgshrink.report.html.page import CARDS, SCRIPT, STYLE, to_html
from imgshrink.report.html.previews import Look, Pair, Preview
from imgshrink.report.summary import summarize
from outcomes import ROWS, shrunk

HARD = "a \"b\" 'c' <script>alert(1)</script> & {heading} \x1b[2J\u202e\udcff.png"
VOID = {"meta", "img", "input"}
LOOK = Look(3.04, 0.5, 0.429, 80)
CROP = Pair("c1.webp", "c2.webp", 480, 320, 120, 80)
FULL = Pair("w1.png", "w2.png", 900, 700, 420, 410)
WHOLE = Preview("s1.webp", 240, 187, (900, 700), LOOK, CROP, FULL)


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


def page(
    rows: list[Outcome],
    previews: dict[str, Preview] | None = None,
    folder: str = "r-images",
    actions: advice.Advice = advice.in_place,
) -> Read:
    return Read(to_html(rows, summarize(rows, seconds=1), previews or {}, folder, actions=actions))


def images(read: Read) -> list[dict[str, str | None]]:
    """The rows of the list, as they stand in the page."""
    return [row for row in read.named("li") if "data-ranks" in row]


def names(read: Read) -> list[str]:
    """The names in the list, as they stand in the page."""
    return [str(row["data-name"]) for row in images(read)]


def cards(read: Read) -> list[str]:
    """The names of the most visible changes."""
    return [str(row["data-name"]) for row in read.named("li") if row.get("class") == "card"]


def looking(share: float) -> Preview:
    """An image of which the change is that part of what is allowed."""
    return Preview("1", look=Look(9, 1, share, 80), crop=CROP)


def ordered(read: Read, order: str) -> list[str]:
    """The images in the order that the page has under a name."""
    column = [word for word in read.inside("option") if "(" not in word].index(order)
    ranks = [int(str(row["data-ranks"]).split()[column]) for row in images(read)]
    return [name for _, name in sorted(zip(ranks, names(read), strict=True))]


LARGE, TINY = shrunk("b/large.png", 9_000_000, 8_000_000), shrunk("a.png", 90, 9)
HALF = shrunk("c/half.png", 9000, 4500)
KEPT = Outcome("0.png", Status.KEPT, 900, 900, reason="nothing to gain")
LOOKS = {"b/large.png": looking(0.3), "a.png": looking(0.75)}


def test_the_numbers_come_first() -> None:
    """The page begins with how much smaller the images are, both sums and the number of images."""
    read = page(ROWS)
    assert read.inside("dd") == ["65 %", "421 kB", "147 kB", "4"]
    assert read.inside("dt") == ["smaller", "before", "after", "images"]
    assert "2 shrunk (1 from the cache, 1 new), 1 unchanged, 1 left alone, 1.0 s" in read.inside("p")
    assert Read(to_html([LARGE], summarize([LARGE], uploads=1, excluded=2), {}, "r")).inside("p")[0] == (
        "1 shrunk, 2 excluded, 1 upload"
    )
    assert Read(to_html([], summarize([]), {}, "r")).inside("dd") == ["0 %", "0 bytes", "0 bytes", "0"]


def test_every_image_is_there() -> None:
    """Every image of a run has its row, also what was left alone, with what is known of it."""
    read = page(ROWS, {"docs/b.png": WHOLE})
    assert sorted(names(read)) == ["docs/a|b_c<x>.gif", "docs/b.png", "docs/c\\n.jpg", "docs/d.png"]
    assert "900 x 700 PNG \u00b7 builtin \u00b7 quality 80 \u00b7 43 % of the allowed change" in read.inside("p")
    assert "GIF \u00b7 hosted \u00b7 no preview" in read.inside("p")
    assert "JPEG \u00b7 builtin \u00b7 nothing to gain" in read.inside("p")
    assert "can't be read: Permission denied" in read.inside("p")
    assert [row["data-state"] for row in images(read)] == ["shrunk", "shrunk", "unchanged", "left alone"]
    states = ["all (4)", "shrunk (2)", "unchanged (1)", "left alone (1)"]
    assert [word for word in read.inside("option") if "(" in word] == states
    exact = Preview("s", 9, 9, (9, 9), Look(0, 0, 0, 100))
    webp = Outcome("a.webp", Status.OPTIMIZED, 9, 3, Format.WEBP, "builtin")
    words = "9 x 9 WebP \u00b7 builtin \u00b7 quality 100 \u00b7 every pixel is the same"
    assert words in page([webp], {"a.webp": exact}).inside("p")


def test_orders() -> None:
    """There are four orders: by bytes, by share, by look and by name; what was not changed comes last but by name."""
    read = page([KEPT, HALF, TINY, LARGE], LOOKS)
    assert names(read) == ["b/large.png", "c/half.png", "a.png", "0.png"] == ordered(read, "largest saving first")
    assert ordered(read, "largest share first") == ["a.png", "c/half.png", "b/large.png", "0.png"]
    assert ordered(read, "most visible change first") == ["a.png", "b/large.png", "c/half.png", "0.png"]
    assert ordered(read, "name") == ["0.png", "a.png", "b/large.png", "c/half.png"]


def test_an_order_says_what_it_goes_by() -> None:
    """The order by look says what it knows; where nothing was measured, that it is the order by share."""

    def about(rows: list[Outcome], looks: dict[str, Preview]) -> str:
        orders = [row for row in page(rows, looks).named("option") if "data-description" in row]
        return str(orders[2]["data-description"])

    assert about([HALF, TINY, LARGE], {}) == "No difference was measured, so by the share of the file saved."
    ending = "It is not known for 1 image; they follow by the share saved."
    assert about([HALF, TINY, LARGE], LOOKS).endswith(ending)
    assert "not known" not in about([TINY, LARGE], LOOKS)
    unmeasured = page([HALF, TINY, LARGE])
    assert ordered(unmeasured, "most visible change first") == ordered(unmeasured, "largest share first")


def test_the_most_visible_changes_come_first() -> None:
    """The six most visible changes stand above the list, worst first, at the place where they differ most."""
    rows = [shrunk(f"{number}.png", 9000, 900) for number in range(CARDS + 3)]
    previews = {row.path: looking(number / 10) for number, row in enumerate(rows)}
    previews["8.png"] = Preview("1", look=Look(0, 0, 0, 80))
    read = page(rows, previews)
    assert cards(read) == ["7.png", "6.png", "5.png", "4.png", "3.png", "2.png"]
    assert "70 % of the change that quality 80 allows. " in "".join(read.inside("p"))
    assert "Largest colour difference 9.0 (under 10: rarely seen), mean 1.0" in "".join(read.inside("p"))
    box = next(row for row in read.named("div") if row.get("class") == "compare" and "data-x" in row)
    assert (box["data-x"], box["data-y"]) == ("0.2500", "0.2500")
    assert read.named("input")[0]["aria-label"] == "how much of it shows the original: 7.png"
    assert "Most visible changes" not in page(rows).inside("h2")


def test_images() -> None:
    """A row has a small image, and where there is more to see the files of the viewer and the place in them."""
    previews = {LARGE.path: WHOLE, HALF.path: looking(0.2), KEPT.path: Preview("s3.webp", 9, 9, (9, 9))}
    read = page([LARGE, KEPT, HALF, TINY], previews, "r #1%")
    large, half, tiny, kept = images(read)
    assert (large["data-before"], large["data-after"]) == ("r%20%231%25/w1.png", "r%20%231%25/w2.png")
    assert (large["data-x"], large["data-y"], large.get("data-whole")) == ("420", "410", None)
    assert (half["data-before"], half["data-x"], half["data-whole"]) == ("r%20%231%25/c1.webp", "120", "0 x 0")
    assert "data-before" not in kept | tiny
    small = [row for row in read.named("img") if row.get("class") == "small"]
    assert [row["src"] for row in small] == [f"r%20%231%25/{name}" for name in ("s1.webp", "1", "s3.webp")]
    assert (small[0]["width"], small[0]["height"], small[0]["loading"]) == ("240", "187", "lazy")
    assert [row["class"] for row in read.named("div") if row.get("class") == "none"] == ["none"]
    assert len([row for row in read.named("button") if row.get("class") == "open"]) == 2 + 2
    assert large["data-facts"] == (
        "9.0 MB \u2192 8.0 MB, 11 % smaller \u00b7 43 % of the change that quality 80 allows. "
        "Largest colour difference 3.0 (under 10: rarely seen), mean 0.5"
    )


def test_what_one_can_do() -> None:
    """A shrunk image has a button that copies its first action, and all actions for the viewer; others have none."""
    read = page([LARGE, KEPT], {LARGE.path: WHOLE}, actions=advice.in_mkdocs)
    large, kept = images(read)
    listed = json.loads(str(large["data-actions"]))
    assert [label for label, _ in listed] == ["Leave it alone", "Shrink it less, at quality 95"]
    buttons = [row for row in read.named("button") if "data-copy" in row]
    assert {row["data-copy"] for row in buttons} == {listed[0][1]}
    assert {row["aria-label"] for row in buttons} == {"Copy: Leave it alone, b/large.png"}
    assert "Copy exclude" in read.inside("button")
    assert "data-actions" not in kept
    assert not any("data-copy" in row for row in page([LARGE], actions=advice.none).named("button"))


def test_a_name_stays_a_name() -> None:
    """A name that holds markup, quotes, places of the page's own or control characters is shown, and nothing else."""
    row = Outcome(HARD, Status.OPTIMIZED, 9000, 10)
    read = page([row, Outcome("x", Status.FAILED, 1, 1, reason=HARD)], {HARD: WHOLE}, HARD)
    plain = page([shrunk("x<y>/z", 9000, 10), KEPT], {"x<y>/z": WHOLE})
    assert [tag for tag, _ in read.tags] == [tag for tag, _ in plain.tags]
    escaped = HARD.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e").replace("\udcff", "\\udcff")
    assert names(read)[0] == escaped
    assert re.fullmatch(r"[\w%.~-]+/c1.webp", str(read.named("img")[0]["src"]))


@given(st.text(), st.sampled_from([advice.in_place, advice.in_mkdocs, advice.in_project, advice.by_git]))
def test_any_name_stays_a_name(name: str, actions: advice.Advice) -> None:
    """Whatever a name holds, the page has the same tags, can be written as UTF-8, and copies what was meant."""
    row = Outcome(name, Status.OPTIMIZED, 9000, 10)
    text = to_html([row], summarize([row]), {name: WHOLE}, "pictures", actions=actions)
    assert text.encode()
    read = Read(text)
    tags = [tag for tag, _ in read.tags if tag != "span"]
    plain = page([TINY], {TINY.path: WHOLE}, actions=actions)
    assert tags == [tag for tag, _ in plain.tags if tag != "span"]
    listed = json.loads(str(images(read)[0]["data-actions"]))
    assert listed == [[action.label, action.text] for action in actions(row, LOOK.quality)]


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
