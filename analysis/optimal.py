"""How a compute budget is best split between model size and samples, by L(N, D). Pure.

Of C = k·N·D the least L(N, D) = E + A/N^alpha + B/D^beta is at N = G (C/k)^(beta/(alpha+beta)) with
G = (alpha·A / (beta·B))^(1/(alpha+beta)): Hoffmann et al. (2022), section 3.3, with their k = 6.
"""

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from analysis.contest import Estimate
from analysis.fit import Fit
from analysis.forms import Chinchilla
from analysis.uncertainty import Resampled
from sweeps.errors import UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """The best model size and number of samples for a compute, and the loss there."""

    compute: float
    num_params: Estimate
    samples_seen: Estimate
    loss: Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimal:
    """The best splits of computes: size grows as C^`size_exponent`, samples as C^`data_exponent`."""

    splits: tuple[Split, ...]
    size_exponent: Estimate
    data_exponent: Estimate


def best_splits(fit: Fit, compute: Floats, flops: float) -> Optimal | None:
    """Return the best split of each compute (n,).

    Args:
        fit: a resampled `chinchilla` law of num_params and samples_seen; None where there is no law.
        compute: in the units of `flops`.
        flops: what one parameter costs on one sample.

    Raises:
        UsageError: the law is none of size and samples, was not resampled, or a compute is not above 0.
    """
    law, level = fit.law, fit.recipe.level
    if not len(compute) or (compute <= 0).any():
        raise UsageError("say which computes to split: at=C,C,… above 0")
    if law is None:
        return None
    if not isinstance(law.form, Chinchilla) or not isinstance(law.uncertainty, Resampled):
        raise UsageError("the best split is that of form=chinchilla with bootstrap=N")
    best, draws = law.best.held[None], law.uncertainty.draws
    splits = tuple(_split(best, draws, law.form, float(c), flops, level) for c in compute)
    exponents = [_estimate(_exponents(best)[one], _exponents(draws)[one], level) for one in (0, 1)]
    return Optimal(splits=splits, size_exponent=exponents[0], data_exponent=exponents[1])


def _split(
    best: Floats, draws: Floats, form: Chinchilla, compute: float, flops: float, level: float
) -> Split:
    points, drawn = (_points(held, compute, flops) for held in (best, draws))
    losses = [form.value(held, at[:, None])[0][:, 0] for held, at in ((best, points), (draws, drawn))]
    return Split(
        compute=compute,
        num_params=_estimate(points[:, 0], drawn[:, 0], level),
        samples_seen=_estimate(points[:, 1], drawn[:, 1], level),
        loss=_estimate(losses[0], losses[1], level),
    )


def _points(held: Floats, compute: float, flops: float) -> Floats:
    """Return the best (N, D) of each law (R, p): (R, 2)."""
    log_a, alpha, log_b, beta, _ = held.T
    product = np.log(compute / flops)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_g = (np.log(alpha) + log_a - np.log(beta) - log_b) / (alpha + beta)
    log_n = log_g + product * _exponents(held)[0]
    points: Floats = np.exp(np.stack([log_n, product - log_n], axis=1))
    return points


def _exponents(held: Floats) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore", invalid="ignore"):
        share = held[:, 3] / (held[:, 1] + held[:, 3])
    return share, 1 - share


def _estimate(value: Floats, draws: Floats, level: float) -> Estimate:
    known = draws[np.isfinite(draws)]
    low, high = np.percentile(known, [50 * (1 - level), 50 * (1 + level)]).tolist()
    return Estimate(value=float(value[0]), low=low, high=high)
