"""The builtin codecs: what each format keeps, and what it never touches."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from imgshrink.core import errors
from imgshrink.core.model import Accept, NotSmaller, Recipe
from imgshrink.engines.builtin import Builtin
from imgshrink.engines.builtin.versions import PACKAGES, RULES, codec_versions
from imgshrink.image.metadata import dress
from imgshrink.image.sniff import sniff
from imgshrink.pixels.verify import verify
from imgshrink.worker_tasks import worker_pool


@pytest.fixture(scope="module")
def builtin() -> Iterator[Builtin]:
    """The builtin engine over one worker, for all tests of this file."""
    engine = Builtin(worker_pool(1))
    yield engine
    engine.close()


def test_fingerprint_is_the_rules_and_imports_no_codec():
    """The fingerprint names our own rules alone, and computing it loads no codec."""
    script = (
        "import sys; from imgshrink.engines.builtin import Builtin; from imgshrink.worker_tasks import worker_pool\n"
        "print(Builtin(worker_pool(1)).fingerprint)\n"
        "print({'pyvips', 'oxipng', 'mozjpeg_lossless_optimization', 'PIL', 'importlib.metadata'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    fingerprint, loaded = output.splitlines()
    assert loaded == "set()"
    assert fingerprint == f"builtin rules {RULES}"


def test_versions_are_the_installed_ones():
    """The versions read from folder names are those that the packages' own metadata states."""
    from importlib.metadata import version

    assert codec_versions() == ", ".join(f"{name} {version(name)}" for name in PACKAGES)


@pytest.mark.slow
@pytest.mark.long
def test_corpus_settles(builtin, sweep):
    """What verify accepts of our results stays as it is when it is treated again, in its own format and size.

    Every second image: the first generation of all of them is looked at by the whole command. What an image carries for
    other programs counts in both: verify puts it back.
    """
    for path in sweep[::2]:
        data = path.read_bytes()
        info = sniff(data)
        result = builtin.optimize(data, info, Recipe(80))
        if result is data:
            continue
        after = sniff(result)
        assert len(result) < len(data), path
        assert (info.format, info.displayed) == (after.format, after.displayed), path
        judged = verify(data, result, Recipe(80))
        assert isinstance(judged, Accept | NotSmaller), (path, judged)
        if isinstance(judged, Accept):
            again = builtin.optimize(judged.data, sniff(judged.data), Recipe(80))
            dressed = dress(again, judged.data, keep=True)
            assert len(dressed) > 0.98 * len(judged.data), path


def test_incomplete(builtin, corpus):
    """An image that ends early is never rewritten."""
    data = corpus[0].read_bytes()[:-100]
    with pytest.raises(errors.Declined, match="file ends early"):
        builtin.optimize(data, sniff(data), Recipe(80))
