"""The completion hook that has every checkpoint scored. No torch: it only says what is wanted."""

from sweeps.work.events import Event
from sweeps.work.items import CheckpointEvals


class Score:
    """Asks for the evals of a checkpoint's suites.

    A hook with a `work` method is not called but planned: the launcher makes work items of what it
    asks for, and it is complete when the table has the rows.
    """

    def work(self, event: Event) -> CheckpointEvals:
        """Return the evals wanted of the checkpoint that `event` reports."""
        assert event.segment is not None
        assert event.samples_seen is not None
        return CheckpointEvals(
            segment=event.segment, samples_seen=event.samples_seen, evals=event.evals
        )


score = Score()
