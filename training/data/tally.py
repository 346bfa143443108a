"""How many samples were broken, and when that is too many."""

import logging

from sweeps.errors import DataError
from training.data.contents import BrokenSample

log = logging.getLogger(__name__)

LEAST_SAMPLES = 10_000
"""A share of fewer samples says little: so many count at least."""
MOST_TOLD = 10


class Tally:
    """Counts the broken samples that a rank meets, and names the first ones in the log."""

    def __init__(self, max_bad_fraction: float) -> None:
        self._max_bad_fraction = max_bad_fraction
        self._num_samples = self._num_broken = 0

    def note(self, num_samples: int, broken: tuple[BrokenSample, ...]) -> None:
        """Count the samples of a batch.

        Raises:
            DataError: more than the share that is allowed were broken; it names the last one.
        """
        self._num_samples += num_samples
        for one in broken:
            self._num_broken += 1
            if self._num_broken <= MOST_TOLD:
                log.warning("replaced a broken sample: %s", one)
            if self._num_broken > self._max_bad_fraction * max(self._num_samples, LEAST_SAMPLES):
                raise DataError(
                    f"{self._num_broken} of {self._num_samples} samples are broken, more than "
                    f"data.max_bad_fraction={self._max_bad_fraction:g}; the last: {one}"
                )
