"""Two laws in pairs of resamples, made alike where a frontier would favour one of them. Pure.

The best of many runs is better than the best of few, however either were trained: of two groups that
follow one law the larger has the lower frontier. So where laws rest on a frontier, each resample leaves
out runs of the group that has more of them, so that the best are picked from as many; and where their
computes differ, in each stretch of compute.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtrc

from analysis.answers.laws import Answer
from analysis.arrays import Floats, Rows
from analysis.fitting.fit import resampled
from analysis.fitting.uncertainty import Resampled, Tails
from evaluation.results.select import quantity

NUM_STRETCHES = 5
"""Of equal width in the logarithm of compute."""
LEAST_CHANCE = 0.05
"""Of computes being of one distribution."""
LEAST_SHARE = 2 / 3
"""Of the runs of either group that have to be alike where they cannot be left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """As many resamples of two laws, equal ones to be compared.

    `num_alike`: how many runs of each group they rest on, None where on all. `why_not`: what keeps
    them from deciding anything.
    """

    one: Resampled
    other: Resampled
    num_alike: int | None = None
    why_not: str = ""

    def tails(self, level: float) -> Tails:
        """Return the percentiles of the law with fewer runs, which are further out."""
        return min(known.tails(level) for known in (self.one, self.other))


def pairs_of(one: Answer, other: Answer) -> Pairs | None:
    """Return resamples of two groups in pairs; None where no resample has a law of either."""
    known = [(answer, _known(answer)) for answer in (one, other)]
    pairs = _paired(*(resamples for _, resamples in known))
    narrow = [str(answer.group) for answer, resamples in known if resamples.is_narrow]
    if not len(pairs.one.draws):
        return None
    if narrow:
        verb = "have" if len(narrow) > 1 else "has"
        return replace(pairs, why_not=f"{' and '.join(narrow)} {verb} too few runs to resample")
    return pairs if one.fit.recipe.frontier == "none" else _alike(one, other, pairs)


def runs_of(answer: Answer) -> tuple[Floats, Floats]:
    """Return the compute (n,) and the values (n,) of the runs that a law was offered."""
    points = answer.points
    x = points[answer.question.x[0]].to_numpy(dtype=np.float64)
    return x, quantity(points, answer.measure.y).to_numpy(dtype=np.float64)


def alike_shares(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Return how likely each run of two groups, of compute (n,) and (m,), stays in a resample.

    By how many there are in all, or where their computes differ by more than chance, in each stretch.
    What chance does to their computes the resamples do again, and intervals know of it.
    """
    low, high = max(one.min(), other.min()), min(one.max(), other.max())
    edges = np.geomspace(low, np.nextafter(max(low, high), np.inf), NUM_STRETCHES + 1)
    places: list[Rows] = [np.searchsorted(edges, x, side="right") for x in (one, other)]
    counts = [np.bincount(place, minlength=NUM_STRETCHES + 2) for place in places]
    if _chance(*counts) > LEAST_CHANCE:
        places, counts = (
            [np.zeros_like(place) for place in places],
            [np.array([len(one)]), np.array([len(other)])],
        )
    least = np.minimum(*counts)
    first, second = (
        (least / np.maximum(count, 1))[place] for count, place in zip(counts, places, strict=True)
    )
    return first, second


def _chance(one: Rows, other: Rows) -> float:
    """Return how often counts of one distribution differ so much, by Pearson's test of homogeneity."""
    both, odds = one + other, np.sqrt(other.sum() / one.sum())
    squares = (odds * one - other / odds) ** 2 / np.maximum(both, 1)
    return float(chdtrc(max((both > 0).sum() - 1, 1), squares.sum()))


def _known(answer: Answer) -> Resampled:
    assert answer.fit.law is not None
    assert isinstance(answer.fit.law.uncertainty, Resampled)  # a comparison always resamples
    return answer.fit.law.uncertainty


def _alike(one: Answer, other: Answer, pairs: Pairs) -> Pairs:
    """Return pairs of resamples with as many runs of either group at like compute."""
    shares = alike_shares(runs_of(one)[0], runs_of(other)[0])
    if all((share == 1).all() for share in shares):
        return pairs
    if pairs.one.is_joint:
        is_alike = min(share.mean() for share in shares) >= LEAST_SHARE
        why_not = "their runs are unlike in number or compute, and laws with shared exponents keep all"
        return pairs if is_alike else replace(pairs, why_not=why_not)
    thinned = [_thinned(a, share) for a, share in zip((one, other), shares, strict=True)]
    found = _paired(*thinned)
    if any(known.is_narrow for known in thinned) or 2 * len(found.one.draws) < found.one.num_asked:
        return replace(pairs, why_not="they have too few runs of like compute")
    return replace(found, num_alike=min(known.num_runs for known in thinned))


def _thinned(answer: Answer, shares: Floats) -> Resampled:
    """Return resamples in which each run stays that often; as they were where all do."""
    if (shares == 1).all():
        return _known(answer)
    law = answer.fit.law
    assert law is not None
    x, y = runs_of(answer)
    return resampled(x[:, None], y, answer.fit.recipe, law.problems, law.best, shares)


def _paired(one: Resampled, other: Resampled) -> Pairs:
    """Return the resamples that both have, those of `other` backwards unless drawn together.

    Equal seeds draw alike, which would tie groups together that have nothing to do with each other.
    """
    places = other.places if one.is_joint else other.num_asked - 1 - other.places
    kept, first, second = np.intersect1d(one.places, places, return_indices=True)
    return Pairs(
        one=replace(one, draws=one.draws[first], places=kept),
        other=replace(other, draws=other.draws[second], places=kept),
    )
