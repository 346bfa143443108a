"""Two groups against each other: their difference along compute, crossing and efficiency. Pure.

All intervals are percentiles over pairs of resamples, one of each group.
"""

from dataclasses import dataclass

import numpy as np

from analysis.answers.laws import Answer
from analysis.answers.measures import Measure
from analysis.arrays import Floats
from analysis.fitting.fit import Law
from analysis.fitting.uncertainty import Resampled, Tails

NUM_PLACES = 7
"""Along compute, where differences are given."""
NUM_STEPS = 600
REACH = 10.0
"""A crossing is looked for so many times beyond the points."""
MATCH_REACH = 1e4
"""A match of the better law is looked for so many times below and above its x."""


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
class Contest:
    """Two groups, `one` and `other`, on one measure, in one context (the values of `by`).

    `differences`: y of `one` less y of `other`, at each of `x`, the computes that both have. `ratio`:
    how many times the x of the better one the worse takes to be as good, at the largest of them.
    `winner`: whose y is surely lower there, if any; `narrow`: the groups of too few runs to resample,
    which decide nothing; `why_not`: what is missing for a comparison.
    """

    one: Answer
    other: Answer
    context: str
    x: Floats
    differences: tuple[Estimate, ...]
    crossing: Crossing | None
    ratio: Estimate | None
    winner: str | None
    narrow: tuple[str | None, ...] = ()
    why_not: str = ""

    @property
    def behind(self) -> str | None:
        """The group whose law is worse at the largest compute that both have."""
        is_better = self.differences and (self.differences[-1].value or 0) <= 0
        return self.other.group if is_better else self.one.group

    @property
    def measure(self) -> Measure:
        """What is compared."""
        return self.one.measure


def contest(context: str, one: Answer, other: Answer, level: float) -> Contest:
    """Compare two laws of one input along the compute that both have."""
    laws = (one.fit.law, other.fit.law)
    why_not = _why_not(one, other)
    if why_not or laws[0] is None or laws[1] is None:
        return Contest(
            one=one, other=other, context=context, x=np.empty(0), differences=(), crossing=None,
            ratio=None, winner=None, why_not=why_not,
        )  # fmt: skip
    x = np.geomspace(*_common(one, other), NUM_PLACES)
    differences = _differences(laws[0], laws[1], x, level)
    narrow = tuple(answer.group for answer in (one, other) if _is_narrow(answer))
    winner = None if narrow else _winner(one, other, differences[-1])
    return Contest(
        one=one, other=other, context=context, x=x, differences=differences,
        crossing=_crossing(laws[0], laws[1], (x[0], REACH * x[-1]), level),
        ratio=_ratio(laws[0], laws[1], float(x[-1]), level), winner=winner, narrow=narrow,
    )  # fmt: skip


def _why_not(one: Answer, other: Answer) -> str:
    for answer in (one, other):
        if answer.fit.law is None or answer.fit.law.uncertainty is None:
            return f"{answer.group}: {'; '.join(answer.warnings)}"
    low, high = _common(one, other)
    return "" if low < high else "they have no range of compute in common"


def _is_narrow(answer: Answer) -> bool:
    law = answer.fit.law
    return law is not None and _resampled(law).is_narrow


def _common(one: Answer, other: Answer) -> tuple[float, float]:
    """Return the range of compute that the points of both laws cover."""
    low = max(float(answer.fit.x.min()) for answer in (one, other))
    return low, min(float(answer.fit.x.max()) for answer in (one, other))


def _winner(one: Answer, other: Answer, difference: Estimate) -> str | None:
    if difference.high is not None and difference.high < 0:
        return one.group
    return other.group if difference.low is not None and difference.low > 0 else None


def _differences(one: Law, other: Law, x: Floats, level: float) -> tuple[Estimate, ...]:
    values = one.at(x) - other.at(x)
    first, second = _curves(one, x, other, x)
    low, high = np.percentile(first - second, _tails(one, other, level), axis=0)
    each = zip(values.tolist(), low.tolist(), high.tolist(), strict=True)
    return tuple(Estimate(value=v, low=a, high=b) for v, a, b in each)


def _crossing(one: Law, other: Law, ends: tuple[float, float], level: float) -> Crossing | None:
    """Return the last crossing between two computes, or None where there is none in most resamples."""
    x = np.geomspace(*ends, NUM_STEPS)
    first, second = _curves(one, x, other, x)
    found = _last_root(np.log(x), first - second)
    best = _last_root(np.log(x), (one.at(x) - other.at(x))[None])[0]
    known = np.exp(found[np.isfinite(found)])
    if not np.isfinite(best) or not len(known):
        return None
    low, high = np.percentile(known, _tails(one, other, level)).tolist()
    at = Estimate(value=float(np.exp(best)), low=low, high=high)
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


def _ratio(one: Law, other: Law, x: float, level: float) -> Estimate:
    """Return how many times x the worse of two laws takes to be as good as the better one at x.

    Where it is never so within `MATCH_REACH`, the ratio has no upper end.
    """
    is_better = one.at(np.array([x]))[0] <= other.at(np.array([x]))[0]
    better, worse = (one, other) if is_better else (other, one)
    steps = np.geomspace(x / MATCH_REACH, x * MATCH_REACH, NUM_STEPS)
    targets, curves = _curves(better, np.array([x]), worse, steps)
    ratios = _first_below(np.log(steps / x), curves, targets[:, 0])
    best = _first_below(np.log(steps / x), worse.at(steps)[None], better.at(np.array([x])))[0]
    low, high = np.percentile(ratios, _tails(one, other, level), method="nearest").tolist()
    ends = (float(np.exp(end)) if np.isfinite(end) else None for end in (best, low, high))
    return Estimate(**dict(zip(("value", "low", "high"), ends, strict=True)))


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


def _curves(one: Law, at: Floats, other: Law, there: Floats) -> tuple[Floats, Floats]:
    """Return the curves of as many resamples of either law, at x (n,) each: (R, n).

    Those of `other` stand backwards, as equal seeds draw alike, unless both were drawn together.
    """
    first, second = _resampled(one), _resampled(other)
    curves, others = first.curves(at[:, None]), second.curves(there[:, None])
    pairs = min(len(curves), len(others))
    return curves[:pairs], (others if first.is_joint else others[::-1])[:pairs]


def _tails(one: Law, other: Law, level: float) -> Tails:
    """Return the percentiles of the law with fewer runs, which are further out."""
    return min(_resampled(law).tails(level) for law in (one, other))


def _resampled(law: Law) -> Resampled:
    assert isinstance(law.uncertainty, Resampled)  # `compare` always resamples
    return law.uncertainty
