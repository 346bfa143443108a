"""How a compute budget is best split between model size and samples, by L(N, D). Pure.

Of C = k·N^q·D the least L(N, D) = E + A/N^alpha + B/D^beta is at N = G (C/k)^(beta/s), where
s = alpha + q·beta and G = (alpha·A / (q·beta·B))^(1/s): Hoffmann et al. (2022), section 3.3, with k = 6
and q = 1. Where either term is missing, more of one input is always better: there is no such place.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.answers.contest import Estimate
from analysis.arrays import Floats
from analysis.fitting.fit import Fit
from analysis.fitting.uncertainty import MOST_LOST, Resampled, Tails
from analysis.forms import Chinchilla
from analysis.forms.form import SMALLEST
from analysis.questions.flops import Flops
from sweeps.errors import UsageError

LEAST_VALUES = 3
"""Of an input: as many as a power of it with its scale and a floor."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """The best model size and number of samples for a compute, and the loss there.

    `extrapolation`: how many times beyond the points of the fit one of the two is; 1 within.
    """

    compute: float
    num_params: Estimate
    samples_seen: Estimate
    loss: Estimate
    extrapolation: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimal:
    """The best splits of computes: size grows as C^`size_exponent`, samples as C^`data_exponent`.

    `flops`: what models cost; `warnings`: what speaks against that.
    """

    splits: tuple[Split, ...]
    size_exponent: Estimate
    data_exponent: Estimate
    flops: Flops
    warnings: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class NoOptimal:
    """No compute can be split, and why."""

    why_not: str


def best_splits(fit: Fit, compute: Floats, flops: Flops) -> Optimal | NoOptimal:
    """Return the best split of each compute (n,), in the units of `flops`, which is taken as exact.

    Args:
        fit: a resampled `chinchilla` law of num_params and samples_seen.
        compute: what is to be spent.
        flops: what models cost.

    Raises:
        UsageError: there is no law of size and samples that was resampled, or a compute is no finite
            number above 0.
    """
    law = fit.law
    if not len(compute) or not ((compute > 0) & np.isfinite(compute)).all():
        raise UsageError("say which computes to split: at=C,C,…, finite numbers above 0")
    known = law.uncertainty if law else None
    if law is None or not isinstance(law.form, Chinchilla) or not isinstance(known, Resampled):
        raise UsageError("the best split is that of form=chinchilla with bootstrap=N")
    best, draws = law.best.held[None], known.draws
    tails = known.tails(fit.recipe.level)
    why_not = _why_not(fit, best, draws, flops)
    if why_not:
        return NoOptimal(why_not=why_not)
    draws = draws[_has_minimum(draws)]
    splits = tuple(_split(fit, (best, draws), tails, float(c), flops) for c in compute)
    of_best, of_draws = (_exponents(held, flops) for held in (best, draws))
    size, data = (_estimate(*pair, tails) for pair in zip(of_best, of_draws, strict=True))
    return Optimal(
        splits=splits, size_exponent=size, data_exponent=data, flops=flops, warnings=flops.warnings()
    )


def _why_not(fit: Fit, best: Floats, draws: Floats, flops: Flops) -> str:
    """Return what keeps the points of a fit from telling a best split, or nothing."""
    if flops.growth <= -1:
        return f"no best split: larger models cost no more ({flops.sentence()})"
    for column, what in enumerate(("model sizes", "numbers of samples")):
        known = len(np.unique(fit.x[:, column]))
        if known < LEAST_VALUES:
            return f"no best split: {known} {what} do not show how the loss falls, {LEAST_VALUES} might"
    if not _has_minimum(best)[0]:
        return (
            f"no best split: the law has no least loss at a given compute ({'; '.join(fit.warnings)})"
        )
    lost = 1 - float(_has_minimum(draws).mean())
    if lost > MOST_LOST:
        return f"no best split: in {lost:.0%} of resamples the law has no least loss at a given compute"
    return ""


def _has_minimum(held: Floats) -> NDArray[np.bool_]:
    """Return which laws (R, p) have the two terms that a best split weighs."""
    log_a, alpha, log_b, beta, _ = held.T
    found: NDArray[np.bool_] = (
        (alpha > 0) & (beta > 0) & (np.minimum(log_a, log_b) > np.log(SMALLEST) / 2)
    )
    return found


def _split(fit: Fit, laws: tuple[Floats, Floats], tails: Tails, compute: float, flops: Flops) -> Split:
    """Return the best split by the best law, and its intervals by the resampled ones."""
    points, drawn = (_points(held, compute, flops) for held in laws)
    each = zip(laws, (points, drawn), strict=True)
    losses = [fit.recipe.shape.value(held, at[:, None])[0][:, 0] for held, at in each]
    beyond = np.maximum(points / fit.x.max(axis=0), fit.x.min(axis=0) / points)
    return Split(
        compute=compute,
        num_params=_estimate(points[:, 0], drawn[:, 0], tails),
        samples_seen=_estimate(points[:, 1], drawn[:, 1], tails),
        loss=_estimate(losses[0], losses[1], tails),
        extrapolation=max(float(beyond.max()), 1.0),
    )


def _points(held: Floats, compute: float, flops: Flops) -> Floats:
    """Return the best (N, D) of each law (R, p): (R, 2)."""
    log_a, alpha, log_b, beta, _ = held.T
    q, log_room = 1 + flops.growth, np.log(compute / flops.scale)
    log_g = (np.log(alpha) + log_a - np.log(q * beta) - log_b) / (alpha + q * beta)
    log_n = log_g + log_room * _exponents(held, flops)[0]
    points: Floats = np.exp(np.stack([log_n, log_room - q * log_n], axis=1))
    return points


def _exponents(held: Floats, flops: Flops) -> tuple[Floats, Floats]:
    """Return the powers of compute that N and D grow with, of laws (R, p): (R,) each."""
    alpha, beta = held[:, 1], held[:, 3]
    both = alpha + (1 + flops.growth) * beta
    return beta / both, alpha / both


def _estimate(value: Floats, draws: Floats, tails: Tails) -> Estimate:
    low, high = np.percentile(draws, tails).tolist()
    return Estimate(value=float(value[0]), low=low, high=high)
