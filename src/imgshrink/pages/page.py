"""Decides for each image of one page what may be written into its tag."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from .css import declarations
from .escapes import unescape
from .images import Image, Images
from .marks import MARK
from .sheets import Guard, Sheets
from .sizes import changes_layout
from .tokens import Tag, attributes, tags
from .tree import Tree, ancestors
from .urls import file_of

LARGEST = 10_000_000
"""Bytes of the largest page that is looked at."""

_UNTOUCHED = {"picture", "svg", "math", "template", "noscript", "pre", "code", "object", "video", "map"}
_CONTENT = {"main", "article"}
_SCRIPTED = re.compile(r"data-(?:src|srcset|lazy|original)|on(?:error|load)$")
_MARK = MARK.decode()
_NO_PICTURE = {"srcset", "sizes", "slot", "id"}
_PRINT_SITE = re.compile(rb"id=[\"']?print-site-page")
_RENDERED = re.compile(rb"id=[\"']?(?:__docusaurus|__next|___gatsby|__nuxt)\b|__VP_SITE_DATA__")
_SIZED_STYLE = re.compile(r"(?:min-|max-)?(?:width|height|inline-size|block-size)$")


@dataclass(frozen=True)
class ImageTag:
    """What may be done to one tag: `size` to write or None, `lazy`, and whether it may be wrapped in `<picture>`.

    `kept` says that it can't be wrapped because of the site's style sheets. `address` is its `src`. `at_once`: browsers
    load it with the page, wherever it stands.
    """

    tag: Tag
    address: str
    image: Image
    size: tuple[int, int] | None
    lazy: bool
    wrap: bool
    kept: bool = False
    at_once: bool = True


@dataclass(frozen=True)
class PagePlan:
    """What may be done to the images of a page; `reason` says why nothing at all."""

    images: tuple[ImageTag, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Rules:
    """What a run asks for: the images, the style sheets, how many images of the content are loaded at once."""

    images: Images
    sheets: Sheets
    eager: int = 2
    root: str = "/"


@dataclass(frozen=True)
class _Row:
    """An image of a page as both parsers see it: its tag, its attributes and the names of the elements around it."""

    number: int
    tag: Tag
    attributes: Mapping[str, str]
    around: Sequence[str]
    image: Image
    address: str


@dataclass
class _Count:
    """How many images of the content have come by."""

    seen: int = field(default=0)


def plan(page: bytes, folder: PurePosixPath, rules: Rules) -> PagePlan:
    """Return what may be done to a page in `folder`, which is relative to the site. It holds nothing of ours."""
    if len(page) > LARGEST:
        return PagePlan(reason="it is too large")
    if b"<img" not in page.lower():
        return PagePlan()
    found = image_tags(page)
    tree = Tree(page)
    reason = _why_not(page, tree, found)
    if reason:
        return PagePlan(reason=reason)
    guard, unseen = rules.sheets.of(tree, folder)
    if guard is None:
        return PagePlan(reason=f"its style sheet {unseen} can't be read")
    return PagePlan(tuple(_decided(page, tree, guard, _rows(tree, [tag for tag, _ in found], folder, rules), rules)))


def image_tags(page: bytes) -> list[tuple[Tag, dict[str, str | None]]]:
    """Return the image tags of a page with their attributes, but those inside of `<template>`."""
    found, templates = [], 0
    for tag in tags(page):
        if tag.name == b"template":
            templates = max(0, templates + (-1 if tag.closing else 1))
        elif tag.name == b"img" and not (tag.closing or templates):
            rows = {row.name.decode(errors="replace"): unescape(row.value) for row in attributes(page, tag)}
            found.append((tag, rows))
    return found


def _why_not(page: bytes, tree: Tree, found: Sequence[tuple[Tag, dict[str, str | None]]]) -> str:
    try:
        page.decode()
    except UnicodeDecodeError:
        return "it is not UTF-8"
    if b"\x1b" in page:
        return "it is not UTF-8"
    if not agree([rows for _, rows in found], tree.attributes()):
        return "its HTML can be read in two ways"
    if any(node.attributes.get("href") is not None for node in tree.elements("base")):
        return "it has a <base> element"
    if _PRINT_SITE.search(page):
        return "it is made for printing"
    if _RENDERED.search(page):
        return "a script of React or Vue builds it again in the browser"
    return ""


def agree(ours: Sequence[Mapping[str, str | None]], theirs: Sequence[Mapping[str, str]]) -> bool:
    """Whether both parsers found the same images: names of attributes and addresses."""
    return [(set(rows), rows.get("src") or "") for rows in ours] == [
        (set(rows), rows.get("src") or "") for rows in theirs
    ]


def _rows(tree: Tree, found: Sequence[Tag], folder: PurePosixPath, rules: Rules) -> list[_Row | None]:
    """Return the images that may be worked on, None for the others."""
    rows: list[_Row | None] = []
    for number, (tag, node, values) in enumerate(zip(found, tree.images, tree.attributes(), strict=True)):
        address, around = values.get("src", ""), ancestors(node)
        file = file_of(address, folder, root=rules.root)
        touched = not (_UNTOUCHED & set(around) or any(_SCRIPTED.match(name) for name in values) or _MARK in values)
        image = rules.images(file) if file is not None and touched else None
        rows.append(_Row(number, tag, values, around, image, address) if image else None)
    return rows


def _decided(page: bytes, tree: Tree, guard: Guard, rows: Sequence[_Row | None], rules: Rules) -> list[ImageTag]:
    if not any(rows):
        return []
    sizable, fixed = guard.sizable(tree, page), guard.fixed(tree, page)
    no_picture = _forbids_styles(tree)
    main = any(_CONTENT & set(ancestors(node)) for node in tree.images)
    eager, decided = _Count(), []
    for row, node in zip(rows, tree.images, strict=True):
        first = _is_first(ancestors(node), main=main, count=eager, most=rules.eager)
        if row is None:
            continue
        size = row.image.size if row.number in sizable and _may_be_sized(row.attributes) else None
        reserved = size is not None or _is_sized(row.attributes)
        lazy = reserved and not first and "loading" not in row.attributes
        custom = any("-" in name for name in row.around[:2])
        wrap = row.image.replaceable and not (no_picture or custom or _NO_PICTURE & set(row.attributes))
        kept = wrap and row.number in fixed
        at_once = not lazy and row.attributes.get("loading", "").strip().lower() != "lazy"
        decided.append(ImageTag(row.tag, row.address, row.image, size, lazy, wrap and not kept, kept, at_once))
    return decided


def _is_first(around: Sequence[str], *, main: bool, count: _Count, most: int) -> bool:
    """Whether an image is loaded at once: one of the first of the content, or one that stands before it."""
    if not main or _CONTENT & set(around):
        count.seen += 1
        return count.seen <= most
    return count.seen == 0


def _may_be_sized(values: Mapping[str, str]) -> bool:
    """Whether a tag holds nothing that a size of ours would contradict."""
    if {"width", "height", "srcset", "sizes"} & set(values):
        return False
    rows = declarations(values.get("style", ""))
    return not (changes_layout(rows) or any(_SIZED_STYLE.match(name) for name, _ in rows))


def _is_sized(values: Mapping[str, str]) -> bool:
    """Whether the author has given both sizes in pixels."""
    return all(re.fullmatch(r"[1-9][0-9]*", values.get(name, "").strip()) for name in ("width", "height"))


def _forbids_styles(tree: Tree) -> bool:
    """Whether the page has a policy under which a `style` attribute may not count."""
    policies = [
        node.attributes.get("content") or ""
        for node in tree.elements("meta")
        if (node.attributes.get("http-equiv") or "").lower() == "content-security-policy"
    ]
    limited = (policy for policy in policies if "style-src" in policy or "default-src" in policy)
    return any("'unsafe-inline'" not in policy for policy in limited)
