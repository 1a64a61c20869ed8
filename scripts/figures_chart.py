"""Draw bytes against looks as SVG, for the page of figures: a panel a format, a line for imgshrink, a dot a tool."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import permutations

OURS = "imgshrink q"
WIDTH, HEIGHT = 340, 300
"""Of a panel, in the units of the drawing."""
LEFT, TOP, RIGHT, BOTTOM = 38, 44, 26, 34
"""Around a panel's axes."""
LINE = 13
"""Between two labels that are one above the other."""
LETTER = 6.3
"""Roughly, of the labels' type."""
LOWEST = 40.0
"""Of the scores that are drawn: below this an image is spoiled, and how much does not matter."""


@dataclass(frozen=True)
class Point:
    """What one tool made of one format: bytes out/in, and the mean score of the worst tenth."""

    name: str
    size: float
    look: float

    @property
    def own(self) -> bool:
        """It is one of imgshrink's."""
        return self.name.startswith(OURS)


@dataclass(frozen=True)
class Axes:
    """A panel's scale: where a value is drawn."""

    sizes: tuple[float, float]
    looks: tuple[float, float]

    def x(self, size: float) -> float:
        """Return where a share of the bytes stands."""
        low, high = self.sizes
        return LEFT + (size - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, look: float) -> float:
        """Return where a score stands; those below the scale stand at its end."""
        low, high = self.looks
        return HEIGHT - BOTTOM - (max(look, low) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)


def chart(tables: dict[str, Sequence[Sequence[str]]]) -> str:
    """Return the drawings of the tables of one set of images, one a format, as one `div` without an empty line."""
    parts = ['<div class="chart">']
    for title, lines in tables.items():
        if title != "All formats":
            label = (
                f"{title}: bytes against looks of imgshrink and other tools; the tables below hold the same figures."
            )
            parts.append(f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">')
            parts += [*_panel(title, [_point(line) for line in lines]), "</svg>"]
    return "\n".join([*parts, "</div>"])


def _point(line: Sequence[str]) -> Point:
    return Point(line[0], float(line[2]), float(line[4]))


def _panel(title: str, points: Sequence[Point]) -> Iterable[str]:
    axes = Axes(_span([point.size for point in points], 0.1), _looks(points))
    yield f'<text class="title" x="{LEFT}" y="16">{title}</text>'
    yield from _grid(axes)
    own = sorted((point for point in points if point.own), key=lambda point: point.size)
    line = " ".join(f"{axes.x(point.size):.1f},{axes.y(point.look):.1f}" for point in own)
    yield f'<polyline class="own" points="{line}"/>'
    for point in points:
        text = escape(f"{point.name}: {point.size:.3f} of the bytes, worst tenth {point.look}")
        yield (
            f'<circle class="{_kind(point)}" cx="{axes.x(point.size):.1f}" cy="{axes.y(point.look):.1f}" r="3.5">'
            f"<title>{text}</title></circle>"
        )
    yield from _labels(points, axes)


def _kind(point: Point) -> str:
    return "own" if point.own else "other"


def _grid(axes: Axes) -> Iterable[str]:
    bottom, right = axes.y(axes.looks[0]), axes.x(axes.sizes[1])
    for look in _steps(axes.looks, 10):
        y = axes.y(look)
        yield f'<path class="grid" d="M{LEFT:.1f} {y:.1f}H{right:.1f}"/>'
        yield f'<text class="end" x="{LEFT - 5:.1f}" y="{y + 4:.1f}">{look:g}</text>'
    for size in _steps(axes.sizes, 0.1):
        yield f'<text class="middle" x="{axes.x(size):.1f}" y="{bottom + 15:.1f}">{size:.0%}</text>'.replace("%", " %")


def _labels(points: Sequence[Point], axes: Axes) -> Iterable[str]:
    """Write the names of the points, those at one place together, each where nothing is in its way."""
    places: dict[tuple[int, int, str], list[Point]] = {}
    for point in sorted(points, key=lambda point: (not point.own, len(point.name), point.name)):
        at = (round(axes.x(point.size) / 5), round(axes.y(point.look) / 5), _kind(point))
        places.setdefault(at, []).append(point)
    dots = [_box(axes.x(point.size) - 4, axes.y(point.look) - 4, 8, 8) for point in points]
    own = [_named(together) for together in places.values() if together[0].own]
    others = [_named(together) for together in places.values() if not together[0].own]
    orders = ([*own, *order] for order in permutations(others))
    best = min((_placed(order, axes, dots) for order in orders), key=lambda placed: placed[0])
    for kind, name, box in best[1]:
        yield f'<text class="{kind}" x="{box[0]:.1f}" y="{box[3] - 3:.1f}">{escape(name)}</text>'


def _named(together: Sequence[Point]) -> tuple[Point, str]:
    names = [_short(point.name) for point in together]
    whole = together[0].own and len(names) > 1
    return together[0], f"{names[0]} to {names[-1]}" if whole else ", ".join(names)


def _placed(
    order: Sequence[tuple[Point, str]], axes: Axes, dots: Sequence[Box]
) -> tuple[float, list[tuple[str, str, Box]]]:
    """Place names one after the other; return how far they are from their points, and where each stands."""
    taken, cost, found = list(dots), 0.0, []
    for point, name in order:
        box = _free(axes, point, LETTER * len(name), taken)
        x, y = axes.x(point.size), axes.y(point.look)
        away = max(box[0] - x, x - box[2], 0) + max(box[1] - y, y - box[3], 0)
        cost += away + 1000 * sum(_meet(box, other) for other in taken)
        taken.append(box)
        found.append((_kind(point), name, box))
    return cost, found


Box = tuple[float, float, float, float]


def _box(left: float, top: float, width: float, height: float) -> Box:
    return left, top, left + width, top + height


def _free(axes: Axes, point: Point, width: float, taken: Sequence[Box]) -> Box:
    """Return the first place near a point for a text of a width that meets nothing, else the first."""
    x, y = axes.x(point.size), axes.y(point.look)
    beside = [(x + 8, y - LINE / 2), (x - 8 - width, y - LINE / 2)]
    downs = (5, -LINE - 5, 11, -LINE - 11, 18, -LINE - 18, 31, -LINE - 31)
    around = [(left, y + down) for down in downs for left in (x + 4, x - 4 - width)]
    boxes = [_box(left, top, width, LINE) for left, top in (*beside, *around)]
    inside = [
        box for box in boxes if box[0] >= LEFT and box[2] <= WIDTH and box[1] >= LINE and box[3] <= HEIGHT - BOTTOM
    ]
    free = [box for box in inside if not any(_meet(box, other) for other in taken)]
    return next(iter((*free, *inside, *boxes)))


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


SHORT = {
    "Pillow, JPEG q60 progressive (Material)": "Material",
    "Pillow's defaults, with profile": "Pillow",
    "pngquant -s3 (Material)": "pngquant, Material",
    "pngquant -s3, then oxipng -o2": "pngquant + oxipng",
}
"""Names of tools without what the tables say in full."""


def _short(name: str) -> str:
    return SHORT.get(name, name.removeprefix("imgshrink "))


def _looks(points: Sequence[Point]) -> tuple[float, float]:
    low, high = _span([max(point.look, LOWEST) for point in points], 10)
    return low, min(high, 100)


def _span(values: Sequence[float], step: float) -> tuple[float, float]:
    """Return the ends of a scale in whole steps around the values."""
    return step * (min(values) // step), step * -(-max(values) // step)


def _steps(span: tuple[float, float], step: float) -> Iterable[float]:
    count = round((span[1] - span[0]) / step)
    every = 1 if count <= 6 else 2
    return (span[0] + step * number for number in range(0, count + 1, every))
