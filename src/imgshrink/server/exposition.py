"""The text format of Prometheus, version 0.0.4: families of samples as text.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"


@dataclass(frozen=True)
class Sample:
    """One value and its labels; `suffix` follows the family's name: `_bucket`, `_sum` and `_count` of a histogram."""

    value: float
    labels: Mapping[str, str]
    suffix: str = ""


@dataclass(frozen=True)
class Family:
    """All samples of one name; `kind` is `counter`, `gauge` or `histogram`."""

    name: str
    kind: str
    description: str
    samples: tuple[Sample, ...]


def single(name: str, kind: str, description: str, value: float, **labels: str) -> Family:
    """Return a family of one sample."""
    return Family(name, kind, description, (Sample(value, labels),))


def exposition(families: Iterable[Family]) -> str:
    """Return the families as text; those without a sample are left out."""
    return "".join(line + "\n" for family in families if family.samples for line in _lines(family))


def _lines(family: Family) -> Iterable[str]:
    yield f"# HELP {family.name} {_escaped(family.description)}"
    yield f"# TYPE {family.name} {family.kind}"
    for sample in family.samples:
        labels = ",".join(f'{name}="{_label(value)}"' for name, value in sample.labels.items())
        shown = f"{{{labels}}}" if labels else ""
        yield f"{family.name}{sample.suffix}{shown} {number(sample.value)}"


def number(value: float) -> str:
    """Return a number as the format writes it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _label(text: str) -> str:
    return _escaped(text).replace('"', r"\"")
