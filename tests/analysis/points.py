"""Points around known laws."""

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats
from analysis.forms import FORMS

COMPUTE = np.geomspace(1e8, 1e12, 25)[:, None]
LOSSES = np.linspace(0.5, 4, 25)[:, None]
SIZES_AND_SAMPLES = np.array(
    [(n, d) for n in np.geomspace(1e6, 1e10, 5) for d in np.geomspace(1e7, 1e11, 5)]
)
"""Four decades of either."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """A law with its held parameters, and where it is measured: x (n, q)."""

    form: str
    held: tuple[float, ...]
    x: Floats

    def measured(self, noise: float, count: int = 1, seed: int = 0) -> Floats:
        """Return `count` studies with log-normal noise: (count, n)."""
        value, _ = FORMS[self.form].value(np.array([self.held]), self.x[None])
        random = np.random.default_rng(seed)
        return value * np.exp(noise * random.standard_normal((count, len(self.x))))

    @property
    def params(self) -> dict[str, float]:
        """Its parameters by letter."""
        each = zip(FORMS[self.form].parameters, self.held, strict=True)
        return {p.letter: float(p.natural(np.array(held))) for p, held in each}


TRUTHS = (
    Truth(form="power", held=(np.log(5.0), -0.2), x=COMPUTE),
    Truth(form="power_floor", held=(np.log(20.0), -0.2, 0.1), x=COMPUTE),
    Truth(form="saturating", held=(np.log(25_000.0), -0.5, 1e9, 0.2), x=COMPUTE),
    Truth(form="chinchilla", held=(np.log(400.0), 0.34, np.log(400.0), 0.28, 0.5), x=SIZES_AND_SAMPLES),
    Truth(form="sigmoid", held=(np.log(0.8), -3.0, 2.0, 0.1), x=LOSSES),
)
