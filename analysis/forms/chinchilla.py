"""L(N, D) = E + A/N^alpha + B/D^beta, of model size and samples (Hoffmann et al. 2022, section 3.3)."""

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from analysis.forms.form import Parameter, log_weight

STEEPNESS = np.geomspace(0.03, 2, 12)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chinchilla:
    """A law of two inputs: a floor, what a larger model takes away, what more samples take away."""

    name: str = "chinchilla"
    formula: str = "L = E + A/N^α + B/D^β"
    num_inputs: int = 2
    exponents: tuple[str, ...] = ("alpha", "beta")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """A and B by their logarithms, alpha, beta, E."""
        return (
            Parameter(letter="A", is_log=True),
            Parameter(letter="alpha", lower=0.0),
            Parameter(letter="B", is_log=True),
            Parameter(letter="beta", lower=0.0),
            Parameter(letter="E", lower=0.0),
        )

    def grid(self, x: Floats) -> Floats:  # noqa: ARG002
        """Return pairs of exponents."""
        return np.stack(np.meshgrid(STEEPNESS, STEEPNESS, indexing="ij"), -1).reshape(-1, 2)

    def basis(self, cells: Floats, x: Floats) -> Floats:
        """Return the two powers and 1."""
        powers = x[:, None, :, :] ** -cells[:, None, :]
        return np.concatenate([powers, np.ones_like(powers[..., :1])], -1).swapaxes(-1, -2)

    def held(self, cells: Floats, weights: Floats) -> Floats:
        """Return (ln A, alpha, ln B, beta, E)."""
        logs = log_weight(weights[:, :2])
        return np.stack([logs[:, 0], cells[:, 0], logs[:, 1], cells[:, 1], weights[:, 2]], -1)

    def value(self, held: Floats, x: Floats) -> tuple[Floats, Floats]:
        """Return L and its gradient."""
        log_x = np.log(x)
        of_size = np.exp(held[:, 0:1] - held[:, 1:2] * log_x[..., 0])
        of_data = np.exp(held[:, 2:3] - held[:, 3:4] * log_x[..., 1])
        columns = [of_size, -of_size * log_x[..., 0], of_data, -of_data * log_x[..., 1]]
        return of_size + of_data + held[:, 4:5], np.stack([*columns, np.ones_like(of_size)], -1)

    def sentence(self, params: dict[str, float]) -> str:
        """Return the formula with numbers in it."""
        text = "L = {E:.3g} + {A:.3g}/N^{alpha:.3f} + {B:.3g}/D^{beta:.3f}"
        return text.format(**params)
