"""What is declared of a fit: the form, the frontier, what residuals cost, where intervals come from."""

from dataclasses import dataclass
from enum import Enum

from analysis.forms import Form, form_named
from analysis.solve.problem import Cost
from sweeps.errors import UsageError

HUBER_DELTA = 1e-3
"""Of Hoffmann et al. (2022), for residuals of log L: their objective is `residuals=log`."""


class Residuals(Enum):
    """Where residuals are taken."""

    log = "log"
    linear = "linear"


class Loss(Enum):
    """What residuals cost."""

    squared = "squared"
    huber = "huber"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How to fit. What is None is the form's usual choice.

    `num_resamples`: of the bootstrap; 0 for the delta method. `delta`: of Huber's loss, in the units
    of the residuals.
    """

    form: str = "power"
    frontier: str = "pareto"
    residuals: Residuals | None = None
    loss: Loss | None = None
    delta: float = HUBER_DELTA
    num_resamples: int = 0
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise UsageError(f"level={self.level} is no share: expected a number between 0 and 1")
        if self.delta <= 0:
            raise UsageError(f"delta={self.delta} is not above 0")
        if self.shape.num_inputs > 1 and self.frontier != "none":
            raise UsageError(f"form={self.form} has no frontier, having two inputs: say frontier=none")

    @property
    def shape(self) -> Form:
        """The form itself."""
        return form_named(self.form)

    @property
    def is_log(self) -> bool:
        """Whether residuals are logarithmic: by default those of `power`, as the 2023 study's."""
        return (self.residuals or self.usual_residuals) is Residuals.log

    @property
    def usual_residuals(self) -> Residuals:
        """Where they are taken unless somebody says so."""
        return Residuals.log if self.form == "power" else Residuals.linear

    @property
    def cost(self) -> Cost:
        """What residuals cost: their square, or for `chinchilla` Huber's, as of log L in its paper."""
        usual = Loss.huber if self.form == "chinchilla" else Loss.squared
        is_huber = (self.loss or usual) is Loss.huber
        return Cost(is_log=self.is_log, delta=self.delta) if is_huber else Cost(is_log=self.is_log)
