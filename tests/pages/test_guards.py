"""Which images style sheets let be wrapped and sized: each trap by a rule, a page, and the images that are left."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgshrink.pages import css
from imgshrink.pages.selectors import Compound, Selector, read
from imgshrink.pages.sheets import Guard, page_classes
from imgshrink.pages.tree import Tree, known


def fixed(sheet: str, body: str) -> list[str]:
    """The `alt` of the images that the rules of a style sheet keep in their place."""
    return _named(body, lambda tree, page: Guard([css.parse(sheet)]).fixed(tree, page))


def sizable(sheet: str, body: str) -> list[str]:
    """The `alt` of the images that may get a size."""
    return _named(body, lambda tree, page: Guard([css.parse(sheet)]).sizable(tree, page))


def _named(body, numbers) -> list[str]:
    page = f"<!doctype html><body>{body}".encode()
    tree = Tree(page)
    found = numbers(tree, page)
    return [row["alt"] for number, row in enumerate(tree.attributes()) if number in found]


TWO = "<p><img alt=a></p><div class=x><img alt=b><em>c</em></div>"
THREE = "<p class=s><img alt=a><img alt=b></p><p><img alt=c></p>"


@pytest.mark.parametrize(
    ("rule", "body", "images"),
    [
        # the parent and the neighbours of an image change
        ("p > img", TWO, "a"),
        ("p img", TWO, ""),
        (".x > *", TWO, "b"),
        (".X>IMG", TWO.replace("class=x", "class=X"), "b"),
        ("img", TWO, ""),
        ("* > p img", TWO, ""),
        ("div p > img, .x > img", TWO, "b"),
        ("em + img", "<p><em>x</em><img alt=a><img alt=b></p>", "a"),
        ("em ~ img", "<p><em>x</em><img alt=a><i></i><img alt=b></p>", "ab"),
        # (a) places that the image takes inside of <picture>, and those that it can only lose
        ("img:last-child", THREE, "abc"),
        ("img:nth-child(2)", THREE, "abc"),
        ("img:first-of-type", THREE, "abc"),
        ("p img:last-of-type", THREE, "abc"),
        ("img:only-of-type", THREE, "abc"),
        ("img:first-child", THREE, "ac"),
        ("img:only-child", THREE, "c"),
        (".s > :last-child", THREE, "b"),
        (".s > :first-child", THREE, "a"),
        ("img[align]:only-child", "<p><img alt=a align=left></p><p><img alt=b></p>", "a"),
        # (b) neighbours of an image lose it
        ("img + em", TWO, "b"),
        ("img ~ em", TWO, "b"),
        (".x img + em", TWO, "b"),
        ("img + b", TWO, ""),
        ("* + em", TWO, ""),
        (":not(img) + em", TWO, "b"),
        ("picture + em", TWO, "b"),
        # (c) owls: <source> stands in front of the image
        ("* + *", THREE, "abc"),
        ("* + img", THREE, "abc"),
        (".s > * + *", THREE, "ab"),
        (".s > * ~ *", THREE, "ab"),
        ("p + img", THREE, ""),
        # <picture> stands around it
        ("* > img", THREE, "abc"),
        (":not(p) > img", THREE, "abc"),
        (".s > * > img", THREE, "ab"),
        ("picture img", THREE, "abc"),
        (".s picture > img", THREE, "ab"),
        ("[style] img", THREE, "abc"),
        ("[data-x] img", THREE, ""),
        (":is(p, figure) > img", TWO, "a"),
        (":is(p, :not(a)) > img", TWO, "ab"),
        (".x > :not(em)", TWO, "b"),
        # (d) states, pseudo-elements, and what nobody knows
        ("p > img:hover", TWO, "a"),
        ("p:hover > img", TWO, "a"),
        (".x > *::before", TWO, "b"),
        (".x > img:not(:hover)", TWO, "b"),
        ("p > img:-vendor-thing(a)", TWO, "a"),
        (".x > img[data-a=1]", TWO, "ab"),
        (".y > img[data-a=1]", TWO, ""),
        (":is(.x, :hover) > img", TWO, "ab"),
        (":is() > img", TWO, "ab"),
        (":is(.x > img", TWO, ""),
        (".x::part(a) > img", TWO, "b"),
        ("!!!", TWO, "ab"),
        ("p >", TWO, "ab"),
        ("", TWO, ""),
        ("[data-scheme=dark] p > img", TWO, "a"),
        # other elements that ask for an image
        (".x:has(> img)", TWO, "b"),
        (".x:has(img)", TWO, ""),
        ("p:has(> img:only-child)", TWO, "a"),
        ("em:has(+ img)", "<p><em>x</em><img alt=a></p>", "a"),
        ("img:has(+ em)", TWO, "b"),
        (".x:not(:has(> img))", TWO, "b"),
        (".x:has(!!!)", TWO, "ab"),
        # pseudo-classes that hold a structure
        ("img:not(p > img)", TWO, "ab"),
        ("img:not(:first-child)", TWO, "ab"),
        ("img:is(p > img, em)", TWO, "ab"),
        ("img:not(.big)", TWO, ""),
        # rules inside of others
        ("@media (width > 3px) { p > img {color: red} } q", TWO, "a"),
        ("@layer a { @supports (x: y) { p > img {color: red} } } q", TWO, "a"),
        ("@keyframes a { from { color: red } } q", TWO, ""),
        (".x { & > img { color: red } } q", TWO, "b"),
        (".x { > img { color: red } } q", TWO, "b"),
        (".x, .y { @media print { & > img { color: red } } } q", TWO, "b"),
    ],
)  # fmt: skip
def test_images_that_keep_their_place(rule: str, body: str, images: str) -> None:
    """Images that a selector finds by their place, before or after wrapping, are not wrapped."""
    assert "".join(fixed(f"{rule} {{ color: red }}", body)) == images


@pytest.mark.parametrize(
    ("rule", "images"),
    [
        (".x.open > img", "b"),
        (".x.open img:first-of-type", "b"),
        ("body.js p.open.x > img", ""),
        ("body.js .x > img", "b"),
        ("html.js:not(.no) .x.a.b > img", "b"),
        (".open > img", ""),
        ("div.open > img", ""),
        (".x > img.open", ""),
        (".x.open img + .b", ""),
    ],
)
def test_classes_that_a_script_may_add(rule: str, images: str) -> None:
    """A class that the page lacks may be added to an element that is known by another; not to images."""
    assert "".join(fixed(f"{rule} {{ color: red }}", TWO)) == images


@pytest.mark.parametrize(
    ("rule", "images"),
    [
        ("picture { display: block !important }", "ab"),
        (".x * { display: block !important }", "b"),
        ("picture { display: block }", ""),
        ("em { display: block !important }", ""),
    ],
)
def test_important_display(rule: str, images: str) -> None:
    """Where a rule makes our element a box in spite of its style, images are not wrapped."""
    assert "".join(fixed(rule, TWO)) == images


AUTO = "img { max-width: 100%; height: auto }"


@pytest.mark.parametrize(
    ("sheet", "images"),
    [
        (AUTO, "ab"),
        ("img { max-width: 100% }", ""),
        ("p img { height: auto !important }", "a"),
        (".x img { block-size: auto }", "b"),
        ("@media screen { img { height: auto } }", "ab"),
        ("@layer base { img { height: auto } }", "ab"),
        ("@media print { img { height: auto } }", ""),
        ("@media (min-width: 1px) { img { height: auto } }", ""),
        ("img:hover { height: auto }", ""),
        ("img::before { height: auto }", ""),
        ("[data-theme=a] img { height: auto }", ""),
        (AUTO + ".x img { height: 3em }", "a"),
        (AUTO + "@media print { .x img { height: 3em } }", "a"),
        (AUTO + ".x img { max-height: 90vh }", "a"),
        (AUTO + ".x img { max-height: none; min-width: 0; min-height: auto }", "ab"),
        (AUTO + ".x img { min-width: 30px }", "a"),
        (AUTO + ".x > * { object-fit: cover }", "a"),
        (AUTO + ".x img { aspect-ratio: 1 }", "a"),
        (AUTO + ".x img { padding: 1px }", "a"),
        (AUTO + ".x img { padding: 0 }", "ab"),
        (AUTO + ".x img { border: 1px solid }", "a"),
        (AUTO + ".x img { border: 0; border-radius: 3px; border-color: red }", "ab"),
        (AUTO + ".x img { border-left-width: 1px }", "a"),
        (AUTO + ".x img:hover { border: 1px solid }", "a"),
        (AUTO + ".x img { width: 50% }", "ab"),
        (AUTO + ".x img::after { padding: 1px }", "ab"),
        (AUTO + ".x { display: flex }", "a"),
        (AUTO + ".x { display: inline-grid }", "a"),
        (AUTO + ".x { padding: 3px }", "ab"),
        (AUTO + "!!! { height: 1px }", ""),
        (AUTO + "em { height: 1px }", "ab"),
        (AUTO + ".x, { height: 1px }", "ab"),
        (".x { @media print { height: 1px } img { height: auto } }", "b"),
        (AUTO + "img { all: unset }", ""),
    ],
)
def test_images_that_may_get_a_size(sheet: str, images: str) -> None:
    """An image gets a size where the height follows the width, and nothing else that counts is set."""
    assert "".join(sizable(sheet, TWO)) == images


def test_css_is_split_as_browsers_do() -> None:
    """Strings, comments, escapes, addresses and brackets hide braces; what is open at the end is closed."""
    text = """
    /* a { b: c } */ @charset "x"; @import url(one.css) screen; @import 'two.css';
    a[title="}"] { content: "{" /* ; */; background: url(data:a;b{}) } .a\\{b > img{color:red;}
    @font-face { src: url("x") } @media print { i { color: red } b {} } } c { d: e; f: (g;h)
    """
    sheet = css.parse(text)
    assert sheet.imports == ("one.css", "two.css")
    assert [rule.selectors for rule in sheet.rules][:2] == [('a[title="}"]',), (".a\\{b > img",)]
    assert sheet.rules[0].declarations == (("content", '"{"'), ("background", "url(data:a;b{})"))
    assert [rule.always for rule in sheet.rules][2:4] == [False, False]
    assert sheet.rules[-1].declarations == (("d", "e"), ("f", "(g;h)"))


def test_selectors_are_read_as_written() -> None:
    """Types, classes, attributes and pseudo-classes of each compound; what is no selector is None."""
    selector = read('svg|A.b\\:c#d[e="] > f"]:is(g > h, i)::before+ * ~\u00e9 j')
    assert selector is not None
    assert selector.combinators == ("+", "~", " ")
    assert [compound.type for compound in selector.compounds] == ["a", "*", "\u00e9", "j"]
    assert selector.compounds[0].parts == (".b\\:c", "#d", '[e="] > f"]', ":is(g > h, i)", "::before")
    assert read(":is(a > b") == Selector((Compound("", (":is(a > b",)),))
    assert [read(text) for text in ("", "> a", "a >", "a,b", "a || b", "a{")] == [None] * 6


def test_selector_that_lexbor_does_not_know() -> None:
    """It counts for all images."""
    assert Tree(b"<img><img>").matched("img::x") == {0, 1}


def test_classes_of_a_page() -> None:
    """All classes that elements have, however they are written."""
    page = b"<a class=a><b CLASS = 'b  c'><i class=\"d\ne\"><u class='&amp;f'>"
    assert {"a", "b", "c", "d", "e", "&f"} <= page_classes(page)


@pytest.mark.slow
def test_selectors_of_the_themes_are_known() -> None:
    """Lexbor reads every selector that the guards make of the style sheets of installed themes."""
    import material
    import mkdocs

    from imgshrink.pages import sizes, structure

    sheets = [path for package in (material, mkdocs) for path in Path(package.__file__).parent.rglob("*.css")]
    rules = [rule for path in sheets for rule in css.parse(path.read_text(encoding="utf-8")).rules]
    made = {
        made for rule in rules for way in (structure.affected, sizes.forbidden, sizes.granted) for made in way(rule)
    }
    assert len(rules) > 4000
    assert len(made) > 1000
    assert [selector for selector in sorted(made) if not known(selector)] == []
