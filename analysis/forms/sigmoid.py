"""y = b + a / (1 + exp(-k (x - m))): the link from a loss to an accuracy or an error."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from analysis.arrays import Floats
from analysis.forms.form import Parameter, log_weight

STEEPNESS = np.geomspace(0.5, 60, 12)
"""In units of one over the range of x."""
NUM_MIDDLES = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class Sigmoid:
    """A step of height a above b around x = m; k < 0 where it falls, as accuracy does with loss."""

    name: str = "sigmoid"
    formula: str = "y = b + a / (1 + exp(−k (x − m)))"
    num_inputs: int = 1
    exponents: tuple[str, ...] = ("k",)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The height a by its logarithm, k, m, b."""
        return (
            Parameter(letter="a", is_log=True),
            Parameter(letter="k"),
            Parameter(letter="m"),
            Parameter(letter="b", lower=0.0),
        )

    def grid(self, x: Floats) -> Floats:
        """Return slopes of both signs, and middles around the points."""
        least, width = x.min(), np.ptp(x) or 1.0
        slopes = np.concatenate([-STEEPNESS, STEEPNESS]) / width
        middles = least + width * np.linspace(-0.5, 1.5, NUM_MIDDLES)
        return np.stack(np.meshgrid(slopes, middles, indexing="ij"), -1).reshape(-1, 2)

    def basis(self, cells: Floats, x: Floats) -> Floats:
        """Return the step and 1."""
        step = expit(cells[:, 0, None] * (x[:, None, :, 0] - cells[:, 1, None]))
        return np.stack([step, np.ones_like(step)], -2)

    def held(self, cells: Floats, weights: Floats) -> Floats:
        """Return (ln a, k, m, b)."""
        return np.stack([log_weight(weights[:, 0]), cells[:, 0], cells[:, 1], weights[:, 1]], -1)

    def value(self, held: Floats, x: Floats) -> tuple[Floats, Floats]:
        """Return y and its gradient."""
        slope, away = held[:, 1:2], x[..., 0] - held[:, 2:3]
        share = expit(slope * away)
        step = np.exp(held[:, 0:1]) * share
        steepness = step * (1 - share)
        columns = [step, steepness * away, -steepness * slope, np.ones_like(step)]
        return step + held[:, 3:4], np.stack(columns, -1)

    def sentence(self, params: dict[str, float]) -> str:
        """Return the formula with numbers in it."""
        slope, middle = params["k"], params["m"]
        turn = f"{'−' if slope > 0 else ''}{abs(slope):.3g}"
        away = f"x {'+' if middle < 0 else '−'} {abs(middle):.3g}"
        return f"y = {params['b']:.3g} + {params['a']:.3g} / (1 + exp({turn} ({away})))"
