"""What is asked of a table: which columns, which groups, what is held out, and how to fit."""

import math
from dataclasses import dataclass, field

from analysis.fitting.recipe import Recipe
from analysis.fitting.shared import require_exponents
from sweeps.errors import UsageError

MAIN_METRIC = "main_metric"
"""The column that says what is fitted of a row's eval unless something else is asked for."""
DEFAULT_X = "gflops_total"
BEST = "best"
REPORT_GROUP = "pretrain_dataset"
REPORT_RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A fit for each measure (test set and quantity) and group.

    `x`: columns of the inputs. `y`: a column, `error:COLUMN`, or None for the main one of each eval.
    `best_per`: only the run with the least y in each cell of these columns, on each side of a
    threshold, is offered to the frontier.
    `shared`: exponents that all groups of a measure have in common. `rolling`: more thresholds at which
    the law is scored. `chooses_form`: of those in `analysis.fitting.heldout`, by held-out error.
    """

    x: tuple[str, ...] = (DEFAULT_X,)
    y: str | None = None
    group: str | None = None
    best_per: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    holdout_above: float | None = None
    rolling: tuple[float, ...] = ()
    chooses_form: bool = False
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        expected = self.recipe.shape.num_inputs
        if len(self.x) != expected:
            raise UsageError(
                f"x={','.join(self.x)} names {len(self.x)} columns, "
                f"but form={self.recipe.form} has {expected} input{'s' * (expected > 1)}"
            )
        for above in self.thresholds:
            if not 0 < above < math.inf:
                raise UsageError(
                    f"runs are held out above finite numbers above 0, not {above:g}: "
                    "holdout_above=C, rolling=C,C,…"
                )
        require_exponents(self.recipe, self.shared)
        if self.shared and (self.group is None or self.chooses_form):
            raise UsageError("shared= needs group=COLUMN, and one form for all")
        if self.chooses_form and not self.thresholds:
            raise UsageError(
                "form=best chooses by held-out error: say holdout_above=C or rolling=C,C,…"
            )

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Where points are held out."""
        first = () if self.holdout_above is None else (self.holdout_above,)
        return (*first, *self.rolling)
