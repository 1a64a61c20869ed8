"""Refit the weights of the score against SSIMULACRA2 on the corpus, print leave-one-out errors, write the table.

    python benchmarks/fit_score.py [--samples FOLDER] [--write]

Two kinds of damage are fitted apart, because a pooled set is worse at both: `lossy` (JPEG and WebP) and `palette`. The
samples take some minutes; `--samples` keeps them between runs. `--write` replaces engines/builtin/weights.py.
"""

from __future__ import annotations

import argparse
import datetime
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips
from inputs import corpus_images
from metric import CROP, score_arrays
from scipy.optimize import nnls
from scipy.stats import spearmanr

from imgshrink.core.model import Format
from imgshrink.engines.builtin.jpeg import encoded as jpeg_encoded
from imgshrink.engines.builtin.palette import quantized
from imgshrink.engines.builtin.score import POWER, Reference
from imgshrink.image.sniff import sniff

WEIGHTS = Path(__file__).resolve().parents[1] / "src" / "imgshrink" / "engines" / "builtin" / "weights.py"
LEAST_SCORE = {"lossy": 40.0, "palette": 60.0}
BLIND = 2.5
"""Chroma detail above which a 4:2:0 sample is left out: that damage has a term of its own."""

HUBER = 1.5
"""Points: larger errors count by their size, no more by its square."""

ROUNDS = 8
USUAL = 3.0
"""How often a usual sample counts."""

JPEG_TRIALS = [(quality, False) for quality in (45, 60, 70, 80, 90)] + [(quality, True) for quality in (60, 80, 90)]
WEBP_TRIALS = (55, 75, 90)
PALETTE_TRIALS = ((70, 0.0), (80, 0.0), (88, 0.0), (95, 0.0), (100, 0.0), (88, 0.5), (100, 0.5))


@dataclass(frozen=True)
class Sample:
    """One candidate for one image, as PNG or as encoded, with its SSIMULACRA2."""

    path: str
    how: tuple[object, ...]
    reference: bytes
    candidate: bytes
    score: float
    usual: bool
    """Whether the codecs would do this to such an image; others only keep the weights sensible everywhere."""


def lossy_samples() -> Iterator[Sample]:
    """Yield JPEG and WebP encodings of the corpus's stills at several settings."""
    for path, image in stills():
        image = flat(image, 255)
        reference = image.pngsave_buffer(compression=1)
        trials = [(("jpeg", *trial), jpeg_encoded(image, trial[0], full_chroma=trial[1])) for trial in JPEG_TRIALS]
        for quality in WEBP_TRIALS:
            trials += [(("webp", quality, False), image.webpsave_buffer(Q=quality, smart_subsample=True))]
        usual = sniff(path.read_bytes()).format is not Format.PNG
        for how, candidate in trials:
            score = score_arrays(image.numpy(), opened(candidate).numpy())
            yield Sample(str(path), how, reference, candidate, score, usual)


def palette_samples() -> Iterator[Sample]:
    """Yield palettes of the corpus's truecolour PNGs at several settings, on black and white where they have alpha."""
    for path, image in stills(Format.PNG):
        backgrounds = (0, 255) if image.hasalpha() and image[-1].min() < 255 else (255,)
        for setting, dither in PALETTE_TRIALS:
            candidate = pyvips.Image.pngload_buffer(quantized(image, setting, dither))
            for background in backgrounds:
                before, after = flat(image, background), flat(candidate, background)
                score = score_arrays(before.numpy(), after.numpy())
                images = [image.pngsave_buffer(compression=1) for image in (before, after)]
                yield Sample(str(path), ("palette", setting, dither, background), *images, score, usual=True)


SAMPLES = {"lossy": lossy_samples, "palette": palette_samples}


def stills(format: Format | None = None) -> Iterator[tuple[Path, pyvips.Image]]:
    """Yield the central part of each different truecolour still of the corpus."""
    seen: set[bytes] = set()
    for path in corpus_images():
        data = path.read_bytes()
        info = sniff(data)
        if data in seen or info is None or info.animated or info.depth == 16 or info.colour in ("cmyk", "palette"):
            continue
        if info.format is Format.GIF or format not in (None, info.format) or min(info.width, info.height) < 100:
            continue
        seen.add(data)
        yield path, central(pyvips.Image.new_from_buffer(data, "").colourspace("srgb"))


def central(image: pyvips.Image) -> pyvips.Image:
    """Return the part of the image that the metric compares."""
    width, height = min(CROP, image.width), min(CROP, image.height)
    return image.crop((image.width - width) // 2, (image.height - height) // 2, width, height).copy_memory()


def flat(image: pyvips.Image, background: int) -> pyvips.Image:
    """Return the image as three bands of bytes on a background."""
    image = image.colourspace("srgb")
    image = image.flatten(background=background) if image.hasalpha() else image
    return image.cast("uchar").copy_memory()


def opened(data: bytes) -> pyvips.Image:
    """Return an encoded image's pixels."""
    return flat(pyvips.Image.new_from_buffer(data, ""), 255)


def collect(kind: str, folder: Path | None) -> list[Sample]:
    """Return the samples of a kind, from `folder` if they were kept there."""
    kept = folder / f"{kind}.samples" if folder else None
    if kept and kept.is_file():
        return list(pickle.loads(kept.read_bytes()))
    samples = list(SAMPLES[kind]())
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps(samples))
    return samples


def measured(samples: list[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Return each sample's numbers and whether it counts for the fit."""
    rows, counts = [], []
    prepared: tuple[bytes, Reference] | None = None
    for sample in samples:
        if prepared is None or prepared[0] != sample.reference:
            prepared = sample.reference, Reference(opened(sample.reference))
        rows.append(prepared[1].numbers(opened(sample.candidate)))
        subsampled = sample.how[0] == "jpeg" and not sample.how[2]
        counts.append(not subsampled or prepared[1].chroma_detail < BLIND)
    return np.array(rows), np.array(counts)


def fit(numbers: np.ndarray, scores: np.ndarray, importance: np.ndarray) -> np.ndarray:
    """Return the non-negative weights with the least error of the score, by Huber's measure: few odd images, and
    there are some, must not bend the fit of all others."""
    trust = np.ones(len(scores))
    for _ in range(ROUNDS):
        weights = least_squares(numbers, scores, np.sqrt(trust * importance))
        gaps = np.abs(predicted(numbers, weights) - scores)
        trust = np.minimum(1, HUBER / np.maximum(gaps, 1e-6))
    return weights


def least_squares(numbers: np.ndarray, scores: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Return the non-negative weights with the least squared error of the score, times `trust`.

    What the weights make linear is the score's distance before the last power: its errors are scaled by the slope
    between the point and its prediction.
    """
    wanted = (np.maximum(100 - scores, 0.05) / 10) ** (1 / POWER)
    slope = np.minimum(10 * POWER * wanted ** (POWER - 1), 50)
    weights = nnls(numbers * (slope * trust)[:, None], wanted * slope * trust)[0]
    for _ in range(ROUNDS):
        got = np.maximum(numbers @ weights, 1e-3)
        gap = got - wanted
        slope = np.where(np.abs(gap) < 1e-6, slope, 10 * (got**POWER - wanted**POWER) / np.where(gap == 0, 1, gap))
        weights = nnls(numbers * (slope * trust)[:, None], wanted * slope * trust)[0]
    return weights


def predicted(numbers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the estimate's scores."""
    return 100 - 10 * np.maximum(numbers @ weights, 0) ** POWER


def left_out(numbers: np.ndarray, scores: np.ndarray, importance: np.ndarray, paths: np.ndarray) -> np.ndarray:
    """Return each image's scores predicted by weights that were fitted without it."""
    result = np.zeros(len(scores))
    for path in np.unique(paths):
        others = paths != path
        result[~others] = predicted(numbers[~others], fit(numbers[others], scores[others], importance[others]))
    return result


def report(kind: str, scores: np.ndarray, guessed: np.ndarray, usual: np.ndarray) -> str:
    """Return the line of errors of a kind, on the usual samples."""
    scores, guessed = scores[usual], guessed[usual]
    gaps = np.abs(scores - guessed)
    likeness, most = spearmanr(scores, guessed)[0], np.quantile(gaps, 0.95)
    return (
        f"{kind}: {len(usual)} samples; images left out one by one, errors of the {len(scores)} usual samples:\n"
        f"Spearman {likeness:.3f}, mean {gaps.mean():.2f}, 95 of 100 below {most:.1f}"
    )


def table(name: str, weights: np.ndarray) -> str:
    """Return the weights as Python."""
    rows = [", ".join(f"{weight:.4g}" for weight in weights[start : start + 9]) for start in range(0, len(weights), 9)]
    return f"{name} = (\n" + "".join(f"    {row},\n" for row in rows) + ")\n"


def main() -> None:
    """Fit both kinds and print, and with --write keep, the result."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--samples", type=Path)
    arguments.add_argument("--write", action="store_true")
    options = arguments.parse_args()
    lines, tables = [], []
    for kind in SAMPLES:
        samples = collect(kind, options.samples)
        numbers, counts = measured(samples)
        scores = np.array([sample.score for sample in samples])
        used = counts & (scores >= LEAST_SCORE[kind])
        numbers, scores = numbers[used], scores[used]
        paths = np.array([sample.path for sample in samples])[used]
        usual = np.array([sample.usual for sample in samples])[used]
        importance = np.where(usual, USUAL, 1.0)
        lines.append(report(kind, scores, left_out(numbers, scores, importance, paths), usual))
        print(lines[-1])
        tables.append(table(kind.upper(), fit(numbers, scores, importance)))
    if options.write:
        today = datetime.datetime.now(tz=datetime.UTC).date()
        head = f'"""Weights of the estimate, written by `benchmarks/fit_score.py` on {today}; do not edit.\n\n'
        WEIGHTS.write_text(head + "".join(f"{line}\n" for line in lines) + '"""\n\n' + "\n".join(tables))


if __name__ == "__main__":
    main()
