"""E = a · (C + b)^c + d, where b (an offset) and d (a floor) may be left out."""

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from analysis.forms.form import Parameter, log_weight

STEEPNESS = np.geomspace(0.01, 3, 30)
"""Exponents to start from, by size."""
NUM_OFFSETS = 14


@dataclass(frozen=True, kw_only=True, slots=True)
class Power:
    """A power law of one input, with an offset of it and a floor or without.

    Without a floor the exponent may have either sign; with one it is at most 0, for a law that falls.
    """

    name: str
    scale: str = "a"
    exponent: str = "c"
    has_offset: bool = False
    has_floor: bool = False
    num_inputs: int = 1

    @property
    def formula(self) -> str:
        """How it is written."""
        base = "(C + b)" if self.has_offset else "C"
        letters = {"beta": "β", "alpha": "α"}
        scale, exponent = (letters.get(n, n) for n in (self.scale, self.exponent))
        return f"E = {scale} · {base}^{exponent}" + (" + d" if self.has_floor else "")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Scale, exponent, offset, floor."""
        steepest = 0.0 if self.has_floor else np.inf
        found = [Parameter(letter=self.scale, is_log=True)]
        found.append(Parameter(letter=self.exponent, upper=steepest))
        if self.has_offset:
            found.append(Parameter(letter="b", is_positive=True, lower=0.0))
        if self.has_floor:
            found.append(Parameter(letter="d", lower=0.0))
        return tuple(found)

    @property
    def exponents(self) -> tuple[str, ...]:
        """The letters that groups may share."""
        return (self.exponent,)

    def grid(self, x: Floats) -> Floats:
        """Return exponents, and offsets from none to the largest input."""
        least, most = x.min(), x.max()
        powers = -STEEPNESS if self.has_floor else np.concatenate([-STEEPNESS, STEEPNESS])
        offsets = [0.0, *np.geomspace(least / 10, most, NUM_OFFSETS)] if self.has_offset else [0.0]
        return np.stack(np.meshgrid(powers, offsets, indexing="ij"), -1).reshape(-1, 2)

    def basis(self, cells: Floats, x: Floats) -> Floats:
        """Return the power, and 1 for the floor."""
        power = (x[:, None, :, 0] + cells[:, 1, None]) ** cells[:, 0, None]
        return np.stack([power, np.ones_like(power)][: 1 + self.has_floor], -2)

    def held(self, cells: Floats, weights: Floats) -> Floats:
        """Return (ln a, c, b, d), as far as there are b and d."""
        columns = [log_weight(weights[:, 0]), cells[:, 0]]
        columns += [cells[:, 1]] if self.has_offset else []
        columns += [weights[:, 1]] if self.has_floor else []
        return np.stack(columns, -1)

    def value(self, held: Floats, x: Floats) -> tuple[Floats, Floats]:
        """Return E and its gradient."""
        shifted = x[..., 0] + (held[:, 2:3] if self.has_offset else 0.0)
        log_c = np.log(shifted)
        power = np.exp(held[:, 0:1] + held[:, 1:2] * log_c)
        columns = [power, power * log_c]
        columns += [held[:, 1:2] * power / shifted] if self.has_offset else []
        columns += [np.ones_like(power)] if self.has_floor else []
        return power + (held[:, -1:] if self.has_floor else 0.0), np.stack(columns, -1)

    def sentence(self, params: dict[str, float]) -> str:
        """Return the formula with numbers in it."""
        base = f"(C + {params['b']:.3g})" if self.has_offset else "C"
        floor = f" + {params['d']:.3g}" if self.has_floor else ""
        return f"E = {params[self.scale]:.3g} · {base}^{params[self.exponent]:.3f}{floor}"
