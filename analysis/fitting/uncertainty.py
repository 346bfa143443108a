"""How sure a law is: intervals of its parameters, and a band around its curve."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import ndtr, stdtrit

from analysis.arrays import Floats, Rows
from analysis.forms import Model
from analysis.forms.form import Parameter
from analysis.solve.problem import Cost, M, Problems

Bounds = tuple[float, float]
Tails = tuple[float, float]
"""The percentiles that bound an interval, in per cent."""
NORMAL_MAD = 1.4826
"""The standard deviation of a normal variable, in units of its median size."""
NOISE_POWERS = (0, 1, 2)
"""Noise may be in proportion to such a power of the value."""
LEAST_DEGREES = 3
"""Of freedom, for a bootstrap: with fewer even all of its draws reach less far than the truth may."""
MOST_LOST = 0.1
"""More resamples than this share without a fit are said."""
LEAST_SIZE = 1e-6
"""A smaller share of the largest value counts as this one."""


class Uncertainty(Protocol):
    """Where intervals come from."""

    @property
    def method(self) -> str:
        """What it is, for a reader."""

    def interval(self, level: float) -> dict[str, Bounds]:
        """Return the interval of each parameter, by its letter."""

    def band(self, x: Floats, level: float) -> tuple[Floats, Floats]:
        """Return the lower and upper bounds (n,) of the curve at x (n, q)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """The delta method: a covariance (p, p) of held parameters (p,), carried along gradients.

    Positive parameters, and curves fitted in logarithms, have it on their logarithm.
    """

    form: Model
    held: Floats
    covariance: Floats
    degrees: int
    is_log: bool
    kind: str

    @property
    def method(self) -> str:
        """What it is, for a reader."""
        return f"delta method ({self.kind}), t quantile at n−p = {self.degrees} degrees of freedom"

    def interval(self, level: float) -> dict[str, Bounds]:
        """Return the interval of each parameter, cut at its bounds."""
        widths = self._quantile(level) * np.sqrt(np.maximum(np.diag(self.covariance), 0))
        each = zip(self.form.parameters, self.held.tolist(), widths.tolist(), strict=True)
        return {parameter.letter: _around(parameter, at, width) for parameter, at, width in each}

    def band(self, x: Floats, level: float) -> tuple[Floats, Floats]:
        """Return the bounds of the curve, cut at 0, below which no form goes."""
        value, gradient = (part[0] for part in self.form.value(self.held[None], x[None]))
        variance = np.einsum("np,pq,nq->n", gradient, self.covariance, gradient)
        width = self._quantile(level) * np.sqrt(np.maximum(variance, 0))
        if not self.is_log:
            return np.maximum(value - width, 0), value + width
        with np.errstate(over="ignore"):
            factor = np.exp(width / value)
        return value / factor, value * factor

    def _quantile(self, level: float) -> float:
        return float(stdtrit(self.degrees, (1 + level) / 2))


@dataclass(frozen=True, kw_only=True, slots=True)
class Resampled:
    """The bootstrap: held parameters (R, p) of resamples of `num_runs` runs.

    Resamples of few runs differ too little. So their percentiles are taken as far out as t quantiles
    with n−p = `degrees` degrees of freedom are beyond normal ones (Hesterberg 2015, who calls these
    expanded percentiles). `places`: which they are of the `num_asked` resamples, (R,), of which some
    had too few points for a fit. `is_joint`: equal ones of several groups belong to one resample of all
    of them; `num_runs` and `degrees` are those of all groups, `num_own` are the runs of this one.
    """

    form: Model
    draws: Floats
    places: Rows
    num_asked: int
    num_runs: int
    degrees: int
    num_own: int
    is_joint: bool = False

    @property
    def method(self) -> str:
        """What it is, for a reader."""
        return (
            f"bootstrap: percentiles of {self.num_asked} resamples of the runs, through the frontier, "
            f"widened as t quantiles at n−p = {self.degrees} degrees of freedom"
        )

    @property
    def is_narrow(self) -> bool:
        """Whether its runs are too few to resample."""
        return self.num_own - len(self.form.parameters) < LEAST_DEGREES

    def tails(self, level: float) -> Tails:
        """Return the percentiles that bound an interval."""
        spread = np.sqrt(self.num_runs / self.degrees)
        low = 100 * float(ndtr(-spread * stdtrit(self.degrees, (1 + level) / 2)))
        return low, 100 - low

    def warnings(self, level: float) -> list[str]:
        """Return what keeps such intervals from holding the truth as often as they say."""
        found = []
        lost = self.num_asked - len(self.draws)
        if lost > MOST_LOST * self.num_asked:
            found.append(f"{lost} of {self.num_asked} resamples had too few points for a fit")
        if self.is_narrow:
            found.append(
                f"{self.num_own} runs are too few to resample: intervals are too narrow; "
                "bootstrap=0 does without"
            )
        needed = int(np.ceil(2 / (1 - level) - 1e-9))
        if self.num_asked < needed:
            found.append(f"intervals of {level:.4g} need bootstrap={needed} or more")
        return found

    def interval(self, level: float) -> dict[str, Bounds]:
        """Return percentiles of each parameter."""
        low, high = np.percentile(self.draws, self.tails(level), axis=0)
        each = zip(self.form.parameters, low, high, strict=True)
        return {p.letter: (float(p.natural(a)), float(p.natural(b))) for p, a, b in each}

    def band(self, x: Floats, level: float) -> tuple[Floats, Floats]:
        """Return percentiles of the curve."""
        low, high = np.percentile(self.curves(x), self.tails(level), axis=0)
        return low, high

    def curves(self, x: Floats) -> Floats:
        """Return the curve of each resample at x (n, q): (R, n)."""
        return self.form.value(self.draws, x[None])[0]


def delta_of(problems: Problems[M], held: Floats) -> Delta | None:
    """Return the delta method of one fit; None where the points do not determine all parameters."""
    residuals, gradient, _ = (part[0] for part in problems.state(held[None]))
    value = problems.form.value(held[None], problems.x)[0][0]
    degrees = len(residuals) - len(held)
    inverse = _inverse(gradient.T @ gradient)
    if degrees < 1 or inverse is None:
        return None
    kind, covariance = _covariance(problems.cost, residuals, gradient, value, inverse)
    return Delta(
        form=problems.form, held=held, covariance=covariance,
        degrees=degrees, is_log=problems.cost.is_log, kind=kind,
    )  # fmt: skip


def _covariance(
    cost: Cost, residuals: Floats, gradient: Floats, value: Floats, inverse: Floats
) -> tuple[str, Floats]:
    """Return what it is called, and the covariance."""
    if not cost.is_squared:
        return "Huber's loss", _huber(cost, residuals, gradient, value)
    if cost.is_log:
        degrees = len(residuals) - gradient.shape[1]
        return "noise of one size", inverse * float(residuals @ residuals) / degrees
    scores = gradient * np.sqrt(_variances(residuals, gradient, value))[:, None]
    return "noise as a power of the value", inverse @ (scores.T @ scores) @ inverse


def _variances(residuals: Floats, gradient: Floats, value: Floats) -> Floats:
    """Return the variance of the noise at each point, of residuals in the units of y.

    Such noise may have one size, or grow with the value (Carroll and Ruppert 1988). How large it is,
    were it in proportion to some power of the value, is told by a weighted fit, one step from this one;
    how likely that power is, by its restricted likelihood (Patterson and Thompson 1971). The variances
    are averaged by that: to choose one power would forget that 25 points hardly tell them apart.
    """
    size = np.abs(value)
    size = np.maximum(size / size.max(), LEAST_SIZE)
    found = [_variance(residuals, gradient, size**power) for power in NOISE_POWERS]
    logs = np.array([likelihood for likelihood, _ in found])
    shares = np.exp(logs - logs.max())
    average: Floats = shares @ np.stack([variance for _, variance in found]) / shares.sum()
    return average


def _variance(residuals: Floats, gradient: Floats, unit: Floats) -> tuple[float, Floats]:
    """Return the log restricted likelihood of noise in proportion to `unit`, and its variance."""
    basis, triangle = np.linalg.qr(gradient / unit[:, None])
    own = residuals / unit
    own = own - basis @ (basis.T @ own)
    degrees = len(residuals) - gradient.shape[1]
    variance = float(own @ own) / degrees + np.finfo(np.float64).tiny
    spread = np.log(unit).sum() + np.log(np.abs(np.diag(triangle))).sum()
    return -0.5 * degrees * np.log(variance) - spread, variance * unit**2


def _huber(cost: Cost, residuals: Floats, gradient: Floats, value: Floats) -> Floats:
    """Return the sandwich of an M-estimate (Huber 1964).

    With a small delta hardly any residual lies within it, so how many would is taken from normal noise
    of the scale of the others.
    """
    num_points, num_params = gradient.shape
    scale = NORMAL_MAD * _scales(cost, residuals, value, num_params)
    shares = 2 * ndtr(cost.delta / np.maximum(scale, np.finfo(np.float64).tiny)) - 1
    bread = _inverse(gradient.T @ (gradient * shares[:, None]))
    if bread is None:
        return np.full((num_params, num_params), np.inf)
    scores = gradient * np.clip(residuals, -cost.delta, cost.delta)[:, None]
    covariance: Floats = bread @ (scores.T @ scores) @ bread * num_points / (num_points - num_params)
    return covariance


def _scales(cost: Cost, residuals: Floats, value: Floats, num_params: int) -> Floats:
    """Return the median size of the noise at each point: one for all, or in proportion to the value.

    The likelier is taken, of Laplace's noise; logarithmic residuals have one scale. As many residuals
    as there are parameters are fitted exactly, and tell nothing.
    """
    kept = np.argsort(np.abs(residuals))[num_params:]
    best, least = np.ones_like(value), np.inf
    for unit in (np.ones_like(value), *([] if cost.is_log else [np.abs(value)])):
        sizes = np.abs(residuals[kept]) / unit[kept]
        surprise = (
            len(kept) * np.log(sizes.mean() + np.finfo(np.float64).tiny) + np.log(unit[kept]).sum()
        )
        if surprise < least:
            best, least = unit * np.median(sizes), surprise
    return best


def _inverse(matrix: Floats) -> Floats | None:
    """Return the inverse of a symmetric matrix, or None where it has none to rounding."""
    diagonal = np.diag(matrix)
    if not (np.isfinite(matrix).all() and (diagonal > 0).all()):
        return None
    scale = np.sqrt(np.outer(diagonal, diagonal))
    if np.linalg.cond(matrix / scale) > 1 / np.finfo(np.float64).eps:
        return None
    inverse: Floats = np.linalg.inv(matrix / scale) / scale
    return inverse


def _around(parameter: Parameter, at: float, width: float) -> Bounds:
    """Return the interval of a held value that is `width` wide to either side."""
    if parameter.is_log or (parameter.is_positive and at > 0):
        centre, part = (at, width) if parameter.is_log else (float(np.log(at)), width / at)
        with np.errstate(over="ignore"):
            return float(np.exp(centre - part)), float(np.exp(centre + part))
    return max(at - width, parameter.lower), min(at + width, parameter.upper)
