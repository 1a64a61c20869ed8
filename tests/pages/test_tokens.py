"""The tokenizer finds the tags that the HTML standard's tokenizer finds, and the bytes that each of them is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imgshrink.pages import marks
from imgshrink.pages.escapes import unescape
from imgshrink.pages.page import agree, image_tags
from imgshrink.pages.tokens import attributes, tags
from imgshrink.pages.tree import Tree

PIECES = (
    "<img src=a.png>", "<img", "<IMG/>", " src=b.png", ' alt="a > b"', " alt='a > b'", "<img src=a.png/>", ">", "/>",
    "<", "</", "<!", "<?", "<!-->", "<!--->", "<!--", "-->", "--!>", "->", "<!-", "<![CDATA[", "]]>", "<script>",
    "</script>", "</SCRIPT ", "<style>", "</style>", "<textarea>", "</textarea>", "<title>", "</title/", "<noscript>",
    "</noscript>", "<xmp>", "</xmp>", "<iframe>", "</iframe>", "<p class=", "</p>", "text", '"', "'", "=", "==",
    "a=b", " x", "\n", "\t", "\x0c", "\x0b", "&amp;", "&copy=1", "&lt", "<svg>", "<picture>", "<plaintext>",
    "<a href=?a&copy=1>", "<img src=a.png src=b.png>", "<noembed>", "</noembed>", "<1", "</1>", "é", "<é>", "<p/é=1>",
)  # fmt: skip
RAW = {"style", "xmp", "iframe", "noembed", "noframes", "noscript"}


def ours(text: str) -> list[tuple[str, bool, dict[str, str | None]]]:
    page = text.encode()
    return [
        (
            tag.name.decode(),
            tag.closing,
            {} if tag.closing else {row.name.decode(): unescape(row.value) for row in attributes(page, tag)},
        )
        for tag in tags(page)
    ]


def standard(text: str) -> list[tuple[str, bool, dict[str, str | None]]]:
    """What html5lib's tokenizer finds, told like its parser what text each element holds."""
    html5lib = pytest.importorskip("html5lib._tokenizer")
    constants = pytest.importorskip("html5lib.constants")
    tokenizer = html5lib.HTMLTokenizer(text)
    found = []
    for token in tokenizer:
        kind = token["type"]
        if kind in (constants.tokenTypes["StartTag"], constants.tokenTypes["EmptyTag"]):
            name = token["name"]
            found.append((name, False, dict(token["data"])))
            if name in RAW:
                tokenizer.state = tokenizer.rawtextState
            elif name in ("textarea", "title"):
                tokenizer.state = tokenizer.rcdataState
            elif name == "script":
                tokenizer.state = tokenizer.scriptDataState
            elif name == "plaintext":
                tokenizer.state = tokenizer.plaintextState
        elif kind == constants.tokenTypes["EndTag"]:
            found.append((token["name"], True, {}))
    return found


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@example("<!--><img src=a.png>")
@example("<script><!--<script></script><img src=a.png>--></script><img src=b.png>")
@example("<script><!--><script></script><img src=a.png>")
@example('<img src="a.png')
@example("<img src='a.png><p title='b'>")
@example("<img alt==a =b c= >")
def test_the_same_tags_as_the_standard(text: str) -> None:
    """Soup of awkward pieces: the tags, their names, attributes and values are those of the standard's tokenizer."""
    assert standard(text) == ours(text)


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_ranges_hold_the_tags(text: str) -> None:
    """Ranges come in order, begin with `<` and end with `>`; an attribute's range begins with its name."""
    page, end = text.encode(), 0
    for tag in tags(page):
        assert end <= tag.start < tag.end
        assert page[tag.start : tag.start + 1] == b"<"
        assert page[tag.end - 1 : tag.end] == b">"
        assert page[tag.name_end - len(tag.name) : tag.name_end].lower() == tag.name
        end = tag.end
        for row in attributes(page, tag):
            assert tag.name_end < row.start < row.end < tag.end
            assert page[row.start : row.end].lower().startswith(row.name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"a&amp;b", "a&b"),
        (b"?a&copy=1", "?a&copy=1"),
        (b"?a&copy1", "?a&copy1"),
        (b"?a&copy", "?a©"),
        (b"?a&copy;=1", "?a©=1"),
        (b"&#97;&#x62;&#99", "abc"),
        (b"&nosuchname;", "&nosuchname;"),
        (b"a&b", "a&b"),
        (b"\xff", None),
    ],
)
def test_character_references(value: bytes, text: str | None) -> None:
    """A name without a semicolon is a reference only where nothing of an address follows it."""
    assert unescape(value) == text


def documentation() -> list[Path]:
    """The HTML pages that installed packages ship."""
    folders = {Path(path) for path in sys.path if path.endswith("site-packages")}
    pages = sorted(page for folder in folders for page in folder.rglob("*.html") if page.is_file())
    return [page for page in pages if b"<img" in page.read_bytes().lower()]


@pytest.mark.slow
def test_pages_of_installed_packages() -> None:
    """Over real pages: the list of images is lexbor's, only our ranges change, and all is taken back."""
    pages = documentation()
    if not pages:
        pytest.skip("no installed package ships an HTML page with an image")
    for path in pages:
        page = path.read_bytes()
        found, tree = image_tags(page), Tree(page)
        assert agree([rows for _, rows in found], tree.attributes()), path
        patches = [patch for tag, _ in found for patch in marks.reserve(tag, (3, 2), lazy=True)]
        patches += [patch for tag, _ in found for patch in marks.wrap(tag, "a.png.webp", "image/webp")]
        changed = marks.apply(page, patches)
        position = 0
        for patch in sorted(patches, key=lambda patch: patch.start):
            assert patch.start == patch.end
            rest = page[position : patch.start]
            assert changed.startswith(rest + patch.new), path
            changed, position = changed[len(rest + patch.new) :], patch.start
        assert changed == page[position:]
        assert marks.take_back(marks.apply(page, patches)) == page, path


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_soup_is_written_and_taken_back(text: str) -> None:
    """Whatever a page is, what was written into its images is taken back byte by byte; nothing written is no change."""
    page = text.encode()
    found = [tag for tag in tags(page) if tag.name == b"img" and not tag.closing]
    assert marks.apply(page, []) == page
    patches = [patch for tag in found for patch in marks.reserve(tag, (3, 2), lazy=True)]
    assert marks.take_back(marks.apply(page, patches)) == page
