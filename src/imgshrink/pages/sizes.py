"""Which images may get `width` and `height` attributes: those whose style sheets compute the height from the width.

The attributes are hints below every rule of a style sheet. `height: auto` in a rule makes the browser reserve the right
place; without it an image that is made narrower by the page would be distorted.
"""

from __future__ import annotations

from collections.abc import Iterator

from .css import Rule
from .relax import prefix, relax
from .selectors import Compound, Selector, read

_HEIGHT = ("height", "block-size")
_NEUTRAL = {
    "min-width": ("0", "auto", "0px"),
    "min-height": ("0", "auto", "0px"),
    "min-inline-size": ("0", "auto", "0px"),
    "min-block-size": ("0", "auto", "0px"),
    "max-height": ("none",),
    "max-block-size": ("none",),
    "object-fit": ("fill",),
    "aspect-ratio": ("auto",),
    "align-self": ("auto",),
    "justify-self": ("auto",),
    "place-self": ("auto",),
    "zoom": ("1",),
    "all": (),
    "content": ("normal", "none"),
}
"""Properties that make a size of ours change the layout, but for these values."""

_FRAMES = ("padding", "border")
_NO_FRAME = ("0", "0px", "none")
_HARMLESS_FRAMES = ("-radius", "-color", "-collapse", "-spacing", "-image", "-style")


def holds_height(declarations: tuple[tuple[str, str], ...]) -> bool:
    """Whether a block computes the height from the width."""
    return any(name in _HEIGHT and _value(value) == "auto" for name, value in declarations)


def changes_layout(declarations: tuple[tuple[str, str], ...]) -> bool:
    """Whether a block holds what lets a width and a height of ours change the layout."""
    return any(_changes(name, _value(value)) for name, value in declarations)


def granted(rule: Rule) -> Iterator[str]:
    """Yield selectors of images whose height the rule computes from their width, in every state of the page."""
    if rule.always and holds_height(rule.declarations):
        for text in rule.selectors:
            selector = read(text)
            if selector is not None and _image(selector.compounds[-1]) and _steady(selector):
                yield _named(selector)


def forbidden(rule: Rule) -> Iterator[str]:
    """Yield selectors of images whose layout a size of ours could change under the rule."""
    own, parent = changes_layout(rule.declarations), _stretches(rule.declarations)
    for text in rule.selectors if own or parent else ():
        selector = read(text)
        if not text:
            continue
        if selector is None:
            yield "img"
            continue
        if own and _image(selector.compounds[-1]):
            yield _named(selector)
        if parent:
            yield f"{prefix(selector, len(selector.compounds) - 1)}{relax(selector.compounds[-1])} > img"


def _named(selector: Selector) -> str:
    last = len(selector.compounds) - 1
    return prefix(selector, last) + relax(selector.compounds[last], image=True)


def _image(compound: Compound) -> bool:
    return (compound.any_type or compound.type == "img") and not compound.pseudo_element


def _steady(selector: Selector) -> bool:
    """Whether a selector matches just what its relaxed form matches."""
    return all(relax(compound) == ((compound.type + "".join(compound.parts)) or "*") for compound in selector.compounds)


def _stretches(declarations: tuple[tuple[str, str], ...]) -> bool:
    """Whether a block lays its children out so that a definite width of theirs counts."""
    return any(name == "display" and ("flex" in value or "grid" in value) for name, value in declarations)


def _changes(name: str, value: str) -> bool:
    if name in _HEIGHT:
        return value not in ("auto", "")
    if name in _NEUTRAL:
        return value not in _NEUTRAL[name]
    if name.startswith(_FRAMES) and not name.endswith(_HARMLESS_FRAMES):
        return value not in _NO_FRAME
    return False


def _value(value: str) -> str:
    return value.replace("!important", "").strip()
