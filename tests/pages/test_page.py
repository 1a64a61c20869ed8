"""What may be done to each image of a page: attributes, ancestors, addresses and policies that forbid it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from imgshrink.pages import marks
from imgshrink.pages.images import Image
from imgshrink.pages.options import Options, options_for
from imgshrink.pages.page import LARGEST, ImageTag, PagePlan, Rules, plan
from imgshrink.pages.sheets import Sheets
from imgshrink.pages.urls import beside, file_of
from imgshrink.settings.schema import Settings

AUTO = "<style>img{height:auto}</style>"
POLICY = "http-equiv=Content-Security-Policy"
FILES = {"a.png": (40, 30), "b.png": (9, 8), "sub/c d.png": (5, 5), "\u00e9.png": (3, 3)}


def image(file: PurePosixPath) -> Image | None:
    return Image(file, 1000, FILES[str(file)]) if str(file) in FILES else None


def planned(html: str, *, folder: str = "", eager: int = 0, root: str = "/", site: Path = Path("/nowhere")) -> PagePlan:
    page = f"<!doctype html><body>{html}".encode()
    return plan(page, PurePosixPath(folder), Rules(image, Sheets(site, root), eager, root))


def only(html: str, **options: object) -> ImageTag | None:
    """What may be done to the one image of a page."""
    rows = planned(AUTO + html, **options).images
    assert len(rows) < 2
    return rows[0] if rows else None


@pytest.mark.parametrize(
    ("html", "size", "lazy", "wrap"),
    [
        ("<img src=a.png>", True, True, True),
        ("<IMG SRC='a.png'/>", True, True, True),
        ("<img src=a.png alt='a > b'>", True, True, True),
        ("<img src=' a.png\n'>", True, True, True),
        ("<img src='sub/c%20d.png'>", True, True, True),
        ("<img src='sub/c d.png'>", True, True, True),
        ("<img src='&eacute;.png'>", True, True, True),
        ("<img src=%C3%A9.png>", True, True, True),
        ("<img src='a.png?v=3#only-dark'>", True, True, True),
        # a size that is there, or would contradict
        ("<img src=a.png width=40 height=30>", False, True, True),
        ("<img src=a.png width=40>", False, False, True),
        ("<img src=a.png width=50% height=30>", False, False, True),
        ("<img src=a.png style='width:40px'>", False, False, True),
        ("<img src=a.png style='max-height:40px'>", False, False, True),
        ("<img src=a.png style='border:1px solid'>", False, False, True),
        ("<img src=a.png style='color:red;float:left'>", True, True, True),
        ("<img src=a.png loading=eager>", True, False, True),
        ("<img src=a.png loading=lazy>", True, False, True),
        # no picture
        ("<img src=a.png srcset='b.png 2x'>", False, False, False),
        ("<img src=a.png sizes=auto>", False, False, False),
        ("<img src=a.png slot=x>", True, True, False),
        ("<img src=a.png id=logo>", True, True, False),
        ("<my-slider><img src=a.png></my-slider>", True, True, False),
        ("<my-slider><p><img src=a.png></p></my-slider>", True, True, False),
        (f"<meta {POLICY} content=\"default-src 'self'\"><img src=a.png>", True, True, False),
        (f"<meta {POLICY} content=\"style-src 'unsafe-inline'\"><img src=a.png>", True, True, True),
        (f"<meta {POLICY} content=\"img-src 'self'\"><img src=a.png>", True, True, True),
        ("<a href=a.png><img src=a.png></a>", True, True, True),
    ],
)  # fmt: skip
def test_what_a_tag_allows(html: str, *, size: bool, lazy: bool, wrap: bool) -> None:
    """Attributes and ancestors decide on size, lazy loading and variant, each for itself."""
    row = only(html)
    assert row is not None
    assert (row.size is not None, row.lazy, row.wrap) == (size, lazy, wrap)
    assert row.size in (None, *FILES.values())


@pytest.mark.parametrize(
    "html",
    [
        "<picture><source srcset=b.webp><img src=a.png></picture>",
        "<noscript><img src=a.png></noscript>",
        "<template><img src=a.png></template>",
        "<svg><foreignObject><p><img src=a.png></svg>",
        "<pre><img src=a.png></pre>",
        "<code><img src=a.png></code>",
        "<object><img src=a.png></object>",
        "<!-- <img src=a.png> -->",
        "<script>'<img src=a.png>'</script>",
        "<textarea><img src=a.png></textarea>",
        "<img>",
        "<img src>",
        "<img src=''>",
        "<img src=missing.png>",
        "<img src=../a.png>",
        "<img src=a.png/>",
        "<img src=data:image/gif;base64,AAAA>",
        "<img src=https://example.org/a.png>",
        "<img src=//example.org/a.png>",
        "<img src='a\\b.png'>",
        "<img src=%FF.png>",
        "<img src=a%00.png>",
        "<img src=sub/>",
        "<img src=?a.png>",
        "<img src=a.png data-src=b.png>",
        "<img src=a.png data-lazy-src=b.png>",
        '<img src=a.png onerror="this.src=0">',
        "<img src=a.png data-imgshrink=off>",
    ],
)
def test_images_that_are_untouched(html: str) -> None:
    """What is no file of the site, or what a script or another element decides on, stays as it is."""
    assert only(html) is None


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<base href=/x/><img src=a.png>", "<base>"),
        ("<div id=print-site-page><img src=a.png></div>", "printing"),
        ("<div id='__docusaurus'><img src=a.png></div>", "React"),
        ("<table><tr><td><img src=a.png></td></tr><img src=b.png></table>", "two ways"),
        ("<img src=a.png>\x1b$B", "UTF-8"),
        ("<link rel=stylesheet href=https://example.org/x.css><img src=a.png>", "https://example.org/x.css"),
        ("<link rel='Alternate StyleSheet' href=//example.org/x.css><img src=a.png>", "//example.org/x.css"),
        ("<style>@import 'https://example.org/y.css';</style><img src=a.png>", "https://example.org/y.css"),
        ("<img src=a.png>" + " " * LARGEST, "large"),
    ],
)
def test_pages_that_are_left_alone(html: str, reason: str) -> None:
    """A page that can't be judged stays as it is, and says why."""
    found = planned(html)
    assert found.images == ()
    assert reason in found.reason


def test_page_that_is_not_utf8() -> None:
    """A page in another encoding is left alone."""
    page = b"<!doctype html><p>\xe4<img src=a.png>"
    assert "UTF-8" in plan(page, PurePosixPath(), Rules(image, Sheets(Path("/nowhere")))).reason


@pytest.mark.parametrize(
    "html",
    [
        "<link rel=stylesheet href='https://fonts.googleapis.com/css?family=Roboto'>",
        "<link rel=stylesheet href='https://cdnjs.cloudflare.com/ajax/libs/highlight.js/11.8.0/styles/github.min.css'>",
        "<link rel=stylesheet href='//cdn.jsdelivr.net/npm/katex@0.16/dist/katex.min.css'>",
        "<link rel=icon href='https://example.org/x.png'>",
        "<link rel=stylesheet href=missing.css>",
        "<link rel=stylesheet>",
        "<template><base href=x></template>",
    ],
)
def test_pages_that_are_worked_on(html: str) -> None:
    """Style sheets of fonts and highlighted code reach no image, and one that is missing has no rules."""
    row = only(html + "<img src=a.png>")
    assert row is not None
    assert row.size == FILES["a.png"]


def test_style_sheets_of_the_site(tmp_path: Path) -> None:
    """Local style sheets count, and those that they import, each relative to its own place."""
    (tmp_path / "css").mkdir()
    (tmp_path / "css" / "a.css").write_text("@import 'b.css'; @import url(/css/a.css); p > img { color: red }")
    (tmp_path / "css" / "b.css").write_text("\ufeffimg { height: auto }")
    link = "<link rel=stylesheet href=../css/a.css?x=1>"
    rows = planned(f"{link}<p><img src=/a.png></p><img src=../b.png>", folder="sub", site=tmp_path).images
    assert [(row.size, row.wrap, row.kept) for row in rows] == [((40, 30), False, True), ((9, 8), True, False)]


def test_first_images_are_loaded_at_once() -> None:
    """Images before the content and the first of the content are not lazy, those behind it are."""
    html = "<header><img src=a.png></header><main>{}</main><footer><img src=a.png></footer>"
    rows = planned(AUTO + html.format("<img src=a.png>" * 4), eager=2).images
    assert [row.lazy for row in rows] == [False, False, False, True, True, True]
    assert [row.at_once for row in rows] == [not row.lazy for row in rows]
    assert [row.lazy for row in planned(AUTO + "<img src=a.png>" * 3, eager=2).images] == [False, False, True]
    assert [row.lazy for row in planned(AUTO + "<img src=x.png>" * 2 + "<img src=a.png>", eager=2).images] == [True]


@pytest.mark.parametrize(
    ("address", "folder", "root", "file"),
    [
        ("a.png", "", "/", "a.png"),
        ("./x/../a.png", "sub", "/", "sub/a.png"),
        ("../a.png", "sub", "/", "a.png"),
        ("/a.png", "sub", "/", "a.png"),
        ("/docs/a.png", "sub", "/docs/", "a.png"),
        ("/a.png", "", "/docs/", None),
        ("/docs", "", "/docs/", None),
        ("mailto:a", "", "/", None),
        ("a.png#x?y", "", "/", "a.png"),
        ("..", "a", "/", None),
    ],
)
def test_file_that_an_address_leads_to(address: str, folder: str, root: str, file: str | None) -> None:
    """Addresses are resolved as browsers do, inside of the site only."""
    assert file_of(address, PurePosixPath(folder), root=root) == (PurePosixPath(file) if file else None)


@pytest.mark.parametrize(
    ("address", "variant"),
    [
        ("a.png", "a.png.webp"),
        ("../x/a.png?v=3", "../x/a.png.webp?v=3"),
        ("a.png#only-dark", "a.png.webp"),
        (" a b,c.png ", "a%20b%2Cc.png.webp"),
        ("a%20b.png?c d", "a%20b.png.webp?c%20d"),
    ],
)
def test_address_of_a_variant(address: str, variant: str) -> None:
    """The suffix stands before the query, and what separates addresses in `srcset` is encoded."""
    assert beside(address, ".webp") == variant


def test_settings_become_options(tmp_path: Path) -> None:
    """Formats and saving reach the variants of a session, and only `modern` asks for any."""
    asked: list[object] = []
    settings = Settings(pages="modern", pages_formats=("webp",), pages_saving=20.0, pages_exclude=("b.html",))

    def options(pages: str) -> Options:
        return options_for(
            replace(settings, pages=pages, base=tmp_path),
            root="/",
            known_by=lambda file: [tmp_path / file],
            excluded=lambda *paths: paths[0].name == "no.png",
            variants=lambda requests, **more: asked.append((requests, more)) or {},
            known_only=True,
        )

    modern = options("modern")
    assert modern.variants is not None
    assert modern.variants([]) == {}
    assert asked == [([], {"formats": ("webp",), "saving": 20.0, "known_only": True, "waiting": None})]
    assert options("reserve").variants is None
    assert modern.page_excluded(PurePosixPath("b.html"))
    assert not modern.page_excluded(PurePosixPath("a.html"))
    assert modern.image_excluded(PurePosixPath("no.png"))


PAGES = [
    "<p><img src=a.png></p>",
    "<p><IMG/SRC='a.png' alt='a > b'/></p>",
    "<img\n  src = a.png\n>",
    "<img src=a.png/><img src=b.png>",
    '<img alt="" src="a.png?v=1&amp;w=2"/>',
    "<img src=a.png width=3 height=3>",
]


@pytest.mark.parametrize("html", PAGES)
@pytest.mark.parametrize("size", [None, (40, 30)])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("variant", [False, True])
def test_what_is_written_is_taken_back(html: str, size, *, lazy: bool, variant: bool) -> None:
    """Every combination can be told from what was there, and is taken back to the first bytes."""
    from imgshrink.pages.tokens import tags

    page = html.encode()
    found = [tag for tag in tags(page) if tag.name == b"img"]
    patches = [patch for tag in found for patch in marks.reserve(tag, size, lazy=lazy)]
    if variant:
        patches += [patch for tag in found for patch in marks.wrap(tag, 'x"&y.png.webp?a&b', "image/webp")]
    changed = marks.apply(page, patches)
    assert (changed == page) == (not (size or lazy or variant))
    assert marks.take_back(changed) == page
    assert marks.variants(changed) == ['x"&y.png.webp?a&b'] * (len(found) if variant else 0)


def test_attributes_written_anew_by_a_minifier_are_taken_back() -> None:
    """What another program has written in its own way is still known, and what is not ours is not touched."""
    page = b"<img src=a.png height=30 data-imgshrink='lazy size' width=40 loading=lazy alt=x>"
    assert marks.take_back(page) == b"<img src=a.png alt=x>"
    for other in (b"<img data-imgshrink=other width=3 src=a>", b"<img data-x=data-imgshrink><picture></picture>"):
        assert marks.take_back(other) == other
    assert marks.take_back(b'<picture data-imgshrink><source srcset="\xff"><img></picture>') == b"<img>"
