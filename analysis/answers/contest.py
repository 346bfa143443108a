"""Two groups against each other: their difference along compute, crossing and efficiency. Pure.

Each estimate is the median over pairs of resamples, one of each group, and its interval percentiles.
"""

from dataclasses import dataclass

import numpy as np

from analysis.answers.alike import Pairs, pairs_of
from analysis.answers.laws import Answer
from analysis.answers.measures import Measure
from analysis.arrays import Floats, Rows
from analysis.fitting.uncertainty import Tails

NUM_PLACES = 7
"""Along compute, where differences are given."""
NUM_STEPS = 600
REACH = 10.0
"""A crossing is looked for so many times beyond the points."""
MATCH_REACH = 1e4
"""A match of the better law is looked for so many times below and above its x."""
MAY_BE_NONE = "the difference may be 0"
TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A number with its interval. None: there is none."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """Where two curves cross, the last time; `share` of the resamples in which they do."""

    at: Estimate
    share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Ends:
    """How two laws compare at the largest compute that both have, in resamples.

    `log_ratios`: of y of the first to y of the second, (R,); `places`: which resamples these are.
    `tails`: the percentiles that bound an interval.
    """

    log_ratios: Floats
    places: Rows
    tails: Tails


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """Two groups, `one` and `other`, on one measure, in one context (the values of `by`).

    `differences`: y of `one` less y of `other`, at each of `x`, the computes that both have. `ratio`:
    how many times the x of the better one the worse takes to be as good, at the largest of them.
    `winner`: whose y is surely lower there, if any, else `why_not`. `ends`: None where nothing can be
    decided. `num_alike`: how many runs of each group were made alike, None where all are.
    """

    one: Answer
    other: Answer
    context: str
    x: Floats
    differences: tuple[Estimate, ...]
    crossing: Crossing | None
    ratio: Estimate | None
    ends: Ends | None
    winner: str | None
    num_alike: int | None
    why_not: str

    @property
    def behind(self) -> str | None:
        """The group whose law is worse at the largest compute that both have."""
        is_better = self.differences and (self.differences[-1].value or 0) <= 0
        return self.other.group if is_better else self.one.group

    @property
    def measure(self) -> Measure:
        """What is compared."""
        return self.one.measure

    @property
    def num_runs(self) -> tuple[int, int]:
        """How many runs each law was offered."""
        return len(self.one.points), len(self.other.points)


def contest(context: str, one: Answer, other: Answer, level: float) -> Contest:
    """Compare two laws of one input along the compute that both have."""
    why_not = _why_not(one, other)
    pairs = None if why_not else pairs_of(one, other)
    if pairs is None:
        return Contest(
            one=one, other=other, context=context, x=np.empty(0), differences=(), crossing=None,
            ratio=None, ends=None, winner=None, num_alike=None,
            why_not=why_not or "no resample of the runs has a law of either",
        )  # fmt: skip
    x, tails = np.geomspace(*_common(one, other), NUM_PLACES), pairs.tails(level)
    differences = _differences(pairs, x, tails)
    winner = None if pairs.why_not else _winner(one, other, differences[-1])
    return Contest(
        one=one, other=other, context=context, x=x, differences=differences,
        crossing=_crossing(pairs, (x[0], REACH * x[-1]), tails), ratio=_ratio(pairs, x[-1:], tails),
        ends=None if pairs.why_not else _ends(pairs, x[-1:], tails), winner=winner,
        num_alike=pairs.num_alike, why_not="" if winner else pairs.why_not or MAY_BE_NONE,
    )  # fmt: skip


def _why_not(one: Answer, other: Answer) -> str:
    for answer in (one, other):
        if answer.fit.law is None or answer.fit.law.uncertainty is None:
            return f"{answer.group}: {'; '.join(answer.warnings)}"
    low, high = _common(one, other)
    return "" if low < high else "they have no range of compute in common"


def _common(one: Answer, other: Answer) -> tuple[float, float]:
    """Return the range of compute that the points of both laws cover."""
    low = max(float(answer.fit.x.min()) for answer in (one, other))
    return low, min(float(answer.fit.x.max()) for answer in (one, other))


def _winner(one: Answer, other: Answer, difference: Estimate) -> str | None:
    if difference.high is not None and difference.high < 0:
        return one.group
    return other.group if difference.low is not None and difference.low > 0 else None


def _curves(pairs: Pairs, x: Floats) -> tuple[Floats, Floats]:
    """Return the curves of either law in each pair, at x (n,): (R, n)."""
    return pairs.one.curves(x[:, None]), pairs.other.curves(x[:, None])


def _differences(pairs: Pairs, x: Floats, tails: Tails) -> tuple[Estimate, ...]:
    one, other = _curves(pairs, x)
    each = np.percentile(one - other, (50, *tails), axis=0).T.tolist()
    return tuple(Estimate(value=value, low=low, high=high) for value, low, high in each)


def _ends(pairs: Pairs, x: Floats, tails: Tails) -> Ends:
    one, other = (np.log(np.maximum(y[:, 0], TINY)) for y in _curves(pairs, x))
    return Ends(log_ratios=one - other, places=pairs.one.places, tails=tails)


def _crossing(pairs: Pairs, ends: tuple[float, float], tails: Tails) -> Crossing | None:
    """Return the last crossing between two computes, or None where there is none in most resamples."""
    x = np.geomspace(*ends, NUM_STEPS)
    one, other = _curves(pairs, x)
    found = _last_root(np.log(x), one - other)
    known = np.exp(found[np.isfinite(found)])
    if 2 * len(known) <= len(found):
        return None
    value, low, high = np.percentile(known, (50, *tails)).tolist()
    at = Estimate(value=value, low=low, high=high)
    return Crossing(at=at, share=len(known) / len(found))


def _last_root(log_x: Floats, values: Floats) -> Floats:
    """Return where each row (R, n) changes its sign for the last time; NaN where it does not."""
    changes = np.sign(values[:, :-1]) * np.sign(values[:, 1:]) < 0
    last = values.shape[1] - 2 - np.argmax(changes[:, ::-1], axis=1)
    rows = np.arange(len(values))
    before, after = values[rows, last], values[rows, last + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        place = log_x[last] + (log_x[last + 1] - log_x[last]) * before / (before - after)
    return np.where(changes.any(axis=1), place, np.nan)


def _ratio(pairs: Pairs, x: Floats, tails: Tails) -> Estimate:
    """Return how many times x (1,) the worse of two laws takes to be as good as the better one there.

    Where it is never so within `MATCH_REACH`, the ratio has no upper end.
    """
    one, other = (curves[:, 0] for curves in _curves(pairs, x))
    is_better = np.median(one - other) <= 0
    targets, worse = (one, pairs.other) if is_better else (other, pairs.one)
    steps = np.geomspace(x[0] / MATCH_REACH, x[0] * MATCH_REACH, NUM_STEPS)
    ratios = _first_below(np.log(steps / x), worse.curves(steps[:, None]), targets)
    each = np.percentile(ratios, (50, *tails), method="nearest").tolist()
    value, low, high = (float(np.exp(end)) if np.isfinite(end) else None for end in each)
    return Estimate(value=value, low=low, high=high)


def _first_below(log_x: Floats, curves: Floats, targets: Floats) -> Floats:
    """Return where each curve (R, n) first comes down to its target (R,), infinity where never."""
    below = curves <= targets[:, None]
    first = np.maximum(np.argmax(below, axis=1), 1)
    rows = np.arange(len(curves))
    before, after = curves[rows, first - 1], curves[rows, first]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.clip((before - targets) / (before - after), 0, 1)
    place = log_x[first - 1] + (log_x[first] - log_x[first - 1]) * part
    return np.where(below.any(axis=1), place, np.inf)
