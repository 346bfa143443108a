"""One form for several groups that share some of its parameters."""

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Floats, Rows
from analysis.forms.form import Form, Parameter


@dataclass(frozen=True, kw_only=True, slots=True)
class Joint:
    """A form whose points have the number of their group as a last input.

    Held are first the parameters that all share, then those of each group by itself.
    """

    base: Form
    shared: tuple[str, ...]
    num_groups: int

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The shared ones, then each group's own."""
        own = [p for p in self.base.parameters if p.letter not in self.shared]
        common = [p for p in self.base.parameters if p.letter in self.shared]
        return (*common, *own * self.num_groups)

    def places(self, group: int) -> Rows:
        """Return where the base form's parameters of a group are held."""
        letters = [p.letter for p in self.base.parameters]
        common = [letter for letter in letters if letter in self.shared]
        own = [letter for letter in letters if letter not in self.shared]
        first = len(common) + group * len(own)
        where = {letter: number for number, letter in enumerate(common)}
        where |= {letter: first + number for number, letter in enumerate(own)}
        return np.array([where[letter] for letter in letters])

    def value(self, held: Floats, x: Floats) -> tuple[Floats, Floats]:
        """Return the value of each point in its group, and the gradient by all that is held."""
        shape = (len(held), x.shape[1])
        value, gradient = np.ones(shape), np.zeros((*shape, held.shape[1]))
        for group in range(self.num_groups):
            points = np.flatnonzero(x[0, :, -1] == group)
            places = self.places(group)
            own, slopes = self.base.value(held[:, places], x[:, points, :-1])
            value[:, points] = own
            gradient[:, points[:, None], places] = slopes
        return value, gradient
