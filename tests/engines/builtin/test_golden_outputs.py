"""The encoders' outputs are those of the rules' number: caches share results by it."""

from __future__ import annotations

import hashlib
import json
import os
import platform

import pytest

from imgshrink.core.model import Recipe
from imgshrink.engines.builtin.codecs import optimize
from imgshrink.engines.builtin.versions import RULES, codec_versions
from imgshrink.image.sniff import sniff
from places import IMAGES, ROOT

pytestmark = pytest.mark.slow


GOLDEN = ROOT / "tests" / "golden" / "codecs.json"
QUALITIES = (60, 80, 100)


def outputs() -> dict[str, str]:
    """Return the beginning of the hash of what the encoders make of each small image at each quality."""
    found = {}
    for path in sorted(IMAGES.iterdir()):
        data = path.read_bytes()
        info = sniff(data)
        for quality in QUALITIES if info else ():
            result = optimize(data, info, Recipe(quality))
            found[f"{path.name} q{quality}"] = f"{len(result)} {hashlib.sha256(result).hexdigest()[:16]}"
    return found


def made_with() -> str:
    """Return what else may change outputs: the codecs, and the processor that they have code for."""
    return f"{codec_versions()}, {platform.system()} {platform.machine()}"


def test_outputs_change_with_the_rules_only():
    """An output that changes needs a new number of the rules; `WRITE_GOLDEN=1` records it with the outputs."""
    kept = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.is_file() else {}
    if kept and kept["codecs"] != made_with() and not os.environ.get("WRITE_GOLDEN"):
        pytest.skip(f"recorded with other codecs: {kept['codecs']}")
    now = {"rules": RULES, "codecs": made_with(), "outputs": outputs()}
    if now != kept and os.environ.get("WRITE_GOLDEN"):
        same_rules = kept.get("rules") == RULES and kept.get("codecs") == made_with()
        assert not same_rules, "outputs have changed: raise RULES in engines/builtin/versions.py first"
        GOLDEN.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
        return
    assert kept["outputs"] == now["outputs"], "outputs have changed: raise RULES, then record them with WRITE_GOLDEN=1"
    assert kept["rules"] == RULES, "record the outputs of these rules with WRITE_GOLDEN=1"
