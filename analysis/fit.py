"""Fit a power law to the frontier of a set of runs, with an interval by resampling the runs. Pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.frontier import Floats, Points, frontier

FEWEST_POINTS = 3
FLAT_ALPHA = 0.005
"""An exponent smaller than this is no trend, however certain it is."""
LEAST_R2 = 0.8
MOST_LOST = 0.1
"""More resamples than this share without a fit are said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PowerLaw:
    """E = beta · C^alpha, by least squares on natural logarithms. `sse` in their units."""

    alpha: float
    beta: float
    sse: float
    r2: float

    def at(self, x: Floats) -> Floats:
        """Return the law's value at x."""
        result: Floats = self.beta * np.asarray(x, dtype=np.float64) ** self.alpha
        return result


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """A law on a frontier, or None with the reason among the warnings.

    `interval`: parameter → (low, high), percentiles over runs resampled through the frontier step.
    `rows`: of the given points, those on the frontier; `x`, `y`: as they were fitted.
    """

    law: PowerLaw | None
    interval: dict[str, tuple[float, float]]
    level: float
    num_resamples: int
    frontier: str
    rows: Points
    x: Floats
    y: Floats
    rmse: float | None
    warnings: list[str]


def fit_power(x: Floats, y: Floats) -> PowerLaw | None:
    """Return the power law through points; None for fewer than two distinct x or a y ≤ 0."""
    if len(np.unique(x)) < 2 or (y <= 0).any():
        return None
    log_x, log_y = np.log(x), np.log(y)
    centred = log_x - log_x.mean()
    alpha = float(centred @ log_y / (centred @ centred))
    beta = float(np.exp(log_y.mean() - alpha * log_x.mean()))
    residuals = log_y - (np.log(beta) + alpha * log_x)
    sse, total = float(residuals @ residuals), float(((log_y - log_y.mean()) ** 2).sum())
    return PowerLaw(alpha=alpha, beta=beta, sse=sse, r2=1 - sse / total if total else 0.0)


def fit_frontier(
    x: Floats,
    y: Floats,
    *,
    rule: str = "pareto",
    num_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Fit:
    """Return the power law on the frontier of runs.

    Args:
        x: compute of each run, shape (n,).
        y: its error or loss, shape (n,).
        rule: of the frontier (see `analysis.frontier`).
        num_resamples: bootstrap samples of the runs; each goes through the frontier step.
        level: of the interval.
        seed: of the resampling.

    Raises:
        UsageError: there is no such rule.
    """
    if not len(x):
        return _no_fit(rule, level, num_resamples)
    used_x, used_y, rows = frontier(rule, x, y)
    law = fit_power(used_x, used_y) if len(rows) >= FEWEST_POINTS else None
    resampled = _resample(x, y, rule, num_resamples, seed) if law else np.empty((0, 2))
    interval = _interval(resampled, level)
    # The best of many runs falls with their number even where compute does nothing, so whether there is
    # a trend at all is asked of all runs, not of the frontier.
    trend = _interval(_resample(x, y, "none", num_resamples, seed), level)
    return Fit(
        law=law,
        interval=interval,
        level=level,
        num_resamples=num_resamples,
        frontier=rule,
        rows=rows,
        x=used_x,
        y=used_y,
        rmse=float(np.sqrt(np.mean((law.at(used_x) - used_y) ** 2))) if law else None,
        warnings=_warnings(law, used_y, len(x), trend, num_resamples - len(resampled), num_resamples),
    )


def _no_fit(rule: str, level: float, num_resamples: int) -> Fit:
    none = np.empty(0)
    return Fit(
        law=None,
        interval={},
        level=level,
        num_resamples=num_resamples,
        frontier=rule,
        rows=none.astype(np.int64),
        x=none,
        y=none,
        rmse=None,
        warnings=["no fit: there is no run"],
    )


def fit_json(fit: Fit) -> dict[str, Any]:
    """Return a fit as plain data, numbers or null."""
    return {
        "form": "power",
        "params": {"alpha": fit.law.alpha, "beta": fit.law.beta} if fit.law else None,
        "interval": {name: list(bounds) for name, bounds in fit.interval.items()} or None,
        "level": fit.level,
        "method": f"percentiles of {fit.num_resamples} resamples of the runs, through the frontier",
        "num_points": len(fit.rows),
        "sse": fit.law.sse if fit.law else None,
        "r2": fit.law.r2 if fit.law else None,
        "rmse": fit.rmse,
        "residuals": "log",
        "frontier_rule": fit.frontier,
        "warnings": fit.warnings,
    }


def _resample(x: Floats, y: Floats, rule: str, count: int, seed: int) -> Floats:
    """Return (alpha, log beta) of each resample that can be fitted, shape (≤ count, 2)."""
    random = np.random.default_rng(seed)
    laws = []
    for _ in range(count):
        drawn = random.integers(len(x), size=len(x))
        used_x, used_y, rows = frontier(rule, x[drawn], y[drawn])
        law = fit_power(used_x, used_y) if len(rows) >= 2 else None
        if law is not None:
            laws.append((law.alpha, np.log(law.beta)))
    return np.array(laws, dtype=np.float64).reshape(-1, 2)


def _interval(resampled: Floats, level: float) -> dict[str, tuple[float, float]]:
    if not len(resampled):
        return {}
    tails = [50 * (1 - level), 50 * (1 + level)]
    alphas, log_betas = np.percentile(resampled, tails, axis=0).T
    return {
        "alpha": (float(alphas[0]), float(alphas[1])),
        "beta": (float(np.exp(log_betas[0])), float(np.exp(log_betas[1]))),
    }


def _warnings(
    law: PowerLaw | None,
    used: Floats,
    num_given: int,
    trend: dict[str, tuple[float, float]],
    num_lost: int,
    num_resamples: int,
) -> list[str]:
    found = []
    low, high = trend.get("alpha", (-np.inf, -np.inf))  # not known where nothing was resampled
    if low <= 0 <= high or (law is not None and abs(law.alpha) < FLAT_ALPHA):
        found.append(f"flat: over all runs the exponent is between {low:.3f} and {high:.3f}")
    elif low > 0:
        found.append("over all runs it rises: more compute makes it worse")
    if law is None:
        return [*found, _why_no_fit(used, num_given)]
    if law.r2 < LEAST_R2:
        found.append(f"no power law: R² is {law.r2:.2f} in log-log")
    if num_lost > MOST_LOST * num_resamples:
        found.append(f"{num_lost} of {num_resamples} resamples had too few points for a fit")
    return found


def _why_no_fit(used: Floats, num_given: int) -> str:
    if (used <= 0).any():
        return "no fit: a value is not above 0"
    return f"no fit: {len(used)} of {num_given} runs make the frontier, {FEWEST_POINTS} are needed"
