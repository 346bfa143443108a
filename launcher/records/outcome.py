"""How an attempt ended."""

from enum import Enum


class Outcome(Enum):
    """How an attempt ended."""

    done = "done"
    stopped = "stopped"
    time_limit = "time_limit"
    cancelled = "cancelled"
    preempted = "preempted"
    node_failure = "node_failure"
    out_of_memory = "out_of_memory"
    crashed = "crashed"
    stalled = "stalled"
    bad_data = "bad_data"
    not_finite = "not_finite"
    vanished = "vanished"

    @property
    def is_final(self) -> bool:
        """Whether trying again would end the same way."""
        return self in (Outcome.bad_data, Outcome.not_finite)
