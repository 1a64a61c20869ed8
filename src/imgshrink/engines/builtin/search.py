"""Finds the encoder setting that meets a target score in few trials, since each trial encodes and scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

TRIALS = 3
_ENOUGH = 1.0
_SLOPE = 0.9


@dataclass(frozen=True)
class Trial:
    """One encoding: its setting, its bytes, its score."""

    setting: int
    data: bytes
    score: float


def search(
    encode: Callable[[int], Trial], target: float, *, first: int, lowest: int, highest: int, trials: int = TRIALS
) -> Trial:
    """Return the best of at most `trials` trials for `target`.

    `encode` makes the trial of a setting; score and size grow with the setting. The next setting lies on the secant
    through the last two trials, at first on a line of the usual slope. A score between 0 and 1 above the target ends
    the search.
    """
    done: list[Trial] = []
    setting: int | None = min(max(first, lowest), highest)
    while setting is not None and len(done) < trials:
        done.append(encode(setting))
        if 0 <= done[-1].score - target <= _ENOUGH:
            break
        setting = _next_setting(done, target, lowest, highest)
    return best_trial(done, target)


def best_trial(trials: Sequence[Trial], target: float) -> Trial:
    """Return the smallest trial that scores `target` or more, else the best-scored one."""
    met = [trial for trial in trials if trial.score >= target]
    return min(met, key=lambda trial: len(trial.data)) if met else max(trials, key=lambda trial: trial.score)


def _next_setting(trials: list[Trial], aim: float, lowest: int, highest: int) -> int | None:
    """Return the setting where the secant meets `aim`, between the trials that enclose it; None if it was tried."""
    last = trials[-1]
    below = max((trial.setting for trial in trials if trial.score < aim), default=lowest - 1)
    above = min((trial.setting for trial in trials if trial.score >= aim), default=highest + 1)
    step = ceil((aim - last.score) / _slope(trials))
    setting = min(max(last.setting + step, below + 1, lowest), above - 1, highest)
    return None if any(trial.setting == setting for trial in trials) or not lowest <= setting <= highest else setting


def _slope(trials: list[Trial]) -> float:
    if len(trials) < 2:
        return _SLOPE
    first, second = trials[-2:]
    rise = (second.score - first.score) / (second.setting - first.setting)
    return min(max(rise, _SLOPE / 3), _SLOPE * 3)
