"""How an attempt ended, and what is done about it: one row of a table for each way."""

from dataclasses import dataclass
from enum import Enum


class Remedy(Enum):
    """What follows an attempt.

    `nothing`: it is complete, or somebody else decides. `here`: the next attempt in the same job.
    `elsewhere`: leave the job; the next one avoids the node. `hold`: trying again would end the same.
    """

    nothing = "nothing"
    here = "here"
    elsewhere = "elsewhere"
    hold = "hold"


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done about an outcome.

    `is_fault`: it counts against `policy.fruitless_attempts`, where it brought no new sample. `most`:
    held after so many in a row at the same number of samples (None: as often as it happens).
    `advice`: what the user may change.
    """

    remedy: Remedy
    is_fault: bool = False
    most: int | None = None
    advice: str = ""


class Outcome(Enum):
    """How an attempt ended."""

    done = "done"
    stopped = "stopped"
    cancelled = "cancelled"
    time_limit = "time_limit"
    preempted = "preempted"
    node_failure = "node_failure"
    out_of_memory = "out_of_memory"
    communication = "communication"
    crashed = "crashed"
    stalled = "stalled"
    bad_data = "bad_data"
    not_finite = "not_finite"
    user_error = "user_error"
    lost_state = "lost_state"
    no_room = "no_room"
    vanished = "vanished"

    @property
    def treatment(self) -> Treatment:
        """What is done about it."""
        return TREATMENTS[self]

    @property
    def is_final(self) -> bool:
        """Whether trying again would end the same way."""
        return self.treatment.remedy is Remedy.hold


TREATMENTS = {
    Outcome.done: Treatment(Remedy.nothing),
    Outcome.stopped: Treatment(Remedy.nothing),
    Outcome.cancelled: Treatment(Remedy.nothing),
    Outcome.time_limit: Treatment(
        Remedy.nothing, most=4, advice="a job ends before its first new sample: raise cluster.time_min"
    ),
    Outcome.preempted: Treatment(Remedy.nothing),
    Outcome.node_failure: Treatment(
        Remedy.elsewhere, most=10, advice="ask those who run the cluster about the nodes named above"
    ),
    Outcome.out_of_memory: Treatment(
        Remedy.here,
        is_fault=True,
        most=2,
        advice="the same layout would fail again: raise resources.num_ranks, so that a rank's share of "
        "the batch is smaller, or lower resources.num_workers or global_batch_size",
    ),
    Outcome.communication: Treatment(Remedy.here, is_fault=True),
    Outcome.crashed: Treatment(Remedy.here, is_fault=True),
    Outcome.stalled: Treatment(Remedy.here, is_fault=True),
    Outcome.bad_data: Treatment(Remedy.hold),
    Outcome.not_finite: Treatment(Remedy.hold),
    Outcome.user_error: Treatment(Remedy.hold),
    Outcome.lost_state: Treatment(Remedy.hold),
    Outcome.no_room: Treatment(
        Remedy.hold, advice="the file system, or your quota on it, is full: make room, then resume"
    ),
    Outcome.vanished: Treatment(Remedy.here, is_fault=True),
}
"""Time limits and preemptions are no faults: a run of many jobs meets them as a matter of course."""

ON_REQUEST = {Outcome.stopped, Outcome.cancelled, Outcome.time_limit, Outcome.preempted}
"""Ended by somebody who wanted the nodes, or the run, no longer; nothing went wrong."""
