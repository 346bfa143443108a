"""What the solver asks of a form. Parameters are held so that it may move each of them freely."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analysis.arrays import Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A letter of a formula, with its bounds.

    `is_log`: the solver holds its natural logarithm, and its interval is made there. `is_positive`: its
    interval is made on the logarithm, though the solver holds the number itself, which may be 0.
    """

    letter: str
    is_log: bool = False
    is_positive: bool = False
    lower: float = -np.inf
    upper: float = np.inf

    def natural(self, held: Floats) -> Floats:
        """Return the number that a held value stands for."""
        with np.errstate(over="ignore"):  # a number that nothing determines may be any
            return np.exp(held) if self.is_log else held


class Model(Protocol):
    """What can be descended: a formula y = f(x) with its gradient.

    Shapes: R problems, m points, q inputs, p parameters, G cells of a grid. A first axis of `x` may be
    1 where all problems have the same points.
    """

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its p parameters, as the solver holds them."""

    def value(self, held: Floats, x: Floats) -> tuple[Floats, Floats]:
        """Return f and its gradient by the held parameters: (R, p), (R, m, q) → (R, m), (R, m, p)."""


class Form(Model, Protocol):
    """A formula that is linear in some parameters once the others are fixed."""

    @property
    def name(self) -> str:
        """Its name on the command line."""

    @property
    def formula(self) -> str:
        """How it is written."""

    @property
    def exponents(self) -> tuple[str, ...]:
        """The letters that groups may share: the first of the grid's parameters."""

    @property
    def num_inputs(self) -> int:
        """The number q of its inputs."""

    def grid(self, x: Floats) -> Floats:
        """Return values of its non-linear parameters worth a start on points x (m, q): (G, k).

        The first of them tells starts apart that are independent.
        """

    def basis(self, cells: Floats, x: Floats) -> Floats:
        """Return the l functions whose sum with weights ≥ 0 is f: (G, k), (R, m, q) → (R, G, l, m)."""

    def held(self, cells: Floats, weights: Floats) -> Floats:
        """Return the held parameters of cells (R, k) with weights (R, l): (R, p)."""

    def sentence(self, params: dict[str, float]) -> str:
        """Return the formula with numbers in it."""


SMALLEST = 1e-300
"""Stands for a weight of 0 where its logarithm is held."""


def log_weight(weight: Floats) -> Floats:
    """Return the logarithm of a weight that the projection may have set to 0."""
    return np.log(np.maximum(weight, SMALLEST))
